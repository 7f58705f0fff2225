"""Rows of other libraries behind one face: `fit(data)`, then `medians(data)` after its end, `[24, N, S]`.

Each gets the whole history before an origin, and what it needs of care: local models are fitted anew at every
origin; LightGBM chooses lags and scale on the last days before the first one. Libraries: statsforecast, lightgbm,
fracast (the extra `bench`, in an environment of its own: statsforecast wants an older SciPy).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simmst.traffic.dataset import TrafficData

Array = NDArray[np.float64]
DAY, WEEK = 24, 168
_HELD = 3  # days on which LightGBM chooses


class Local:
    """A model of statsforecast for each series."""

    def __init__(self, name: str, make: Callable[[Any], Any]) -> None:
        self.name, self._make, self._model = name, make, None

    def fit(self, data: TrafficData) -> None:
        """Nothing is shared between origins."""
        from statsforecast import models

        self._model = self._make(models)

    def medians(self, data: TrafficData) -> Array:
        """Fit and forecast every series by itself."""
        series = data.values.reshape(len(data.values), -1).astype(np.float64)
        out = np.empty((DAY, series.shape[1]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for i, one in enumerate(series.T):
                found = one[-DAY:] if np.ptp(one) == 0 else self._model.forecast(y=one, h=DAY)["mean"]
                out[:, i] = np.nan_to_num(np.maximum(found, 0.0))
        return out.reshape(DAY, *data.values.shape[1:])


class Fracast:
    """The zero-shot network of the package, with its own weights."""

    name = "fracast"

    def fit(self, data: TrafficData) -> None:
        """Read the weights that the package brings along."""
        from fracast import FracastModel

        self._model = FracastModel.from_pretrained()

    def medians(self, data: TrafficData) -> Array:
        """Forecast all series as one batch; it reads their last 2,048 hours."""
        series = np.ascontiguousarray(data.values.reshape(len(data.values), -1).T)
        found = self._model.forecast_batch(series, horizon=DAY)
        median = int(np.argmin(np.abs(np.asarray(self._model.quantiles) - 0.5)))
        return np.maximum(found[:, :, median].T.reshape(DAY, *data.values.shape[1:]), 0.0)


class LightGBM:
    """Trees over all nodes of a service, one model a lead; the loss is the absolute error.

    Features of a lead: the last `lags` hours, the same hour one and two weeks before the target, hour and weekday
    of the target, the node's mean; traffic over that mean, or the logarithm of 0.05 more. Lags (24 or 48) and
    scale are chosen by the error in traffic of three leads on the last three days before the first origin.
    """

    name = "lightgbm"

    def fit(self, data: TrafficData) -> None:
        """Choose, and train a model for each service and lead on all origins of the data."""
        self._mean = np.maximum(data.values.mean(axis=0), 1e-12)
        self.chosen, self._models = [], []
        for s in range(data.values.shape[2]):
            grid = [(lags, log) for lags in (24, 48) for log in (False, True)]
            errors = [self._tried(data, s, *one) for one in grid]
            lags, log = grid[int(np.argmin(errors))]
            self.chosen.append((lags, log))
            stop = len(data.values)
            self._models.append([self._train(data, s, lags, log, lead, stop) for lead in range(DAY)])

    def _tried(self, data: TrafficData, s: int, lags: int, log: bool) -> float:
        stop = len(data.values) - _HELD * DAY
        errors = []
        for lead in (0, 5, 20):
            model = self._train(data, s, lags, log, lead, stop)
            origins = np.arange(stop, len(data.values) - lead)
            made = self._back(model.predict(self._features(data, s, lags, log, lead, origins)), log)
            truth = data.values[origins + lead, :, s]
            errors.append(np.abs(made.reshape(truth.shape) * self._mean[:, s] - truth).mean())
        return float(np.mean(errors))

    def _train(self, data: TrafficData, s: int, lags: int, log: bool, lead: int, stop: int) -> Any:
        import lightgbm

        first = min(2 * WEEK, (stop - DAY) // 2)
        origins = np.arange(first, stop - lead)
        x = self._features(data, s, lags, log, lead, origins)
        y = self._scaled(data, s, log)[origins + lead].ravel()
        model = lightgbm.LGBMRegressor(
            objective="l1", n_estimators=200, learning_rate=0.06, num_leaves=31, min_child_samples=40,
            subsample=0.8, subsample_freq=1, colsample_bytree=0.8, n_jobs=1, verbose=-1, random_state=0,
        )  # fmt: skip
        return model.fit(x, y)

    def _scaled(self, data: TrafficData, s: int, log: bool) -> Array:
        scaled = data.values[..., s] / self._mean[:, s]
        return np.log(0.05 + scaled) if log else scaled

    def _back(self, scaled: Array, log: bool) -> Array:
        return np.maximum(np.exp(scaled) - 0.05 if log else scaled, 0.0)

    def _features(self, data: TrafficData, s: int, lags: int, log: bool, lead: int, origins: NDArray) -> Array:
        scaled = self._scaled(data, s, log)
        columns = [scaled[origins - back] for back in range(1, lags + 1)]
        for week in (WEEK, 2 * WEEK):
            at = origins + lead - week
            columns.append(np.where((at >= 0)[:, None], scaled[np.maximum(at, 0)], np.nan))
        hour = (data.start_hour + origins + lead) % WEEK
        shape = (len(origins), scaled.shape[1])
        columns += [np.broadcast_to(one[:, None], shape) for one in (hour % DAY, hour // DAY)]
        columns.append(np.broadcast_to(np.log(self._mean[:, s]), shape))
        return np.stack(columns, axis=-1).reshape(-1, len(columns))

    def medians(self, data: TrafficData) -> Array:
        """Forecast from the end of the data, which may be newer than what was fitted."""
        at = np.array([len(data.values)])
        out = np.empty((DAY, *data.values.shape[1:]))
        for s, (lags, log) in enumerate(self.chosen):
            for lead, model in enumerate(self._models[s]):
                # a lead's features end before the origin but for the weeks before its target
                made = model.predict(self._features(data, s, lags, log, lead, at))
                out[lead, :, s] = self._back(made, log) * self._mean[:, s]
        return out


def peers() -> tuple[list[Any], list[str]]:
    """Return rows of what is installed, and the names of what is not."""
    wanted = {
        "statsforecast": [
            Local("autoets", lambda models: models.AutoETS(season_length=DAY)),
            Local("mstl", lambda models: models.MSTL(season_length=[DAY, WEEK])),
            Local("theta", lambda models: models.DynamicOptimizedTheta(season_length=DAY)),
        ],
        "lightgbm": [LightGBM()],
        "fracast": [Fracast()],
    }
    there = [row for name, rows in wanted.items() if find_spec(name) for row in rows]
    return there, [name for name in wanted if not find_spec(name)]
