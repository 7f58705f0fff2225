"""The picture of a forecast: the last days, the forecast and its interval, of all nodes together and of some."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from simmst.errors import ConfigError
from simmst.traffic.dataset import TrafficData
from simmst.traffic.hourly_units import hourly_units

# Okabe and Ito's blue, as in the reports
_INK, _BLUE = "#1a1a1a", "#0072b2"
_NO_MATH = {"parse_math": False}  # names come from files: a dollar sign is a dollar sign

Array = npt.NDArray[np.float64]


def forecast_figure(
    history: TrafficData,
    times: npt.NDArray[np.datetime64],
    ends: tuple[Array, Array, Array],
    level: float,
    nodes: Sequence[str] | None,
    days: int,
) -> Figure:
    """Draw a row of axes a service: all nodes together, where there are several, then single nodes.

    Parameters
    ----------
    history : TrafficData
        Hourly; it is broken where its hours are declared gaps.
    times : datetime64 array `[H]`
    ends : tuple of three arrays `[H, N, S]`
        Forecast, lower and upper end.
    level : float
        Coverage that the ends were made for.
    nodes : sequence of str, optional
        As in `Forecast.plot`.
    days : int
        Days of history to show.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ConfigError
        If a node is unknown, or `days` is below 1.
    """
    if days < 1:
        raise ConfigError(f"days {days}: at least one day of history is drawn")
    past = slice(max(0, len(history.values) - 24 * days), None)
    seen = np.where(history.filled[past, None], np.nan, history.values[past])  # [T, N, S]
    shown = _chosen(history, past, nodes)
    columns: list[int | None] = [*([None] if len(history.node_ids) > 1 else []), *shown]
    figure = Figure(figsize=(4.2 * len(columns), 2.3 * len(history.services) + 0.3), layout="constrained")
    grid = figure.subplots(len(history.services), len(columns), squeeze=False)
    for s, service in enumerate(history.services):
        for axes, node in zip(grid[s], columns, strict=True):
            if node is None:  # of a sum there is no interval: the sum of the ends is not its end
                over = np.mean if service in history.averaged else np.sum
                lines = over(seen[:, :, s], axis=1), over(ends[0][:, :, s], axis=1)
                how = "mean" if service in history.averaged else "sum"
                title = f"{service}, all {len(history.node_ids)} nodes ({how} of the forecasts)"
            else:
                lines = seen[:, node, s], ends[0][:, node, s]
                title = f"{service}, node {history.node_ids[node]}"
                low, high = (end[:, node, s] for end in ends[1:])
                axes.fill_between(times, low, high, color=_BLUE, alpha=0.22, linewidth=0)
            axes.plot(history.times[past], lines[0], color=_INK, linewidth=1.0, label="history")
            axes.plot(times, lines[1], color=_BLUE, linewidth=1.6, label="forecast")
            axes.set_title(title, fontsize=9, **_NO_MATH)
            _dress(axes)
        grid[s, 0].set_ylabel(hourly_units(history, service), fontsize=8, **_NO_MATH)
    known = np.isfinite(ends[1]).any()
    figure.suptitle(f"forecast and {level:.0%} interval of single nodes" if known else "forecast", fontsize=10)
    return figure


def _chosen(history: TrafficData, past: slice, nodes: Sequence[str] | None) -> list[int]:
    if nodes is None:
        order = np.argsort(history.values[past].mean(axis=(0, 2)), kind="stable")
        return list(dict.fromkeys(int(order[i]) for i in (-1, len(order) // 2, 0)))
    wanted = [nodes] if isinstance(nodes, str) else list(nodes)
    if unknown := [name for name in wanted if name not in history.node_ids]:
        raise ConfigError(f"nodes: the forecast has no node {', '.join(map(repr, unknown[:3]))}")
    if not wanted and len(history.node_ids) == 1:
        raise ConfigError("nodes: name the one node, or leave them out; there is nothing else to draw")
    return [history.node_ids.index(name) for name in wanted]


def _dress(axes: Axes) -> None:
    axes.set_ylim(bottom=0)
    locator = AutoDateLocator(minticks=3, maxticks=6)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.tick_params(labelsize=7)
