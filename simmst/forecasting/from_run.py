"""Forecasts by the network of a finished run, from traffic that may be newer than what it was trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch import nn

from simmst.errors import ConfigError, DataError
from simmst.forecasting.forecast import Forecast
from simmst.forecasting.generations import served
from simmst.forecasting.network import forecast_windows, network_forecast
from simmst.forecasting.new_nodes import with_new_nodes
from simmst.forecasting.saved import CHECKPOINT, SERVING, Serving
from simmst.models.simmstnet import SimMSTNet
from simmst.traffic.anomalies import anomalies, few
from simmst.traffic.dataset import TrafficData
from simmst.training.checkpoint import load_model


def forecast_file(checkpoint: Path, file: Path, horizon: int | None = None, level: float = 0.9) -> Forecast:
    """Forecast the hours after the end of a traffic file with the network of a run.

    Parameters
    ----------
    checkpoint : Path
        A finished run's directory, or the checkpoint in it.
    file : Path
        Traffic with the run's nodes and services, in any order; at least as many hours as the network reads.
        It may be newer than what the run was trained on. More services are not forecast; more nodes are, by the
        pretrained network, see `simmst.forecasting.new_nodes.with_new_nodes`.
    horizon : int, optional
        Hours to forecast, at most what the network was trained for; None for all of them.
    level : float
        Coverage of the intervals.

    Raises
    ------
    SimmstError
        If the run is not finished, or the file does not fit it or holds no record of a service in the hours
        that the network reads.
    """
    model, kept = load_run(checkpoint)
    hours = kept.horizon if horizon is None else horizon
    kept.intervals.width(level)  # an impossible level is refused before the file is read
    traffic = TrafficData.load(file)
    return with_new_nodes(forecast_traffic(model, kept, traffic, hours, level, f"data {file}"), traffic)


def load_run(checkpoint: Path) -> tuple[SimMSTNet, Serving]:
    """Read the network of a finished run or of its last update, in evaluation mode, and what it forecasts with.

    Parameters
    ----------
    checkpoint : Path
        The run's directory, or the checkpoint in it.

    Raises
    ------
    SimmstError
        If the run is not finished, or a file of it is damaged or of another run.
    """
    directory = checkpoint.parent if checkpoint.name == CHECKPOINT else checkpoint
    if directory.is_file():
        raise ConfigError(f"checkpoint {checkpoint}: is a file; give the run's directory, {checkpoint.parent}")
    if not directory.is_dir():
        raise ConfigError(f"checkpoint {checkpoint}: no such directory")
    directory = served(directory)  # that of its last update
    for name in (CHECKPOINT, SERVING):
        if not (directory / name).is_file():
            raise ConfigError(
                f"checkpoint {checkpoint}: holds no finished run (no {name}); finish it by "
                f"`simmst run --resume {directory}`"
            )
    model, _ = load_model(directory / CHECKPOINT)
    kept = Serving.load(directory / SERVING)
    kept.check_beside(model, directory / SERVING)
    return model, kept


def forecast_traffic(
    model: nn.Module, kept: Serving, data: TrafficData, horizon: int, level: float = 0.9, name: str = "data"
) -> Forecast:
    """Forecast the hours after the end of traffic data.

    Parameters
    ----------
    model : Module
        The network.
    kept : Serving
        What its run kept beside it.
    data : TrafficData
        As `file` of `forecast_file`.
    horizon : int
        As there.
    level : float
        As there.
    name : str
        What messages and notices call the data.

    Raises
    ------
    SimmstError
        As there.
    """
    if not 1 <= horizon <= kept.horizon:
        raise ConfigError(f"horizon {horizon}: this network was trained for 1 to {kept.horizon} hours")
    kept.intervals.width(level)  # an impossible level is refused first
    data = _fitting(data, kept, name)
    file = name.removeprefix("data ")
    odd = anomalies(data, kept.scaler, kept.lookback)
    notices = (*(f"{file}: {one}" for one in odd), *_gaps_read(name, data, kept.lookback))
    origin = np.array([len(data.values)])
    windows = replace(
        forecast_windows(data, kept.scaler, origin, kept.lookback, kept.horizon), patches=kept.patches
    )
    values = network_forecast(model, windows, kept.scaler)[0, :horizon].astype(np.float64)
    if not np.isfinite(values).all():
        raise DataError(
            f"{name}: the network's forecast is not finite, so there is none; a file of the run is damaged: "
            "train it anew"
        )
    lower, upper = kept.intervals.around(kept.scaler, values, level)
    every = kept.intervals.quantiles(kept.scaler, values)
    return Forecast(data, hours_after(data, horizon), values, lower, upper, level, notices, every)


def hours_after(data: TrafficData, horizon: int) -> npt.NDArray[np.datetime64]:
    """Return the first steps after the end of the data, datetime64 `[H]`."""
    times: npt.NDArray[np.datetime64] = data.times[-1] + np.arange(1, horizon + 1) * np.timedelta64(
        data.step_minutes, "m"
    )
    return times


def _fitting(data: TrafficData, kept: Serving, name: str) -> TrafficData:
    """Bring traffic into the run's order of nodes and services."""
    if data.units != kept.units:
        raise DataError(f"{name}: its units are {data.units!r}, the run was trained on {kept.units!r}")
    for what, known, wanted in (
        ("services", data.services, kept.services),
        ("nodes", data.node_ids, kept.node_ids),
    ):
        missing = [one for one in wanted if one not in set(known)]
        if missing:
            raise DataError(
                f"{name}: lacks {len(missing)} of the {len(wanted)} {what} that the run forecasts "
                f"({few(missing)}); it has {few(known)}"
            )
    data = data.select(services=kept.services, nodes=kept.node_ids)
    data = data.hourly()
    if len(data.values) < kept.lookback:
        raise DataError(f"{name}: has {len(data.values)} whole hours, the network reads the last {kept.lookback}")
    return data


def _gaps_read(name: str, data: TrafficData, lookback: int) -> tuple[str, ...]:
    """Say which of the hours that the network reads are filled gaps; refuse where a service has nothing else."""
    filled = data.filled[-lookback:]
    if not filled.any():
        return ()
    alike: dict[bytes, list[int]] = {}  # services whose gaps are the same
    for s in np.flatnonzero(filled.any(axis=0)):
        alike.setdefault(filled[:, s].tobytes(), []).append(int(s))
    found = [
        f"{', '.join(data.services[s] for s in group)}: {filled[:, group[0]].sum()} hours "
        f"({few(_spans(data.times[-lookback:], filled[:, group[0]]))})"
        for group in alike.values()
    ]
    what = f"of the last {lookback} hours, which the network reads, some are filled gaps: {'; '.join(found)}"
    if filled.all(axis=0).any():
        raise DataError(f"{name}: {what}; nothing of a service was recorded: give a file with those hours")
    return (
        f"{name.removeprefix('data ')}: {what} (filled: {data.fill}). The forecast is made from them as if they "
        "were traffic, and its intervals do not know of it: give a file with those hours, or one that ends before "
        "the gap.",
    )


def _spans(times: npt.NDArray[np.datetime64], chosen: npt.NDArray[np.bool_]) -> list[str]:
    """Name hours that are chosen, adjacent ones as one."""
    edges = np.flatnonzero(np.diff(np.pad(chosen, 1).astype(np.int8)))
    return [f"{times[i]} to {times[j - 1] + np.timedelta64(60, 'm')}" for i, j in edges.reshape(-1, 2)]
