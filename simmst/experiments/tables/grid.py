"""Computes the cells of a table that are not there yet; a cell once computed is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from simmst.errors import DataError, SimmstError
from simmst.evaluation.benchmark import Benchmark
from simmst.evaluation.cell import Cell, Finished, score
from simmst.evaluation.closed_form import closed_form_forecast, refusal
from simmst.evaluation.measures import Reference
from simmst.experiments.tables import key
from simmst.experiments.tables.cost import Clock
from simmst.experiments.tables.simulated import Simulated, Watch, simulation_config, without_simulation
from simmst.experiments.tables.training import Recipe, Training
from simmst.io.atomic import atomically
from simmst.io.lock import locked, sweep
from simmst.io.npz import load_npz, save_npz
from simmst.io.versions import versions
from simmst.models.card import Setting
from simmst.models.recipes import Preset
from simmst.models.registry import CLOSED_FORM, REGISTRY
from simmst.training.budget import Budget


@dataclass(slots=True)
class Grid:
    """The cells of one table over one benchmark.

    Attributes
    ----------
    benchmark : Benchmark
        Data and protocol.
    preset, budget : Preset, Budget
        Sizes and training of the models.
    folder : Path
        Where results are kept; each cell in a folder of its own, named by row, seed and key.
    """

    benchmark: Benchmark
    preset: Preset
    budget: Budget
    folder: Path
    _data: str = ""
    _parts: dict[int | None, Benchmark] = field(default_factory=dict)
    _simulated: dict[str, Simulated] = field(default_factory=dict)

    def of(self, days: int | None) -> Benchmark:
        """Return the benchmark with so many training days."""
        if days not in self._parts:
            self._parts[days] = self.benchmark if days is None else self.benchmark.scarce(days)
        return self._parts[days]

    def seen_by(self, cell: Cell) -> Benchmark:
        """Return the benchmark as the cell's model sees it."""
        benchmark = self.of(cell.days)
        if cell.model in CLOSED_FORM:
            return benchmark
        return benchmark.seen_by(REGISTRY[cell.model].recipes[self.preset])

    def refusal(self, cell: Cell) -> str | None:
        """Say why a cell cannot be computed, or return None if it can."""
        benchmark = self.seen_by(cell)
        if cell.model in CLOSED_FORM:
            return refusal(cell.model, benchmark)
        card = REGISTRY[cell.model]
        if cell.kind != "real" and card.feed == "graph":
            return f"{card.label} reads a whole city, and simulated windows are of single nodes"
        if cell.kind != "real" and (reason := without_simulation(benchmark)):
            return reason
        return card.refusal(Setting.of(benchmark.data, benchmark.seen, benchmark.horizon))

    def key(self, cell: Cell) -> str:
        """Hash all that the cell's result depends on."""
        content: dict[str, Any] = {
            "cell": [*cell.row, cell.seed],
            "reference": [self.benchmark.protocol.train.start, self.benchmark.protocol.train.stop],
            **self._shared_key(self.seen_by(cell), key.sources(cell.model)),
        }
        if cell.model not in CLOSED_FORM:
            card = key.card_by_value(REGISTRY[cell.model], self.preset)
            content |= {"preset": self.preset, "card": card, "budget": str(self.budget)}
            if cell.kind != "real":
                assert cell.seed is not None
                content["simulation"] = self._simulation_key(self.seen_by(cell), cell.seed)
        return key.digest(content)

    def _simulation_key(self, benchmark: Benchmark, seed: int) -> str:
        """Hash what the simulated windows and their weights depend on."""
        config = simulation_config(benchmark, self.preset, seed).model_dump(mode="json")
        return key.digest({"config": config, **self._shared_key(benchmark, key.simulation_sources())})

    def _shared_key(self, benchmark: Benchmark, sources: frozenset[str]) -> dict[str, Any]:
        """What both hashes hold of data, protocol, code and packages."""
        self._data = self._data or key.data_digest(self.benchmark.data)
        described = benchmark.describe()
        return {
            "benchmark": {k: v for k, v in described.items() if k not in ("data", "rule")},
            "data": self._data,
            "code": key.code_version(sources),
            "versions": key.versions(sources),
        }

    def weights_of(self, cell: Cell) -> str:
        """Return the name of the folder of the weights that a cell on simulated windows uses."""
        assert cell.seed is not None
        return f"weights-s{cell.seed}-{self._simulation_key(self.seen_by(cell), cell.seed)[:12]}"

    def place(self, cell: Cell) -> Path:
        """Return the cell's folder."""
        days = f"-{cell.days}d" if cell.days else ""
        seed = "" if cell.seed is None else f"-s{cell.seed}"
        return self.folder / "cells" / f"{cell.model}-{cell.kind}{days}{seed}-{self.key(cell)[:12]}"

    def finished(self, cell: Cell) -> Finished | None:
        """Read a cell, or return None where it has not been computed."""
        place = self.place(cell)
        if not (place / "result.json").is_file():
            return None
        details = load_npz(place / "details.npz")
        try:
            result = json.loads((place / "result.json").read_text(encoding="utf-8"))
        except (ValueError, RecursionError):
            result = None
        if not isinstance(result, dict) or not {"horizons", "time", "key"} <= result.keys():
            raise DataError(f"{place / 'result.json'}: damaged; delete the folder {place} and call again")
        return Finished(cell, result, details)

    def compute(self, cell: Cell, watch: Watch) -> Finished:
        """Compute a cell, going on where it stopped, or read it."""
        if (done := self.finished(cell)) is not None:
            return done
        place = self.place(cell)
        place.mkdir(parents=True, exist_ok=True)
        with locked(place):
            sweep(place)
            clock = Clock(place / "time.json")
            try:
                return self._compute(cell, place, clock, clock.watching(watch))
            except BaseException:  # it may go on in another call
                clock.keep()
                raise

    def _compute(self, cell: Cell, place: Path, clock: Clock, watch: Watch) -> Finished:
        torch.set_num_threads(1)
        benchmark = self.seen_by(cell)
        result: dict[str, Any] = {"cell": {"model": cell.model, "kind": cell.kind, "days": cell.days}}
        result |= {"seed": cell.seed, "key": self.key(cell)}
        reference = Reference.of(self.benchmark)  # the same for every row, however few days it trains on
        if cell.model in CLOSED_FORM:
            outcome = score(
                benchmark, lambda horizon: closed_form_forecast(cell.model, benchmark, horizon), reference
            )
        else:
            training = self._training(cell, place, watch)
            forecast = training.forecast()
            outcome = score(benchmark, lambda horizon: forecast, reference)
            result |= {"parameters": training.parameters, "training": training.records, "kept": training.kept}
        result |= {
            "benchmark": benchmark.describe(),
            "horizons": {str(h): figures for h, figures in outcome.horizons.items()},
            "time": clock.read(),
            "versions": versions(),
        }
        save_npz(place / "details.npz", outcome.details)
        text = json.dumps(result, indent=1, allow_nan=False) + "\n"
        atomically(place / "result.json", lambda path: path.write_text(text, encoding="utf-8"))
        for rest in (*place.glob("*.safetensors"), *place.glob("time.json")):  # they were for resuming
            rest.unlink()
        return Finished(cell, json.loads(text), outcome.details)

    def _training(self, cell: Cell, place: Path, watch: Watch) -> Training:
        assert cell.seed is not None
        recipe = Recipe(REGISTRY[cell.model], cell.kind, self.preset, self.budget, cell.seed)  # type: ignore[arg-type]
        simulated, benchmark = None, self.seen_by(cell)
        if cell.kind != "real":
            name = self.weights_of(cell)
            if name not in self._simulated:
                self._simulated.clear()  # the worlds of one seed, day count and history in memory are enough
                self._simulated[name] = Simulated(benchmark, self.preset, cell.seed, self.folder / "cells" / name)
            simulated = self._simulated[name]
        return Training(recipe, benchmark, place, simulated, watch)


def run_grid(
    grid: Grid,
    cells: Iterable[Cell],
    begin: Callable[[int, int, int, Cell], Watch],
    skip: Callable[[Cell, str], None],
    elsewhere: Callable[[Sequence[Cell], Callable[[Cell], None]], None] | None = None,
) -> list[Finished]:
    """Compute all the cells that can be.

    Parameters
    ----------
    grid : Grid
        Of one table.
    cells : iterable of Cell
        In the order of the table.
    begin : callable
        ``begin(done, missing, total, cell)``, called before a cell is computed, returns what watches it: so many
        of the missing ones are done. Where cells are computed elsewhere it is called as each one ends.
    skip : callable
        Called with a cell that cannot be computed, and the reason.
    elsewhere : callable, optional
        ``elsewhere(cells, done)`` computes cells in other processes, into the same folder, and calls ``done`` with
        each as it ends.

    Raises
    ------
    SimmstError
        If no cell can be computed.
    """
    wanted, refused = [], set()
    for cell in cells:
        if (reason := grid.refusal(cell)) is None:
            wanted.append(cell)
        elif cell.row not in refused:
            refused.add(cell.row)
            skip(cell, reason)
    if not wanted:
        raise SimmstError("models: none of these rows can be computed on this data")
    found = {cell: grid.finished(cell) for cell in wanted}
    missing = [cell for cell in wanted if found[cell] is None]
    if elsewhere is not None and missing:
        done = 0

        def ended(cell: Cell) -> None:
            nonlocal done
            done += 1
            begin(done, len(missing), len(wanted), cell)

        elsewhere(missing, ended)
        for cell in missing:
            found[cell] = grid.finished(cell)
            if found[cell] is None:
                raise SimmstError(f"{cell.label}: a worker computed it from other code or data than are here")
    else:
        for done, cell in enumerate(missing):
            found[cell] = grid.compute(cell, begin(done, len(missing), len(wanted), cell))
    return [one for one in found.values() if one is not None]
