"""Simple rows as forecasters, from a day of history on: profile, autoregression, blend."""

from __future__ import annotations

from abc import abstractmethod
from os import PathLike
from pathlib import Path
from typing import Self

import numpy as np
from scipy.stats import norm

from simmst.errors import ConfigError, DataError
from simmst.forecasting import autoregression, rows
from simmst.forecasting.calibration import Calibration, Quantiles, held_out_origins
from simmst.forecasting.folder import new_folder, read_folder, write_folder
from simmst.forecasting.forecast import Forecast
from simmst.forecasting.forecaster import Forecaster
from simmst.forecasting.past import DAY, WEEK, Array, Flags, Past, spread_of
from simmst.forecasting.pretrained import history_notices, known_hours
from simmst.io.npz import Arrays, check_array
from simmst.pretraining.reading import LEVELS, MEDIAN
from simmst.traffic.dataset import TrafficData

# What a series differs from its yesterday is a rough width, which calibration may well halve.
_NARROWEST = 0.5
_SERIES = 8192  # at once: bounds the memory on large cities


class Row(Forecaster):
    """A row of a few lines of arithmetic, which works for any nodes.

    Its intervals are normal in log(0.05 + traffic / mean), as wide as a series differs from the same hour of the
    day before, and calibrated on held-back origins as the pretrained network's are.
    """

    def __init__(self) -> None:
        self.calibration = Calibration.none()

    def fit(self, traffic: TrafficData) -> Self:
        """Calibrate the intervals on origins of the last days, as far as the traffic has them."""
        data = traffic.hourly()
        known = known_hours(data)
        self.learn(data, known)
        origins = held_out_origins(data)
        found = []
        for at in origins:
            before = data.select(stop=int(at))
            found.append(spread_quantiles(before, known[:at], self.medians(before, known[:at], DAY)))
        self.calibration = Calibration.of(data, known, origins, found, _NARROWEST)
        return self

    def update(self, traffic: TrafficData) -> Self:
        """Fit anew: it takes seconds."""
        return self.fit(traffic)

    def predict(self, traffic: TrafficData, horizon: int | None = None, level: float = 0.9) -> Forecast:
        """Forecast the hours after the end of traffic.

        Parameters
        ----------
        traffic : TrafficData
            A day of history or more, of which the last four weeks are read.
        horizon : int, optional
            Hours, 1 to 168; 24 by default.
        level : float
            Coverage of the intervals, in (0, 1).

        Raises
        ------
        SimmstError
            If there is less than a day of history, horizon or level are out of range, or it was to be fitted.
        """
        hours = checked(horizon, level)
        data = traffic.hourly()
        known = known_hours(data)
        median = self.medians(data, known, hours)
        found = spread_quantiles(data, known, median)
        lower, upper = self.calibration.interval(found, data, level)
        times = data.times[-1] + np.arange(1, hours + 1) * np.timedelta64(60, "m")
        value = found[..., MEDIAN].astype(np.float64)
        notices, every = history_notices(data, known), self.calibration.quantiles(found, data)
        return Forecast(data, times, value, lower, upper, level, notices, every)

    def medians(self, data: TrafficData, known: Flags, horizon: int) -> Array:
        """Forecast `[H, N, S]` after hourly traffic of which some is known, without intervals."""
        at_once = max(1, _SERIES // len(data.services))
        starts = range(0, len(data.node_ids), at_once)
        parts = [Past.of(data, known, slice(first, first + at_once)) for first in starts]
        return np.concatenate([self._row(data, part, horizon) for part in parts], axis=1)

    def learn(self, data: TrafficData, known: Flags) -> None:
        """Learn what the arithmetic needs from hourly traffic."""

    @abstractmethod
    def _row(self, data: TrafficData, past: Past, horizon: int) -> Array:
        """Forecast `[H, N, S]`."""

    def save(self, folder: str | PathLike[str]) -> None:
        """See `Forecaster.save`."""
        arrays = {**self.calibration.as_arrays(), **self._learnt()}
        write_folder(new_folder(folder), {"kind": self.name}, arrays)

    def _learnt(self) -> Arrays:
        return {}

    def _take(self, arrays: Arrays) -> None:
        """Read what `_learnt` gave."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        made = cls()
        _, arrays = read_folder(folder, made.name)
        made.calibration = Calibration.from_arrays(arrays)
        made._take(arrays)
        return made


class Profile(Row):
    """Mean of the same hour and kind of day over 14 days, moved by half of how far the last day lay from it.

    Means are of log(0.05 + traffic / mean), so the unit does not matter. Nothing needs to be fitted but the
    intervals.
    """

    name = "profile"

    def _row(self, data: TrafficData, past: Past, horizon: int) -> Array:
        return rows.profile(past, horizon)


class Blend(Row):
    """Mean of yesterday's value and of a three-day profile with the level of the last six hours.

    Nothing needs to be fitted but the intervals.
    """

    name = "blend"

    def _row(self, data: TrafficData, past: Past, horizon: int) -> Array:
        return rows.blend(past, horizon)


class Yesterday(Row):
    """The value of the same hour of the last day."""

    name = "yesterday"

    def _row(self, data: TrafficData, past: Past, horizon: int) -> Array:
        return rows.same_hour(past, horizon, 1)


class LastWeek(Row):
    """The value of the same hour a week ago; of the last day where there is less than a week."""

    name = "last week"

    def _row(self, data: TrafficData, past: Past, horizon: int) -> Array:
        return rows.same_hour(past, horizon, 7)


class Autoregression(Row):
    """Departures from the mean of the last seven same hours, regressed on the last eight of them.

    One small ridge for each lead and service, pooled over nodes, on z-scores of log(0.05 + traffic / mean). What
    is learnt is of services; any nodes can be forecast.
    """

    name = "ar"

    def __init__(self) -> None:
        super().__init__()
        self.services: tuple[str, ...] = ()
        self.coefficients: Array | None = None

    def learn(self, data: TrafficData, known: Flags) -> None:
        """Fit the ridges."""
        at_most = autoregression.chosen_nodes(len(data.node_ids))
        self.coefficients = autoregression.learn(Past.of(data, known, at_most))
        self.services = data.services

    def _row(self, data: TrafficData, past: Past, horizon: int) -> Array:
        if self.coefficients is None:
            raise ConfigError("forecaster: was not fitted; call fit(traffic) first")
        missing = [one for one in data.services if one not in self.services]
        if missing:
            fitted = ", ".join(self.services)
            raise DataError(f"traffic: service {missing[0]!r} was not fitted; fitted were {fitted}")
        at = [self.services.index(one) for one in data.services]
        return autoregression.forecast(past, self.coefficients[:, :, at], horizon)

    def _learnt(self) -> Arrays:
        if self.coefficients is None:
            raise ConfigError("forecaster: was not fitted; call fit(traffic) first")
        return {"coefficients": self.coefficients, "learnt_services": np.array(self.services, dtype=str)}

    def _take(self, arrays: Arrays) -> None:
        try:
            names, found = arrays["learnt_services"], arrays["coefficients"]
            check_array("learnt_services", names, "U", None)
            check_array("coefficients", found, "f", autoregression.LEADS, autoregression.LAGS + 1, len(names))
        except (KeyError, TypeError) as error:
            raise DataError(f"lacks {error}") from None
        self.services, self.coefficients = tuple(map(str, names)), np.asarray(found, dtype=np.float64)


def checked(horizon: int | None, level: float) -> int:
    """Check the level and the horizon of a forecast, a day by default."""
    if not 0 < level < 1:
        raise ConfigError(f"level {level:g}: must lie between 0 and 1")
    hours = DAY if horizon is None else horizon
    if not 1 <= hours <= WEEK:
        raise ConfigError(f"horizon {hours}: must be 1 to {WEEK} hours")
    return hours


def spread_quantiles(data: TrafficData, known: Flags, median: Array) -> Quantiles:
    """Quantiles `[H, N, S, Q]` around a forecast `[H, N, S]`.

    The deviation is that of the logarithm from the same hour of the day before; of the hour before, where there is
    one day; a tenth at least.
    """
    at_once = max(1, _SERIES // len(data.services))
    deviates = norm.ppf(LEVELS)
    out = np.empty((*median.shape, len(LEVELS)), dtype=np.float32)
    for first in range(0, len(data.node_ids), at_once):
        part = slice(first, first + at_once)
        past = Past.of(data, known, part)
        back = DAY if past.known[:-DAY].any() else 1
        logs = past.logs()
        both = past.known[back:] & past.known[:-back]
        away = logs[back:] - logs[:-back]
        deviation = spread_of(away, both)
        around = past.to_logs(median[:, part])
        for q, deviate in enumerate(deviates):
            out[:, part, :, q] = past.from_logs(around + deviate * deviation)
        out[:, part, :, MEDIAN] = median[:, part]
    return np.sort(out, axis=-1)
