"""What came out, and why it stopped: `Status`, `Record`, `History`, `Result`."""

from dataclasses import dataclass, fields
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

from cutplane._arrays import Array
from cutplane.errors import InputError

if TYPE_CHECKING:
    from cutplane.state import State


class Status(Enum):
    """Why a run stopped; each member carries its message and whether it is a success."""

    RUNNING = (0, "the run is not finished", False)
    OPTIMAL = (1, "the certified gap is within the tolerance", True)
    STATIONARY = (2, "a stationary point of the relaxed problem, feasible to the tolerance", True)
    MAX_ITERATIONS = (3, "the iteration limit was reached first", False)
    CALLBACK = (4, "a callback stopped the run", False)
    INTERRUPTED = (5, "the run was interrupted from the keyboard", False)
    EMPTY = (6, "no point satisfies all planes", False)
    ORACLE = (7, "an oracle gave an answer that cannot be used", False)
    STALLED = (8, "no further progress is possible at this precision", False)
    NOT_CONVEX = (9, "the cuts contradict the declaration convex=True", False)
    FAILED = (10, "a master problem could not be solved", False)
    TESTED = (11, "feasible, and F was lower at no point tried beside it; not proved stationary", True)
    TIME_LIMIT = (12, "the time limit was reached first", False)

    def __init__(self, code: int, message: str, success: bool) -> None:
        self.code, self.message, self.success = code, message, success

    @classmethod
    def from_code(cls, code: int) -> "Status":
        """Return the member with this code."""
        return next(member for member in cls if member.code == code)


@dataclass(frozen=True, slots=True)
class Record:
    """One iteration, as callbacks see it.

    Attributes
    ----------
    iteration : int
    phase : int
        1 while planes are added, 2 in the penalty phase, 3 while the level method closes the gap of a convex
        problem that another method came to rest at.
    fun : float
        Upper objective at the iterate.
    lower_gap : float
        Lower level's gap there; NaN where it was not asked for.
    violation : float
        Largest distance by which the iterate violates a plane of the pool or a constraint just linearised.
    planes, added, dropped : int
        Planes in the pool after the iteration, and how many came and went in it.
    aggregated : int
        Planes among those that went into a weighted sum, which is one of those that came.
    cleared : int
        Planes thrown away because the oracle's `version` changed.
    best : float
        Upper objective at the best feasible point so far; infinite before there is one.
    bound : float
        Certified lower bound so far; −inf where there is none.
    step : float
        Length of the move (scaled variables).
    """

    iteration: int
    phase: int
    fun: float
    lower_gap: float
    violation: float
    planes: int
    added: int
    dropped: int
    aggregated: int
    cleared: int
    best: float
    bound: float
    step: float


_NAMES = tuple(f.name for f in fields(Record))
_INTEGERS = frozenset(("iteration", "phase", "planes", "added", "dropped", "aggregated", "cleared"))


class History:
    """The records of a run, a column for each field of `Record`."""

    def __init__(self) -> None:
        self._records: list[Record] = []

    def append(self, record: Record) -> None:
        """Add one record."""
        self._records.append(record)

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> Record:
        return self._records[index]

    def copy(self) -> "History":
        """Return the history as it stands; later iterations do not appear in it."""
        other = History()
        other._records = self._records.copy()
        return other

    def to_dict(self) -> dict[str, Array]:
        """Columns as arrays, by name."""
        return {
            name: np.array(
                [getattr(r, name) for r in self._records], dtype=np.int64 if name in _INTEGERS else float
            )
            for name in _NAMES
        }

    @classmethod
    def from_dict(cls, columns: dict[str, Array]) -> "History":
        """Rebuild from `to_dict`.

        Raises
        ------
        InputError
            If a column is missing, unknown, of another length or kind than the others, or a count is negative.
        """
        history, length = cls(), None
        for name in sorted({*_NAMES, *columns}):
            if name not in _NAMES or name not in columns:
                raise InputError(f"the history {'lacks' if name in _NAMES else 'has no'} column {name!r}")
            column, kind = columns[name], np.dtype(np.int64 if name in _INTEGERS else np.float64)
            length = column.shape if length is None else length
            if column.ndim != 1 or column.shape != length or column.dtype != kind:
                raise InputError(
                    f"the history's {name} is of shape {column.shape} and {column.dtype}, not {length} and {kind}"
                )
            if name in _INTEGERS and (column < 0).any():
                raise InputError(f"the history's {name} holds {int(column.min())}; it is a count")
        for row in zip(*(columns[name] for name in _NAMES), strict=True):
            values: dict[str, Any] = {
                name: int(value) if name in _INTEGERS else float(value)
                for name, value in zip(_NAMES, row, strict=True)
            }
            history.append(Record(**values))
        return history


@dataclass(frozen=True, repr=False, eq=False)
class Result:
    """Outcome of `BilevelSolver.solve`, with scipy's names; it pickles and copies without the problem.

    Attributes
    ----------
    x, y : ndarray
        The best feasible point found; the last iterate where none was (then `success` is False).
    fun : float
        Upper objective at (x, y), evaluated anew.
    lower_gap : float
        Lower level's gap at (x, y), evaluated anew.
    violation : float
        Largest distance (scaled variables) by which (x, y) misses a set, a linear row or a linearised constraint,
        the gap's among them; NaN where no oracle answers any more.
    stationarity : float or None
        Fall of F that the problem linearised at the point promises for a unit of x and y, where a unit is
        max(1, size), at most the width of the set. 0 at a smooth stationary point, not at a kink. None where `gap`
        says more, or where it could not be computed.
    bound : float or None
        Lower bound of the optimum over {gap ≤ ε}, recomputed by weak duality from the planes; None unless
        the problem is declared convex, the planes bound it and the run is in float64 (the rounding of a
        float32 plane, at a lever as long as the set, would be larger than the gap). On
        unbounded sets it is a bound over the points within `bound_radius` of (x, y).
    gap : float or None
        fun − bound.
    bound_radius : float
        Where the bound holds (∞-norm, scaled variables); infinite on bounded sets.
    success : bool
    status : Status
    message : str
    nit, nfev, njev : int
        Iterations, upper-objective evaluations and lower-oracle evaluations of the run; the final check of
        the point and of its bound is not counted.
    history : History
    state : State
        Where the run stood; hand it to `BilevelSolver.solve(problem, state=...)` to go on.
    """

    x: Array
    y: Array
    fun: float
    lower_gap: float
    violation: float
    stationarity: float | None
    bound: float | None
    gap: float | None
    bound_radius: float
    success: bool
    status: Status
    message: str
    nit: int
    nfev: int
    njev: int
    history: History
    state: "State"

    def __repr__(self) -> str:
        """All but history and state, a line each."""
        names = [f.name for f in fields(self) if f.name not in ("history", "state")]
        lines = []
        for name in names:
            value = getattr(self, name)
            if isinstance(value, np.ndarray):
                value = np.array2string(value, threshold=10, edgeitems=3, precision=6)
            elif isinstance(value, Status):
                value = value.name
            lines.append(f"{name:>12}: {value}")
        return "\n".join(lines)
