"""Forecasters in closed form: the naive rows and the ridge of the tables."""

from __future__ import annotations

import math
from os import PathLike
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from simmst.errors import ConfigError, DataError
from simmst.forecasting.folder import new_folder, read_folder, write_folder
from simmst.forecasting.forecast import Forecast
from simmst.forecasting.forecaster import Forecaster, Known, parts_of, required
from simmst.forecasting.intervals import Intervals
from simmst.forecasting.naive import seasonal_naive
from simmst.forecasting.ridge import RidgeFit, default_lags, fit_ridge
from simmst.traffic.dataset import TrafficData
from simmst.traffic.recorded import recorded_origins, ridge_origins
from simmst.traffic.scaling import NodeScaler

PERIODS = {"last": 1, "daily": 24, "weekly": 168}
# Windows that a fit or its intervals rest on: more cost time alone. A file of 170 cells and two
# months, or of 500 and three weeks, is read whole.
_MOST = 250_000


class Naive(Forecaster):
    """The value of the same phase of the last whole period.

    Parameters
    ----------
    period : str
        "last" (the last value), "daily" (the same hour yesterday) or "weekly" (the same hour last week).
    horizon : int
        Hours that it is fitted for: its intervals are of so many.
    """

    def __init__(self, period: str = "daily", horizon: int = 24) -> None:
        if period not in PERIODS:
            raise ConfigError(f"period {period!r}: unknown; known: {', '.join(PERIODS)}")
        self.name, self.horizon = period, horizon
        self.known: Known | None = None

    def fit(self, traffic: TrafficData) -> Self:
        """Measure the intervals on the last days."""
        data = traffic.hourly()
        parts = parts_of(data, self.horizon)
        scaler = NodeScaler.fit(data.values[parts.train.steps], data.unrecorded[parts.train.steps])
        origins = _held_out(data, parts.validation.origins(self.horizon), self.horizon)
        intervals = _intervals(scaler, data, origins, self._values(data, origins, self.horizon))
        self.known = Known(data.services, data.node_ids, data.units, scaler, intervals, PERIODS[self.name])
        return self

    def update(self, traffic: TrafficData) -> Self:
        """Fit anew: it takes less than a second."""
        return self.fit(traffic)

    def predict(self, traffic: TrafficData, horizon: int | None = None, level: float = 0.9) -> Forecast:
        """See `Forecaster.predict`."""
        known: Known = required(self.known)
        hours, data = known.hours(horizon), known.fitting(traffic)
        return known.forecast(data, self._values(data, np.array([len(data.values)]), hours)[0], level)

    def _values(self, data: TrafficData, origins: npt.NDArray[np.int64], hours: int) -> npt.NDArray[np.floating]:
        return seasonal_naive(data.values, origins, hours, PERIODS[self.name])

    def save(self, folder: str | PathLike[str]) -> None:
        """See `Forecaster.save`."""
        known: Known = required(self.known)
        write_folder(new_folder(folder), {"kind": "naive", "period": self.name}, known.as_arrays())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        note, arrays = read_folder(folder, "naive")
        made = cls(str(note.get("period")))
        made.known = Known.from_arrays(arrays)
        made.horizon = made.known.hours(None)
        return made


class Ridge(Forecaster):
    """One linear model per forecast step and service on lagged z-scores, pooled over nodes.

    Parameters
    ----------
    horizon : int
        Hours to forecast.
    lags : tuple of int, optional
        Hours before the origin that enter; the last 48, a day and a week by default.
    penalty : float
        On the squares of all coefficients.
    """

    name = "ridge"

    def __init__(self, horizon: int = 24, lags: tuple[int, ...] | None = None, penalty: float = 10.0) -> None:
        self.horizon, self.lags, self.penalty = horizon, tuple(sorted(lags or default_lags(24))), penalty
        if self.lags[0] < 1:
            raise ConfigError(f"lags {self.lags}: must be 1 or more")
        self.known: Known | None = None
        self._fitted: RidgeFit | None = None

    def fit(self, traffic: TrafficData) -> Self:
        """Fit on all but the last days, which calibrate the intervals."""
        data = traffic.hourly()
        parts = parts_of(data, self.horizon)
        origins = parts.train.origins(self.horizon)
        origins = ridge_origins(data, origins[origins >= parts.train.start + max(self.lags)], self.horizon)
        origins = thinned(origins, len(data.node_ids))
        ridge = fit_ridge(
            data.values, parts.train.steps, origins, self.horizon, self.lags, self.penalty, data.unrecorded
        )
        held_out = _held_out(data, parts.validation.origins(self.horizon), self.horizon)
        intervals = _intervals(ridge.scaler, data, held_out, ridge.predict(data.values, held_out))
        names = data.services, data.node_ids, data.units
        self.known, self._fitted = Known(*names, ridge.scaler, intervals, max(self.lags)), ridge
        return self

    def update(self, traffic: TrafficData) -> Self:
        """Fit anew: it takes less than a second."""
        return self.fit(traffic)

    def predict(self, traffic: TrafficData, horizon: int | None = None, level: float = 0.9) -> Forecast:
        """See `Forecaster.predict`."""
        known: Known = required(self.known)
        hours, data = known.hours(horizon), known.fitting(traffic)
        ridge: RidgeFit = required(self._fitted)
        return known.forecast(data, ridge.predict(data.values, np.array([len(data.values)]))[0, :hours], level)

    def save(self, folder: str | PathLike[str]) -> None:
        """See `Forecaster.save`."""
        known, ridge = required(self.known), required(self._fitted)
        note = {"kind": "ridge", "lags": list(self.lags), "penalty": self.penalty}
        write_folder(new_folder(folder), note, known.as_arrays() | {"coefficients": ridge.coefficients})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        note, arrays = read_folder(folder, "ridge")
        known = Known.from_arrays(arrays)
        try:
            made = cls(known.hours(None), tuple(map(int, note["lags"])), float(note["penalty"]))
            coefficients = np.asarray(arrays["coefficients"], dtype=np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{folder}: damaged ({error})") from None
        services = len(known.services)
        if coefficients.shape != (len(made.lags) * services + 1, made.horizon * services):
            raise DataError(f"{folder}: damaged (coefficients of shape {coefficients.shape})")
        made.known, made._fitted = known, RidgeFit(made.lags, known.scaler, coefficients)
        return made


def _held_out(data: TrafficData, origins: npt.NDArray[np.int64], horizon: int) -> npt.NDArray[np.int64]:
    kept = recorded_origins(data.unrecorded, origins, horizon)
    if not kept.size:
        raise DataError(
            f"traffic: no {horizon} hours in a row of its last days were recorded, so there are no intervals: "
            "give other days or a shorter horizon"
        )
    return thinned(kept, len(data.node_ids))


def thinned(origins: npt.NDArray[np.int64], nodes: int) -> npt.NDArray[np.int64]:
    """Take every k-th origin where so many nodes have more windows than `_MOST`; over days, k meets each hour."""
    step = max(1, math.ceil(len(origins) * nodes / _MOST))
    while math.gcd(step, 24) > 1:
        step += 1
    return origins[::step]


def _intervals(
    scaler: NodeScaler, data: TrafficData, origins: npt.NDArray[np.int64], values: npt.NDArray[np.floating]
) -> Intervals:
    steps = origins[:, None] + np.arange(values.shape[1])
    actual = np.where(data.known[steps], data.values[steps], np.nan)
    return Intervals.of(scaler, values, actual)
