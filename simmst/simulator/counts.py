"""From demand to what an operator records: outages, full cells, few users, counts, and counters that fail."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simmst.simulator.prior.scenario import Scenario, service_kind

FloatArray = NDArray[np.float64]

_OUTAGE_HOURS = (1, 12)
# So many records have no Poisson noise that float32 could show, and the generator refuses a mean of 1e19.
_MANY = 1e16


def apply_outages(
    scenario: Scenario, demand: FloatArray, share: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """
    Switch sites off for some hours; their demand moves to the sites that cover the same squares.

    Parameters
    ----------
    scenario
        Rate per site and hour.
    demand
        Demand at sites, `[T, B, S]`.
    share
        Shares in which squares are served, `[Q, B]`.
    rng
        Source of outages.

    Returns
    -------
    ndarray
        Demand with the outages, `[T, B, S]`.
    """
    hours, n_sites, _ = demand.shape
    demand = demand.copy()
    for _ in range(rng.poisson(scenario["outage_rate"] * hours * n_sites)):
        site = rng.integers(n_sites)
        first = rng.integers(hours)
        when = slice(first, first + rng.integers(_OUTAGE_HOURS[0], _OUTAGE_HOURS[1] + 1))
        overlap = share[:, site] @ share
        overlap[site] = 0.0
        if overlap.sum() > 0:
            moved = demand[when, site, None, :] * (overlap / overlap.sum())[None, :, None]
            demand[when, site] = 0.0
            demand[when] += moved
    return demand


def carried(demand: FloatArray, capacity: FloatArray) -> FloatArray:
    """
    Traffic that cells of limited capacity carry; what does not fit waits.

    The backlog follows Lindley's recursion `q' = max(0, q + demand - capacity)`, solved by running minima.

    Parameters
    ----------
    demand
        Offered traffic, `[T, ...]`.
    capacity
        Largest carried traffic a step, `[...]`.

    Returns
    -------
    ndarray
        Carried traffic, the shape of `demand`; never above capacity.
    """
    walk = np.cumsum(demand - capacity, axis=0)
    backlog = walk - np.minimum(np.minimum.accumulate(walk, axis=0), 0.0)
    waiting = np.concatenate([np.zeros_like(backlog[:1]), backlog[:-1]])
    return np.asarray(np.clip(demand + waiting - backlog, 0.0, capacity))


def limit_data_services(scenario: Scenario, demand: FloatArray, efficiency: FloatArray) -> FloatArray:
    """
    Let data services wait where cells are full; calls and messages pass first.

    A cell's capacity is its own peak over its load, and cells with poor links are loaded more.

    Parameters
    ----------
    scenario
        The switch and the peak load.
    demand
        Demand at sites, `[T, B, S]`.
    efficiency
        Spectral efficiency of the sites, `[B]`.

    Returns
    -------
    ndarray
        Carried traffic, `[T, B, S]`.
    """
    if not scenario["load_coupled"]:
        return demand
    data = [i for i, name in enumerate(scenario.services) if service_kind(name) in ("internet", "volume")]
    load = scenario["peak_load"] * efficiency.mean() / efficiency
    peak = np.quantile(demand[:, :, data], 0.99, axis=0)
    demand = demand.copy()
    demand[:, :, data] = carried(demand[:, :, data], peak / load[:, None])
    return demand


def few_users(scenario: Scenario, demand: FloatArray, rng: np.random.Generator) -> FloatArray:
    """
    Let demand come from few users: a compound Poisson-gamma (Tweedie) amount with the same mean.

    An hour has a Poisson number of active users, each with a gamma amount of squared coefficient of variation
    `burst`; without users there is nothing. Large sites stay smooth, small ones have bursts and zeros.

    Parameters
    ----------
    scenario
        The switch `small_nodes`, mean users of a site and hour, and the services' bursts.
    demand
        Demand at sites, `[T, B, S]`.
    rng
        Source of randomness.

    Returns
    -------
    ndarray
        Demand, `[T, B, S]`; the argument itself if the switch is off.
    """
    if not scenario["small_nodes"]:
        return demand
    a_user = demand.mean(axis=(0, 1)) / scenario["users"]  # [S]
    if not (a_user > 0).all():
        return demand
    burst = scenario.of_services("burst")
    active = rng.poisson(np.minimum(demand / a_user, _MANY))
    return np.asarray(rng.standard_gamma(active / burst) * burst * a_user)


def ceilings(scenario: Scenario, counts: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """
    Draw which counters saturate, and at which count.

    Parameters
    ----------
    scenario
        Share of sites and services whose counter saturates, and its ceiling relative to the 99 % point of what it
        would count.
    counts
        Traffic of the sites, float32 `[T, B, S]`.
    rng
        Source of the choice.

    Returns
    -------
    ndarray
        Largest count, float32 `[B, S]`; infinite for most.
    """
    highest = np.full(counts.shape[1:], np.inf, dtype=np.float32)
    capped = rng.random(highest.shape) < scenario["capped_share"]
    if capped.any():
        busy = np.quantile(counts[:, capped], 0.99, axis=0)
        highest[capped] = np.where(busy > 0, scenario["cap_level"] * busy, np.inf)
    return highest


def record(scenario: Scenario, demand: FloatArray, rng: np.random.Generator) -> NDArray[np.float32]:
    """
    Draw what is recorded: gamma-Poisson counts in records of a hidden size, some of them missing.

    A count is `Poisson(k * demand * G) / k`, where `k` records make a unit, and `G` is gamma with mean 1 and
    variance `1 / dispersion` (1 for services without one). Missing records are zeros at all services.

    Parameters
    ----------
    scenario
        Scales, dispersions and the share of missing records.
    demand
        Demand at sites, `[T, B, S]`.
    rng
        Source of randomness.

    Returns
    -------
    ndarray
        float32 `[T, B, S]`.
    """
    scale = scenario.of_services("record_scale")
    dispersion = scenario.of_services("dispersion")
    mean = demand * scale
    for s in np.flatnonzero(np.isfinite(dispersion)):
        mean[:, :, s] *= rng.standard_gamma(dispersion[s], mean.shape[:2]) / dispersion[s]
    counts = np.where(mean < _MANY, rng.poisson(np.minimum(mean, _MANY)), mean) / scale
    counts[rng.random(counts.shape[:2]) < scenario["missing_share"]] = 0.0
    return counts.astype(np.float32)
