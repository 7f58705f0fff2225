"""The command line's `simmst simulate`: windows, validate, pseudo-reality, path-gain."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    MofNCompleteColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from simmst.cli._console import announce, disk, progress, say, stoppable
from simmst.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from simmst.simulator.prior.scenario import Prior
    from simmst.simulator.validation import Validation

simulate_app = typer.Typer(
    invoke_without_command=True, help="Simulate windows for training; or hold the simulator against real traffic."
)

# SciPy, numba and matplotlib take a while to import: each command imports what it needs.

_PAPER_WINDOWS = 30_638
_FEW_WORLDS = 50  # two or three of them lie beyond each end of the band


@simulate_app.callback()
def simulate(
    context: typer.Context,
    out: Annotated[Path | None, typer.Option(help="Folder of the windows; the same one to go on.")] = None,
    windows: Annotated[int, typer.Option(help="Number of windows.")] = _PAPER_WINDOWS,
    seed: Annotated[int, typer.Option(help="Seed of everything that is drawn.")] = 0,
    fresh: Annotated[
        bool, typer.Option("--fresh/--pooled", help="A fresh world for each window, or one for 16.")
    ] = False,
    prior: Annotated[str, typer.Option(help="informed, literature, or a YAML file.")] = "informed",
    path_gain: Annotated[Path | None, typer.Option(help="npz file of path gains that replace radio.")] = None,
    services: Annotated[
        str, typer.Option("--services", "--service", help="Services, comma-separated.")
    ] = "call,sms,internet",
    hours: Annotated[int, typer.Option(help="Hours of a world.")] = 192,
    lookback: Annotated[int, typer.Option(help="Hours of history of a window.")] = 168,
    horizon: Annotated[int, typer.Option(help="Hours of target of a window.")] = 24,
    workers: Annotated[int | None, typer.Option(help="Processes; default: one a core.")] = None,
) -> None:
    """Simulate windows for training; call it again to go on after a stop. Or see the commands below."""
    if context.invoked_subcommand is not None:
        given = [
            name for name in context.params if str(context.get_parameter_source(name)).endswith("COMMANDLINE")
        ]
        if given:
            raise ConfigError(
                f"--{given[0].replace('_', '-')}: belongs to `simmst simulate` alone; write the options of "
                f"{context.invoked_subcommand} after it"
            )
        return
    if out is None:
        raise ConfigError("--out: name the folder of the windows, or see `simmst simulate --help`")
    from simmst.simulator.collection import CollectionConfig, make_collection
    from simmst.simulator.radio.path_gain import load_path_gain

    config = CollectionConfig(windows, seed, fresh, _names(services), hours, lookback, horizon)
    gains = None if path_gain is None else load_path_gain(path_gain)
    console = Console()
    with stoppable("the same command goes on"), disk(), _bar(console, "worlds") as watch:
        make_collection(config, out, _prior(prior), gains, workers or _cores(), watch)
    size = sum(file.stat().st_size for file in out.rglob("*.npz")) / 1e6
    say(console, f"{out}: {config.windows} windows of {config.worlds} worlds, {size:.0f} MB")


@simulate_app.command()
def validate(
    data: Annotated[
        list[Path] | None,
        typer.Option(
            help="Traffic file, totals on a grid, or a folder with the known files; may be repeated. "
            "Default: $SIMMST_DATA_DIR, else a pseudo-real town."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for validation.json, .csv and .png.")] = Path("validation"),
    worlds: Annotated[int, typer.Option(help="Simulated worlds of the band.")] = 150,
    seed: Annotated[int, typer.Option(help="Seed of the worlds.")] = 0,
    prior: Annotated[str, typer.Option(help="informed, literature, or a YAML file.")] = "informed",
) -> None:
    """Say for each statistic whether real traffic lies inside the simulated 5 to 95 %."""
    from simmst.simulator.validation import find_files, validate_file, validate_traffic, write_report

    if worlds < 2 or seed < 0:
        raise ConfigError(f"--worlds {worlds}, --seed {seed}: a band needs at least 2 worlds, and a seed from 0")
    folder = os.environ.get("SIMMST_DATA_DIR")
    files = find_files(data or ([Path(folder)] if folder else []))
    distribution = _prior(prior)
    if worlds < _FEW_WORLDS:
        warning = f"warning: --worlds {worlds}: the ends of a 5 to 95 % band need some {_FEW_WORLDS} worlds"
        say(Console(stderr=True), f"{warning}; with fewer they are mostly chance")
    console = Console()
    found: list[Validation] = []
    with disk():
        for file in files:
            with _bar(console, file.name) as watch:
                found += validate_file(file, worlds, seed, distribution, watch)
        if not files:
            from simmst.simulator.agents import pseudo_reality

            say(console, "no real data: a pseudo-real town stands in (seed 0, 28 days)")
            with _bar(console, "worlds") as watch:
                found.append(
                    validate_traffic("pseudo-reality", pseudo_reality(0), worlds, seed, distribution, watch)
                )
        paths = write_report(found, out, seed)
    for validation in found:
        _print(console, validation)
    total = sum(len(validation.comparisons) for validation in found)
    inside = sum(validation.inside for validation in found)
    for validation in found:
        say(console, f"{validation.name}: {validation.inside} of {len(validation.comparisons)} inside")
    say(console, f"together {inside} of {total} inside the simulated 5 to 95 % ({100 * inside / total:.0f} %)")
    say(console, f"written: {', '.join(str(path) for path in paths)}")


@simulate_app.command("pseudo-reality")
def pseudo_reality_command(
    out: Annotated[Path, typer.Option(help="Traffic file (npz) to write; must not exist.")],
    seed: Annotated[int, typer.Option(help="Seed of everything that is drawn.")] = 0,
    days: Annotated[int, typer.Option(help="Whole days.")] = 28,
    nodes: Annotated[int, typer.Option(help="Places.")] = 64,
    people: Annotated[int, typer.Option(help="People.")] = 40_000,
) -> None:
    """Write the traffic of a town of moving people: for tests, and for users without real traffic."""
    from simmst.simulator.agents import pseudo_reality

    if out.suffix != ".npz":
        raise ConfigError(f"--out {out}: must end in .npz")
    if out.exists():
        raise ConfigError(f"--out {out}: exists; name another file")
    console = Console()
    with disk():
        town = pseudo_reality(seed, days, nodes, people)
        town.save(out)
    say(console, f"{out}: {days} days of {nodes} places, {people} people, {', '.join(town.services)}")


@simulate_app.command("path-gain")
def path_gain_command(
    out: Annotated[Path, typer.Option(help="npz file to write, for --path-gain; must not exist.")],
    maps: Annotated[int, typer.Option(help="Number of cities to trace.")] = 4,
    seed: Annotated[int, typer.Option(help="Seed of layouts and houses.")] = 0,
    row: Annotated[int, typer.Option(help="Squares in a row: nodes and two rings around them.")] = 8,
    cache: Annotated[Path, typer.Option(help="Folder that keeps what was traced.")] = Path("ray-cache"),
) -> None:
    """Trace rays through random cities of boxes with sionna-rt (extra rt); call it again to go on."""
    from simmst.simulator.radio.path_gain import save_path_gain
    from simmst.simulator.radio.ray_tracing import traced_cities

    if out.exists():
        raise ConfigError(f"--out {out}: exists; name another file")
    console = Console()
    with disk(), _bar(console, "cities") as watch:
        gain = traced_cities(maps, seed, cache, row, progress=watch)
        save_path_gain(gain, out)
    say(console, f"{out}: {maps} cities of {row} x {row} squares, {gain.gain_db.shape[2]} sites each")


def _print(console: Console, validation: Validation) -> None:
    table = _table(f"{validation.name}: {validation.real}; {validation.simulated}", ["real", "5 %", "95 %"])
    for c in validation.comparisons:
        name = f"{c.statistic}, {c.service}" if c.service else c.statistic
        mark = "" if c.inside else "[bold red]outside[/bold red]"
        table.add_row(escape(name), f"{c.real:.3f}", f"{c.low:.3f}", f"{c.high:.3f}", mark)
    console.print(table)
    if validation.days:
        table = _table("distance between whole days", ["real to simulated", "real to real"])
        for d in validation.days:
            table.add_row(escape(f"{d.statistic}, {d.service}"), f"{d.simulated:.3f}", f"{d.baseline:.3f}", "")
        console.print(table)


def _table(title: str, columns: list[str]) -> Table:
    table = Table(title=escape(title), title_justify="left", box=SIMPLE_HEAD)
    table.add_column("statistic", overflow="fold")
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, min_width=len("outside"))
    return table


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if "" in names:
        raise ConfigError(f"--services {text!r}: must be names with commas between them")
    return names


def _prior(name: str) -> Prior:
    """A prior by its name, or from a file."""
    from simmst.simulator.prior.file import PRIORS, load_prior

    if name not in PRIORS and not Path(name).exists():
        raise ConfigError(f"--prior {name}: is no file, and must be {', '.join(PRIORS)} or a YAML file")
    return PRIORS[name]() if name in PRIORS else load_prior(name)


def _cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on all systems
        return os.cpu_count() or 1


@contextmanager
def _bar(console: Console, what: str) -> Iterator[Callable[[int, int], None]]:
    with progress(console, MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()) as bars:
        task, said = bars.add_task(what, total=None), 0

        def watch(done: int, total: int) -> None:
            nonlocal said
            bars.update(task, completed=done, total=total)
            if 10 * done // total > said:  # elsewhere a line each tenth
                said = 10 * done // total
                announce(console, f"{what}: {done} of {total}")

        yield watch
