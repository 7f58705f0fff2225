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
from scipy.stats import norm

from cutplane._install import install_command
from simmst.errors import ConfigError
from simmst.forecasting.calibration import quantile_at
from simmst.forecasting.risk import Threshold, exceedance, risk_list, thresholds
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
    quantiles : float64 array `[H, N, S, Q]`, optional
        At `simmst.forecasting.risk.LEVELS`, ascending; None from a forecaster without intervals.
    made_by : tuple of str
        What forecast each node, where that differs: "run", or "pretrained" for nodes that a run does not have.
    """

    history: TrafficData
    times: npt.NDArray[np.datetime64]
    values: npt.NDArray[np.float64]
    lower: npt.NDArray[np.float64]
    upper: npt.NDArray[np.float64]
    level: float
    notices: tuple[str, ...] = ()
    quantiles: npt.NDArray[np.float64] | None = None
    made_by: tuple[str, ...] = ()

    def exceedance(self, threshold: Threshold) -> npt.NDArray[np.float64]:
        """Probability `[H, N, S]` that traffic of an hour is above a threshold.

        Parameters
        ----------
        threshold : float, mapping of str to float, or float array `[N, S]`
            For all; by service, NaN for those that are not named; or for each node and service.

        Returns
        -------
        float64 array
            Between 0.001 and 0.999: nothing here was measured on so many hours that it could say more. NaN
            where the threshold is.

        Raises
        ------
        ConfigError
            If the forecast has no intervals, or a threshold is no number or negative, or names no service.
        """
        if self.quantiles is None:
            raise ConfigError("exceedance: this forecast has no intervals, so it gives no probabilities")
        return exceedance(self.quantiles, thresholds(threshold, self.history))

    def risk(self, threshold: Threshold) -> pl.DataFrame:
        """List nodes and services by the probability that an hour of the forecast is above a threshold.

        Parameters
        ----------
        threshold : float, mapping of str to float, or float array `[N, S]`
            As in `exceedance`.

        Returns
        -------
        polars.DataFrame
            Sorted by probability, highest first: `node`, `service`, `threshold`, `time` (the likeliest hour),
            `probability` (of that hour), `expected_hours` (the sum over hours), `any_hour_at_most` (of one hour or
            more: at least `probability`, at most this; what lies between depends on how hours go together, which
            no forecaster here says), `forecast` and `upper` at that hour, `highest_seen` (in the history).

        Raises
        ------
        ConfigError
            As in `exceedance`.
        """
        limits = thresholds(threshold, self.history)
        ends = self.values, self.upper
        return risk_list(self.history, self.times, ends, limits, self.exceedance(limits))

    def quantile(self, level: float) -> npt.NDArray[np.float64]:
        """Traffic `[H, N, S]` that is not exceeded with a probability.

        Between two of `quantiles` it is linear in the normal deviate, beyond the outermost that of a normal
        variable, so that `exceedance` is its inverse.

        Parameters
        ----------
        level : float
            The probability, in (0, 1).

        Raises
        ------
        ConfigError
            If the level is out of range, or the forecast has no intervals.
        """
        if not 0 < level < 1:
            raise ConfigError(f"level {level:g}: must lie between 0 and 1")
        if self.quantiles is None:
            raise ConfigError("quantile: this forecast has no intervals, so it gives no quantiles")
        return quantile_at(self.quantiles, float(norm.ppf(level)))

    def to_polars(self, levels: Sequence[float] = ()) -> pl.DataFrame:
        """Return a line for each hour, node and service, in this order: forecast, lower and upper end.

        Where nodes were forecast by different means a column `by` says which, see `made_by`.

        Parameters
        ----------
        levels : sequence of float
            Of quantiles, each a column more: `q10` of 0.1, `q97.5` of 0.975.
        """
        hours, nodes, services = self.values.shape
        by = {"by": np.tile(np.repeat(np.array(self.made_by), services), hours)} if self.made_by else {}
        more = {f"q{100 * level:.10g}": self.quantile(level).ravel() for level in levels}
        return pl.DataFrame(
            {
                "time": np.repeat(self.times.astype("datetime64[us]"), nodes * services),
                "node": np.tile(np.repeat(np.array(self.history.node_ids), services), hours),
                "service": np.tile(np.array(self.history.services), hours * nodes),
                "forecast": self.values.ravel(),
                "lower": self.lower.ravel(),
                "upper": self.upper.ravel(),
                **more,
                **by,
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
