"""What lasts: steps and ramps of the level, regimes of some days, and cells that are born or die."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from simmst.simulator.prior.scenario import Scenario

FloatArray = NDArray[np.float64]

#: Days that a regime lasts, each length as likely.
REGIME_DAYS = (1, 13)
# Part of the steps that are sudden; the others take up to `ramp_days`.
_SUDDEN = 0.5
# Services take part in a change of level by factors in this range: 0 would be none of them.
_PART_OF_SERVICE = (0.5, 1.5)


def change_levels(
    scenario: Scenario,
    demand: FloatArray,
    level: FloatArray,
    rhythm: FloatArray,
    first_hour: int,
    rng: np.random.Generator,
) -> FloatArray:
    """
    Put steps, ramps and regimes into demand; each begins at a midnight, at one site or at all.

    A step multiplies the level for good, at once or by a ramp. A regime multiplies it for `REGIME_DAYS` and
    mixes the daily shape with that of another mix of land uses.

    Parameters
    ----------
    scenario
        Rates, sizes and the share of changes that all sites have in common.
    demand
        Demand at sites, `[T, B, S]`; changed in place.
    level
        Mean demand of sites, `[B, S]`.
    rhythm
        Demand by service, hour and land use relative to its mean, `[S, T, 5]`.
    first_hour
        Hour of day of the first step.
    rng
        Source of changes.

    Returns
    -------
    ndarray
        `demand`.
    """
    hours, n_sites, n_services = demand.shape
    midnights = np.arange(-first_hour % 24, hours, 24)
    if len(midnights) == 0:
        return demand
    days, common = hours / 24, scenario["common_share"]
    for where in _places(scenario["step_rate"] * days, common, n_sites, rng):
        begin = int(rng.choice(midnights))
        size = scenario["step_size"] * rng.standard_normal() * rng.uniform(*_PART_OF_SERVICE, n_services)
        ramp = 24 * scenario["ramp_days"] * rng.random() if rng.random() >= _SUDDEN else 0.0
        done = np.minimum((np.arange(hours - begin) + 1) / max(ramp, 1.0), 1.0)
        demand[begin:, where] *= np.exp(done[:, None, None] * size)
    for where in _places(scenario["regime_rate"] * days, common, n_sites, rng):
        begin = int(rng.choice(midnights))
        when = slice(begin, begin + 24 * int(rng.integers(REGIME_DAYS[0], REGIME_DAYS[1] + 1)))
        size = scenario["regime_size"] * rng.standard_normal() * rng.uniform(*_PART_OF_SERVICE, n_services)
        part = scenario["regime_mix"] * rng.random()
        other = rhythm[:, when] @ rng.dirichlet(np.ones(rhythm.shape[2]))  # [S, t]
        shaped = (1 - part) * demand[when, where] + part * level[where] * other.T[:, None]
        demand[when, where] = shaped * np.exp(size)
    return demand


def _places(expected: float, common: float, n_sites: int, rng: np.random.Generator) -> Iterator[slice]:
    """Sites of each change: one, or all; a site sees `expected` of them on average."""
    yield from [slice(None)] * rng.poisson(expected * common)
    for site in rng.integers(n_sites, size=rng.poisson(expected * (1 - common) * n_sites)).tolist():
        yield slice(site, site + 1)


def lifetimes(
    scenario: Scenario, hours: int, n_sites: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """
    Draw when cells are born and die.

    Parameters
    ----------
    scenario
        Rates of births and deaths, a site and day.
    hours, n_sites
        Number of steps and of sites.
    rng
        Source of both.

    Returns
    -------
    tuple
        First hour on air and first hour after it, int64 `[B]` each: 0 and `hours` for most. Of a cell that would
        die before it is born, only the death is kept.
    """
    drawn, when = rng.random((2, n_sites)), rng.integers(hours, size=(2, n_sites))
    born, dead = (
        drawn[i] < -np.expm1(-scenario[rate] * hours / 24) for i, rate in enumerate(("birth_rate", "death_rate"))
    )
    last = np.where(dead, when[1], hours)
    first = np.where(born & (when[0] < last), when[0], 0)
    return first, last


def apply_lifetimes(
    scenario: Scenario, demand: FloatArray, share: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """
    Take cells off the air before their birth and after their death; sites that stay take over their demand.

    Parameters
    ----------
    scenario
        Rates of births and deaths.
    demand
        Demand at sites, `[T, B, S]`; changed in place.
    share
        Shares in which squares are served, `[Q, B]`.
    rng
        Source of births and deaths.

    Returns
    -------
    ndarray
        `demand`.
    """
    hours, n_sites, _ = demand.shape
    first, last = lifetimes(scenario, hours, n_sites, rng)
    changing = (first > 0) | (last < hours)
    for site in np.flatnonzero(changing).tolist():
        overlap = np.where(changing, 0.0, share[:, site] @ share)
        total = overlap.sum()
        for when in (slice(0, int(first[site])), slice(int(last[site]), hours)):
            moved = demand[when, site].copy()
            demand[when, site] = 0.0
            if total > 0:  # else nobody is near, and the demand is lost
                demand[when] += moved[:, None] * (overlap / total)[:, None]
    return demand
