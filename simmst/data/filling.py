"""Holes in traffic filled by the days beside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def fill_by_days(raw: NDArray[np.float32], day: int) -> NDArray[np.float32]:
    """
    Fill each hole with the mean of the same time of the nearest days before and after that have it.

    At the ends it is the one day that there is; where no day has the time, it is linear in time, held at the ends.
    On Jinan (60 nodes, 4 services) the mean absolute error, in means of the series, was 0.11 for holes of 1 to 12
    hours; linearly in time it was 0.11 for 1 hour, 0.17 for 3 and 0.42 for 12 [M].

    Parameters
    ----------
    raw
        Traffic, NaN where there is none, float32 `[T, N, S]`; each node has a value of each service.
    day
        Steps of a day.
    """
    values, steps = raw.copy(), np.arange(len(raw))
    days = -(-len(raw) // day)
    for n, s in np.argwhere(np.isnan(raw).any(axis=0)):
        padded = np.full(days * day, np.nan, dtype=np.float32)
        padded[: len(raw)] = raw[:, n, s]
        by_day = padded.reshape(days, day)
        before, after = _last_known(by_day), _last_known(by_day[::-1])[::-1]
        one = np.where(np.isnan(before), after, before)
        both = (one + np.where(np.isnan(after), one, after)) / 2
        series = np.where(np.isnan(by_day), both, by_day).ravel()[: len(raw)]
        known = ~np.isnan(series)
        series[~known] = np.interp(steps[~known], steps[known], series[known])
        values[:, n, s] = series
    return values


def _last_known(by_day: NDArray[np.float32]) -> NDArray[np.float32]:
    """Carry each time of the day on from the last day that has it, `[days, steps]`; NaN before the first."""
    at = np.where(np.isnan(by_day), 0, np.arange(len(by_day))[:, None])
    return np.asarray(np.take_along_axis(by_day, np.maximum.accumulate(at, axis=0), axis=0))
