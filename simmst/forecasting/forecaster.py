"""The face of everything that forecasts: fit, predict, update, save."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from os import PathLike
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from simmst.errors import ConfigError, DataError
from simmst.forecasting.forecast import Forecast
from simmst.forecasting.intervals import Intervals
from simmst.io.npz import Arrays, check_array
from simmst.traffic.anomalies import anomalies, few
from simmst.traffic.dataset import TrafficData
from simmst.traffic.scaling import NodeScaler
from simmst.traffic.split import Protocol, Span


class Forecaster(ABC):
    """Everything that forecasts.

    Traffic comes as `TrafficData`; steps finer than the hour are summed to hours. What was filled is fitted to
    by none, and a forecaster reads it as if it were traffic.

    Attributes
    ----------
    name : str
        What tables and frames call it.
    """

    name: str

    @abstractmethod
    def fit(self, traffic: TrafficData) -> Self:
        """Learn from traffic; its last days calibrate the intervals, and choose the epoch of networks."""

    @abstractmethod
    def predict(self, traffic: TrafficData, horizon: int | None = None, level: float = 0.9) -> Forecast:
        """Forecast the hours after the end of traffic.

        Parameters
        ----------
        traffic : TrafficData
            History of the services and nodes that it was fitted on, more of them or in another order. It may be
            newer than what it was fitted on.
        horizon : int, optional
            Hours to forecast, at most those it was fitted for; None for all of them.
        level : float
            Coverage of the intervals, in (0, 1).

        Raises
        ------
        SimmstError
            If it was not fitted, or the traffic does not fit it.
        """

    @abstractmethod
    def update(self, traffic: TrafficData) -> Self:
        """Learn from newer traffic of the same services and nodes."""

    @abstractmethod
    def save(self, folder: str | PathLike[str]) -> None:
        """Write it into a new or empty folder, from which `simmst.load` reads it."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a fitted forecaster knows of its traffic.

    Attributes
    ----------
    services, node_ids : tuple of str
        Names, in its order.
    units : str
        Of the traffic.
    scaler : NodeScaler
        Fitted on the training days.
    intervals : Intervals
        From the validation days.
    needed : int
        Hours of history that a forecast reads.
    """

    services: tuple[str, ...]
    node_ids: tuple[str, ...]
    units: str
    scaler: NodeScaler
    intervals: Intervals
    needed: int

    def fitting(self, traffic: TrafficData) -> TrafficData:
        """Bring traffic to hours and into the order of nodes and services.

        Raises
        ------
        DataError
            If names or hours are missing, or the units are others.
        """
        if traffic.units != self.units:
            raise DataError(f"traffic: its units are {traffic.units!r}, fitted were {self.units!r}")
        for what, has, wanted in (
            ("services", traffic.services, self.services),
            ("nodes", traffic.node_ids, self.node_ids),
        ):
            missing = [one for one in wanted if one not in set(has)]
            if missing:
                raise DataError(
                    f"traffic: lacks {len(missing)} of the {len(wanted)} {what} that were fitted ({few(missing)})"
                )
        data = traffic.select(services=self.services, nodes=self.node_ids).hourly()
        if len(data.values) < self.needed:
            raise DataError(
                f"traffic: has {len(data.values)} whole hours, the forecast reads the last {self.needed}"
            )
        return data

    def hours(self, horizon: int | None) -> int:
        """Check a horizon; None stands for the longest."""
        longest = self.intervals.residuals.shape[1]
        horizon = longest if horizon is None else horizon
        if not 1 <= horizon <= longest:
            raise ConfigError(f"horizon {horizon}: this forecaster was fitted for 1 to {longest} hours")
        return horizon

    def forecast(self, data: TrafficData, values: npt.NDArray[np.floating], level: float) -> Forecast:
        """Wrap values `[H, N, S]` with times, intervals and notices.

        Parameters
        ----------
        data : TrafficData
            From `fitting`.
        values : float array
            In the units of the traffic.
        level : float
            Coverage.
        """
        positive: npt.NDArray[np.float64] = np.maximum(np.asarray(values, dtype=np.float64), 0.0)
        lower, upper = self.intervals.around(self.scaler, positive, level)
        steps = np.arange(1, len(positive) + 1) * np.timedelta64(60, "m")
        notices = anomalies(data, self.scaler, self.needed)
        filled = data.filled[-self.needed :]
        if names := [name for s, name in enumerate(data.services) if filled[:, s].any()]:
            notices.append(
                f"of the last {self.needed} hours, which are read, some of {', '.join(names)} are filled"
            )
        every = self.intervals.quantiles(self.scaler, positive)
        return Forecast(data, data.times[-1] + steps, positive, lower, upper, level, tuple(notices), every)

    def as_arrays(self) -> Arrays:
        """Return it as a file holds it."""
        return {
            "services": np.array(self.services),
            "node_ids": np.array(self.node_ids),
            "units": np.array(self.units),
            "needed": np.array(self.needed),
            "mean": self.scaler.mean,
            "scale": self.scaler.scale,
            "unit": self.scaler.unit,
            "residuals": self.intervals.residuals,
            "spread": self.intervals.spread,
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Read what `as_arrays` wrote.

        Raises
        ------
        DataError
            If an array is missing or does not fit the others.
        """
        try:
            nodes, services = len(arrays["node_ids"]), len(arrays["services"])
            # files of before know neither: their z-scores are of traffic itself, and all nodes have one width
            arrays = dict.fromkeys(("unit", "spread"), np.ones((nodes, services))) | arrays
            for name, kinds, sides in (
                ("services", "U", (None,)), ("node_ids", "U", (None,)), ("units", "U", ()), ("needed", "iu", ()),
                ("mean", "f", (nodes, services)), ("scale", "f", (nodes, services)),
                ("unit", "f", (nodes, services)), ("spread", "f", (nodes, services)),
                ("residuals", "f", (None, None, services)),
            ):  # fmt: skip
                check_array(name, arrays[name], kinds, *sides)
        except (KeyError, TypeError) as error:
            raise DataError(f"lacks {error}") from None
        for name in ("scale", "unit", "spread"):
            if arrays[name].min() <= 0:
                raise DataError(f"{name}: must be positive")
        return cls(
            tuple(map(str, arrays["services"])),
            tuple(map(str, arrays["node_ids"])),
            str(arrays["units"]),
            NodeScaler(arrays["mean"], arrays["scale"], arrays["unit"]),
            Intervals(np.asarray(arrays["residuals"], np.float32), arrays["spread"]),
            int(arrays["needed"]),
        )


def parts_of(data: TrafficData, horizon: int) -> Protocol:
    """Split all whole days into training and validation; the test part is what comes after the data.

    The last round(3 D / 17) of D days validate, at least as many as the horizon needs, and the rest trains: the
    training and validation days of `Protocol.proportional`, without test days.

    Parameters
    ----------
    data : TrafficData
        Hourly traffic.
    horizon : int
        Forecast steps H.

    Raises
    ------
    DataError
        If no day of training origins with a week before them is left.
    """
    days = len(data.values) // 24
    validation = max(-(-horizon // 24), round(3 * days / 17))
    if (days - validation) * 24 < 8 * 24 + horizon:
        raise DataError(
            f"traffic: {days} whole days are too few to fit a horizon of {horizon} hours: a week of history, a "
            f"day of origins and {validation} days to calibrate on are needed; give more days or a shorter horizon"
        )
    first = len(data.values) - days * 24  # what stands before the last whole days is left out
    ends = np.array([0, days - validation, days]) * 24 + first
    stop = int(ends[2])
    return Protocol(Span(first, int(ends[1])), Span(int(ends[1]), stop), Span(stop, stop + 1), 24)


def required(known: Any) -> Any:
    """Return what fitting left, or say that it is missing."""
    if known is None:
        raise ConfigError("forecaster: was not fitted; call fit(traffic) first")
    return known
