"""The HTTP service: health, forecasts from the newest or from posted traffic, and the report page."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from simmst import __version__
from simmst.errors import DataError, SimmstError
from simmst.forecasting.forecast import Forecast
from simmst.reports.answer import answer, answer_page
from simmst.serving.answers import Answer, DataHealth, Health, Problem, as_answer, as_csv, problem
from simmst.serving.body import CSV, JSON, MOST_BYTES, NPZ, TooLarge, TrafficBody, read_body, traffic_of
from simmst.serving.source import Served, Source
from simmst.serving.worker import Busy, Worker
from simmst.traffic.dataset import TrafficData

LONGEST = 168
_LOG = logging.getLogger("simmst.serving")
_HTML = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"}
_REFUSED: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "A host name that is not this machine's, or a damaged request"},
    422: {"model": Problem, "description": "An argument that cannot be used, by name"},
    503: {"model": Problem, "description": "Too many requests; the header Retry-After says when to come again"},
}
_BODY_REFUSED: dict[int | str, dict[str, Any]] = {
    **_REFUSED,
    408: {"model": Problem, "description": "The body did not come in time"},
    413: {"model": Problem, "description": "The body is too large"},
    415: {"model": Problem, "description": "The body is of a kind that is not read"},
}
_CSV_TOO: dict[int | str, dict[str, Any]] = {
    200: {"model": Answer, "content": {CSV: {"schema": {"type": "string"}}}, "description": "The forecast"}
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": TrafficBody.model_json_schema()},
            CSV: {"schema": {"type": "string"}},
            NPZ: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}

Horizon = Annotated[
    int | None, Query(ge=1, le=LONGEST, description="Hours; by default all that the forecaster was fitted for")
]
Level = Annotated[float, Query(gt=0, lt=1, description="Coverage of the intervals")]
Names = Annotated[
    list[str] | None, Query(max_length=10000, description="To answer for; all by default; may be repeated")
]
Format = Annotated[
    Literal["json", "csv"] | None, Query(description="By default what the header Accept asks for, else json")
]
Units = Annotated[str, Query(max_length=400, description="Of the values of a CSV")]


def make_app(
    source: Source, waiting: int = 8, most_bytes: int = MOST_BYTES, hosts: Sequence[str] | None = None
) -> FastAPI:
    """Build the service.

    Parameters
    ----------
    source : Source
        What it answers from.
    waiting : int
        Requests at once; further ones are answered by 503.
    most_bytes : int
        Of a body.
    hosts : sequence of str, optional
        Host names that requests may be for: it keeps pages of other sites from asking through a browser. None
        means any.
    """
    worker = Worker(waiting)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        yield
        worker.close()

    app = FastAPI(
        title="simmst", version=__version__, docs_url=None, redoc_url=None, lifespan=life, redirect_slashes=False
    )
    if hosts is not None:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)
    _refuse_in_json(app)

    @app.get("/health", responses={400: _REFUSED[400]})
    async def health() -> Health:
        """What is served, and how new its traffic is."""
        if source.changed():
            try:
                worker.take()
            except Busy:  # whoever is before will read them
                pass
            else:
                await worker.run(source.current)
        served = source.served
        data = served.data
        about = DataHealth(
            first=str(data.times[0]), last=str(data.times[-1]), nodes=len(data.node_ids),
            services=list(data.services), units=data.units,
        )  # fmt: skip
        return Health(
            status="ok", version=__version__, name=served.name, forecaster=served.forecaster.name,
            generation=served.generation, data=about, stale=source.refused is not None,
        )  # fmt: skip

    @app.get("/forecast", responses={**_REFUSED, **_CSV_TOO}, response_model=Answer)
    async def forecast(
        request: Request, horizon: Horizon = None, level: Level = 0.9, nodes: Names = None, services: Names = None,
        format: Format = None,
    ) -> Response:  # fmt: skip
        """Forecast the hours after the newest traffic."""
        worker.take()
        found, served = await worker.run(_forecast, source, None, horizon, level, nodes, services)
        return _written(found, served, format, request)

    @app.post("/forecast", responses={**_BODY_REFUSED, **_CSV_TOO}, response_model=Answer, openapi_extra=_BODY)
    async def forecast_posted(
        request: Request, horizon: Horizon = None, level: Level = 0.9, nodes: Names = None, services: Names = None,
        format: Format = None, units: Units = "unknown",
    ) -> Response:  # fmt: skip
        """Forecast the hours after posted traffic; a run needs its nodes, services and units in it."""
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind not in (JSON, CSV, NPZ):
            raise HTTPException(415, f"content-type: must be {JSON}, {CSV} or {NPZ} (a traffic file)")
        worker.take()
        try:
            body = await read_body(request.stream(), most_bytes)
        except BaseException as error:
            worker.leave()
            if isinstance(error, TooLarge):
                said = f"body: has more than {most_bytes:,} bytes; send the last weeks"
                raise HTTPException(413, said) from None
            if isinstance(error, TimeoutError):
                raise HTTPException(408, "body: did not come in time; send it again") from None
            raise
        asked = (body, kind, units)
        found, served = await worker.run(_forecast, source, asked, horizon, level, nodes, services)
        return _written(found, served, format, request)

    @app.get(
        "/report",
        responses={**_REFUSED, 200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
        response_class=Response,
    )
    async def report() -> Response:
        """The run's report, or where it has none a page of the forecast."""
        worker.take()
        page = await worker.run(_report, source)
        return Response(page, media_type="text/html; charset=utf-8", headers=_HTML)

    return app


def _forecast(
    source: Source, body: tuple[bytes, str, str] | None, horizon: int | None, level: float,
    nodes: Sequence[str] | None, services: Sequence[str] | None,
) -> tuple[Forecast, Served]:  # fmt: skip
    """Read traffic and forecast; called in the worker's thread."""
    served = source.current()
    traffic: TrafficData = served.data if body is None else traffic_of(*body)
    return _part(served.forecaster.predict(traffic, horizon, level), nodes, services), served


def _part(found: Forecast, nodes: Sequence[str] | None, services: Sequence[str] | None) -> Forecast:
    """Keep the nodes and services that are asked for."""
    if nodes is None and services is None:
        return found
    for argument, asked, known in (
        ("nodes", nodes, found.history.node_ids), ("services", services, found.history.services),
    ):  # fmt: skip
        if asked is not None and len(set(asked)) < len(asked):
            raise DataError(f"{argument}: a name occurs twice")
        if asked is not None and (unknown := [one for one in asked if one not in set(known)]):
            raise DataError(f"{argument}: {unknown[0][:60]!r} is unknown; known: {', '.join(known[:8])}")
    history = found.history.select(services, nodes)
    n = [found.history.node_ids.index(one) for one in history.node_ids]
    s = [found.history.services.index(one) for one in history.services]
    at = np.ix_(range(len(found.times)), n, s)
    ends = found.lower[at], found.upper[at]
    by = tuple(found.made_by[i] for i in n) if found.made_by else ()
    return replace(
        found, history=history, values=found.values[at], lower=ends[0], upper=ends[1], quantiles=None, made_by=by
    )


def _report(source: Source) -> bytes:
    served = source.current()
    page = source.report()
    if page is not None:
        return page
    found = served.forecaster.predict(served.data)
    if found.quantiles is None:
        raise DataError("report: this forecaster has no intervals, so there is no page; ask for the forecast")
    facts = {"Forecast by": served.forecaster.name, "Generation": served.generation}
    return answer_page(f"Forecast of {served.name}", answer(found, []), found.notices, facts).encode()


def _written(found: Forecast, served: Served, format: str | None, request: Request) -> Response:
    """Write a forecast as it is asked for."""
    accepted = request.headers.get("accept", "")
    if format == "csv" or (format is None and CSV in accepted and JSON not in accepted):
        return PlainTextResponse(as_csv(found), media_type=CSV, headers={"X-Generation": served.generation})
    return Response(as_answer(found, served.generation).model_dump_json(), media_type=JSON)


def _refuse_in_json(app: FastAPI) -> None:
    """Answer every refusal by a `Problem`; what is not expected is logged, and not shown."""

    def refuse(status: int, message: str, argument: str | None = None, **headers: str) -> JSONResponse:
        content = problem(message, argument).model_dump()
        return JSONResponse(content, status, {name.replace("_", "-"): value for name, value in headers.items()})

    @app.exception_handler(SimmstError)
    async def refused(_: Request, error: SimmstError) -> JSONResponse:
        return refuse(422, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        argument = str(first["loc"][1] if len(first["loc"]) > 1 else first["loc"][0])
        return refuse(422, f"{argument}: {first['msg']}", argument)

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        return refuse(error.status_code, str(error.detail), **(dict(error.headers or {})))

    @app.exception_handler(Busy)
    async def busy(_: Request, error: Busy) -> JSONResponse:
        return refuse(503, str(error), Retry_After=str(error.seconds))

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> JSONResponse:
        _LOG.error("a request failed", exc_info=error)
        return refuse(500, "the service failed; its log says why")
