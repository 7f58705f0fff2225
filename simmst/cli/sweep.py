"""The command line's `simmst sweep`: the main job over seeds, by processes or on a Ray cluster."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from simmst.cli._console import say, stoppable


def sweep(
    out: Annotated[Path, typer.Option(help="Folder with a run directory for each seed; the same one to go on.")],
    data: Annotated[
        str | None, typer.Option(help="Traffic file (npz); default: $SIMMST_DATA, else a synthetic city.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Seeds 0, 1, ...")] = 3,
    preset: Annotated[str, typer.Option(help="laptop (minutes a seed) or smoke (seconds).")] = "laptop",
    horizon: Annotated[int | None, typer.Option(help="Hours to forecast.")] = None,
    services: Annotated[
        str | None, typer.Option("--services", "--service", help="Services to forecast, comma-separated.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
    ray: Annotated[str | None, typer.Option(help="A Ray cluster's address, or auto, or local.")] = None,
) -> None:
    """Do `simmst run` for several seeds; print mean and spread of their errors."""
    from simmst.experiments.config import RunConfig
    from simmst.experiments.sweep import sweep as run_sweep
    from simmst.experiments.target import file_digest
    from simmst.io.distribute import Workers

    chosen: dict[str, Any] = {} if horizon is None else {"horizon": horizon}
    if services is not None:
        chosen["services"] = tuple(name.strip() for name in services.split(","))
    name = os.environ.get("SIMMST_DATA", "") if data is None else data
    if name:
        path = Path(name).absolute()
        chosen |= {"data": str(path), "data_sha256": file_digest(path)}
    config = RunConfig.of_preset(preset, **chosen)

    def show(done: int, total: int) -> None:
        sys.stderr.write(f"{done} of {total} runs\n")

    with stoppable("the same command goes on"):
        found = run_sweep(out, config, seeds, Workers(workers, ray), show)
    _print(found)
    say(Console(), str(out / "sweep.json"))


def _print(found: dict[str, Any]) -> None:
    """Print notices, then mean and spread at the longest horizon."""
    for notice in found["notices"]:
        Console().print(notice, highlight=False, markup=False)
    horizon, rows = list(found["horizons"].items())[-1]
    table = Table(title=f"MAE on the test days, 1 to {horizon} h ahead, mean ± spread of {found['seeds']} seeds")
    table.add_column("model")
    for task in next(iter(rows.values())):
        table.add_column(escape(task), justify="right")
    for row, tasks in rows.items():
        spreads = ("" if one["spread"] is None else f" ± {one['spread']:.2g}" for one in tasks.values())
        cells = (f"{one['mean']:.3g}{spread}" for one, spread in zip(tasks.values(), spreads, strict=True))
        table.add_row(escape(row), *cells)
    Console().print(table)


def mount(app: Any) -> None:
    """Put the command on a command line."""
    app.command()(sweep)
