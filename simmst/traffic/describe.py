"""A traffic file in figures and in a picture: the statistics by which simulated traffic is judged."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter
from numpy.typing import NDArray

from simmst.errors import DataError
from simmst.io.atomic import atomic_file
from simmst.traffic import statistics as st
from simmst.traffic.dataset import TrafficData

FloatArray = NDArray[np.float64]

SPACE_LAGS = (1, 5, 10, 20)
TIME_LAGS = (1, 12, 24, 168)
_ACF_NODES = 300
_WEEK = st.HOURS_OF_WEEK
# Grid positions that differ by less are one row or column, in degrees.
_SAME_PLACE = 1e-6


@dataclass(frozen=True, slots=True)
class Statistic:
    """One statistic of a traffic file.

    Parameters
    ----------
    name, service : str
        What was measured, and of which service (or pair of them).
    median : float
        Median over nodes, or the one value.
    low, high : float, optional
        5 % and 95 % points over nodes; None for a statistic of the city.
    unit : str
        Unit, "" for a number without one.
    """

    name: str
    service: str
    median: float
    low: float | None = None
    high: float | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Description:
    """Statistics of a traffic file, and what was left out and why.

    Parameters
    ----------
    statistics : tuple of Statistic
        In the order of the services.
    left_out : tuple of str
        One sentence each.
    """

    statistics: tuple[Statistic, ...]
    left_out: tuple[str, ...]


def describe(data: TrafficData) -> Description:
    """Measure hourly traffic in time, in space and between services.

    Parameters
    ----------
    data : TrafficData
        Traffic with steps that divide the hour.

    Raises
    ------
    DataError
        If the steps do not divide the hour.
    """
    data = data.hourly()
    hours = len(data.values)
    left_out = [
        f"{what}: {need} are needed, the file has {hours} h"
        for what, need, enough in (
            ("shape of the day", "168 h", hours >= _WEEK),
            ("autocorrelation at 168 h", "336 h", hours >= 2 * _WEEK),
            ("weekly residual, correlation between services", "336 h", hours >= 2 * _WEEK),
        )
        if not enough
    ]
    order = grid_order(data)
    if order is None:
        left_out.append("Moran's I, spatial correlation, twins: the nodes are not a full grid of known positions")
    filled = data.filled
    found: list[Statistic] = []
    for s, service in enumerate(data.services):
        series = data.values[:, :, s].astype(np.float64)
        found += _level(series, service, f"{_units(data)} per hour", filled[:, s])
        found += _in_time(series, service, data.start_hour)
        found += _in_space(series.sum(axis=0), service, order)
    if hours >= 2 * _WEEK and len(data.services) > 1:
        if len(data.node_ids) >= 3:
            found += _between_services(data)
        else:
            left_out.append(f"correlation between services: 3 nodes are needed, the file has {len(data.node_ids)}")
    return Description(tuple(found), tuple(left_out))


def grid_order(data: TrafficData) -> NDArray[np.int64] | None:
    """Numbers of the nodes `[rows, columns]` from the south-west, or None unless they fill a grid."""
    if data.coordinates is None:
        return None
    places = np.round(data.coordinates / _SAME_PLACE).astype(np.int64)
    columns, rows = (np.unique(axis) for axis in places.T)
    if len(rows) * len(columns) != len(places) or min(len(rows), len(columns)) < 2:
        return None
    order = np.lexsort((places[:, 0], places[:, 1]))
    grid = places[order].reshape(len(rows), len(columns), 2)
    full = (grid[:, :, 0] == columns).all() and (grid[:, :, 1] == rows[:, None]).all()
    return order.reshape(len(rows), len(columns)) if full else None


def _units(data: TrafficData) -> str:
    return "units of the file" if data.units == "unknown" else data.units


def _over_nodes(name: str, service: str, values: FloatArray, unit: str = "") -> Statistic:
    low, median, high = np.quantile(values, [0.05, 0.5, 0.95])
    return Statistic(name, service, float(median), float(low), float(high), unit)


def _level(series: FloatArray, service: str, unit: str, filled: NDArray[np.bool_]) -> Iterator[Statistic]:
    yield _over_nodes("mean", service, series.mean(axis=0), unit)
    yield _over_nodes("largest hour", service, series.max(axis=0), unit)
    yield Statistic("zero values", service, 100 * float((series == 0).mean()), unit="%")
    yield Statistic("hours declared as gaps", service, 100 * float(np.mean(filled)), unit="%")


def _in_time(series: FloatArray, service: str, start_hour: int) -> Iterator[Statistic]:
    hours = len(series)
    for lag in TIME_LAGS:
        if hours >= 2 * lag:
            yield _over_nodes(f"autocorrelation, {lag} h", service, st.autocorrelation(series, lag))
    if hours >= _WEEK:
        names = ("peak / mean of a weekday", "peak / trough of a weekday", "weekday / weekend")
        for name, values in zip(names, st.daily_shape(series, start_hour), strict=True):
            yield _over_nodes(name, service, values)
    if hours >= 2 * _WEEK:
        residual, explained = st.weekly_residual(series, start_hour)
        yield _over_nodes("hour-of-week R2", service, explained)
        yield _over_nodes("residual deviation", service, residual.std(axis=0), "ln")
        for lag in (1, 24):
            name = f"residual autocorrelation, {lag} h"
            yield _over_nodes(name, service, st.autocorrelation(residual, lag))
        z = residual / np.maximum(residual.std(axis=0), 1e-12)
        yield _over_nodes("residual excess kurtosis", service, (z**4).mean(axis=0) - 3)
        yield _over_nodes("residual Hurst exponent", service, st.hurst(residual))


def _in_space(totals: FloatArray, service: str, order: NDArray[np.int64] | None) -> Iterator[Statistic]:
    if len(totals) < 3 or not (totals > 0).any():
        return
    totals = _positive(totals)
    if np.ptp(totals) == 0:
        return
    sigma, skew, distance = st.log_normal_fit(totals)
    yield Statistic("deviation of totals", service, sigma, unit="ln")
    yield Statistic("skewness of ln totals", service, skew)
    yield Statistic("KS distance of totals to log-normal", service, distance)
    if order is None:
        return
    grid = np.log(totals)[order]
    yield Statistic("Moran's I of ln totals", service, st.moran(grid))
    lags = [lag for lag in SPACE_LAGS if lag < min(grid.shape) / 2]
    for lag, value in zip(lags, st.correlogram(grid, lags), strict=True):
        yield Statistic(f"correlation of ln totals, {lag} squares", service, float(value))
    yield Statistic("neighbours within 1 %", service, 100 * st.share_of_twins(totals[order]), unit="%")


def _positive(totals: FloatArray) -> FloatArray:
    """Let a quarter of the smallest total stand for a total of 0, which has no logarithm."""
    return np.asarray(np.maximum(totals, totals[totals > 0].min() / 4))


def _between_services(data: TrafficData) -> Iterator[Statistic]:
    pairs = [f"{a} ~ {b}" for i, a in enumerate(data.services) for b in data.services[i + 1 :]]
    found = st.cross_service(data.values.astype(np.float64), data.start_hour)
    for where, by_pair in zip(("over nodes", "over hours", "of residuals"), found, strict=True):
        for pair, value in zip(pairs, by_pair, strict=True):
            yield Statistic(f"correlation {where}", pair, float(value))


def draw(data: TrafficData, path: str | os.PathLike[str]) -> None:
    """Draw hourly traffic as PNG: over time, by hour of day, its autocorrelation, over nodes and on a map.

    Parameters
    ----------
    data : TrafficData
        Traffic with steps that divide the hour, at least two hours.
    path : path-like
        The picture; it appears whole or not at all.

    Raises
    ------
    DataError
        If the steps do not divide the hour, or there are fewer than two hours.
    """
    data = data.hourly()
    if len(data.values) < 2:
        raise DataError("values: a picture needs at least two hours")
    # Service names come from files: a dollar sign is a dollar sign.
    with rc_context({"text.parse_math": False, "axes.grid": True, "grid.alpha": 0.3, "font.size": 9.0}):
        figure = Figure(figsize=(11 if data.coordinates is None else 16, 7), layout="constrained")
        views = figure.subplot_mosaic(
            [["time", "hour"], ["acf", "node"]]
            if data.coordinates is None
            else [["time", "hour", "map"], ["acf", "node", "map"]]
        )
        over_time, by_hour, correlation, by_node = (views[name] for name in ("time", "hour", "acf", "node"))
        # The autocorrelation at every lag of every node would take minutes for a whole city.
        some = np.unique(np.linspace(0, len(data.node_ids) - 1, _ACF_NODES).astype(int))
        for s, service in enumerate(data.services):
            series = data.values[:, :, s].astype(np.float64)
            style: dict[str, Any] = {"color": f"C{s % 10}", "label": service}
            over_time.plot(data.times, series.mean(axis=1), linewidth=0.8, **style)
            _draw_day(by_hour, data, series, style)
            lags = np.arange(1, max(2, min(_WEEK, len(series) // 2) + 1))
            acf = [np.median(st.autocorrelation(series[:, some], int(lag))) for lag in lags]
            correlation.plot(lags, acf, linewidth=1.0, **style)
            means = np.sort(series.mean(axis=0))[::-1]
            by_node.plot(np.arange(1, len(means) + 1), means, ".-", markersize=3, **style)
        unit = f"{_units(data)} per hour and node"
        _label(over_time, "Mean over nodes", "local time", unit)
        _label(by_hour, "Mean day: weekdays (line), weekends (dashes)", "hour of day", unit)
        _label(correlation, f"Autocorrelation, median over {len(some)} nodes", "lag in hours", "correlation")
        _label(by_node, "Mean of each node, in descending order", "rank of the node", unit)
        dates = AutoDateLocator(maxticks=7)  # type: ignore[no-untyped-call]
        over_time.xaxis.set_major_locator(dates)
        over_time.xaxis.set_major_formatter(ConciseDateFormatter(dates))  # type: ignore[no-untyped-call]
        by_node.set_xscale("log")
        if (data.values > 0).any():
            by_node.set_yscale("log", nonpositive="mask")
        for axis in (by_node.xaxis, by_node.yaxis):
            # matplotlib's own labels of a logarithmic axis are formulas, and formulas are off.
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())
        if "map" in views:
            _draw_map(figure, views["map"], data)
        figure.legend(*over_time.get_legend_handles_labels(), loc="outside upper center", ncols=8, frameon=False)
        with atomic_file(Path(path)) as stream:
            figure.savefig(stream, format="png", dpi=110)


def _draw_map(figure: Figure, axes: Axes, data: TrafficData) -> None:
    assert data.coordinates is not None
    longitude, latitude = data.coordinates.T
    means = data.values.mean(axis=0, dtype=np.float64).sum(axis=1)
    log = np.log10(_positive(means)) if (means > 0).any() else means
    dots = axes.scatter(longitude, latitude, c=log, s=min(60.0, 4e4 / len(log)), marker="s")
    axes.set_aspect(1 / np.cos(np.deg2rad(latitude.mean())))
    axes.ticklabel_format(useOffset=False)
    _label(axes, "Mean of each node, all services", "longitude in degrees", "latitude in degrees")
    figure.colorbar(dots, ax=axes, shrink=0.6, label=f"log10 of {_units(data)} per hour")


def _draw_day(axes: Axes, data: TrafficData, series: FloatArray, style: dict[str, Any]) -> None:
    hour_of_week = (data.start_hour + np.arange(len(series))) % _WEEK
    mean = series.mean(axis=1)
    for weekend, dashes in ((False, "-"), (True, "--")):
        chosen = (hour_of_week >= 120) == weekend
        hours = np.unique(hour_of_week[chosen] % 24)
        level = [mean[chosen & (hour_of_week % 24 == hour)].mean() for hour in hours]
        axes.plot(hours, level, dashes, linewidth=1.2, **style)


def _label(axes: Axes, title: str, xlabel: str, ylabel: str) -> None:
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.set_title(title, loc="left")
