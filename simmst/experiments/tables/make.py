"""From the options of a command to a finished table."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from simmst.errors import ConfigError
from simmst.evaluation.benchmark import Benchmark, make_benchmark
from simmst.evaluation.cell import Cell
from simmst.evaluation.compare import compare, rows_of
from simmst.evaluation.gaps import mark_gaps
from simmst.evaluation.target import Target
from simmst.experiments.config import SMOKE, RunConfig
from simmst.experiments.tables.grid import Grid, run_grid
from simmst.experiments.tables.rows import KINDS, TITLES, cells, chosen_models
from simmst.experiments.tables.simulated import Watch
from simmst.experiments.target import load_target
from simmst.io.distribute import Workers, distribute
from simmst.models.recipes import PRESETS
from simmst.models.registry import CLOSED_FORM, REGISTRY
from simmst.reports.table_files import Table
from simmst.training.budget import Budget

#: ``begin(done, missing, total, cell)``: a cell is about to be computed.
Begin = Callable[[int, int, int, Cell], Watch]


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line was given; `simmst table --help` says what each means.

    Attributes
    ----------
    number : int
        1, 2 or 3.
    title : str
        Its beginning.
    data : str or None
        Traffic file; None for a synthetic city.
    folder : Path
        Of results and cells.
    models, budget, scarce, sources, service, protocol : str, optional
        As the options of these names.
    preset : str
        As `--preset`.
    seeds, horizon : int
        As the options of these names.
    lookback : int, optional
        As `--lookback`.
    workers : Workers
        Who computes the cells.
    """

    number: int
    title: str
    data: str | None
    folder: Path
    models: str | None = None
    seeds: int = 1
    preset: str = "laptop"
    budget: str | None = None
    scarce: str | None = None
    sources: str | None = None
    service: str | None = None
    protocol: str | None = None
    horizon: int = 24
    lookback: int | None = None
    workers: Workers = field(default_factory=Workers)


def make_table(options: Options, begin: Begin, skip: Callable[[Cell, str], None], command: str = "") -> Table:
    """Compute the cells that are missing, and join all.

    A KeyboardInterrupt at any moment leaves a folder from which the same call goes on.

    Parameters
    ----------
    options : Options
        What to compute.
    begin, skip : Begin, callable
        As in `run_grid`.
    command : str
        Printed with the table.

    Raises
    ------
    SimmstError
        If an option is impossible, or does not fit the data.
    """
    if options.number not in TITLES:
        raise ConfigError(f"table {options.number}: unknown; known: {', '.join(map(str, TITLES))}")
    models = chosen_models(options.number, options.models)
    scarce, kinds = _days(options.scarce), _kinds(options.sources)
    grid = _grid(options)
    benchmark, target = grid.benchmark, grid.benchmark.target
    wanted = cells(models, options.seeds, scarce, kinds)
    skipped: dict[str, str] = {}

    def leave_out(cell: Cell, reason: str) -> None:
        skipped[cell.label] = reason
        skip(cell, reason)

    started = time.perf_counter()
    elsewhere = _elsewhere(options, grid) if options.workers.several else None
    finished = run_grid(grid, wanted, begin, leave_out, elsewhere)
    ours = [name for name in models if name not in CLOSED_FORM and REGISTRY[name].ours]
    rows = rows_of(finished, ours)
    cost = {key: sum(one.result["time"][key] for one in finished) for key in ("wall_seconds", "processor_seconds")}
    settings = {
        "command": command,
        "preset": options.preset,
        "budget": "the recipe's" if options.budget is None else options.budget,
        "seeds": options.seeds,
        "cells": len(finished),
        "wall time of all cells": f"{cost['wall_seconds'] / 60:.0f} min",
        "processor time of all cells": f"{cost['processor_seconds'] / 60:.0f} min",
        "wall time of this call": f"{(time.perf_counter() - started) / 60:.0f} min",
    }
    title = f"{options.title}: {TITLES[options.number]}, {target.name}, protocol {benchmark.name}"
    compared = compare(rows, benchmark.protocol.steps_per_day) if len(rows) > 1 else []
    if options.preset == "smoke":  # nothing is learnt, so no difference means anything
        compared = []
        target = replace(target, notices=(SMOKE, *target.notices))
        benchmark = replace(benchmark, target=target)
    return Table(title, benchmark, rows, compared, skipped, settings)


def _grid(options: Options) -> Grid:
    if options.preset not in PRESETS:
        raise ConfigError(f"preset {options.preset}: unknown; known: {', '.join(PRESETS)}")
    budget = Budget() if options.budget is None else Budget.parse(options.budget)
    made = make_benchmark(_target(options), options.protocol, options.horizon, options.lookback)
    benchmark = _narrowed(made, options)
    benchmark = replace(benchmark, target=mark_gaps(benchmark.target, benchmark.protocol))
    return Grid(benchmark, options.preset, budget, options.folder)


def _elsewhere(options: Options, grid: Grid) -> Callable[[Sequence[Cell], Callable[[Cell], None]], None]:
    """Compute cells by the workers: those that learn the weights which others use before those others."""
    data = None if options.data is None else str(Path(options.data).absolute())
    there = replace(options, folder=options.folder.absolute(), data=data)

    def compute(cells: Sequence[Cell], done: Callable[[Cell], None]) -> None:
        first: list[Cell] = []
        then: list[Cell] = []
        learned: set[str] = set()
        for cell in cells:
            weights = grid.weights_of(cell) if cell.kind == "reweighted" else ""
            (then if weights in learned else first).append(cell)
            if weights:
                learned.add(weights)
        for wave in (first, then):
            tasks = [(there, cell) for cell in wave]
            distribute(_compute, tasks, options.workers, there.folder, lambda i, wave=wave: done(wave[i]))  # type: ignore[misc]

    return compute


def _compute(options: Options, cell: Cell) -> None:
    """Compute a cell in a worker; it stays in the folder."""
    _kept_grid(options).compute(cell, lambda stage, done, total, note: None)


_kept_grid = lru_cache(maxsize=1)(_grid)


def _target(options: Options) -> Target:
    """Load the traffic, or make it."""
    preset = "smoke" if options.preset == "smoke" else "laptop"
    return load_target(RunConfig.of_preset(preset, data=options.data))


def _narrowed(benchmark: Benchmark, options: Options) -> Benchmark:
    """Keep the services that are asked for; table 1 takes one, by default internet, else the first."""
    known = benchmark.data.services
    if options.service is not None:
        names = tuple(name.strip() for name in options.service.split(","))
    elif options.number == 1:
        names = ("internet",) if "internet" in known else known[:1]
    else:
        return benchmark
    if options.number == 1 and len(names) > 1:
        raise ConfigError(f"service {options.service}: table 1 is of one service")
    return replace(benchmark, target=replace(benchmark.target, data=benchmark.data.select(services=names)))


def _days(text: str | None) -> int | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d+)d", text.strip())
    if found is None or int(found[1]) < 1:
        raise ConfigError(f"scarce {text}: write days as 3d")
    return int(found[1])


def _kinds(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    kinds = tuple(name.strip() for name in text.split(","))
    if unknown := [name for name in kinds if name not in KINDS]:
        raise ConfigError(f"sources {text}: unknown {', '.join(unknown)}; known: {', '.join(KINDS)}")
    return kinds
