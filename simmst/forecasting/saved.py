"""What a run keeps beside its network so that it forecasts without the training file: scales and residuals."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from simmst.errors import ConfigError, DataError
from simmst.forecasting.intervals import Intervals
from simmst.io.npz import Arrays, check_array, load_npz, save_npz
from simmst.models.simmstnet import SimMSTNet
from simmst.traffic.dataset import TrafficData
from simmst.traffic.scaling import NodeScaler
from simmst.traffic.windows import WindowDataset, WindowSource, iterate_batches
from simmst.training.checkpoint import tensors_digest
from simmst.training.trainer import to_tensors

CHECKPOINT, SERVING = "checkpoint.safetensors", "serving.npz"
_BATCH = 512


@dataclass(frozen=True, slots=True)
class Serving:
    """What forecasting needs beside the network.

    Attributes
    ----------
    services, node_ids : tuple of str
        Names, in the network's order.
    units : str
        Of the traffic.
    lookback : int
        Steps of history that the network reads.
    scaler : NodeScaler
        Fitted on the training days.
    patches : int64 array `[N, P]`
        Neighbours of each node.
    intervals : Intervals
        From the validation windows.
    network : str
        Digest of the network that it was written beside; empty in files of before.
    """

    services: tuple[str, ...]
    node_ids: tuple[str, ...]
    units: str
    lookback: int
    scaler: NodeScaler
    patches: npt.NDArray[np.int64]
    intervals: Intervals
    network: str = ""

    @classmethod
    def of(
        cls,
        data: TrafficData,
        scaler: NodeScaler,
        windows: WindowDataset,
        model: nn.Module,
        held_out: WindowSource,
    ) -> Self:
        """Collect it at the end of a run.

        Parameters
        ----------
        data : TrafficData
            The run's traffic.
        scaler : NodeScaler
            Fitted on its training days.
        windows : WindowDataset
            For their patches and their lookback.
        model : Module
            The network.
        held_out : WindowSource
            Windows that nothing was fitted to.
        """
        return cls(
            data.services, data.node_ids, data.units, windows.lookback, scaler, windows.patches,
            held_out_intervals(model, held_out, len(data.node_ids)), tensors_digest(model.state_dict()),
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
            "unit": self.scaler.unit,
            "patches": self.patches,
            "residuals": self.intervals.residuals,
            "spread": self.intervals.spread,
            "network": np.array(self.network),
        }
        save_npz(path, arrays)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        kept = load_npz(path)
        if "mean" in kept:
            # files of before know neither: their z-scores are of traffic itself, and all nodes have one width
            kept = dict.fromkeys(("unit", "spread"), np.ones_like(kept["mean"])) | kept
        kept = {"network": np.array("")} | kept
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
            NodeScaler(kept["mean"], kept["scale"], kept["unit"]),
            kept["patches"],
            Intervals(kept["residuals"], kept["spread"]),
            str(kept["network"]),
        )

    def check_beside(self, model: SimMSTNet, path: Path) -> None:
        """Refuse to serve another network than the one it was written beside.

        Parameters
        ----------
        model : SimMSTNet
            The network of the folder.
        path : Path
            The file that this was read from, for the message.

        Raises
        ------
        ConfigError
            If it is of another network, or its sizes are not this one's.
        """
        c = model.config
        mine = (len(self.services), self.lookback, self.horizon, self.patches.shape[1])
        sizes = "services", "lookback", "horizon", "patch"
        odd = [
            f"{name} {own} in place of {its}"
            for name, own, its in zip(sizes, mine, (c.services, c.lookback, c.horizon, c.patch), strict=True)
            if own != its
        ]
        if odd or (self.network and self.network != tensors_digest(model.state_dict())):
            why = f" ({', '.join(odd)})" if odd else ""
            raise ConfigError(
                f"{path}: is of another run than the {CHECKPOINT} beside it{why}; `simmst run --resume "
                f"{path.parent}` writes both anew"
            )

    @property
    def horizon(self) -> int:
        """Hours that the network forecasts, H."""
        return int(self.intervals.residuals.shape[1])


def _check(kept: Arrays) -> None:
    """Refuse arrays that do not fit together."""
    check_array("services", kept["services"], "U", None)
    check_array("node_ids", kept["node_ids"], "U", None)
    services, nodes = len(kept["services"]), len(kept["node_ids"])
    for name in ("units", "network"):
        check_array(name, kept[name], "U")
    check_array("lookback", kept["lookback"], "iu")
    for name in ("mean", "scale", "unit", "spread"):
        check_array(name, kept[name], "f", nodes, services)
    check_array("patches", kept["patches"], "iu", nodes, None)
    check_array("residuals", kept["residuals"], "f", None, None, services)
    if kept["lookback"] < 1 or kept["scale"].min() < 1e-12 or min(kept["unit"].min(), kept["spread"].min()) <= 0:
        raise DataError("lookback, scale, unit, spread: must be positive")
    if kept["patches"].min() < 0 or kept["patches"].max() >= nodes:
        raise DataError(f"patches: must be numbers of the {nodes} nodes")


def held_out_intervals(model: nn.Module, windows: WindowSource, nodes: int) -> Intervals:
    """Intervals from the errors of a network on windows that nothing was fitted to."""
    model.eval()
    errors, node = [], []
    with torch.no_grad():
        for _, batch in iterate_batches(windows, _BATCH):
            inputs, target = to_tensors(batch, torch.device("cpu"))
            errors.append((model(*inputs) - target).abs().numpy())
            node.append(batch.node)
    return Intervals.of_windows(np.concatenate(errors), np.concatenate(node), nodes)
