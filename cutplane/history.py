"""What happened in a run, an iteration a record, and why it stopped: `Status`, `Record`, `History`."""

from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

import numpy as np

from cutplane._arrays import Array
from cutplane.errors import InputError


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
