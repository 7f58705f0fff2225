"""Intervals from quantiles of a network, widened or narrowed by how it did on the last days of a history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from simmst.errors import DataError
from simmst.io.npz import Arrays, check_array
from simmst.pretraining.reading import DAY, LEVELS, MEDIAN
from simmst.traffic.dataset import TrafficData

Quantiles = NDArray[np.float32]
#: Quantiles `[H, N, S, Q]` after traffic `[T, N, S]` of which some is known, at an hour of the week.
Ask = Callable[[NDArray[np.float32], NDArray[np.bool_], int], Quantiles]

_NOMINAL = LEVELS[-1] - LEVELS[0]
# Origins lie seven hours apart, so that they meet all hours of the day; half of a history stays before them.
_APART, _MOST_ORIGINS, _MOST_SERIES = 7, 24, 100_000
# Shorter histories measure nothing: on two days held back, factors lowered the coverage of 90 % intervals from
# 88 to 83 % (docs/pretrained.md). Hours of a day err together, so a node's own factor counts by its days, the
# pooled one as this many.
_SHORTEST, _OF_ALL = 7 * DAY, 10.0
_NARROWEST, _WIDEST = 0.9, 3.0
# Hours of the day differ in how wide intervals must be: an hour's factor counts by its days, 1 as so many.
_OF_ALL_HOURS = 3.0
_LEAST_READ = 0.25  # in files, which may be of before


@dataclass(frozen=True, slots=True)
class Calibration:
    """Factors on the distance of an interval's ends from the median.

    Attributes
    ----------
    node_ids, services : tuple of str
        What was measured; empty if nothing was.
    factors : array [N, S]
        Of each node, as far as its own hours tell; 0.9 at least, since calm days say little of those that are not.
    hour_factors : array [24, S]
        Of each local hour of the day, over all nodes. With both, 90 % intervals covered 90 % of the held-back
        hours, or more.
    """

    node_ids: tuple[str, ...]
    services: tuple[str, ...]
    factors: NDArray[np.float64]
    hour_factors: NDArray[np.float64]

    @classmethod
    def none(cls) -> Self:
        """Return the factors of a forecaster that has seen no traffic: 1 for all."""
        return cls((), (), np.empty((0, 0)), np.empty((DAY, 0)))

    @classmethod
    def measured(cls, data: TrafficData, known: NDArray[np.bool_], ask: Ask) -> Self:
        """Forecast from origins in the second half of a history, and hold the truth against the quantiles.

        Parameters
        ----------
        data : TrafficData
            Hourly.
        known : bool array [T, N, S]
        ask : callable

        Returns
        -------
        Calibration
            Factors of 1 where there is less than a week.
        """
        origins = held_out_origins(data)
        found = [ask(data.values[:at], known[:at], data.start_hour + int(at)) for at in origins]
        return cls.of(data, known, origins, found)

    @classmethod
    def of(
        cls,
        data: TrafficData,
        known: NDArray[np.bool_],
        origins: NDArray[np.int64],
        found: Sequence[Quantiles],
        narrowest: float = _NARROWEST,
    ) -> Self:
        """Hold quantiles of the day after each origin against the truth, as far as either goes.

        A series of which less than a day was known at an origin is not judged there.

        Parameters
        ----------
        data : TrafficData
            Hourly.
        known : bool array [T, N, S]
        origins : int64 array [O]
        found : sequence of array [H, N, S, Q]
            One an origin.
        narrowest : float
            The least factor of a node.
        """
        if len(data.values) < _SHORTEST or not len(origins):
            return cls.none()
        nodes, services = data.values.shape[1:]
        days = float(np.ptp(origins)) / DAY + 1.0
        scores, clock = [], []
        for origin, quantiles in zip(origins, found, strict=True):
            hours = slice(origin, origin + min(DAY, len(quantiles)))
            truth = data.values[hours].astype(np.float64)
            one = _score(truth, quantiles[: len(truth)].astype(np.float64))
            scores.append(np.where(judged(known, origin, len(truth)), one, np.nan))
            clock.append((data.start_hour + origin + np.arange(len(truth))) % DAY)
        every = np.concatenate(scores).reshape(-1, nodes, services)
        hour = np.concatenate(clock)
        by_hour = _hour_factors(every, hour, days)
        by_node = _factors(every / by_hour[hour][:, None], days, narrowest)
        return cls(data.node_ids, data.services, by_node, by_hour)

    def interval(
        self, found: Quantiles, data: TrafficData, level: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower and upper end `[H, N, S]` of central intervals.

        Parameters
        ----------
        found : array [H, N, S, Q]
            Quantiles of the nodes and services of `data`.
        data : TrafficData
            Nodes that were not measured take the median factor of their service, and a service that was not, 1.
        level : float
        """
        factors = self._of(data, len(found))
        median = found[..., MEDIAN].astype(np.float64)
        # The upper level near 1 is rounded to 1, whose quantile is infinite: the lower one serves both ends.
        deviate = float(norm.isf((1 - level) / 2))
        low, high = (quantile_at(found, one) for one in (-deviate, deviate))
        # near the median a rounded quantile may lie on its other side
        below, above = np.maximum(median - low, 0.0), np.maximum(high - median, 0.0)
        return np.maximum(median - factors * below, 0.0), median + factors * above

    def quantiles(self, found: Quantiles, data: TrafficData) -> NDArray[np.float64]:
        """Quantiles `[H, N, S, Q]` at `LEVELS`, each as far from the median as the factors say, ascending.

        Parameters
        ----------
        found : array [H, N, S, Q]
            As in `interval`.
        data : TrafficData
            As in `interval`.
        """
        median = found[..., MEDIAN, None].astype(np.float64)
        moved = np.maximum(median + self._of(data, len(found))[..., None] * (found - median), 0.0)
        return np.maximum.accumulate(moved, axis=-1)

    def _of(self, data: TrafficData, hours: int) -> NDArray[np.float64]:
        """Factors `[H, N, S]` of the hours after the end of traffic."""
        out = np.ones((hours, len(data.node_ids), len(data.services)))
        clock = (data.start_hour + len(data.values) + np.arange(hours)) % DAY
        place = {name: i for i, name in enumerate(self.node_ids)}
        at = np.array([place.get(name, -1) for name in data.node_ids])
        for s, service in enumerate(data.services):
            if service in self.services:
                mine = self.services.index(service)
                column = self.factors[:, mine]
                own = np.where(at >= 0, column[at], np.median(column))
                out[..., s] = self.hour_factors[clock, mine][:, None] * own
        return out

    def as_arrays(self) -> Arrays:
        """Return it as a file holds it."""
        names = {"node_ids": self.node_ids, "services": self.services}
        factors = {"factors": self.factors, "hour_factors": self.hour_factors}
        return {name: np.array(one, dtype=str) for name, one in names.items()} | factors

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Read what `as_arrays` wrote.

        Raises
        ------
        DataError
            If an array is missing or does not fit the others.
        """
        try:
            if not len(arrays["node_ids"]):
                return cls.none()
            nodes, services = len(arrays["node_ids"]), len(arrays["services"])
            by_hour = arrays.get("hour_factors", np.ones((DAY, services)))  # files of before have none
            for name, kinds, sides in (
                ("node_ids", "U", (None,)), ("services", "U", (None,)), ("factors", "f", (nodes, services)),
            ):  # fmt: skip
                check_array(name, arrays[name], kinds, *sides)
            check_array("hour_factors", by_hour, "f", DAY, services)
        except (KeyError, TypeError) as error:
            raise DataError(f"lacks {error}") from None
        for name, factors in (("factors", arrays["factors"]), ("hour_factors", by_hour)):
            if not ((factors >= _LEAST_READ) & (factors <= _WIDEST)).all():
                raise DataError(f"{name}: must lie between {_LEAST_READ:g} and {_WIDEST:g}")
        node_ids, names = (tuple(map(str, arrays[name])) for name in ("node_ids", "services"))
        return cls(node_ids, names, arrays["factors"], by_hour)


def held_out_origins(data: TrafficData) -> NDArray[np.int64]:
    """Origins in the second half of a history, a day before its end at the latest; fewer of many series."""
    hours, nodes, services = data.values.shape
    most = max(1, min(_MOST_ORIGINS, _MOST_SERIES // (nodes * services)))
    return np.arange(hours - DAY, max(hours // 2, DAY) - 1, -_APART)[:most]


def judged(known: NDArray[np.bool_], origin: int, hours: int) -> NDArray[np.bool_]:
    """Which of the hours after an origin `[H, N, S]` a forecast is judged by.

    Those that are known, of series of which a day was known before: one that began some hours ago is forecast from
    less than a network or a row is made for, which says nothing of it later.
    """
    return np.asarray(known[origin : origin + hours] & (known[:origin].sum(axis=0) >= DAY))


def quantile_at(found: NDArray[np.floating], deviate: float) -> NDArray[np.float64]:
    """Quantile `[...]` at the level of any normal deviate, from those at `LEVELS` `[..., Q]`.

    Between two of them it is linear in the deviate; beyond the outermost the distance from the median grows as a
    normal variable's.
    """
    deviates = norm.ppf(LEVELS)
    if not deviates[0] <= deviate <= deviates[-1]:
        left, right = MEDIAN, 0 if deviate < 0 else -1
    else:
        right = int(np.clip(np.searchsorted(deviates, deviate), 1, len(LEVELS) - 1))
        left = right - 1
    share = (deviate - deviates[left]) / (deviates[right] - deviates[left])
    low, high = (found[..., one].astype(np.float64) for one in (left, right))
    return np.asarray(np.maximum(low + share * (high - low), 0.0))


def _score(truth: NDArray[np.float64], found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of the truth from the median, over that of the 90 % interval's end on its side.

    NaN where the interval has no width, as after a history without traffic: no factor would mend it.
    """
    median = found[..., MEDIAN]
    away = truth - median
    side = np.where(away >= 0, found[..., -1] - median, median - found[..., 0])
    return np.asarray(np.abs(away) / np.where(side > 0, side, np.nan), dtype=np.float64)


def _hour_factors(scores: NDArray[np.float64], hour: NDArray[np.int64], days: float) -> NDArray[np.float64]:
    """Factor `[24, S]` of each hour of the day, over that of all hours, from scores `[n, N, S]` at these hours."""
    out = np.ones((DAY, scores.shape[2]))
    share = days / (days + _OF_ALL_HOURS)
    for s in range(scores.shape[2]):
        every = scores[..., s]
        if not np.isfinite(every).any():
            continue
        pooled = max(_least_that_covers(every), 1e-3)
        for h in range(DAY):
            own = every[hour == h]
            if np.isfinite(own).any():
                out[h, s] = (max(_least_that_covers(own), 1e-3) / pooled) ** share
    return np.clip(out, 1 / _WIDEST, _WIDEST)


def _factors(scores: NDArray[np.float64], days: float, narrowest: float) -> NDArray[np.float64]:
    """Factor of each node and service from scores `[n, N, S]` of some days, NaN where nothing was known."""
    hours, nodes, services = scores.shape
    out = np.ones((nodes, services))
    for s in range(services):
        every = scores[..., s]
        if not np.isfinite(every).any():
            continue
        pooled = max(_least_that_covers(every), 1e-3)
        out[:, s] = pooled  # also of nodes of which nothing was known
        for n in range(nodes):
            own, seen = every[:, n], days * float(np.isfinite(every[:, n]).sum()) / hours
            if seen > 0:
                share = seen / (seen + _OF_ALL)
                own_factor = np.clip(_least_that_covers(own), narrowest / 2, 2 * _WIDEST)
                out[n, s] = np.exp(share * np.log(own_factor) + (1 - share) * np.log(pooled))
        # together they cover as many as one factor for all would
        out[:, s] *= _least_that_covers(every / out[:, s])
    return np.clip(out, narrowest, _WIDEST)


def _least_that_covers(scores: NDArray[np.float64]) -> float:
    """The k-th smallest finite score, k = ceil(0.9 (n + 1)), the largest where k is beyond it."""
    finite = np.sort(scores[np.isfinite(scores)])
    k = int(np.ceil(_NOMINAL * (len(finite) + 1)))
    return float(finite[min(k, len(finite)) - 1])
