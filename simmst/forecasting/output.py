"""A forecast written for a user: a table of hours, nodes and services."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from simmst.errors import ConfigError
from simmst.forecasting.forecast import Forecast
from simmst.io.atomic import atomically
from simmst.io.spreadsheet import guarded

_SUFFIXES = (".csv", ".parquet")


def check_suffix(path: Path) -> None:
    """Refuse a file name that does not say its kind."""
    if path.suffix.lower() not in _SUFFIXES:
        raise ConfigError(f"out {path}: must end in {' or '.join(_SUFFIXES)}")


def write_forecast(forecast: Forecast, path: Path, limits: npt.NDArray[np.floating] | None = None) -> None:
    """Write CSV (figures of 6 digits) or Parquet, by the suffix.

    Parameters
    ----------
    forecast : Forecast
    path : Path
    limits : float array `[N, S]`, optional
        Adds the column `above`, the probability of an hour above them; empty where there is none.
    """
    table = forecast.to_polars()
    if limits is not None:
        table = table.with_columns(pl.Series("above", forecast.exceedance(limits).ravel()).fill_nan(None))
    write_table(table, path)


def write_table(table: pl.DataFrame, path: Path) -> None:
    """Write CSV (figures of 6 digits) or Parquet, by the suffix."""
    check_suffix(path)
    if path.suffix.lower() == ".csv":
        rounded = table.with_columns(pl.col(pl.Float64).round_sig_figs(6))  # more than float32 inputs can mean
        atomically(path, lambda target: guarded(rounded).write_csv(target, datetime_format="%Y-%m-%dT%H:%M"))
    else:
        atomically(path, lambda target: table.write_parquet(target))
