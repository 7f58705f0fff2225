"""Does a model trained on simulated windows forecast real traffic? A ridge tells, beside the same on real ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simmst.errors import ConfigError
from simmst.traffic.ridge import NormalEquations
from simmst.traffic.windows import WindowSource

FloatArray = NDArray[np.float64]

_PENALTY = 10.0
_BATCH = 512


@dataclass(frozen=True, slots=True)
class Transfer:
    """Mean absolute errors on real test windows in scaled units, one a service, `[S]` each.

    Parameters
    ----------
    simulated : float64 array
        Of the ridge trained on simulated windows.
    real : float64 array
        Of the ridge trained on real windows.
    yesterday : float64 array
        Of the same hour yesterday.
    """

    simulated: FloatArray
    real: FloatArray
    yesterday: FloatArray

    @property
    def ratio(self) -> float:
        """Error after simulated over error after real training, the geometric mean over services."""
        return float(np.exp(np.log(self.simulated / self.real).mean()))


def compare_transfer(
    simulated: WindowSource, train: WindowSource, test: WindowSource, seed: int, limit: int = 30_000
) -> Transfer:
    """Train a ridge on simulated and on real windows, and test both on real ones (statistic 11).

    Inputs are the lags 1 to 48 and 168 of all services of the node itself, as far as the history reaches,
    and a constant; the penalty on all of them is 10. Errors are in z-scores (`NodeScaler`), so that each
    node counts alike.

    Parameters
    ----------
    simulated, train, test : WindowSource
        Hourly windows with the same history, horizon and services.
    seed : int
        Seed of the choice of windows where there are more than `limit`.
    limit : int
        Largest number of windows of each of the three.

    Raises
    ------
    ConfigError
        If the three differ in form, or the history is shorter than a day.
    """
    rng = np.random.default_rng(seed)
    loaded = [_load(windows, limit, rng) for windows in (simulated, train, test)]
    if len({(x.shape[1:], y.shape[1:]) for x, y, _ in loaded}) != 1:
        raise ConfigError("simulated, train, test: must have the same history, horizon and services")
    (x_simulated, y_simulated, _), (x_real, y_real, _), (x, y, yesterday) = loaded

    def error(forecast: FloatArray) -> FloatArray:
        return np.asarray(np.abs(forecast - y).mean(axis=(0, 1)))

    return Transfer(
        simulated=error(_ridge(x_simulated, y_simulated, x)),
        real=error(_ridge(x_real, y_real, x)),
        yesterday=error(yesterday),
    )


def _load(
    windows: WindowSource, limit: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Inputs `[n, lags * S + 1]`, targets `[n, H, S]` and the same hours of the last day known, `[n, H, S]`."""
    chosen = np.sort(rng.permutation(len(windows))[:limit])
    inputs, targets, seasonal = [], [], []
    for first in range(0, len(chosen), _BATCH):
        batch = windows.batch(chosen[first : first + _BATCH])
        own = batch.history[:, :, batch.history.shape[2] // 2].astype(np.float64)
        length, horizon = own.shape[1], batch.target.shape[1]
        if length < 24:
            raise ConfigError(f"lookback={length}: the same hour yesterday needs at least 24 hours")
        lags = [lag for lag in (*range(1, 49), 168) if lag <= length]
        flat = own[:, [length - lag for lag in lags]].reshape(len(own), -1)
        inputs.append(np.concatenate([flat, np.ones((len(own), 1))], axis=1))
        targets.append(batch.target.astype(np.float64))
        seasonal.append(own[:, length - 24 + np.arange(horizon) % 24])
    return np.concatenate(inputs), np.concatenate(targets), np.concatenate(seasonal)


def _ridge(x: FloatArray, y: FloatArray, at: FloatArray) -> FloatArray:
    """Forecast `[n, H, S]` at new inputs."""
    targets = y.reshape(len(y), -1)
    equations = NormalEquations(x.shape[1], targets.shape[1])
    equations.add(x, targets)
    return np.asarray((at @ equations.solve(_PENALTY)).reshape(len(at), *y.shape[1:]))
