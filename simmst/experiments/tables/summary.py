"""The cells of a table joined to rows: mean and spread over seeds, and which differences are real."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import wilcoxon

from simmst.experiments.tables.grid import Finished
from simmst.experiments.tables.measures import MEASURES

_RESAMPLED, _SEED = 2000, 0


@dataclass(frozen=True, slots=True)
class Row:
    """
    One row: its cells of all seeds.

    Attributes
    ----------
    label
        Name in the table.
    ours
        Whether it is Sim-MSTNet or of its family.
    cells
        One a seed.
    """

    label: str
    ours: bool
    cells: tuple[Finished, ...]

    def figures(self, horizon: int, task: str | None, measure: str) -> list[float | None]:
        """One figure a seed; `task` None is the mean over tasks."""
        found = (cell.result["horizons"][str(horizon)] for cell in self.cells)
        return [(one["mean"] if task is None else one["tasks"][task])[measure] for one in found]

    def mean(self, horizon: int, task: str | None, measure: str) -> float | None:
        """Mean over seeds, None where the figure is not defined."""
        found = [figure for figure in self.figures(horizon, task, measure) if figure is not None]
        return sum(found) / len(found) if found else None

    def spread(self, horizon: int, task: str | None, measure: str) -> float | None:
        """Standard deviation over seeds (n - 1), None for one seed."""
        found = [figure for figure in self.figures(horizon, task, measure) if figure is not None]
        return float(np.std(found, ddof=1)) if len(found) > 1 else None

    def detail(self, name: str) -> npt.NDArray[np.float64]:
        """A detail of all seeds, `[seeds, ...]`."""
        return np.stack([cell.details[name] for cell in self.cells])


def rows_of(finished: Sequence[Finished], ours: Sequence[str]) -> list[Row]:
    """Join cells to rows, in the order in which the rows first come."""
    grouped: dict[Any, list[Finished]] = {}
    for one in finished:
        grouped.setdefault(one.cell.row, []).append(one)
    return [Row(cells[0].cell.label, cells[0].cell.model in ours, tuple(cells)) for cells in grouped.values()]


def horizons(rows: Sequence[Row]) -> list[int]:
    """Horizons of the tables."""
    return [int(h) for h in rows[0].cells[0].result["horizons"]]


def tasks(rows: Sequence[Row]) -> list[str]:
    """Services, in their order."""
    return list(next(iter(rows[0].cells[0].result["horizons"].values()))["tasks"])


@dataclass(frozen=True, slots=True)
class Comparison:
    """
    One row against the best of the table in one task, by MAE at the longest horizon.

    Attributes
    ----------
    task, best, row
        What is compared; `best` has the lower MAE.
    difference
        MAE of `row` less that of `best`.
    low, high
        Its 95 % interval, from a bootstrap over blocks of one day of origins.
    p_days
        Share of resampled differences on the other side of 0, twice.
    p_nodes
        Wilcoxon's signed ranks over seeds and nodes, corrected after Holm over the rows of the task. Nodes of one
        city are not independent of each other, so this one is generous.
    """

    task: str
    best: str
    row: str
    difference: float
    low: float
    high: float
    p_days: float
    p_nodes: float

    @property
    def real(self) -> bool:
        """Whether both tests see a difference, at 5 %."""
        return self.low > 0 and self.p_nodes < 0.05


def compare(rows: Sequence[Row], steps_per_day: int) -> list[Comparison]:
    """
    Hold each row against the best one of each task.

    Parameters
    ----------
    rows
        Two or more; else nothing is compared. Rows without training count the same for every seed.
    steps_per_day
        Length of a block, in origins.
    """
    found: list[Comparison] = []
    last = horizons(rows)[-1]
    for s, task in enumerate(tasks(rows)):
        mae = [row.mean(last, task, "mae") for row in rows]
        order = np.argsort([value if value is not None else np.inf for value in mae], kind="stable")
        best, others = rows[order[0]], [rows[i] for i in order[1:]]
        one = []
        for row in others:
            by_origin = (row.detail("by_origin")[..., s].mean(0)) - best.detail("by_origin")[..., s].mean(0)
            low, high, p_days = _bootstrap(by_origin, steps_per_day)
            one.append((row, float(by_origin.mean()), low, high, p_days, _signed_ranks(row, best, s)))
        corrected = _holm([values[-1] for values in one])
        for (row, difference, low, high, p_days, _), p_nodes in zip(one, corrected, strict=True):
            found.append(Comparison(task, best.label, row.label, difference, low, high, p_days, p_nodes))
    return found


def _bootstrap(difference: npt.NDArray[np.float64], block: int) -> tuple[float, float, float]:
    """Interval of the mean and two-sided p, resampling whole days of origins (the part day at the end too)."""
    days = [difference[i : i + block] for i in range(0, len(difference), block)]
    sums, counts = np.array([day.sum() for day in days]), np.array([len(day) for day in days])
    drawn = np.random.default_rng(_SEED).integers(len(days), size=(_RESAMPLED, len(days)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    side = min(float(np.mean(means <= 0)), float(np.mean(means >= 0)))
    return float(low), float(high), min(1.0, 2 * side)


def _signed_ranks(row: Row, best: Row, s: int) -> float:
    ours, theirs = best.detail("by_node")[..., s], row.detail("by_node")[..., s]
    seeds = max(len(ours), len(theirs))
    pairs = [np.broadcast_to(one, (seeds, one.shape[1])) if len(one) == 1 else one for one in (theirs, ours)]
    fewest = min(len(pair) for pair in pairs)
    difference = (pairs[0][:fewest] - pairs[1][:fewest]).ravel()
    if not difference.any():
        return 1.0
    return float(wilcoxon(difference).pvalue)


def _holm(p: Sequence[float]) -> list[float]:
    order, corrected, running = np.argsort(p), [1.0] * len(p), 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, (len(p) - rank) * p[i]))
        corrected[i] = running
    return corrected


def lowest(rows: Sequence[Row], horizon: int, task: str | None, measure: str) -> float | None:
    """Best figure of a column: the lowest error, or the highest R²."""
    found = [figure for row in rows if (figure := row.mean(horizon, task, measure)) is not None]
    if not found:
        return None
    return max(found) if measure == "r2" else min(found)


def as_records(rows: Sequence[Row]) -> list[Mapping[str, Any]]:
    """One record a row, horizon, task and measure: mean, spread, and the figure of each seed."""
    return [
        {
            "model": row.cells[0].cell.model,
            "row": row.label,
            "trained_on": row.cells[0].cell.kind,
            "training_days": row.cells[0].cell.days or "all",
            "horizon": horizon,
            "task": task or "mean over tasks",
            "measure": measure,
            "mean": row.mean(horizon, task, measure),
            "spread": row.spread(horizon, task, measure),
            "seeds": row.figures(horizon, task, measure),
        }
        for row in rows
        for horizon in horizons(rows)
        for task in (*tasks(rows), None)
        for measure in MEASURES
    ]
