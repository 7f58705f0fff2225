"""A forecast written for a user: a table of hours, nodes and services, and a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.dates import DateFormatter, DayLocator
from matplotlib.figure import Figure

from simmst.errors import ConfigError
from simmst.forecasting.forecast import Forecast
from simmst.io.atomic import atomically
from simmst.io.spreadsheet import guarded
from simmst.traffic.dataset import hourly_units

_SHOWN_HOURS = 72
_SUFFIXES = (".csv", ".parquet")
_INK, _BLUE = "#1a1a1a", "#0072b2"


def check_suffix(path: Path) -> None:
    """Refuse a file name that does not say its kind."""
    if path.suffix.lower() not in _SUFFIXES:
        raise ConfigError(f"out {path}: must end in {' or '.join(_SUFFIXES)}")


def write_forecast(forecast: Forecast, path: Path) -> None:
    """Write CSV (figures of 6 digits) or Parquet, by the suffix."""
    check_suffix(path)
    table = forecast.to_polars()
    if path.suffix.lower() == ".csv":
        rounded = table.with_columns(pl.col(pl.Float64).round_sig_figs(6))  # more than float32 inputs can mean
        atomically(path, lambda target: guarded(rounded).write_csv(target, datetime_format="%Y-%m-%dT%H:%M"))
    else:
        atomically(path, lambda target: table.write_parquet(target))


def draw_forecast(forecast: Forecast, path: Path) -> None:
    """Draw the last three days and the forecast of the busiest, the median and the quietest node, as PNG."""
    data = forecast.history
    past = slice(max(0, len(data.values) - _SHOWN_HOURS), None)
    order = np.argsort(data.values[past].mean(axis=(0, 2)), kind="stable")
    shown = dict.fromkeys(int(order[i]) for i in (-1, len(order) // 2, 0))
    rows, columns = len(data.services), len(shown)
    every = -(-(_SHOWN_HOURS + len(forecast.times)) // (5 * 24))
    figure = Figure(figsize=(4.2 * columns, 2.3 * rows), layout="constrained")
    for s, service in enumerate(data.services):
        for column, node in enumerate(shown):
            axes = figure.add_subplot(rows, columns, s * columns + column + 1)
            axes.plot(data.times[past], data.values[past, node, s], color=_INK, linewidth=1.0)
            axes.plot(forecast.times, forecast.values[:, node, s], color=_BLUE, linewidth=1.6)
            axes.fill_between(
                forecast.times,
                forecast.lower[:, node, s],
                forecast.upper[:, node, s],
                color=_BLUE,
                alpha=0.22,
                linewidth=0,
            )
            axes.set_title(f"{service}, node {data.node_ids[node]}", fontsize=9, parse_math=False)
            axes.set_ylim(bottom=0)
            axes.xaxis.set_major_locator(DayLocator(interval=every))  # type: ignore[no-untyped-call]
            axes.xaxis.set_major_formatter(DateFormatter("%d %b"))  # type: ignore[no-untyped-call]
            axes.tick_params(labelsize=7)
            if column == 0:
                axes.set_ylabel(hourly_units(data), fontsize=8, parse_math=False)
    figure.suptitle(f"forecast and {forecast.level:.0%} interval", fontsize=10)
    atomically(path, lambda target: figure.savefig(target, format="png", dpi=120))
