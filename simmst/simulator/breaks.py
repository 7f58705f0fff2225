"""Breaks: weeks off of one to eight days, their run-up, and what they do to land uses and services."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simmst.simulator.prior.scenario import Scenario

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

LONGEST_BREAK = 8


def break_days(
    scenario: Scenario, days: int, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], FloatArray]:
    """
    Draw which days are in a break, and how near a break is ahead.

    Parameters
    ----------
    scenario
        Rate and mean length of breaks, and length of the run-up.
    days
        Number of days.
    rng
        Source of breaks.

    Returns
    -------
    tuple
        Days in a break, bool `[D]`; and the run-up, `[D]`: 1 on the last day before a break, falling evenly to 0
        with the days ahead, and 0 within one.
    """
    run_up_days = int(scenario["run_up_days"])
    # Breaks may begin before the first day, and the run-up of one may begin before the last.
    candidates = np.arange(1 - LONGEST_BREAK, days + run_up_days)
    first = candidates[rng.random(len(candidates)) < scenario["break_rate"]]
    odds = (scenario["break_days"] - 1) / (LONGEST_BREAK - 1)
    length = 1 + rng.binomial(LONGEST_BREAK - 1, odds, size=len(first))
    day = np.arange(days)
    off, run_up = np.zeros(days, dtype=bool), np.zeros(days)
    for begin, duration in zip(first.tolist(), length.tolist(), strict=True):
        off |= (day >= begin) & (day < begin + duration)
        ahead = begin - day
        near = (ahead >= 1) & (ahead <= run_up_days)
        run_up[near] = np.maximum(run_up[near], (run_up_days + 1 - ahead[near]) / run_up_days)
    run_up[off] = 0.0
    return off, run_up


def take_breaks(
    scenario: Scenario,
    rhythm: FloatArray,
    holiday: FloatArray,
    first_hour: int,
    rng: np.random.Generator,
) -> FloatArray:
    """
    Put breaks into the rhythm of land uses; other days stay as they are, to the bit.

    In a break the rhythm lies between the usual one and a holiday's (by the geometric mean with weight
    `break_strength`), times a factor of the service and one of land use and day.

    Parameters
    ----------
    scenario
        Parameters.
    rhythm
        Demand by service, hour and land use relative to its mean, `[S, T, 5]`.
    holiday
        Profiles of a holiday, `[S, 24, 5]`.
    first_hour
        Hour of day of the first step.
    rng
        Source of breaks.

    Returns
    -------
    ndarray
        `[S, T, 5]`.
    """
    day, hour = np.divmod(first_hour + np.arange(rhythm.shape[1]), 24)
    off, run_up = break_days(scenario, int(day[-1]) + 1, rng)
    if not off.any() and not run_up.any():
        return rhythm
    by_day = np.exp(scenario["break_spread"] * rng.standard_normal((len(off), rhythm.shape[2])))
    within, weight = off[day], scenario["break_strength"]
    rhythm = rhythm.copy()
    in_break = rhythm[:, within] ** (1 - weight) * holiday[:, hour[within]] ** weight * by_day[day[within]]
    rhythm[:, within] = in_break * scenario.of_services("break_factor")[:, None, None]
    before = run_up[day] > 0
    rhythm[:, before] *= np.exp(scenario["run_up"] * run_up[day[before]])[:, None]
    return rhythm
