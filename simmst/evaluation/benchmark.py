"""Protocols by name: which days train, validate and test, what a model sees, how far it forecasts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from simmst.errors import ConfigError
from simmst.evaluation.target import Target
from simmst.forecasting.ridge import default_lags
from simmst.models.recipes import Recipe
from simmst.traffic.dataset import TrafficData
from simmst.traffic.split import Protocol, Span

_WEEK = 7
#: Hours that a row without a lookback of its own sees.
_LOOKBACK = 48
_FEDDA_CELLS, _FEDDA_SEED = 100, 1
#: Lags of the FedDA protocol: three days at this hour, then the last three hours.
FEDDA_LAGS = (72, 48, 24, 3, 2, 1)
#: Lags of the ridge where whole weeks validate and test: A, B and paper.
_RIDGE_OF_WEEKS = (*range(1, 25), 48, 72, 168)

PROTOCOLS: Mapping[str, str] = {
    "J": "whole days as 14 : 3 : 5 (train : validate : test)",
    "A": "the last 7 days test, the week before validates",
    "B": "the last but one 7 days test, the week before validates; the last 7 days are left out",
    "fedda": "days as in A; 100 nodes (seed 1) if there are more; the last 3 hours and the same hour of the "
    "last 3 days, to the next hour",
    "paper": "days as in A; 100 nodes (seed 1) if there are more; the services sms, call and internet",
}


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One data set under one protocol.

    Attributes
    ----------
    name : str
        Name of the protocol, see `PROTOCOLS`.
    target : Target
        Hourly traffic, the name of its file, and what a reader must know first.
    protocol : Protocol
        Training, validation and test part.
    lookback : int
        Steps before an origin that may be read, at most.
    horizon : int
        Forecast steps H.
    ridge_lags : tuple of int
        Lags of the ridge.
    lags : tuple of int
        Lags that a model sees, longest first; the last `lookback` steps by default.
    season : int, optional
        Where the lookback reaches back before the data, the first `season` steps stand repeated; None: no origin
        is that early.
    """

    name: str
    target: Target
    protocol: Protocol
    lookback: int
    horizon: int
    ridge_lags: tuple[int, ...]
    lags: tuple[int, ...] = ()
    season: int | None = None

    @property
    def data(self) -> TrafficData:
        """The traffic."""
        return self.target.data

    @property
    def seen(self) -> int:
        """Steps of history that a model is given, L: its lags, or the whole lookback."""
        return len(self.lags) or self.lookback

    @property
    def picked(self) -> npt.NDArray[np.int64] | None:
        """Which of the last `lookback` steps a model sees; None for all."""
        return self.lookback - np.array(self.lags) if self.lags else None

    def seen_by(self, recipe: Recipe) -> Benchmark:
        """Return the benchmark as a model sees it: with a lookback of its own, if its recipe has one."""
        if recipe.lookback is None or self.lags:
            return self
        return replace(self, lookback=recipe.lookback, season=self.protocol.steps_per_day)

    def scarce(self, days: int) -> Benchmark:
        """Keep only the last days of the training part: nothing before them exists, for inputs neither.

        Without a `season` the lookback shrinks where a day of origins would not fit else.

        Raises
        ------
        ConfigError
            If the days are more than there are, or too few for the horizon.
        """
        per_day, parts = self.protocol.steps_per_day, self.protocol
        kept, there = days * per_day, parts.train.stop - parts.train.start
        if kept > there:
            raise ConfigError(f"scarce {days}d: the training part has {there // per_day} days")
        room = kept - self.horizon - per_day
        if room < max(self.lags, default=1):
            raise ConfigError(
                f"scarce {days}d: too few for a history, a horizon of {self.horizon} steps and a day of origins"
            )
        shrunk = min(self.lookback, room)
        first = parts.train.stop - kept
        train, validation, test = (
            Span(part.start - first, part.stop - first)
            for part in (Span(first, parts.train.stop), parts.validation, parts.test)
        )
        return replace(
            self,
            target=replace(self.target, data=self.data.select(start=first)),
            protocol=Protocol(train, validation, test, per_day),
            lookback=shrunk if self.season is None else self.lookback,
            ridge_lags=tuple(lag for lag in self.ridge_lags if lag <= shrunk),
        )

    def describe(self) -> dict[str, Any]:
        """Return what decides the figures, for a result file."""
        times = self.data.times
        parts = {
            name: [str(times[part.start]), str(times[part.stop - 1]), part.start, part.stop]
            for name, part in (
                ("train", self.protocol.train),
                ("validation", self.protocol.validation),
                ("test", self.protocol.test),
            )
        }
        return {
            "protocol": self.name,
            "rule": PROTOCOLS[self.name],
            "data": self.target.name,
            "shape": list(self.data.values.shape),
            "services": list(self.data.services),
            "units": self.data.units,
            **parts,
            "history": list(self.lags) or self.lookback,
            "season": self.season,
            "horizon": self.horizon,
            "ridge_lags": list(self.ridge_lags),
        }


def make_benchmark(
    target: Target, name: str | None = None, horizon: int = 24, lookback: int | None = None
) -> Benchmark:
    """Put traffic under a protocol.

    Parameters
    ----------
    target : Target
        Hourly traffic.
    name : str, optional
        A key of `PROTOCOLS`; by default "A" from six weeks on, "J" below.
    horizon : int
        Steps to forecast; FedDA sets its own.
    lookback : int, optional
        Steps to see; None for the protocol's. A chosen one does not cost the data its first days: before them
        the first day stands repeated.

    Raises
    ------
    ConfigError
        If the protocol is unknown or does not fit the data.
    """
    data = target.data
    per_day = data.steps_per_day
    days = len(data.values) // per_day
    name = name or ("A" if days >= 6 * _WEEK else "J")
    if name not in PROTOCOLS:
        raise ConfigError(f"protocol {name}: unknown; known: {', '.join(PROTOCOLS)}")
    if name == "fedda" and lookback is not None:
        raise ConfigError(f"lookback {lookback}: protocol fedda says itself which hours are seen; leave it out")
    seen, season = (_LOOKBACK, None) if lookback is None else (lookback, per_day)
    if name == "J":
        parts = Protocol.proportional(len(data.values), data.step_minutes, horizon)
        return Benchmark(name, target, parts, seen, horizon, default_lags(per_day), season=season)
    if name in ("fedda", "paper"):
        target = replace(target, data=_sampled(data))
    if name == "paper":
        target = replace(target, data=_three_tasks(target.data))
    if name == "fedda":
        return Benchmark(name, target, _weeks(days, per_day, 0), max(FEDDA_LAGS), 1, FEDDA_LAGS[::-1], FEDDA_LAGS)
    parts = _weeks(days, per_day, 1 if name == "B" else 0)
    if horizon > _WEEK * per_day:
        raise ConfigError(f"horizon {horizon}: longer than the test week")
    return Benchmark(name, target, parts, seen, horizon, _RIDGE_OF_WEEKS, season=season)


def _weeks(days: int, per_day: int, left_out: int) -> Protocol:
    """Split whole weeks from the end: some left out, one tests, one validates, the rest trains."""
    test = days - _WEEK * (1 + left_out)
    train = test - _WEEK
    if train < 2 * _WEEK:
        raise ConfigError(
            f"data: {days} whole days are too few for a test week, a validation week and two training weeks"
            + (" with the last week left out" if left_out else "")
        )
    ends = 0, train * per_day, test * per_day, (test + _WEEK) * per_day
    return Protocol(Span(*ends[:2]), Span(*ends[1:3]), Span(*ends[2:]), per_day)


def _sampled(data: TrafficData) -> TrafficData:
    nodes = len(data.node_ids)
    if nodes <= _FEDDA_CELLS:
        return data
    chosen = np.sort(np.random.default_rng(_FEDDA_SEED).choice(nodes, _FEDDA_CELLS, replace=False))
    return data.select(nodes=[data.node_ids[i] for i in chosen])


def _three_tasks(data: TrafficData) -> TrafficData:
    wanted = ("call", "sms", "internet")
    if set(wanted) <= set(data.services):
        return data.select(services=wanted)
    raise ConfigError(
        f"protocol paper: needs the services {', '.join(wanted)} of an ingested Telecom Italia file "
        f"(`simmst data ingest`), this one has {', '.join(data.services)}"
    )
