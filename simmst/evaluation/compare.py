"""The cells of a table joined to rows: mean and spread over seeds, and which differences are real."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student
from scipy.stats import wilcoxon

from simmst.evaluation.cell import Finished
from simmst.evaluation.measures import MEASURES

#: Fewer independent blocks of test origins than this give no verdict.
FEWEST_BLOCKS = 6
#: What the comparisons are, for a reader.
COMPARED = (
    "MAE at the longest horizon, against the best row of the service: 95 % interval over blocks of test origins, "
    "each as long as the horizon and a day, and Wilcoxon's test over seeds and nodes (Holm). Nodes of one city "
    "are not independent, so a difference is called real only where p < 0.05 and the interval excludes 0. Under "
    f"{FEWEST_BLOCKS} blocks the test days are too few for an interval, and nothing is called real."
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its cells of all seeds.

    Attributes
    ----------
    label : str
        Name in the table.
    ours : bool
        Whether it is Sim-MSTNet or of its family.
    cells : tuple of Finished
        One a seed.
    """

    label: str
    ours: bool
    cells: tuple[Finished, ...]

    def figures(self, horizon: int, service: str | None, measure: str) -> list[float | None]:
        """One figure a seed; `service` None is the mean over services."""
        found = (cell.result["horizons"][str(horizon)] for cell in self.cells)
        return [(one["mean"] if service is None else one["tasks"][service])[measure] for one in found]

    def mean(self, horizon: int, service: str | None, measure: str) -> float | None:
        """Mean over seeds, None where the figure is not defined."""
        found = [figure for figure in self.figures(horizon, service, measure) if figure is not None]
        return sum(found) / len(found) if found else None

    def spread(self, horizon: int, service: str | None, measure: str) -> float | None:
        """Standard deviation over seeds (n - 1), None for one seed."""
        found = [figure for figure in self.figures(horizon, service, measure) if figure is not None]
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


def services(rows: Sequence[Row]) -> list[str]:
    """Services, in their order."""
    return list(next(iter(rows[0].cells[0].result["horizons"].values()))["tasks"])


@dataclass(frozen=True, slots=True)
class Comparison:
    """One row against the best of the table in one service, by MAE at the longest horizon.

    Attributes
    ----------
    service, best, row : str
        What is compared; `best` has the lower MAE.
    difference : float
        MAE of `row` less that of `best`.
    blocks : int
        Blocks of test origins, each as long as the horizon and a day at least.
    low, high : float or None
        Its 95 % interval, from the means of the blocks (Student's t); None under `FEWEST_BLOCKS`.
    p_days : float or None
        Two-sided p of the same; None under `FEWEST_BLOCKS`.
    p_nodes : float
        Wilcoxon's signed ranks over seeds and nodes, corrected after Holm over the rows of the service. Nodes of
        one city are not independent of each other, so this one is generous.
    """

    service: str
    best: str
    row: str
    difference: float
    blocks: int
    low: float | None
    high: float | None
    p_days: float | None
    p_nodes: float

    @property
    def real(self) -> bool | None:
        """Whether both tests see a difference, at 5 %; None with too few days for the first one."""
        return None if self.low is None else self.low > 0 and self.p_nodes < 0.05

    @property
    def interval(self) -> str:
        """The interval in words."""
        return "–" if self.low is None else f"{self.low:.3g} to {self.high:.3g}"

    @property
    def verdict(self) -> str:
        """`real` in words."""
        return {True: "yes", False: "no", None: "too few days"}[self.real]


def compare(rows: Sequence[Row], steps_per_day: int) -> list[Comparison]:
    """Hold each row against the best one of each service.

    Parameters
    ----------
    rows : sequence of Row
        Two or more; else nothing is compared. Rows without training count the same for every seed.
    steps_per_day : int
        A block is as long as this and the horizon, at least.
    """
    found: list[Comparison] = []
    last = horizons(rows)[-1]
    for s, service in enumerate(services(rows)):
        mae = [row.mean(last, service, "mae") for row in rows]
        order = np.argsort([value if value is not None else np.inf for value in mae], kind="stable")
        best, others = rows[order[0]], [rows[i] for i in order[1:]]
        one = []
        for row in others:
            by_origin = (row.detail("by_origin")[..., s].mean(0)) - best.detail("by_origin")[..., s].mean(0)
            one.append((row, by_origin, _signed_ranks(row, best, s)))
        corrected = _holm([values[-1] for values in one])
        for (row, by_origin, _), p_nodes in zip(one, corrected, strict=True):
            blocks, low, high, p_days = _batch_means(by_origin, last + steps_per_day)
            difference = float(by_origin.mean())
            found.append(
                Comparison(service, best.label, row.label, difference, blocks, low, high, p_days, p_nodes)
            )
    return found


def _batch_means(
    difference: npt.NDArray[np.float64], shortest: int
) -> tuple[int, float | None, float | None, float | None]:
    """Number of blocks, 95 % interval of the mean and two-sided p, by batch means.

    Errors of origins closer than the horizon share hours of the truth, so the origins are cut into blocks so long
    that most of one shares none with its neighbours. Six means hardly tell their own spread: Student's t knows, a
    bootstrap over them does not (its 95 % interval covered 83 % of 1500 null draws of noise seen 24 hours ahead
    over 13 days, this one 94 %).
    """
    count = len(difference) // shortest
    if count < FEWEST_BLOCKS:
        return count, None, None, None
    means = np.array([block.mean() for block in np.array_split(difference, count)])
    middle, error = float(difference.mean()), float(means.std(ddof=1) / np.sqrt(count))
    half = float(student.ppf(0.975, count - 1)) * error
    if error == 0:
        return count, middle, middle, float(middle == 0)
    return count, middle - half, middle + half, float(2 * student.sf(abs(middle) / error, count - 1))


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


def lowest(rows: Sequence[Row], horizon: int, service: str | None, measure: str) -> float | None:
    """Best figure of a column: the lowest error, or the highest R²."""
    found = [figure for row in rows if (figure := row.mean(horizon, service, measure)) is not None]
    if not found:
        return None
    return max(found) if measure == "r2" else min(found)


def as_records(rows: Sequence[Row]) -> list[Mapping[str, Any]]:
    """One record a row, horizon, service and measure: mean, spread, and the figure of each seed."""
    return [
        {
            "model": row.cells[0].cell.model,
            "row": row.label,
            "trained_on": row.cells[0].cell.kind,
            "training_days": row.cells[0].cell.days or "all",
            "horizon": horizon,
            "task": service or "mean over tasks",
            "measure": measure,
            "mean": row.mean(horizon, service, measure),
            "spread": row.spread(horizon, service, measure),
            "seeds": row.figures(horizon, service, measure),
        }
        for row in rows
        for horizon in horizons(rows)
        for service in (*services(rows), None)
        for measure in MEASURES
    ]
