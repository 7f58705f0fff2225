"""One cell of a table: a model, a source of training windows and a seed, to its errors on the test part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simmst.evaluation.benchmark import Benchmark
from simmst.evaluation.measures import Reference, measure
from simmst.evaluation.scores import counted, table_horizons, truth
from simmst.io.npz import Arrays
from simmst.models.registry import CLOSED_FORM, REGISTRY

#: Forecasts `[O, H, N, S]` of the test part for a horizon: at least from the origins whose horizon fits.
Forecasts = Callable[[int], npt.NDArray[np.floating]]


@dataclass(frozen=True, slots=True)
class Cell:
    """Which cell.

    Attributes
    ----------
    model : str
        Name of a row without training or of a card of the registry.
    kind : str
        Training windows, see `simmst.experiments.tables.training.Kind`.
    days : int or None
        Training days that may be used; None for all.
    seed : int or None
        Seed of the model and the simulated worlds; None where nothing is drawn.
    """

    model: str
    kind: str
    days: int | None
    seed: int | None

    @property
    def row(self) -> tuple[str, str, int | None]:
        """The cell's row: all but the seed."""
        return self.model, self.kind, self.days

    @property
    def label(self) -> str:
        """Name of the row in a table."""
        name = CLOSED_FORM.get(self.model) or REGISTRY[self.model].label
        words = {"real": "", "pooled": "simulated + real", "reweighted": "re-weighted simulated, then real"}
        notes = [note for note in (words[self.kind], f"{self.days} d" if self.days else "") if note]
        return f"{name} ({', '.join(notes)})" if notes else name


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a cell gave.

    Attributes
    ----------
    horizons : mapping of int to mapping of str to object
        `measure` by horizon.
    details : Arrays
        For paired tests and pictures, at the longest horizon: absolute errors by origin and service
        "by_origin" `[O, S]` and by node and service "by_node" `[N, S]`, and "issued" `[T', N, S]`, forecasts
        issued every H steps (at most a day), end to end, from the first test step on.
    """

    horizons: Mapping[int, Mapping[str, Any]]
    details: Arrays


def score(benchmark: Benchmark, forecasts: Forecasts, reference: Reference) -> Outcome:
    """Measure forecasts of the test part at each horizon of the tables."""
    values, services, filled = benchmark.data.values, benchmark.data.services, benchmark.data.unrecorded
    horizons = {}
    for horizon in table_horizons(benchmark.horizon):
        origins = benchmark.protocol.test.origins(horizon)
        forecast = forecasts(horizon)[: len(origins), :horizon]
        actual, kept = truth(values, origins, horizon), counted(filled, origins, horizon)
        horizons[horizon] = measure(forecast, actual, services, reference, kept)
    absolute = np.abs(forecast - actual.astype(np.float64))
    if kept is not None:  # so that the means below are of what was recorded
        kept = kept if kept.ndim == 4 else kept[:, :, None]
        absolute *= kept / np.maximum(kept.mean(axis=(0, 1)), 1 / len(kept))
    details = {
        "by_origin": absolute.mean(axis=(1, 2)),
        "by_node": absolute.mean(axis=(0, 1)),
        "issued": issued(benchmark, forecast),
    }
    return Outcome(horizons, details)


def issued(benchmark: Benchmark, forecast: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Forecasts `[O, H, N, S]` issued every H steps (at most a day), end to end: `[T', N, S]`."""
    every = min(benchmark.horizon, benchmark.protocol.steps_per_day)
    joined = forecast[::every, :every]
    return np.asarray(joined.reshape(-1, *joined.shape[2:]), dtype=np.float32)


def truth_of_issued(benchmark: Benchmark, steps: int) -> npt.NDArray[np.float32]:
    """Traffic at the steps of `issued`."""
    first = benchmark.protocol.test.start
    return np.asarray(benchmark.data.values[first : first + steps], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Finished:
    """A cell's result: figures by horizon as JSON, arrays for tests and pictures."""

    cell: Cell
    result: dict[str, Any]
    details: Arrays
