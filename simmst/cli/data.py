"""The command line's `simmst data`: download, ingest, pm, table, describe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import DownloadColumn, MofNCompleteColumn, TimeRemainingColumn
from rich.table import Table

from simmst.cli._console import announce, disk, progress, say
from simmst.cli.own_table import table
from simmst.cli.pm import pm
from simmst.errors import ConfigError

if TYPE_CHECKING:
    from simmst.traffic.describe import Statistic

data_app = typer.Typer(no_args_is_help=True, help="Real traffic: download it, turn it into one file, describe it.")

data_app.command()(pm)
data_app.command()(table)
# pooch, polars, numba and matplotlib take a while to import: each command imports what it needs.


@data_app.command()
def download(
    city: Annotated[str, typer.Argument(help="milano or trento.")],
    out: Annotated[Path, typer.Option(help="Folder for the daily files; Milano's take about 20 GB.")],
    server: Annotated[str | None, typer.Option(help="Dataverse server; default: Harvard's.")] = None,
) -> None:
    """Download the Telecom Italia daily files; call it again to go on after an interruption."""
    import pooch

    from simmst.traffic.telecom.download import SERVER
    from simmst.traffic.telecom.download import download as fetch

    pooch.get_logger().setLevel("WARNING")  # the bar says the same
    console = Console()
    with disk(), progress(console, DownloadColumn(), TimeRemainingColumn()) as bars:
        tasks: dict[str, object] = {}

        def watch(name: str, done: int, size: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=size)
            bars.update(tasks[name], completed=done)  # type: ignore[arg-type]
            if done == size:
                announce(console, f"{name}: {size / 1e6:.1f} MB")

        paths = fetch(city, out, server or SERVER, watch)
    say(console, f"{len(paths)} files in {out}")


@data_app.command()
def ingest(
    raw_dir: Annotated[Path, typer.Argument(help="Folder of the daily files of one city.")],
    out: Annotated[Path, typer.Option(help="Traffic file (npz) to write; must not exist.")],
    resolution: Annotated[int, typer.Option(help="Minutes of a step: 10, 30 or 60.")] = 60,
    fill: Annotated[
        str, typer.Option(help="Gaps, when no square has a record: none (refuse), zero or linear.")
    ] = "none",
    max_malformed: Annotated[int, typer.Option(help="Malformed lines to leave out before giving up.")] = 100,
) -> None:
    """Turn daily files into one traffic file; call it again to go on after an interruption."""
    from simmst.traffic.telecom.ingest import ingest as turn

    console = Console()
    columns = MofNCompleteColumn(), TimeRemainingColumn(), "{task.fields[file]}"
    with disk(), progress(console, *columns) as bars:
        task = bars.add_task("days", total=None, file="")

        def watch(done: int, total: int, name: str) -> None:
            bars.update(task, completed=done, total=total, file=name)
            announce(console, f"{name}: {done} of {total} days")

        report = turn(raw_dir, out, resolution, fill, max_malformed, watch)  # type: ignore[arg-type]
    for line in report.malformed:
        say(console, f"left out {line}")
    if report.n_malformed > len(report.malformed):
        say(console, f"left out {report.n_malformed - len(report.malformed)} more malformed lines")
    if report.gap_steps:
        say(
            console,
            f"gaps: {report.gap_steps} steps of a service ({report.filled} values) without a full record, "
            f"{report.missing_days} days without a file; fill: {fill}",
        )
    if report.repeated:
        say(console, f"daylight saving repeats {report.repeated} ten-minute steps: they hold the mean of both")
    say(
        console,
        f"{report.path}: {report.days} days ({report.days_kept} kept from before), {report.lines} lines, "
        f"{report.steps} steps of {resolution} minutes x {report.squares} squares x 3 services; "
        f"{report.silent} ten-minute values are 0 for want of a record",
    )


@data_app.command()
def describe(
    file: Annotated[Path, typer.Argument(help="Traffic file (npz).")],
    picture: Annotated[
        Path | None, typer.Option(help="PNG to draw; default: <name of the file>.png here.")
    ] = None,
) -> None:
    """Print the statistics of a traffic file, and draw them."""
    from simmst.traffic.dataset import TrafficData
    from simmst.traffic.describe import describe as measure
    from simmst.traffic.describe import draw

    target = picture or Path(f"{file.stem}.png")
    if target.suffix.lower() != ".png":
        raise ConfigError(f"--picture {target}: must end in .png")
    console = Console()
    with disk():
        data = TrafficData.load(file)
        found = measure(data)
        draw(data, target)
    steps, nodes, services = data.values.shape
    say(
        console,
        f"{file}: {steps} steps of {data.step_minutes} minutes from {data.times[0]} to {data.times[-1]}, {nodes} "
        f"nodes, {services} services, units {data.units}, {len(data.gaps)} gaps (fill: {data.fill})",
    )
    for service in data.services:
        rows = [(row.name, row) for row in found.statistics if row.service == service]
        console.print(_table(service, rows))
    pairs = [(f"{row.name}, {row.service}", row) for row in found.statistics if row.service not in data.services]
    if pairs:
        console.print(_table("between services", pairs))
    say(console, "value: median over nodes where 5 % and 95 % of the nodes are given")
    for sentence in found.left_out:
        say(console, f"left out: {sentence}")
    say(console, f"picture: {target}")


def _table(title: str, rows: list[tuple[str, Statistic]]) -> Table:
    table = Table(title=escape(title), title_justify="left", box=SIMPLE_HEAD)
    table.add_column("hourly traffic", no_wrap=True)
    for name in ("value", "5 %", "95 %"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("unit")
    for name, row in rows:
        table.add_row(escape(name), *_numbers(row), escape(row.unit))
    return table


def _numbers(row: Statistic) -> list[str]:
    return ["" if value is None else f"{value:.4g}" for value in (row.median, row.low, row.high)]
