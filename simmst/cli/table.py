"""The command line's `simmst table` and `simmst figure`."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn

from simmst.cli._console import announce, progress, say, stoppable
from simmst.errors import ConfigError

if TYPE_CHECKING:
    from simmst.evaluation.cell import Cell
    from simmst.reports.table_files import Table

Number = Annotated[int, typer.Argument(help="1 (single-task), 2 (multi-task) or 3 (ablations).")]
Data = Annotated[
    str | None, typer.Option(help="Traffic file (npz); default: $SIMMST_DATA, else a synthetic city.")
]
Out = Annotated[
    Path | None, typer.Option(help="Folder of the results and of finished cells; default: tables/<n>.")
]
Models = Annotated[str | None, typer.Option(help="Rows, comma-separated, or all; default: the table's own.")]
Seeds = Annotated[int, typer.Option(min=1, help="Seeds 0, 1, ... of every trained row.")]
Preset = Annotated[str, typer.Option(help="smoke (seconds a model), laptop (minutes) or paper (published sizes).")]
BudgetText = Annotated[
    str | None, typer.Option(help="Epochs (3e) or processor time (2m, 90s) a model; default: its recipe.")
]
Scarce = Annotated[str | None, typer.Option(help="Also train on the last days alone: 3d or 7d.")]
Sources = Annotated[
    str | None, typer.Option(help="Of real, pooled, reweighted: training windows; default by row.")
]
Service = Annotated[
    str | None,
    typer.Option(
        "--service",
        "--services",
        help="Services, comma-separated; table 1: one, by default internet or the first.",
    ),
]
FigureOut = Annotated[
    Path | None, typer.Option(help="Folder of the figure and of table 2's finished cells; default: tables/2.")
]
FigureService = Annotated[
    str | None, typer.Option("--service", "--services", help="Services, comma-separated; default: all.")
]
ProtocolName = Annotated[
    str | None, typer.Option(help="J, A, B, fedda or paper; default: J, from six weeks on A.")
]
Horizon = Annotated[int, typer.Option(min=1, help="Hours to forecast.")]
Lookback = Annotated[
    int | None, typer.Option(min=1, help="Hours of history of rows without one of their own; default: 48.")
]
WorkerCount = Annotated[int, typer.Option("--workers", help="Processes that compute cells.")]
RayAddress = Annotated[
    str | None, typer.Option("--ray", help="Compute on a Ray cluster: its address, or auto, or local.")
]


def table(
    number: Number,
    data: Data = None,
    out: Out = None,
    models: Models = None,
    seeds: Seeds = 1,
    preset: Preset = "laptop",
    budget: BudgetText = None,
    scarce: Scarce = None,
    sources: Sources = None,
    service: Service = None,
    protocol: ProtocolName = None,
    horizon: Horizon = 24,
    lookback: Lookback = None,
    workers: WorkerCount = 1,
    ray: RayAddress = None,
) -> None:
    """Compute a table of the paper on your data: Markdown, CSV, JSON, a picture and a page."""
    from simmst.io.atomic import atomically
    from simmst.reports.svg import standalone
    from simmst.reports.table import table_page
    from simmst.reports.table_files import markdown, write_table
    from simmst.reports.table_pictures import error_figure

    folder = out or Path("tables") / str(number)
    made = _made(
        number, f"Table {number}", data, folder, models, seeds, preset, budget, scarce, sources, service, protocol,
        horizon, lookback, workers, ray,
    )  # fmt: skip
    write_table(made, folder)
    picture, text = standalone(error_figure(made.rows)), table_page(made)
    atomically(folder / "errors.svg", lambda path: path.write_text(picture, encoding="utf-8"))
    atomically(folder / "report.html", lambda path: path.write_text(text, encoding="utf-8"))
    console = Console()
    for line in (markdown(made), str(folder / "report.html")):
        say(console, line)


def figure(
    number: Annotated[int, typer.Argument(help="2: forecasts against truth over the test days.")],
    data: Data = None,
    out: FigureOut = None,
    models: Models = None,
    preset: Preset = "laptop",
    budget: BudgetText = None,
    sources: Sources = None,
    service: FigureService = None,
    protocol: ProtocolName = None,
    horizon: Horizon = 24,
    lookback: Lookback = None,
) -> None:
    """Draw truth, Sim-MSTNet and the best other row; cells that a table left in the folder are read."""
    from simmst.io.atomic import atomically
    from simmst.reports.table import figure_page

    if number != 2:
        raise ConfigError(f"figure {number}: only figure 2 shows measurements")
    folder = out or Path("tables") / "2"
    made = _made(
        2, "Figure 2", data, folder, models, 1, preset, budget, None, sources, service, protocol, horizon, lookback
    )
    text = figure_page(made)
    atomically(folder / "figure-2.html", lambda path: path.write_text(text, encoding="utf-8"))
    say(Console(), str(folder / "figure-2.html"))


def _made(
    number: int,
    title: str,
    data: str | None,
    folder: Path,
    models: str | None,
    seeds: int,
    preset: str,
    budget: str | None,
    scarce: str | None,
    sources: str | None,
    service: str | None,
    protocol: str | None,
    horizon: int,
    lookback: int | None,
    workers: int = 1,
    ray: str | None = None,
) -> Table:
    """Check the options, compute what is missing, and join it."""
    from simmst.experiments.tables.make import Options, make_table
    from simmst.io.distribute import Workers

    name = os.environ.get("SIMMST_DATA", "") if data is None else data
    options = Options(
        number,
        title,
        name or None,
        folder,
        models,
        seeds,
        preset,
        budget,
        scarce,
        sources,
        service,
        protocol,
        horizon,
        lookback,
        Workers(workers, ray),
    )
    console = Console(stderr=True)
    with stoppable("the same command goes on"), _GridBars(console) as bars:
        return make_table(options, bars.begin, bars.skip, shlex.join(["simmst", *sys.argv[1:]]))


class _GridBars:
    """A bar over the cells with the time left, and one inside the cell; off a terminal a line a cell."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = progress(console, MofNCompleteColumn(), "{task.fields[note]}")
        self._grid = self._bars.add_task("cells", total=None, note="")
        self._inner = self._bars.add_task("", total=None, note="")
        self._begun: float | None = None  # of the trained cell at hand
        self._durations: list[float] = []

    def __enter__(self) -> _GridBars:
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bars.stop()

    def begin(self, done: int, missing: int, total: int, cell: Cell) -> Callable[[str, int, int, str], None]:
        """Start on a cell: so many of the missing ones are done."""
        now = time.monotonic()
        if self._begun is not None:
            self._durations.append(now - self._begun)
        self._begun = None if cell.seed is None else now  # rows without training say nothing about the others
        mean = sum(self._durations) / len(self._durations) if self._durations else 0.0
        left = f"{_duration(mean * (missing - done))} left" if mean else ""
        seed = "" if cell.seed is None else f", seed {cell.seed}"
        self._bars.update(self._grid, completed=total - missing + done, total=total, note=left)
        self._bars.update(self._inner, description=cell.label + seed, completed=0)
        text = f"cell {total - missing + done + 1} of {total}: {cell.label}{seed}"
        announce(self._console, f"{text} ({left})" if left else text)
        return lambda stage, at, of, note: self._bars.update(
            self._inner, completed=at, total=of, note=f"{stage} {note}"
        )

    def skip(self, cell: Cell, reason: str) -> None:
        """Say that a row is left out."""
        say(self._console, f"left out: {cell.label}: {reason}")


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{max(minutes, 1)} min"


def mount(app: Any) -> None:
    """Put both commands on a command line."""
    app.command()(table)
    app.command()(figure)
