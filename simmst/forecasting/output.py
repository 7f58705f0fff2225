"""A forecast written for a user: a table of hours, nodes and services."""

from __future__ import annotations

from collections.abc import Sequence
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


def read_levels(given: str) -> tuple[float, ...]:
    """Read what `--quantiles` was given: levels between 0 and 1, with commas between them.

    Raises
    ------
    ConfigError
        If one is no number, out of range, or there twice.
    """
    try:
        levels = tuple(float(one) for one in given.split(","))
    except ValueError:
        levels = ()
    if not levels or not all(0 < one < 1 for one in levels):
        raise ConfigError(f"--quantiles {given}: must be levels between 0 and 1 with commas, such as 0.1,0.5,0.9")
    if len(set(levels)) < len(levels):
        raise ConfigError(f"--quantiles {given}: names a level twice")
    return levels


def write_forecast(
    forecast: Forecast,
    path: Path,
    limits: npt.NDArray[np.floating] | None = None,
    levels: Sequence[float] = (),
) -> None:
    """Write CSV (figures of 6 digits) or Parquet, by the suffix.

    Parameters
    ----------
    forecast : Forecast
    path : Path
    limits : float array `[N, S]`, optional
        Adds the column `above`, the probability of an hour above them; empty where there is none.
    levels : sequence of float
        Adds columns of quantiles, as `Forecast.to_polars` names them.
    """
    table = forecast.to_polars(levels)
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
