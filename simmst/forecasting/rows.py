"""Rows of a few lines of arithmetic: yesterday, last week, the profile with its level, and the blend.

All are exactly equivariant in the unit, and fall back on yesterday where there is one day of history.
"""

from __future__ import annotations

import numpy as np

from simmst.forecasting.past import DAY, Array, Past, mean_known

_PROFILE_DAYS, _BLEND_DAYS, _LEVEL_HOURS = 14, 3, 6
# How much of the last day's distance from its profile is expected to last.
_LASTS = 0.5


def same_hour(past: Past, horizon: int, days: int) -> Array:
    """The value of the same hour of the newest day that lies a whole number of periods of `days` before.

    Where the history is shorter than the period, of the day before.

    Returns
    -------
    float64 array [H, N, S]
    """
    period = days if past.days >= days else 1
    lead = np.arange(horizon)
    return past.filled(period)[lead // DAY % period, lead % DAY]


def profile(past: Past, horizon: int) -> Array:
    """Mean of the same hour and kind of day (working day or weekend) over 14 days, in logarithms, with a level.

    Half of the mean distance of the last day from its own profile is added. A kind of day that was not seen takes
    the profile of all days.

    Parameters
    ----------
    past : Past
    horizon : int
        Hours H.

    Returns
    -------
    float64 array [H, N, S]
    """
    days = min(past.days, _PROFILE_DAYS)
    logs, known = past.by_day(past.logs())[-days:], past.by_day(past.known)[-days:]
    weekend = past.weekend(horizon)
    kinds = weekend[: len(past.values)].reshape(-1, DAY)[-days:, :, None, None]
    of_hour, of_any = mean_known(logs, known), mean_known(past.logs(), past.known)
    of_all = np.where(known.any(axis=0), of_hour, of_any)
    of_kind = []
    for kind in (False, True):
        there = known & (kinds == kind)
        of_kind.append(np.where(there.any(axis=0), mean_known(logs, there), of_all))
    means = np.stack(of_kind)  # [2, 24, N, S]
    slot = np.arange(DAY)
    last_day = means[kinds[-1, :, 0, 0].astype(int), slot]
    moved = mean_known(logs[-1] - last_day, known[-1])
    lead = np.arange(horizon)
    found = means[weekend[len(past.values) :].astype(int), lead % DAY] + _LASTS * moved
    return np.where(past.known.any(axis=0), past.from_logs(found), 0.0)


def blend(past: Past, horizon: int) -> Array:
    """Mean of yesterday's value and of three days' mean at that hour, the latter scaled by the last six hours.

    Their level is the traffic of the last six hours over that of the three days' mean there; those hours are among
    the three days, so that it is three at most.

    Returns
    -------
    float64 array [H, N, S]
    """
    days = past.filled(_BLEND_DAYS)
    mean = days.mean(axis=0)
    there, usual = days[-1, -_LEVEL_HOURS:].sum(axis=0), mean[-_LEVEL_HOURS:].sum(axis=0)
    level = np.divide(there, usual, out=np.ones_like(there), where=usual > 0)
    one: Array = (days[-1] + level * mean) / 2
    return one[np.arange(horizon) % DAY]
