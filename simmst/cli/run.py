"""The command line's `simmst run`."""

import os
import shlex
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from simmst.cli._console import Bars, say, stoppable
from simmst.errors import ConfigError


def run(
    data: Annotated[
        str | None,
        typer.Option(
            help="Traffic file (npz) to validate and test on; default: $SIMMST_DATA, else a synthetic city."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="New run directory; default: runs/<time>.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run in this directory.")] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="simmstnet: train it; pretrained: the pretrained network, as it is and adapted, and simple rows. "
            "Default: the first where the file has the days for it."
        ),
    ] = None,
    preset: Annotated[str | None, typer.Option(help="laptop (minutes; the default) or smoke (seconds).")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything that is drawn.")] = None,
    horizon: Annotated[int | None, typer.Option(help="Hours to forecast.")] = None,
    lookback: Annotated[int | None, typer.Option(help="Hours of history the network sees.")] = None,
    services: Annotated[
        str | None, typer.Option("--services", "--service", help="Services to forecast, comma-separated.")
    ] = None,
) -> None:
    """Simulate, re-weight and train, evaluate on real traffic, and write a run directory with a report.

    A file that is too short to train on gets the pretrained network, as it is and adapted, and simple rows, chosen
    on held-back days.
    """
    # torch and pydantic take a second to import: not for --help or a mistyped option.
    from simmst.experiments.config import RunConfig
    from simmst.experiments.job import Job
    from simmst.experiments.origin_counts import count_origins, origin_notices
    from simmst.experiments.run import run as run_job
    from simmst.experiments.rundir import RunDirectory
    from simmst.experiments.short_run import by_pretrained, run_short
    from simmst.experiments.target import file_digest
    from simmst.traffic.hourly_units import hourly_units

    chosen: dict[str, Any] = {"seed": seed, "model": model, "horizon": horizon, "lookback": lookback}
    if services is not None:
        chosen["services"] = tuple(name.strip() for name in services.split(","))
    chosen = {name: value for name, value in chosen.items() if value is not None}
    if resume is not None:
        if chosen or any(option is not None for option in (data, out, preset)):
            raise ConfigError(
                "--resume: takes the settings of the run it goes on with; leave out all other options"
            )
        directory, config = RunDirectory.open(resume)
        job = None if by_pretrained(config) else Job.prepare(config)
    else:
        name = os.environ.get("SIMMST_DATA", "") if data is None else data
        if name:
            path = Path(name).absolute()
            chosen |= {"data": str(path), "data_sha256": file_digest(path)}
        config = RunConfig.of_preset(preset or "laptop", **chosen)
        job = None if by_pretrained(config) else Job.prepare(config)
        directory = RunDirectory.create(out or Path("runs") / f"{datetime.now():%Y-%m-%d-%H%M%S}", config)
    console = Console()
    if job is None:
        _print_short(console, run_short(config, directory))
        say(console, str(directory.path / "report.html"))
        return
    for notice in origin_notices(job):  # before the minutes that it takes, and with the figures again
        say(Console(stderr=True), f"warning: {notice}")
    again = f"go on with: simmst run --resume {shlex.quote(str(directory.path))}"
    with stoppable(again), Bars(Console(stderr=True)) as bars:
        metrics = run_job(job, directory, bars.watch)
    for notice in metrics["notices"]:
        console.print(notice, highlight=False, markup=False)
    _print_table(console, metrics, hourly_units(job.target.data), str(count_origins(job)[-1]))
    say(console, str(directory.path / "report.html"))


def _print_table(console: Console, metrics: Mapping[str, Any], units: str, origins: str) -> None:
    """Print MAE by service at the longest horizon, and what it rests on."""
    from simmst.reports.run import verdict

    horizon, rows = list(metrics["horizons"].items())[-1]
    table = Table(title=escape(f"MAE on the test days, 1 to {horizon} h ahead, {units}"))
    table.add_column("model")
    services = list(next(iter(rows.values()))["tasks"])
    for service in services:
        table.add_column(escape(service), justify="right")
    best = {service: min(row["tasks"][service]["mae"] for row in rows.values()) for service in services}
    for name, row in rows.items():
        figures = ((row["tasks"][service]["mae"], best[service]) for service in services)
        table.add_row(
            escape(name), *(f"[bold]{mae:.2f}[/bold]" if mae == low else f"{mae:.2f}" for mae, low in figures)
        )
    console.print(table)
    console.print(f"{origins}.", highlight=False, markup=False)
    console.print(verdict(rows), highlight=False, markup=False)


def _print_short(console: Console, metrics: Mapping[str, Any]) -> None:
    """Print what forecasts a short file, and the errors of its services' rows on the held-back days."""
    for notice in metrics["notices"]:
        console.print(notice, highlight=False, markup=False)
    lines = metrics["held_back"]["errors"]
    leads = list(dict.fromkeys(line["leads"] for line in lines))
    for service in dict.fromkeys(line["service"] for line in lines) if metrics["held_back"]["forecasts"] else ():
        table = Table(title=escape(f"{service}: MAE on the held-back days (* forecasts)"))
        table.add_column("row")
        for group in leads:
            table.add_column(group, justify="right")
        mine = [line for line in lines if line["service"] == service]
        for row in dict.fromkeys(line["row"] for line in mine):
            cells = [line for line in mine if line["row"] == row]
            figures = ("–" if cell["mae"] is None else f"{cell['mae']:.4g}" for cell in cells)
            marks = (" *" if cell["taken"] else "" for cell in cells)
            table.add_row(escape(row), *(figure + mark for figure, mark in zip(figures, marks, strict=True)))
        console.print(table)
    console.print(f"Forecast by: {metrics['forecast_by']}.", highlight=False, markup=False)


def mount(app: Any) -> None:
    """Put the command on a command line."""
    app.command()(run)
