"""The rows without training: three naive ones and the ridge."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simmst.errors import ConfigError, DataError
from simmst.evaluation.benchmark import Benchmark
from simmst.forecasting.naive import seasonal_naive
from simmst.forecasting.ridge import fit_ridge
from simmst.traffic.recorded import ridge_origins
from simmst.traffic.split import Span

_PERIODS = {"last": 0, "daily": 1, "weekly": 7}


def refusal(name: str, benchmark: Benchmark) -> str | None:
    """Say why a row cannot be had, or return None if it can."""
    if name == "ridge":
        try:
            _fit_origins(benchmark, benchmark.horizon)
        except DataError as error:
            return str(error)
    period = _period(name, benchmark)
    if benchmark.protocol.test.start < period:
        return f"its period of {period} steps reaches back before the data"
    return None


def closed_form_forecast(name: str, benchmark: Benchmark, horizon: int) -> npt.NDArray[np.floating]:
    """Forecast the test part.

    Parameters
    ----------
    name : str
        "last", "daily", "weekly" or "ridge".
    benchmark : Benchmark
        Data, parts and lags.
    horizon : int
        Forecast steps H; the ridge is fitted on targets of this horizon.

    Returns
    -------
    ndarray
        `[O, H, N, S]` from every origin of the test part whose horizon fits.
    """
    values, parts = benchmark.data.values, benchmark.protocol
    origins = parts.test.origins(horizon)
    if name != "ridge":
        return seasonal_naive(values, origins, horizon, _period(name, benchmark))
    lags = benchmark.ridge_lags
    fit, filled = _fit_origins(benchmark, horizon), benchmark.data.unrecorded
    return fit_ridge(values, parts.train.steps, fit, horizon, lags, filled=filled).predict(values, origins)


def _fit_origins(benchmark: Benchmark, horizon: int) -> npt.NDArray[np.int64]:
    train = benchmark.protocol.train
    span = Span(train.start + max(benchmark.ridge_lags), train.stop)
    return ridge_origins(benchmark.data, span.origins(horizon), horizon)


def _period(name: str, benchmark: Benchmark) -> int:
    if name == "ridge":
        return 1
    if name not in _PERIODS:
        raise ConfigError(f"unknown row {name!r}")
    return _PERIODS[name] * benchmark.protocol.steps_per_day or 1
