"""The pretrained network as a forecaster: any city, any services, any unit, from a day of history on."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from simmst.errors import ConfigError
from simmst.forecasting.calibration import Calibration
from simmst.forecasting.folder import new_folder, read_folder, write_folder
from simmst.forecasting.forecast import Forecast
from simmst.forecasting.forecaster import Forecaster
from simmst.pretraining.network import PretrainedNet
from simmst.pretraining.reading import DAY, HOURS, MEDIAN
from simmst.pretraining.serve import quantiles
from simmst.pretraining.weights import load_weights, save_weights, shipped
from simmst.traffic.anomalies import few
from simmst.traffic.dataset import TrafficData


class Pretrained(Forecaster):
    """A network trained on simulated worlds only; it needs no fitting.

    `predict` works at once, for any nodes and services. `fit` leaves the network as it is and calibrates the
    intervals on held-back days of the traffic, where it has more than a few.

    Parameters
    ----------
    weights : path-like, optional
        A file that `simmst pretrain` made; by default the weights that the package brings along.
    """

    name = "pretrained"

    def __init__(self, weights: str | PathLike[str] | None = None) -> None:
        self.network: PretrainedNet
        self.made: dict[str, Any]
        self.network, self.made = shipped() if weights is None else load_weights(weights)
        self.calibration = Calibration.none()

    def fit(self, traffic: TrafficData) -> Self:
        """Calibrate the intervals on origins of the last days, as far as the traffic has them."""
        data = traffic.hourly()
        self.calibration = Calibration.measured(
            data, known_hours(data), lambda before, known, hour: self.quantiles(before, known, hour, DAY)
        )
        return self

    def update(self, traffic: TrafficData) -> Self:
        """Calibrate anew: it takes seconds."""
        return self.fit(traffic)

    def predict(self, traffic: TrafficData, horizon: int | None = None, level: float = 0.9) -> Forecast:
        """Forecast the hours after the end of traffic.

        Parameters
        ----------
        traffic : TrafficData
            A day of history or more, of which the last four weeks are read. Hours that were filled count as
            unknown, and so do a node's hours before its first traffic, if they are a day or more.
        horizon : int, optional
            Hours, 1 to 168; 24 by default.
        level : float
            Coverage of the intervals, in (0, 1).

        Raises
        ------
        SimmstError
            If there is less than a day of history, or horizon or level are out of range.
        """
        if not 0 < level < 1:
            raise ConfigError(f"level {level:g}: must lie between 0 and 1")
        horizon = DAY if horizon is None else horizon
        data = traffic.hourly()
        known = known_hours(data)
        found = self.quantiles(data.values, known, data.start_hour + len(data.values), horizon)
        lower, upper = self.calibration.interval(found, data, level)
        median = found[..., MEDIAN].astype(np.float64)
        times = data.times[-1] + np.arange(1, horizon + 1) * np.timedelta64(60, "m")
        notices, every = history_notices(data, known), self.calibration.quantiles(found, data)
        return Forecast(data, times, median, lower, upper, level, notices, every)

    def quantiles(
        self, values: NDArray[np.float32], known: NDArray[np.bool_], hour: int, horizon: int
    ) -> NDArray[np.float32]:
        """Quantiles `[H, N, S, Q]` after traffic `[T, N, S]`; `hour` is the first one's hour of the week."""
        hours, nodes, services = values[-HOURS:].shape
        traffic = np.ascontiguousarray(values[-HOURS:].reshape(hours, -1).T)
        seen = np.ascontiguousarray(known[-HOURS:].reshape(hours, -1).T)
        found = quantiles(self.network, traffic, seen, hour % 168, horizon)
        return found.reshape(nodes, services, horizon, -1).transpose(2, 0, 1, 3)

    def save(self, folder: str | PathLike[str]) -> None:
        """See `Forecaster.save`."""
        path = new_folder(folder)
        save_weights(path / WEIGHTS, self.network, self.made)
        write_folder(path, {"kind": self.name}, self.calibration.as_arrays())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        _, arrays = read_folder(folder, cls.name)
        made = cls(folder / WEIGHTS)
        made.calibration = Calibration.from_arrays(arrays)
        return made


WEIGHTS = "pretrained.safetensors"


def pretrained(weights: str | PathLike[str] | None = None) -> Pretrained:
    """Return the pretrained forecaster, by default with the weights that the package brings along."""
    return Pretrained(weights)


def known_hours(data: TrafficData) -> NDArray[np.bool_]:
    """Which hours of each series are known, `[T, N, S]`.

    Not known are hours that were filled, of all nodes or of one, and those before a node's first recorded traffic,
    if they are a day or more: it was not there yet. The last day counts in any case: from fewer hours a single
    burst would be taken for the level of all days.
    """
    known, hours = data.known, len(data.values)
    first = np.argmax((data.values > 0) & known, axis=0)  # 0 also where there is no traffic at all
    begun = np.where(first >= DAY, np.minimum(first, hours - DAY), 0)
    known &= np.arange(hours)[:, None, None] >= begun
    return known


def history_notices(data: TrafficData, known: NDArray[np.bool_]) -> tuple[str, ...]:
    """What a reader must know first."""
    said, last = [], slice(-DAY, None)
    names = [f"{node}/{service}" for node in data.node_ids for service in data.services]
    for words, which in (
        ("without traffic in the last day", ~np.any(data.values[last] > 0, axis=0)),
        ("without a known hour in four weeks, forecast as 0", ~np.any(known[-HOURS:], axis=0)),
        ("with unknown hours in the last day", ~np.all(known[last], axis=0)),
    ):
        if which.any():
            said.append(f"{int(which.sum())} series {words} ({few([names[i] for i in np.flatnonzero(which)])})")
    if len(data.values) < HOURS:
        said.append(f"{len(data.values) // DAY} whole days of history; four weeks are read where they are there")
    return tuple(said)
