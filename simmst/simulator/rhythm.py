"""Demand in time: the weekly profiles of land uses and services, and holidays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simmst.simulator.prior.parameters import LAND_USES
from simmst.simulator.prior.scenario import Scenario

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

WEEKDAY, SATURDAY, SUNDAY, HOLIDAY = range(4)
# Bumps of the daily profile (hour of the peak, sharpness, weight) on a weekday and at the weekend, for each
# land use in the order of LAND_USES; from an earlier prototype [K].
_BUMPS = np.array(
    [
        [[(13, 1.5, 0.7), (20.5, 4, 1)], [(13, 2, 0.9), (20, 2.5, 0.9)]],
        [[(11, 5, 1), (15.5, 5, 0.95)], [(14, 1.5, 0.5), (14, 1.5, 0)]],
        [[(13, 3, 0.5), (22, 3, 1)], [(14, 3, 0.6), (23, 3, 1.2)]],
        [[(8.3, 14, 1), (18, 10, 1)], [(12, 2, 0.5), (18, 2.5, 0.6)]],
        [[(13.5, 4, 1), (17.5, 4, 0.9)], [(16.5, 4.5, 1.6), (16.5, 4.5, 0)]],
    ]
)
# The night in which a city sleeps, whatever its land use.
_NIGHT_HOUR, _NIGHT_SHARPNESS = 4.0, 4.0
# Deviations of the logarithm by which worlds differ in sharpness, weight and base of a bump.
_SHARPNESS_SD, _WEIGHT_SD, _BASE_SD = 0.25, 0.35, 0.3


def daily_profiles(scenario: Scenario, rng: np.random.Generator) -> FloatArray:
    """Profiles by service, kind of day, hour and land use, with a weekly mean of one.

    A profile is `base + (1 - base) * shape`, where the shape is a sum of von Mises bumps scaled to a peak of
    one, less the night; hours, sharpness and weights of the bumps differ from world to world, and Saturday's
    from Sunday's.

    Parameters
    ----------
    scenario : Scenario
        Parameters.
    rng : Generator
        Source of the differences between worlds.

    Returns
    -------
    ndarray
        `[S, 4, 24, 5]`; the kinds of day are weekday, Saturday, Sunday and holiday (Sunday's shape).
    """
    hour, sharpness, weight = np.moveaxis(_BUMPS[:, [0, 1, 1]], -1, 0)  # each [5, 3, 2]
    hour = hour + scenario["hour_jitter"] * rng.standard_normal(hour.shape)
    sharpness = scenario["sharpness"] * sharpness * np.exp(_SHARPNESS_SD * rng.standard_normal(hour.shape))
    weight = weight * np.exp(_WEIGHT_SD * rng.standard_normal(hour.shape))
    base_of_use = scenario["base"] * np.exp(_BASE_SD * rng.standard_normal(len(LAND_USES)))
    base = np.minimum(scenario.of_services("base_factor")[:, None] * base_of_use, 0.9)[:, :, None, None]

    clock = np.arange(24) + 0.5 - scenario.of_services("lag_h")[:, None]  # [S, 24]
    angle = 2 * np.pi / 24 * (clock[:, None, None, :, None] - hour[:, :, None, :])
    shape = (weight[:, :, None, :] * np.exp(sharpness[:, :, None, :] * (np.cos(angle) - 1))).sum(axis=-1)
    shape *= 1 - scenario["night_depth"] * _night(scenario, clock, rng)[:, None, None, :]
    shape /= shape.max(axis=-1, keepdims=True)
    strength = scenario["weekend_strength"]
    # Where there is hardly a weekend its days have the weekday's shape as well as its level.
    shape[:, :, 1:] = shape[:, :, :1] + min(strength, 1.0) * (shape[:, :, 1:] - shape[:, :, :1])
    profile = base + (1 - base) * shape  # [S, 5, 3, 24]

    weekend = np.array([scenario[f"weekend.{use}"] for use in LAND_USES]) ** strength
    # Half way (in the logarithm) to Sunday, then the ratio of its own.
    saturday = np.sqrt(weekend) * scenario["saturday_ratio"] ** strength
    of_service = scenario.of_services("weekend_factor")[:, None, None] ** np.array([0.0, 0.5, 1.0])  # [S, 1, 3]
    profile *= np.exp(scenario["texture"] * _texture(rng))
    mean = profile.mean(axis=-1, keepdims=True)
    profile *= (np.stack([np.ones(5), saturday, weekend], axis=1) * of_service)[:, :, :, None] / mean
    week = np.array([5, 1, 1]) / 7
    profile /= (profile.mean(axis=-1) * week).sum(axis=-1)[:, :, None, None]
    holiday = np.array([scenario[f"holiday.{use}"] for use in LAND_USES])
    # A holiday has its land use's level relative to a weekday, in Sunday's shape.
    day_off = profile[:, :, 2:] / profile[:, :, 2:].mean(axis=-1, keepdims=True)
    day_off = day_off * holiday[:, None, None] * profile[:, :, :1].mean(axis=-1, keepdims=True)
    return np.asarray(np.concatenate([profile, day_off], axis=2).transpose(0, 2, 3, 1))


def _texture(rng: np.random.Generator) -> FloatArray:
    """Unit noise over land use, kind of day and hour, `[5, 3, 24]`; mostly the same for all of them."""
    shared = np.sqrt(0.6) * rng.standard_normal((1, 1, 24))
    by_day = np.sqrt(0.15) * rng.standard_normal((1, 3, 24))
    return np.asarray(shared + by_day + np.sqrt(0.25) * rng.standard_normal((len(LAND_USES), 1, 24)))


def _night(scenario: Scenario, clock: FloatArray, rng: np.random.Generator) -> FloatArray:
    """How much an hour belongs to the night, 1 in its middle, `[S, 24]`."""
    middle = _NIGHT_HOUR + scenario["hour_jitter"] * rng.standard_normal()
    return np.asarray(np.exp(_NIGHT_SHARPNESS * (np.cos(2 * np.pi / 24 * (clock - middle)) - 1)))


def day_kinds(
    scenario: Scenario, start_hour: int, hours: int, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Kind of day and hour of day of each step.

    Parameters
    ----------
    scenario : Scenario
        Rate and mean length of holidays, and the shift of the clock.
    start_hour : int
        Hour of the week of the first step; 0 is Monday's first.
    hours : int
        Number of steps.
    rng : Generator
        Source of holidays.

    Returns
    -------
    tuple
        int64 `[T]` each.
    """
    clock = start_hour + np.arange(hours) + int(scenario["clock_shift_h"])
    day = clock // 24 - clock[0] // 24
    kind = np.array([WEEKDAY] * 5 + [SATURDAY, SUNDAY])[(clock // 24) % 7]
    begins = rng.random(day[-1] + 1) < scenario["holiday_rate"]
    length = rng.geometric(1 / scenario["holiday_days"], size=len(begins))
    for first in np.flatnonzero(begins):
        kind[(day >= first) & (day < first + length[first])] = HOLIDAY
    return kind, clock % 24
