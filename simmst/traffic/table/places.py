"""Rows of a long table put in their places: one moment and one node each, whatever rows are doubled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from simmst.errors import ConfigError, DataError
from simmst.traffic.table.clock import LocalTimes

Rows = Literal["one", "sum"]


@dataclass(frozen=True, slots=True)
class Placed:
    """Values of the moments that a table has.

    Parameters
    ----------
    raw : float32 array `[M, N, S]`
        Values, moments ascending; NaN where there is none.
    local : datetime64 array `[M]`
        Local time of each moment.
    nodes : tuple of str
        Names of the nodes, sorted.
    duplicates : int
        Rows that repeat another.
    repeated, once : int
        Pairs of an ambiguous time and a node of two rows, which are averaged, and of one.
    summed : int
        Rows that were added to another.
    """

    raw: NDArray[np.float32]
    local: NDArray[np.datetime64]
    nodes: tuple[str, ...]
    duplicates: int
    repeated: int
    once: int
    summed: int


def places_of(
    time: NDArray[np.int32],
    node: NDArray[np.uint32],
    names: Sequence[str],
    values: NDArray[np.float32],
    clock: LocalTimes,
    mean: NDArray[np.bool_],
    rows: Rows,
) -> Placed:
    """Bring rows to one a moment and node.

    Parameters
    ----------
    time : int32 array `[R]`
        Which time of `clock` each row has.
    node, names : uint32 array, sequence of str
        Which of the nodes each row has, int `[R]`, and their names.
    values : float32 array `[R, S]`
        Values of the rows, NaN where missing.
    clock : LocalTimes
        The times, begins of steps.
    mean : bool array `[S]`
        Which services are averaged.
    rows : Rows
        What several rows of one moment and node are: "one" (rows that are the same count once, others contradict
        each other), or "sum": parts that are added (services of `mean` are averaged); unknown if one is unknown.

    Raises
    ------
    DataError
        If rows contradict each other.
    ConfigError
        If rows are to be added whose time daylight saving repeats.
    """
    moments, at_moment = np.unique(clock.moment, return_inverse=True)
    local = np.empty(len(moments), dtype=clock.local.dtype)
    local[at_moment] = clock.local
    ambiguous = np.zeros(len(moments), dtype=bool)
    ambiguous[at_moment] = clock.ambiguous
    key = at_moment.astype(np.int64)[time] * len(names) + node
    count = np.bincount(key, minlength=len(moments) * len(names))
    raw = np.full((len(count), values.shape[1]), np.nan, dtype=np.float32)
    raw[key] = values  # right where there is one row
    shaped = count.reshape(len(moments), len(names))
    once = int((shaped[ambiguous] == 1).sum())
    found = duplicates = repeated = summed = 0
    if (count > 1).any():
        several = count[key] > 1
        keys, rest = key[several], values[several]
        if rows == "sum":
            _no_ambiguous(keys // len(names), ambiguous, local)
            summed = len(keys) - len(np.unique(keys))
            raw = _added(raw, keys, rest, mean)
        else:
            raw, duplicates, repeated, found = _merged(raw, keys, rest, ambiguous, local, names, clock)
    shaped_raw = raw.reshape(len(moments), len(names), -1)
    return Placed(shaped_raw, local, tuple(names), duplicates, repeated, once + found, summed)


def _no_ambiguous(at: NDArray[np.int64], ambiguous: NDArray[np.bool_], local: NDArray[np.datetime64]) -> None:
    if ambiguous[at].any():
        first = local[at[ambiguous[at].argmax()]]
        raise ConfigError(
            f"rows=sum: daylight saving repeats {first}, and rows of the two hours must not be added: give times "
            f"with an offset, or a column that marks daylight saving with dst (--dst)"
        )


def _added(
    raw: NDArray[np.float32], keys: NDArray[np.int64], values: NDArray[np.float32], mean: NDArray[np.bool_]
) -> NDArray[np.float32]:
    where, at = np.unique(keys, return_inverse=True)
    total = np.zeros((len(where), values.shape[1]))
    np.add.at(total, at, values.astype(np.float64))
    total[:, mean] /= np.bincount(at)[:, None]
    raw[where] = total.astype(np.float32)
    return raw


def _merged(
    raw: NDArray[np.float32],
    keys: NDArray[np.int64],
    values: NDArray[np.float32],
    ambiguous: NDArray[np.bool_],
    local: NDArray[np.datetime64],
    names: Sequence[str],
    clock: LocalTimes,
) -> tuple[NDArray[np.float32], int, int, int]:
    """Let rows that are the same count once, and average two of an ambiguous time; others are contradictions."""
    # NaN as one value: -1 is none of traffic.
    different, rows = np.unique(
        np.column_stack([keys.astype(np.float64), np.where(np.isnan(values), np.float32(-1), values)]),
        axis=0, return_counts=True,
    )  # fmt: skip
    where, first, count = np.unique(different[:, 0].astype(np.int64), return_index=True, return_counts=True)
    at = where // len(names)
    wrong = count > 1 + ambiguous[at]
    if wrong.any():
        one = int(wrong.argmax())
        mend = "mend the table"
        if clock.zone is None:
            mend += ", or, if daylight saving repeats it, say timezone (--timezone)"
        mend += "; if they are parts to be added say rows=sum (--rows sum)"
        if "ENDS" in clock.how and clock.zone is not None and not clock.known:
            mend += "; if daylight saving ends there, give an offset or a column that marks it with dst (--dst)"
        raise DataError(
            f"{int(wrong.sum())} pairs of time and node have rows with different values, first "
            f"{str(local[at[one]]).replace('T', ' ')}, {names[int(where[one]) % len(names)]!r}: {mend}"
        )
    duplicates = int(rows.sum()) - len(different)
    known = np.where(different[:, 1:] < 0, np.nan, different[:, 1:])
    two = count > 1
    with np.errstate(invalid="ignore"):
        here, other = known[first], known[np.minimum(first + 1, len(known) - 1)]
        both = np.where(np.isnan(here), other, np.where(np.isnan(other), here, (here + other) / 2))
    raw[where] = np.where(two[:, None], both, here).astype(np.float32)
    per_pair = np.add.reduceat(rows, first)
    return raw, duplicates, int(two.sum()), int((ambiguous[at] & (per_pair == 1)).sum())


def folded(raw: NDArray[np.float32], at: NDArray[np.int64]) -> tuple[NDArray[np.float32], int]:
    """Put moments at steps of the local clock; where it has two of them, the step holds their mean.

    Parameters
    ----------
    raw : float32 array `[M, N, S]`
        Values.
    at : int64 array `[M]`
        The step of each moment, from 0 on.

    Returns
    -------
    tuple
        Values, float32 `[T, N, S]`, and the number of pairs of a step and a node that hold a mean.
    """
    if (np.diff(at) == 1).all():
        return raw, 0
    result = np.full((int(at.max()) + 1, *raw.shape[1:]), np.nan, dtype=np.float32)
    both = 0
    for k, to in enumerate(at.tolist()):
        there, here = ~np.isnan(result[to]), ~np.isnan(raw[k])
        both += int((there & here).any(axis=1).sum())
        mean = (result[to].astype(np.float64) + raw[k]) / 2
        result[to] = np.where(there & here, mean, np.where(here, raw[k], result[to]))
    return result, both
