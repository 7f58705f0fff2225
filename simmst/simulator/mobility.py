"""Mobility of agents: exploration and preferential return in their free time, sleep and work as anchors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

#: Numbers of the state an agent is in.
ASLEEP, WORKING, FREE = range(3)
# Exploration and preferential return (Song et al., Nature Physics 2010) with the constants of scikit-mobility [S]:
# a new place with probability rho * S^-gamma after S places; waits have density t^-(1 + beta) exp(-t / tau) above
# 20 min.
_RHO, _GAMMA, _BETA, _TAU_H, _SHORTEST_H = 0.6, 0.21, 0.8, 17.0, 1 / 3
# Chosen here: hours of getting up and going to bed, of work, and how they differ between people and between days.
_UP_H, _BED_H, _LATER_AT_WEEKENDS_H, _PEOPLE_SD_H, _DAYS_SD_H = 7.0, 23.3, 1.5, 1.0, 0.5
_BEGIN_H, _END_H, _ABSENT = 8.8, 17.5, 0.08


@dataclass(frozen=True, slots=True)
class Town:
    """Places and what draws people to them.

    Parameters
    ----------
    places : float64 array `[B, 2]`
        East and north in km.
    homes, work, leisure : float64 array `[B]`
        Weight of each place.
    """

    places: FloatArray
    homes: FloatArray
    work: FloatArray
    leisure: FloatArray


def draw_town(n_places: int, rng: np.random.Generator) -> Town:
    """Draw places around a centre, with weights that are log-normal and fall off from it.

    Parameters
    ----------
    n_places : int
        Number of places B.
    rng : Generator
        Source of randomness.
    """
    # A sunflower's seeds, jittered: even, but without a grid's rows. Some 1 km2 each.
    rank = np.arange(n_places) + 0.5
    radius = np.sqrt(rank / np.pi)
    angle = np.pi * (1 + np.sqrt(5)) * rank
    places = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    places += 0.15 * rng.standard_normal(places.shape)
    reach = radius.max()

    def weights(sigma: float, fall: float) -> FloatArray:
        return np.asarray(np.exp(sigma * rng.standard_normal(n_places) - fall * radius / reach))

    return Town(places, weights(0.6, 0.5), weights(1.0, 2.0), weights(1.2, 1.5))


def presence(
    town: Town, rate: FloatArray, activity: FloatArray, workers: float, hours: int, rng: np.random.Generator
) -> FloatArray:
    """Let people live, and add up what those at each place are expected to do in each hour.

    Parameters
    ----------
    town : Town
        The places.
    rate : float64 array `[n]`
        Activity of each person.
    activity : float64 array `[3, S]`
        Relative activity by state (asleep, at work, free) and service.
    workers : float
        Share of people with work, on weekdays.
    hours : int
        Number of hours, from a Monday's first.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray
        Expected activity, `[hours, B, S]`: the sum over the people there of rate times activity.
    """
    apart = np.hypot(*(town.places[:, None] - town.places).transpose(2, 0, 1))
    np.fill_diagonal(apart, np.inf)
    # d-EPR (Pappalardo et al., Nature Communications 2015): p ~ weight / distance^2.
    draw = town.leisure / apart**2
    home = rng.choice(len(town.places), len(rate), p=town.homes / town.homes.sum())
    # Commuting falls off exponentially over some kilometres [K]; people may work where they live.
    commute = town.work * np.exp(-np.where(np.isinf(apart), 0.0, apart) / 4.0)
    cumulative = np.cumsum(commute / commute.sum(axis=1, keepdims=True), axis=1)
    work = (rng.random(len(rate))[:, None] > cumulative[home]).sum(axis=1)
    work = np.where(rng.random(len(rate)) < workers, np.minimum(work, len(town.places) - 1), -1)
    total = np.zeros((hours, len(town.places), activity.shape[1]))
    _live(home, work, rate, activity, draw, total, rng)
    return total


@njit(cache=True)
def _live(home, work, rate, activity, draw, total, rng):  # type: ignore[no-untyped-def]
    hours, n_places, n_services = total.shape
    visits = np.zeros(n_places)
    for person in range(len(home)):
        visits[:] = 0.0
        visits[home[person]] = 1.0
        known = 1
        own_up, own_bed, own_begin = _PEOPLE_SD_H * rng.standard_normal(3)
        here, move = home[person], 0.0
        for day in range((hours + 23) // 24):
            late = _LATER_AT_WEEKENDS_H if day % 7 >= 5 else 0.0
            up = _UP_H + own_up + late + _DAYS_SD_H * rng.standard_normal()
            bed = _BED_H + own_bed + late + _DAYS_SD_H * rng.standard_normal()
            begin = _BEGIN_H + own_begin + _DAYS_SD_H * rng.standard_normal()
            end = _END_H + own_begin + 2 * _DAYS_SD_H * rng.standard_normal()
            works = work[person] >= 0 and day % 7 < 5 and rng.random() > _ABSENT
            # Days differ in how active one is.
            today = rate[person] * np.exp(0.3 * rng.standard_normal())
            for hour in range(24):
                t = 24 * day + hour
                if t >= hours:
                    break
                clock = hour + 0.5
                # Who goes to bed after midnight is still up in the day's first hours.
                if (clock < up and clock > bed - 24) or clock > bed:
                    state, here, move = ASLEEP, home[person], 24 * day + up + _wait(rng)
                elif works and begin <= clock < end:
                    state, here, move = WORKING, work[person], 24 * day + end + _wait(rng)
                else:
                    state = FREE
                    while move <= 24 * day + clock:
                        here = _next_place(here, visits, known, draw, rng)
                        known += visits[here] == 0
                        visits[here] += 1.0
                        move += _wait(rng)
                for s in range(n_services):
                    total[t, here, s] += today * activity[state, s]


@njit(cache=True)
def _wait(rng):  # type: ignore[no-untyped-def]
    """Truncated power law in hours, by rejection from the power law."""
    while True:
        t = _SHORTEST_H * (1 - rng.random()) ** (-1 / _BETA)
        if rng.random() < np.exp(-(t - _SHORTEST_H) / _TAU_H):
            return t


@njit(cache=True)
def _next_place(here, visits, known, draw, rng):  # type: ignore[no-untyped-def]
    """Where one goes: to an unknown place by gravity, or to a known one by its visits; never to this one."""
    n_places = len(visits)
    explore = known < n_places and (known == 1 or rng.random() < _RHO * known**-_GAMMA)
    total = 0.0
    for place in range(n_places):
        if place != here and explore == (visits[place] == 0):
            total += draw[here, place] if explore else visits[place]
    left = total * rng.random()
    chosen = here
    for place in range(n_places):
        if place != here and explore == (visits[place] == 0):
            chosen = place
            left -= draw[here, place] if explore else visits[place]
            if left < 0:
                break
    return chosen
