"""A forecast: its hours, values and intervals, and what a reader must know first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cutplane._install import install_command
from simmst.errors import ConfigError
from simmst.io.atomic import atomically
from simmst.traffic.dataset import TrafficData

_PICTURES = (".png", ".svg", ".pdf")


@dataclass(frozen=True, slots=True)
class Forecast:
    """A forecast from the end of traffic data.

    Attributes
    ----------
    history : TrafficData
        The hourly traffic that it was made from.
    times : datetime64 array `[H]`
        The hours after its end.
    values, lower, upper : float64 array `[H, N, S]`
        In the units of the traffic, 0 at least. A forecaster without intervals gives NaN in the latter two.
    level : float
        Coverage that the interval was made for.
    notices : tuple of str
        What a reader must know first: gaps and absurd values in the hours that were read.
    """

    history: TrafficData
    times: npt.NDArray[np.datetime64]
    values: npt.NDArray[np.float64]
    lower: npt.NDArray[np.float64]
    upper: npt.NDArray[np.float64]
    level: float
    notices: tuple[str, ...] = ()

    def to_polars(self) -> pl.DataFrame:
        """Return a line for each hour, node and service, in this order: forecast, lower and upper end."""
        hours, nodes, services = self.values.shape
        return pl.DataFrame(
            {
                "time": np.repeat(self.times.astype("datetime64[us]"), nodes * services),
                "node": np.tile(np.repeat(np.array(self.history.node_ids), services), hours),
                "service": np.tile(np.array(self.history.services), hours * nodes),
                "forecast": self.values.ravel(),
                "lower": self.lower.ravel(),
                "upper": self.upper.ravel(),
            }
        )

    def to_long(self, name: str = "forecast") -> pl.DataFrame:
        """Return the long form of Nixtla's libraries.

        Parameters
        ----------
        name : str
            Of the forecaster: the columns are `unique_id` ("node/service"), `ds`, `<name>`, `<name>-lo-<level>`
            and `<name>-hi-<level>`, the level in per cent; sorted by series and time.
        """
        percent = f"{100 * self.level:g}"
        return (
            self.to_polars()
            .select(
                pl.concat_str("node", "service", separator="/").alias("unique_id"),
                pl.col("time").alias("ds"),
                pl.col("forecast").alias(name),
                pl.col("lower").alias(f"{name}-lo-{percent}"),
                pl.col("upper").alias(f"{name}-hi-{percent}"),
            )
            .sort("unique_id", "ds")
        )

    def to_pandas(self) -> Any:
        """Return `to_polars` as a frame of pandas, which must be installed."""
        return to_pandas(self.to_polars())

    def plot(self, path: str | PathLike[str], nodes: str | Sequence[str] | None = None, days: int = 3) -> None:
        """Draw the last days of history, the forecast and its interval, a row of axes a service.

        The first column is the sum over all nodes, where there are several. It has no interval: the sum of ends is
        not the end of a sum. The others are single nodes.

        Parameters
        ----------
        path : path-like
            File to write, whole or not at all: .png, .svg or .pdf.
        nodes : str or sequence of str, optional
            Names of the single nodes; none with ``()``. By default the busiest, the median and the quietest of the
            days that are drawn.
        days : int
            Days of history to draw.

        Raises
        ------
        ConfigError
            If matplotlib is missing, the file's kind or a node is unknown, or `days` is below 1.
        """
        target = Path(path)
        if target.suffix.lower() not in _PICTURES:
            raise ConfigError(f"path {target}: must end in {', '.join(_PICTURES[:-1])} or {_PICTURES[-1]}")
        try:
            import matplotlib  # noqa: F401
        except ModuleNotFoundError:
            raise ConfigError(f"matplotlib is missing; install it by: {install_command('plot')}") from None
        from simmst.forecasting.picture import forecast_figure

        ends = self.values, self.lower, self.upper
        figure = forecast_figure(self.history, self.times, ends, self.level, nodes, days)
        atomically(target, lambda part: figure.savefig(part, format=target.suffix[1:].lower(), dpi=120))


def to_pandas(frame: pl.DataFrame) -> Any:
    """Turn a frame into one of pandas, column by column, so that pyarrow is not needed.

    Raises
    ------
    ConfigError
        If pandas is missing.
    """
    try:
        pandas = import_module("pandas")
    except ModuleNotFoundError:
        raise ConfigError("pandas is missing; install it by: pip install pandas") from None
    return pandas.DataFrame({name: frame[name].to_numpy() for name in frame.columns})
