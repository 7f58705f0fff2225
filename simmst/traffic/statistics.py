"""Statistics that say whether simulated traffic is like real traffic; each is checked on a closed form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from simmst.errors import DataError

FloatArray = NDArray[np.float64]

HOURS_OF_WEEK = 168


# In space


def log_normal_fit(totals: ArrayLike) -> tuple[float, float, float]:
    """Log-normality of totals over places.

    Parameters
    ----------
    totals : ArrayLike
        Positive totals, any shape.

    Returns
    -------
    tuple
        Standard deviation and skewness of the logarithm, and the Kolmogorov-Smirnov distance to the log-normal
        with the same mean and deviation.
    """
    logs = np.log(np.asarray(totals, dtype=np.float64).ravel())
    sigma = logs.std()
    distance = stats.kstest((logs - logs.mean()) / sigma, "norm").statistic
    return float(sigma), float(stats.skew(logs)), float(distance)


def moran(grid: FloatArray) -> float:
    """Moran's I over the eight neighbours (queen), each pair weighted alike.

    Parameters
    ----------
    grid : float64 array `[rows, columns]`
        Values on a grid.
    """
    z = grid - grid.mean()
    pairs = [(z[:-1], z[1:]), (z[:, :-1], z[:, 1:]), (z[:-1, :-1], z[1:, 1:]), (z[:-1, 1:], z[1:, :-1])]
    product = sum(float((a * b).sum()) for a, b in pairs)
    return float(product / sum(a.size for a, _ in pairs) / (z * z).mean())


def correlogram(grid: FloatArray, lags: Sequence[int]) -> FloatArray:
    """Correlation of a grid with itself shifted along rows and along columns.

    Parameters
    ----------
    grid : float64 array `[rows, columns]`
        Values.
    lags : sequence of int
        Shifts in squares.

    Returns
    -------
    ndarray
        One correlation a lag, over pairs of both directions, about the grid's mean.
    """
    z = grid - grid.mean()
    variance = (z * z).mean()
    found = []
    for lag in lags:
        products = np.concatenate([(z[lag:] * z[: len(z) - lag]).ravel(), (z[:, lag:] * z[:, :-lag]).ravel()])
        found.append(products.mean() / variance)
    return np.array(found)


def share_of_twins(grid: FloatArray, tolerance: float = 0.01) -> float:
    """Part of the neighbouring squares (along rows and columns) that differ by less than `tolerance`.

    Real grids made by spreading site counts have many such twins (Milano 16 %), independent noise has none.

    Parameters
    ----------
    grid : float64 array `[rows, columns]`
        Positive values.
    tolerance : float
        Largest difference of the logarithm.
    """
    logs = np.log(grid)
    steps = np.concatenate([np.diff(logs, axis=0).ravel(), np.diff(logs, axis=1).ravel()])
    return float((np.abs(steps) < tolerance).mean())


# In time; series are columns `[T, N]`, hourly


def autocorrelation(series: FloatArray, lag: int) -> FloatArray:
    """Autocorrelation by the biased estimator, which shrinks by `1 - lag / T`: compare equal lengths only.

    Parameters
    ----------
    series : float64 array
        Series `[T, N]`; one that is constant has 0.
    lag : int
        Lag in steps.

    Returns
    -------
    ndarray
        `[N]`.
    """
    z = series - series.mean(axis=0)
    power = (z * z).sum(axis=0)
    return np.asarray((z[lag:] * z[:-lag]).sum(axis=0) / np.where(power > 0, power, 1.0))


def daily_shape(series: FloatArray, start_hour: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Peak over mean and peak over trough of the mean weekday, and weekday over weekend.

    Parameters
    ----------
    series : float64 array
        Hourly series `[T, N]`, at least a week.
    start_hour : int
        Hour of the week of the first step; 0 is Monday's first.

    Returns
    -------
    tuple
        Three arrays `[N]`; the trough is kept above a thousandth of the peak.
    """
    profile = _hour_of_week_mean(series, start_hour)
    weekday = profile[:120].reshape(5, 24, -1).mean(axis=0)
    peak = weekday.max(axis=0)
    trough = np.maximum(weekday.min(axis=0), 1e-3 * peak)
    weekend = profile[120:].mean(axis=0)
    return peak / weekday.mean(axis=0), peak / trough, weekday.mean(axis=0) / np.maximum(weekend, 1e-3 * peak)


def weekly_residual(series: FloatArray, start_hour: int) -> tuple[FloatArray, FloatArray]:
    """What the hour of the week leaves of log(1 + traffic).

    Parameters
    ----------
    series : float64 array
        Hourly series `[T, N]`, at least two weeks.
    start_hour : int
        Hour of the week of the first step.

    Returns
    -------
    tuple
        The residual `[T, N]`, and the part of the variance that the hour of the week explains, `[N]`. Both are
        corrected for the weeks' means being taken from the same data.
    """
    if len(series) < 2 * HOURS_OF_WEEK:
        raise DataError(f"series: {len(series)} hours; a weekly residual needs two weeks ({2 * HOURS_OF_WEEK})")
    logs = np.log1p(np.asarray(series, dtype=np.float64))
    hour = (start_hour + np.arange(len(logs))) % HOURS_OF_WEEK
    residual = logs - _hour_of_week_mean(logs, start_hour)[hour]
    # With n weeks, a fitted mean takes 1 / n of the residual's variance away.
    residual *= np.sqrt(len(logs) / (len(logs) - HOURS_OF_WEEK))
    variance = logs.var(axis=0)
    return residual, 1 - residual.var(axis=0) / np.where(variance > 0, variance, 1.0)


def _hour_of_week_mean(series: FloatArray, start_hour: int) -> FloatArray:
    hour = (start_hour + np.arange(len(series))) % HOURS_OF_WEEK
    if len(series) < HOURS_OF_WEEK:
        raise DataError(f"series: {len(series)} hours; at least a week ({HOURS_OF_WEEK}) is needed")
    total = np.zeros((HOURS_OF_WEEK, series.shape[1]))
    np.add.at(total, hour, series)
    return np.asarray(total / np.bincount(hour, minlength=HOURS_OF_WEEK)[:, None])


def hurst(series: FloatArray) -> FloatArray:
    """Hurst exponent by detrended fluctuation analysis of first order (Peng et al. 1994).

    Parameters
    ----------
    series : float64 array
        Noise-like series `[T, N]`, at least 64 steps.

    Returns
    -------
    ndarray
        Slope of log fluctuation against log box size from 8 to T / 4, `[N]`; 0.5 for white noise.
    """
    steps = len(series)
    if steps < 64:
        raise DataError(f"series: {steps} steps; detrended fluctuation analysis needs 64")
    walk = np.cumsum(series - series.mean(axis=0), axis=0)
    sizes = np.unique(np.geomspace(8, steps // 4, 12).astype(int))
    fluctuation = []
    for size in sizes:
        boxes = walk[: steps // size * size].reshape(-1, size, walk.shape[1])
        t = np.arange(size) - (size - 1) / 2
        level = boxes - boxes.mean(axis=1, keepdims=True)
        slope = np.einsum("t,btn->bn", t, level) / (t @ t)
        fluctuation.append(np.sqrt(((level - slope[:, None] * t[:, None]) ** 2).mean(axis=(0, 1))))
    x = np.log(sizes) - np.log(sizes).mean()
    y = np.log(np.maximum(fluctuation, 1e-12))
    return np.asarray(x @ y / (x @ x))


# Between services


def cross_service(values: FloatArray, start_hour: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Correlation of each pair of services: over nodes, over hours, and of the weekly residuals.

    Parameters
    ----------
    values : float64 array
        Hourly traffic `[T, N, S]`, at least two weeks and three nodes.
    start_hour : int
        Hour of the week of the first step.

    Returns
    -------
    tuple
        Correlation of log totals over nodes `[pairs]`; of hourly log traffic and of its residual, the median
        over nodes `[pairs]`. Pairs are (0, 1), (0, 2), ..., (1, 2), ...
    """
    n_services = values.shape[2]
    upper = np.triu_indices(n_services, 1)
    logs = np.log1p(np.asarray(values, dtype=np.float64))
    residual = np.stack([weekly_residual(values[:, :, s], start_hour)[0] for s in range(n_services)], axis=2)
    space = np.corrcoef(np.log(values.sum(axis=0, dtype=np.float64) + 1e-9).T)[upper]
    return space, median_correlation(logs)[upper], median_correlation(residual)[upper]


def median_correlation(values: FloatArray) -> FloatArray:
    """Correlation of each pair of services over time, the median over nodes.

    Parameters
    ----------
    values : float64 array
        Series `[T, N, S]`.

    Returns
    -------
    ndarray
        `[S, S]`.
    """
    z = values - values.mean(axis=0)
    z /= np.maximum(np.sqrt((z * z).sum(axis=0)), 1e-12)
    return np.asarray(np.median(np.einsum("tni,tnj->nij", z, z), axis=0))
