"""Training on the raw scale: a network forecasts z-scores, its loss and its best epoch are of traffic."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from simmst.simulator.windows import SimulatedWindows
from simmst.traffic.gap import each_node
from simmst.traffic.scaling import UNIT, NodeScaler
from simmst.traffic.windows import WindowBatch, WindowSource

Floats = npt.NDArray[np.float32]
# A forecast further out is a network that has only begun to learn; exp of it would drown all others.
_FURTHEST_Z = 6.0


class Scales(Protocol):
    """Where a window's z-scores come from."""

    def rows(self, batch: WindowBatch) -> Floats:
        """What makes z-scores traffic, in the unit of the loss: `[B, 3, N, S]` for cities, else `[B, 3, S]`.

        They are the mean and the deviation of log(1 + traffic / the node's unit), and the unit of the loss over
        the node's.
        """
        ...


@dataclass(frozen=True, slots=True)
class RealScales:
    """Scales of real nodes; the loss of a service is in its mean traffic over nodes and training steps.

    Attributes
    ----------
    table : float32 array `[3, N, S]`
    """

    table: Floats

    @classmethod
    def of(
        cls, scaler: NodeScaler, training: npt.NDArray[np.floating], filled: npt.NDArray[np.bool_]
    ) -> RealScales:
        """Take the scaler's, and the mean of training traffic `[T, N, S]` but for what was filled `[T, N, S]`."""
        used = np.broadcast_to(~each_node(filled), training.shape)
        mean = training.mean(axis=(0, 1), dtype=np.float64, where=used)
        unit = np.where(mean > 0, mean, 1.0) / scaler.unit
        return cls(np.stack([scaler.mean, scaler.scale, unit]).astype(np.float32))

    def rows(self, batch: WindowBatch) -> Floats:
        """See `Scales`."""
        return np.moveaxis(self.table[:, batch.node], 0, 1)


@dataclass(frozen=True, slots=True)
class SimulatedScales:
    """Scales of simulated cells; the loss of a service is in its mean traffic over the cells of a window's world.

    Attributes
    ----------
    table : float32 array `[3, W, Q, S]`
    cells : int64 array `[N]`
        Cell of each node.
    """

    table: Floats
    cells: npt.NDArray[np.int64]

    @classmethod
    def of(cls, windows: SimulatedWindows) -> SimulatedScales:
        """Read them off the windows."""
        own = windows.unit.astype(np.float64)
        unit = own.mean(axis=1, keepdims=True) / UNIT / own
        table = np.stack([windows.mean, windows.scale, unit.astype(np.float32)])
        return cls(table, np.asarray(windows.worlds[0].nodes))

    def rows(self, batch: WindowBatch) -> Floats:
        """See `Scales`."""
        return np.moveaxis(self.table[:, batch.world, self.cells[batch.node]], 0, 1)


@dataclass(frozen=True, slots=True)
class RawWindows:
    """Windows whose target is traffic in the unit of the loss, and whose history ends in the rows of `Scales`.

    Attributes
    ----------
    source : WindowSource
        Windows of z-scores.
    scales : Scales
        Of its nodes, or of the cells of simulated worlds.
    steps : int64 array `[L]`, optional
        Steps of the history that are kept; None for all.
    service : int, optional
        The one service that is kept; None for all.
    """

    source: WindowSource
    scales: Scales
    steps: npt.NDArray[np.int64] | None = None
    service: int | None = None

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.source)

    def batch(self, index: npt.NDArray[np.int64]) -> WindowBatch:
        """Cut the windows with these numbers."""
        batch = self.source.batch(index)
        rows, target = self.scales.rows(batch), batch.target
        if rows.ndim == 3 and target.ndim == 4:
            rows = rows[:, :, None]  # one node: [B, 3, 1, S]
        mean, scale, unit = (rows[:, i, None] for i in range(3))
        target = np.expm1(np.clip(target, -50, 50) * scale + mean) / unit
        history, marks = batch.history, batch.history_marks
        if self.steps is not None:
            history, marks = history[:, self.steps], marks[:, self.steps]
        if rows.ndim == 3:
            rows = rows[:, :, None]
        rows = np.broadcast_to(rows, (len(rows), 3, *history.shape[2:]))
        history = np.concatenate([history, rows], axis=1)
        if self.service is not None:
            one = slice(self.service, self.service + 1)
            history, target = history[..., one], target[..., one]
        return replace(batch, history=history, history_marks=marks, target=target.astype(np.float32))


class RawScale(nn.Module):
    """A network of z-scores as one of traffic, fed by `RawWindows`.

    Parameters
    ----------
    model : Module
        ``model(history, history_marks, future_marks)``, `[B, H, N, S]` for `[B, L, N, S]`, or `[B, H, S]` for
        the centre of a patch.
    """

    #: Told to a checkpoint, so that a training on another scale does not go on as one on this: not one whose loss
    #: was on z-scores, nor one whose z-scores knew no units of nodes.
    loss_scale = "traffic, in units of nodes"

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, history: Tensor, history_marks: Tensor, future_marks: Tensor) -> Tensor:
        """Forecast traffic in the unit of the loss, 0 at least in evaluation mode."""
        rows = history[:, -3:]
        out: Tensor = self.model(history[:, :-3], history_marks, future_marks)
        if out.ndim == 3:
            rows = rows[:, :, rows.shape[2] // 2]
        mean, scale, unit = rows.unsqueeze(2).unbind(1)
        traffic = torch.expm1(out.clamp(-_FURTHEST_Z, _FURTHEST_Z) * scale + mean) / unit
        return traffic if self.training else traffic.clamp_min(0.0)


@dataclass(frozen=True, slots=True)
class OneService:
    """Windows of one service of several."""

    source: WindowSource
    service: int

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.source)

    def batch(self, index: npt.NDArray[np.int64]) -> WindowBatch:
        """Cut the windows with these numbers."""
        batch, one = self.source.batch(index), slice(self.service, self.service + 1)
        return replace(batch, history=batch.history[..., one], target=batch.target[..., one])


@dataclass(frozen=True, slots=True)
class Pooled:
    """Windows of several sources, one after the other."""

    sources: tuple[WindowSource, ...]

    def __len__(self) -> int:
        """Return the number of windows."""
        return sum(len(source) for source in self.sources)

    def batch(self, index: npt.NDArray[np.int64]) -> WindowBatch:
        """Cut the windows with these numbers, in this order."""
        index = np.asarray(index)
        ends = np.cumsum([len(source) for source in self.sources])
        of = np.searchsorted(ends, index, side="right")
        parts, places = [], []
        for i, source in enumerate(self.sources):
            places.append(np.flatnonzero(of == i))
            if len(places[-1]):
                parts.append(source.batch(index[places[-1]] - (ends[i] - len(source))))
        back = np.argsort(np.concatenate(places), kind="stable")
        names = ("history", "history_marks", "future_marks", "target", "node", "origin")
        joined = {name: np.concatenate([getattr(part, name) for part in parts])[back] for name in names}
        return WindowBatch(**joined)
