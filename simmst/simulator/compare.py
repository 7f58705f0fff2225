"""Does the prior cover a real city? Its statistics beside the 5 % and 95 % points of simulated cities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simmst.errors import ConfigError, DataError
from simmst.simulator.city import SimulatedWorlds, simulate_world
from simmst.simulator.prior.distributions import Choice
from simmst.simulator.prior.informed import informed_prior
from simmst.simulator.prior.scenario import Prior
from simmst.simulator.two_sample import day_vectors, maximum_mean_discrepancy, sliced_wasserstein, two_sample_auc
from simmst.traffic import statistics as st
from simmst.traffic.dataset import TrafficData

FloatArray = NDArray[np.float64]

#: Lags in squares of the spatial correlogram, and in hours of the autocorrelation.
SPACE_LAGS = (1, 5, 10, 20)
TIME_LAGS = (1, 12, 24, 168)
# Days of each side in the comparisons of whole days; the kernel matrix has twice as many rows.
_DAYS = 600
# A correlation over fewer nodes says more about their choice than about the services.
_NODES_OF_A_CORRELATION = 8


@dataclass(frozen=True, slots=True)
class Comparison:
    """
    One statistic of a real city beside simulated ones.

    Parameters
    ----------
    statistic, service
        What was measured, and of which service (or pair of them, or "").
    real
        Value of the real city.
    low, high
        5 % and 95 % points over simulated cities.
    """

    statistic: str
    service: str
    real: float
    low: float
    high: float

    @property
    def inside(self) -> bool:
        """Whether the real value lies between the two points."""
        return self.low <= self.real <= self.high


@dataclass(frozen=True, slots=True)
class DayDistance:
    """
    A distance between whole days of real and simulated traffic, beside the one between real halves.

    Parameters
    ----------
    statistic, service
        Which distance, and of which service.
    simulated
        Between real and simulated days.
    baseline
        Between the days of one half of the real nodes and of the other.
    """

    statistic: str
    service: str
    simulated: float
    baseline: float


def compare_in_time(real: TrafficData, worlds: SimulatedWorlds) -> list[Comparison]:
    """
    Statistics 4 to 8: autocorrelation, shape of the day, weekly residual, Hurst exponent, services.

    A city's value is the median over its nodes; the simulated band is over worlds. Simulated nodes that carry
    nothing of a service at all have no shape, and are left out.

    Parameters
    ----------
    real
        Real traffic, at least a week; hourly sums are compared. The weekly residual takes two weeks, and the
        correlation of services in space eight nodes: with less they are left out.
    worlds
        Simulated worlds of the same services and as many hours, since the autocorrelation's bias depends on
        the length.

    Raises
    ------
    ConfigError
        If services or lengths differ, or no simulated node carries traffic.
    """
    real = real.hourly()
    hours = len(worlds.worlds[0].sites)
    if worlds.services != real.services or hours != len(real.values):
        raise ConfigError(
            f"worlds: {hours} hours of {', '.join(worlds.services)}, but the real traffic has "
            f"{len(real.values)} hours of {', '.join(real.services)}"
        )
    of_real = _in_time(real)
    on_air = [_on_air(world.traffic()) for world in worlds.worlds]
    of_worlds = [_in_time(traffic) for traffic in on_air if traffic is not None]
    if not of_worlds:
        raise ConfigError(f"worlds: in none of the {len(on_air)} does any node carry all services")
    return [
        _compare(*key, value, [found[key] for found in of_worlds if key in found])
        for key, value in of_real.items()
    ]


def _on_air(data: TrafficData) -> TrafficData | None:
    """Nodes that carry something of every service, if there are any."""
    carrying = np.flatnonzero((data.values.max(axis=0) > 0).all(axis=1))
    return data.select(nodes=[data.node_ids[n] for n in carrying]) if len(carrying) else None


def _in_time(data: TrafficData) -> dict[tuple[str, str], float]:
    long = len(data.values) >= 2 * st.HOURS_OF_WEEK
    found: dict[tuple[str, str], FloatArray] = {}
    for s, service in enumerate(data.services):
        series = data.values[:, :, s].astype(np.float64)
        for lag in TIME_LAGS:
            if 2 * lag <= len(series):
                found[f"acf {lag} h", service] = st.autocorrelation(series, lag)
        shape = st.daily_shape(series, data.start_hour)
        for name, value in zip(("peak/mean", "peak/trough", "weekday/weekend"), shape, strict=True):
            found[name, service] = value
        if not long:
            continue
        residual, explained = st.weekly_residual(series, data.start_hour)
        found["hour-of-week R2", service] = explained
        found["residual sd", service] = residual.std(axis=0)
        for lag in (1, 24):
            found[f"residual acf {lag} h", service] = st.autocorrelation(residual, lag)
        z = residual / np.maximum(residual.std(axis=0), 1e-12)
        found["residual kurtosis", service] = (z**4).mean(axis=0) - 3
        found["Hurst exponent", service] = st.hurst(residual)
    values = {key: float(np.median(value)) for key, value in found.items()}
    for name, matrix in _between_services(data, long).items():
        for i, j in zip(*np.triu_indices(len(data.services), 1), strict=True):
            values[name, f"{data.services[i]} ~ {data.services[j]}"] = float(matrix[i, j])
    return values


def _between_services(data: TrafficData, long: bool) -> dict[str, FloatArray]:
    """Correlations of services `[S, S]`: in time and of residuals medians over nodes, in space over all nodes."""
    if len(data.services) == 1:
        return {}
    found = {"correlation in time": st.median_correlation(np.log1p(data.values.astype(np.float64)))}
    if len(data.node_ids) >= _NODES_OF_A_CORRELATION:
        totals = data.values.sum(axis=0, dtype=np.float64)
        found["correlation in space"] = np.corrcoef(np.log(totals + 1e-9).T)
    if long:
        residuals = [
            st.weekly_residual(data.values[:, :, s].astype(np.float64), data.start_hour)[0]
            for s in range(len(data.services))
        ]
        found["correlation in residual"] = st.median_correlation(np.stack(residuals, axis=2))
    return found


def compare_in_space(
    totals: FloatArray,
    n_cities: int,
    seed: int,
    prior: Prior | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Comparison]:
    """
    Statistics 1 to 3: log-normality, Moran's I and correlogram, and neighbours that agree.

    Parameters
    ----------
    totals
        Totals of the squares of a real grid, `[side, side]`, all positive. Simulated cities have as many
        squares, so the band is that of grids of this extent; their time grows with the square of the area.
    n_cities
        Number of simulated cities.
    seed
        Seed of the set.
    prior
        Distribution of the scenarios; `informed_prior()` by default. Only urban squares of 235 m are drawn,
        with the city's centre in the middle.
    progress
        Called after each city with the number done and the total.
    """
    if totals.ndim != 2 or totals.shape[0] != totals.shape[1] or not (totals > 0).all():
        raise DataError(f"totals: must be positive on a square grid, not of shape {totals.shape}")
    if n_cities < 2:
        raise ConfigError(f"n_cities={n_cities}: a band needs at least 2")
    prior = informed_prior() if prior is None else prior
    middle = {name: Choice((0.0,), (1.0,), 0.0) for name in ("rural", "cells", "centre_distance_km")}
    prior = replace(prior, city={**prior.city, **middle})
    found = []
    for city in range(n_cities):
        of_scenario, of_world = np.random.SeedSequence(seed, spawn_key=(city,)).spawn(2)
        scenario = prior.sample(of_scenario, ("internet",))
        world = simulate_world(scenario, 24, of_world, side=totals.shape[0])
        grid = world.traffic().values.sum(axis=(0, 2), dtype=np.float64).reshape(totals.shape)
        # A square without any record has no logarithm: a quarter of the smallest total stands for it.
        found.append(_in_space(np.maximum(grid, grid[grid > 0].min() / 4)))
        if progress is not None:
            progress(city + 1, n_cities)
    return [
        _compare(name, "", value, [city[name] for city in found])
        for name, value in _in_space(totals.astype(np.float64)).items()
    ]


def _in_space(grid: FloatArray) -> dict[str, float]:
    logs = np.log(grid)
    sigma, skew, distance = st.log_normal_fit(grid)
    lags = [lag for lag in SPACE_LAGS if lag < len(grid) // 2]
    return {
        "ln sigma": sigma,
        "ln skewness": skew,
        "KS to log-normal": distance,
        "Moran's I of the log": st.moran(logs),
        **{f"spatial correlation {k}": float(c) for k, c in zip(lags, st.correlogram(logs, lags), strict=True)},
        "neighbours within 1 %": st.share_of_twins(grid),
    }


def compare_days(real: TrafficData, worlds: SimulatedWorlds, seed: int) -> list[DayDistance]:
    """
    Statistics 9 and 10: distances between standardised days, and a classifier's area under the curve.

    Parameters
    ----------
    real
        Real traffic of at least four nodes.
    worlds
        Simulated worlds of the same services.
    seed
        Seed of the choice of days, directions and halves.
    """
    real = real.hourly()
    if worlds.services != real.services:
        raise ConfigError(f"worlds: services {', '.join(worlds.services)} are not the real ones")
    if len(real.node_ids) < 4:
        raise DataError(f"values: {len(real.node_ids)} nodes; two halves of the real nodes need at least 4")
    rng = np.random.default_rng(seed)
    nodes = rng.permutation(len(real.node_ids))
    midnight = -real.start_hour % 24
    traffic = [(world.traffic().hourly(), -world.start_hour % 24) for world in worlds.worlds]
    found = []
    for s, service in enumerate(real.services):
        halves = [
            _some(day_vectors(real.values[midnight:, half, s].astype(np.float64)), rng)
            for half in np.array_split(nodes, 2)
        ]
        simulated = _some(
            np.concatenate([day_vectors(t.values[first:, :, s].astype(np.float64)) for t, first in traffic]),
            rng,
        )
        for name, distance in (
            ("MMD", maximum_mean_discrepancy),
            ("sliced Wasserstein", lambda x, y: sliced_wasserstein(x, y, rng)),
            ("classifier AUC", lambda x, y: two_sample_auc(x, y, rng)),
        ):
            found.append(DayDistance(name, service, distance(halves[0], simulated), distance(*halves)))
    return found


def _some(days: FloatArray, rng: np.random.Generator) -> FloatArray:
    return days[rng.permutation(len(days))[:_DAYS]]


def _compare(statistic: str, service: str, real: float, simulated: list[float]) -> Comparison:
    low, high = np.quantile(simulated, [0.05, 0.95])
    return Comparison(statistic, service, real, float(low), float(high))
