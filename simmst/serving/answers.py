"""What the service answers: forecasts as JSON and CSV, its health, its refusals."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import BaseModel

from simmst.forecasting.forecast import Forecast
from simmst.io.spreadsheet import guarded

Values = list[list[list[float | None]]]


class Problem(BaseModel):
    """Why a request was refused."""

    argument: str | None
    message: str


class DataHealth(BaseModel):
    """The traffic that forecasts are made from, in local time."""

    first: str
    last: str
    nodes: int
    services: list[str]
    units: str


class Health(BaseModel):
    """What is served; `stale` says that newer files are there and could not be read."""

    status: str
    version: str
    name: str
    forecaster: str
    generation: str
    data: DataHealth
    stale: bool


class Answer(BaseModel):
    """A forecast; values are `[hours][nodes][services]`, null where the forecaster has no intervals."""

    generation: str
    level: float
    units: str
    times: list[str]
    nodes: list[str]
    services: list[str]
    forecast: Values
    lower: Values
    upper: Values
    notices: list[str]


def as_answer(found: Forecast, generation: str) -> Answer:
    """Write a forecast as the JSON model has it, in figures of six digits."""
    return Answer(
        generation=generation,
        level=found.level,
        units=found.history.units,
        times=[str(one) for one in found.times.astype("datetime64[m]")],
        nodes=list(found.history.node_ids),
        services=list(found.history.services),
        forecast=_rounded(found.values),
        lower=_rounded(found.lower),
        upper=_rounded(found.upper),
        notices=list(found.notices),
    )


def as_csv(found: Forecast) -> str:
    """Write the table that `simmst forecast` writes."""
    table = found.to_polars().with_columns(pl.col(pl.Float64).round_sig_figs(6))
    return guarded(table).write_csv(datetime_format="%Y-%m-%dT%H:%M")


def problem(message: str, argument: str | None = None) -> Problem:
    """Take the argument from where messages of this project have it: at their beginning."""
    begins = re.match(r"[a-z_]+(?=[ :=.])", message)
    return Problem(argument=argument or (begins[0] if begins else None), message=message)


def _rounded(values: npt.NDArray[np.float64]) -> Values:
    flat = pl.Series(values.ravel()).round_sig_figs(6).to_numpy()
    shaped = flat.astype(object).reshape(values.shape)
    shaped[~np.isfinite(values)] = None
    out: Values = shaped.tolist()
    return out
