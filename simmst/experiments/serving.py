"""What a run keeps beside its network so that it forecasts without the training file: scales and residuals."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from simmst.errors import ConfigError, DataError
from simmst.experiments.forecast import forecast_windows, network_forecast
from simmst.io.npz import Arrays, check_array, load_npz, save_npz
from simmst.traffic.anomalies import anomalies, few
from simmst.traffic.dataset import TrafficData
from simmst.traffic.scaling import NodeScaler
from simmst.traffic.windows import WindowDataset, WindowSource, iterate_batches
from simmst.training.checkpoint import load_model
from simmst.training.trainer import to_tensors

CHECKPOINT, SERVING = "checkpoint.safetensors", "serving.npz"
_BATCH = 512


@dataclass(frozen=True, slots=True)
class Serving:
    """
    What forecasting needs beside the network.

    Attributes
    ----------
    services, node_ids
        Names, in the network's order.
    units
        Of the traffic.
    lookback
        Steps of history that the network reads.
    scaler
        Fitted on the training days.
    patches
        Neighbours of each node, int64 `[N, P]`.
    residuals
        Absolute errors of z-scores on validation windows, float32 `[n, H, S]`, each step and service in
        ascending order.
    """

    services: tuple[str, ...]
    node_ids: tuple[str, ...]
    units: str
    lookback: int
    scaler: NodeScaler
    patches: npt.NDArray[np.int64]
    residuals: npt.NDArray[np.float32]

    @classmethod
    def of(
        cls,
        data: TrafficData,
        scaler: NodeScaler,
        windows: WindowDataset,
        model: nn.Module,
        held_out: WindowSource,
    ) -> Self:
        """
        Collect it at the end of a run.

        Parameters
        ----------
        data
            The run's traffic.
        scaler
            Fitted on its training days.
        windows
            For their patches and their lookback.
        model
            The network.
        held_out
            Windows that nothing was fitted to.
        """
        return cls(
            data.services, data.node_ids, data.units, windows.lookback, scaler, windows.patches,
            held_out_residuals(model, held_out),
        )  # fmt: skip

    def save(self, path: Path) -> None:
        """Write it whole or not at all."""
        arrays = {
            "services": np.array(self.services),
            "node_ids": np.array(self.node_ids),
            "units": np.array(self.units),
            "lookback": np.array(self.lookback),
            "mean": self.scaler.mean,
            "scale": self.scaler.scale,
            "patches": self.patches,
            "residuals": self.residuals,
        }
        save_npz(path, arrays)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        kept = load_npz(path)
        try:
            _check(kept)
        except KeyError as error:
            raise ConfigError(f"{path}: lacks {error}; it was written by another version") from None
        except DataError as error:
            raise ConfigError(f"{path}: damaged ({error})") from None
        return cls(
            tuple(map(str, kept["services"])),
            tuple(map(str, kept["node_ids"])),
            str(kept["units"]),
            int(kept["lookback"]),
            NodeScaler(kept["mean"], kept["scale"]),
            kept["patches"],
            kept["residuals"],
        )

    def width(self, level: float) -> npt.NDArray[np.float64]:
        """
        Half-width `[H, S]` of the split-conformal interval of z-scores.

        The k-th smallest residual, k = ceil((n + 1) level), of each step and service over all nodes. Were the
        residuals exchangeable with those to come, the interval would cover at least `level` of them, over nodes
        and times together. They are not quite: hours follow each other, and the validation days also chose the
        epoch.

        Parameters
        ----------
        level
            Wanted coverage, in (0, 1).

        Raises
        ------
        ConfigError
            If there are too few residuals for it.
        """
        if not 0 < level < 1:
            raise ConfigError(f"--level {level:g}: must lie between 0 and 1")
        count = len(self.residuals)
        k = math.ceil((count + 1) * level)
        if k > count:
            raise ConfigError(
                f"--level {level:g}: too high for {count} validation windows; at most {count / (count + 1):.4g}"
            )
        return np.asarray(self.residuals[k - 1], dtype=np.float64)


def _check(kept: Arrays) -> None:
    """Refuse arrays that do not fit together."""
    check_array("services", kept["services"], "U", None)
    check_array("node_ids", kept["node_ids"], "U", None)
    services, nodes = len(kept["services"]), len(kept["node_ids"])
    check_array("units", kept["units"], "U")
    check_array("lookback", kept["lookback"], "iu")
    for name in ("mean", "scale"):
        check_array(name, kept[name], "f", nodes, services)
    check_array("patches", kept["patches"], "iu", nodes, None)
    check_array("residuals", kept["residuals"], "f", None, None, services)
    if kept["lookback"] < 1 or kept["scale"].min() < 1e-12:
        raise DataError("lookback, scale: must be positive")
    if kept["patches"].min() < 0 or kept["patches"].max() >= nodes:
        raise DataError(f"patches: must be numbers of the {nodes} nodes")


def held_out_residuals(model: nn.Module, windows: WindowSource) -> npt.NDArray[np.float32]:
    """Absolute errors of z-scores `[n, H, S]`, each step and service sorted on its own."""
    model.eval()
    errors = []
    with torch.no_grad():
        for _, batch in iterate_batches(windows, _BATCH):
            inputs, target = to_tensors(batch, torch.device("cpu"))
            errors.append((model(*inputs) - target).abs().numpy())
    return np.sort(np.concatenate(errors), axis=0)


@dataclass(frozen=True, slots=True)
class Issued:
    """
    A forecast from the end of a file.

    Attributes
    ----------
    history
        The file's hourly traffic, of the run's nodes and services.
    times
        datetime64 `[H]`, the hours after its end.
    forecast, lower, upper
        `[H, N, S]`, in the units of the traffic, 0 at least.
    level
        Coverage that the interval was made for.
    notices
        What a reader must know first: gaps and absurd values in the hours that the network read.
    """

    history: TrafficData
    times: npt.NDArray[np.datetime64]
    forecast: npt.NDArray[np.float64]
    lower: npt.NDArray[np.float64]
    upper: npt.NDArray[np.float64]
    level: float
    notices: tuple[str, ...] = ()


def issue(run: Path, file: Path, horizon: int | None = None, level: float = 0.9) -> Issued:
    """
    Forecast the hours after the end of a traffic file with the network of a run.

    Parameters
    ----------
    run
        A finished run's directory, or the checkpoint in it.
    file
        Traffic with the run's nodes and services, more of them or in another order; at least as many hours as
        the network reads. It may be newer than what the run was trained on.
    horizon
        Hours to forecast, at most what the network was trained for; None for all of them.
    level
        Coverage of the intervals.

    Raises
    ------
    SimmstError
        If the run is not finished, or the file does not fit it or holds no record of a service in the hours
        that the network reads.
    """
    directory = run.parent if run.name == CHECKPOINT else run
    if directory.is_file():
        raise ConfigError(f"--checkpoint {run}: is a file; give the run's directory, {run.parent}")
    if not directory.is_dir():
        raise ConfigError(f"--checkpoint {run}: no such directory")
    for name in (CHECKPOINT, SERVING):
        if not (directory / name).is_file():
            raise ConfigError(
                f"--checkpoint {run}: holds no finished run (no {name}); finish it by "
                f"`simmst run --resume {directory}`"
            )
    model, _ = load_model(directory / CHECKPOINT)
    kept = Serving.load(directory / SERVING)
    longest = kept.residuals.shape[1]
    horizon = longest if horizon is None else horizon
    if not 1 <= horizon <= longest:
        raise ConfigError(f"--horizon {horizon}: this network was trained for 1 to {longest} hours")
    width = kept.width(level)[:horizon]
    data = _fitting(file, kept)
    odd = anomalies(data, kept.scaler, kept.lookback)
    notices = (*(f"{file}: {one}" for one in odd), *_gaps_read(file, data, kept.lookback))
    origin = np.array([len(data.values)])
    windows = replace(forecast_windows(data, kept.scaler, origin, kept.lookback, longest), patches=kept.patches)
    forecast = network_forecast(model, windows, kept.scaler)[0, :horizon].astype(np.float64)
    scaled = kept.scaler.transform(forecast).astype(np.float64)
    lower, upper = (kept.scaler.inverse(scaled + sign * width[:, None]) for sign in (-1, 1))
    times = data.times[-1] + np.arange(1, horizon + 1) * np.timedelta64(60, "m")
    lower, upper = np.minimum(lower, forecast), np.maximum(upper, forecast)
    return Issued(data, times, forecast, lower, upper, level, notices)


def _fitting(file: Path, kept: Serving) -> TrafficData:
    """Load a file and bring it into the run's order of nodes and services."""
    data = TrafficData.load(file)
    if data.units != kept.units:
        raise DataError(f"--data {file}: its units are {data.units!r}, the run was trained on {kept.units!r}")
    for what, known, wanted in (
        ("services", data.services, kept.services),
        ("nodes", data.node_ids, kept.node_ids),
    ):
        missing = [name for name in wanted if name not in set(known)]
        if missing:
            raise DataError(
                f"--data {file}: lacks {len(missing)} of the {len(wanted)} {what} that the run forecasts "
                f"({few(missing)}); it has {few(known)}"
            )
    data = data.select(services=kept.services, nodes=kept.node_ids)
    data = data.hourly()
    if len(data.values) < kept.lookback:
        raise DataError(
            f"--data {file}: has {len(data.values)} whole hours, the network reads the last {kept.lookback}"
        )
    return data


def _gaps_read(file: Path, data: TrafficData, lookback: int) -> tuple[str, ...]:
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
        raise DataError(f"--data {file}: {what}; nothing of a service was recorded: give a file with those hours")
    return (
        f"{file}: {what} (filled: {data.fill}). The forecast is made from them as if they were traffic, and its "
        "intervals do not know of it: give a file with those hours, or one that ends before the gap.",
    )


def _spans(times: npt.NDArray[np.datetime64], chosen: npt.NDArray[np.bool_]) -> list[str]:
    """Name hours that are chosen, adjacent ones as one."""
    edges = np.flatnonzero(np.diff(np.pad(chosen, 1).astype(np.int8)))
    return [f"{times[i]} to {times[j - 1] + np.timedelta64(60, 'm')}" for i, j in edges.reshape(-1, 2)]
