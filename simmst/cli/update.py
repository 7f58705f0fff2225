"""The command line's `simmst update`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from simmst.cli._console import Bars, say, stoppable

if TYPE_CHECKING:
    from simmst.experiments.update import Updated

DRIFT = 3
"""Exit code of `--alert`: the newest day was off."""


def update(
    run: Annotated[Path, typer.Argument(help="Directory of a finished `simmst run` on a traffic file.")],
    data: Annotated[Path, typer.Option(help="Traffic file (npz) of its services that holds newer days.")],
    alert: Annotated[
        bool, typer.Option("--alert", help="Exit with 3 where the newest day was off, by the run's own past days.")
    ] = False,
) -> None:
    """Take newer days into a finished run; each part moves only if the newest day, held back, says so."""
    from simmst.experiments.update import update as take_in

    words = ["simmst", "update", str(run), "--data", str(data), *(["--alert"] if alert else [])]
    again = f"nothing was changed unless the log has a new line; begin again with: {shlex.join(words)}"
    with stoppable(again), Bars(Console(stderr=True)) as bars:
        done = take_in(run, data, bars.watch)
    console, errors = Console(), Console(stderr=True)
    for sentence in done.said:
        say(console, sentence)
    if done.new:
        _print(console, done)
    for sentence in done.drift:
        say(errors, f"drift: {sentence}")
    if alert and done.drift:
        raise typer.Exit(DRIFT)


def _print(console: Console, done: Updated) -> None:
    record = done.record
    days = record["days"]
    say(console, f"taken in: {len(days)} days, {days[0]} to {days[-1]}; held back: {days[-1]}")
    for part, found in record["parts"].items():
        before, after = ("–" if found[key] is None else f"{found[key]:.6g}" for key in ("before", "after"))
        what = "moved" if found["kept"] else f"stays ({found['why']})" if "why" in found else "stays"
        say(console, f"{part}: {what}; error on that day {before} before, {after} after")
    say(console, f"update {record['generation']} forecasts now")


def mount(app: Any) -> None:
    """Put the command on a command line."""
    app.command()(update)
