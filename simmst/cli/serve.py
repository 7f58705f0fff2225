"""The command line's `simmst serve`."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from cutplane._install import install_command
from simmst.cli._console import say
from simmst.errors import ConfigError

_GRACE = 10


def serve(
    run: Annotated[
        Path | None,
        typer.Argument(help="Directory of a finished `simmst run`, or of a forecaster that Python saved."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Newest traffic (npz); default: the run's. Without RUN the pretrained network forecasts it."
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; there is no authentication.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8000,
) -> None:
    """Answer forecasts over HTTP: /health, /forecast, /report, /openapi.json."""
    try:
        import uvicorn

        from simmst.serving.app import make_app
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"fastapi", "starlette", "uvicorn"}:
            raise
        raise ConfigError(f"{error.name} is missing; install it by: {install_command('serve')}") from None
    from simmst.serving.source import Source

    source = Source(run, data)
    local = _is_loopback(host)
    if not local:
        say(
            Console(stderr=True),
            f"warning: {host} is reached from other machines, and there is no authentication: whoever reaches "
            "it reads the forecasts; put a proxy that asks for a password before it",
        )
    app = make_app(source, hosts=["localhost", "127.0.0.1", "[::1]", host] if local else None)
    say(Console(), f"serving {source.served.name} (generation {source.served.generation}); stop with Ctrl-C")
    uvicorn.run(
        app, host=host, port=port, log_level="info", limit_concurrency=64, timeout_graceful_shutdown=_GRACE,
        server_header=False,
    )  # fmt: skip


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def mount(app: Any) -> None:
    """Put the command on a command line."""
    app.command()(serve)
