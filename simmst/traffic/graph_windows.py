"""Windows in the shape of the baselines, `[B, L, N, S]`: a whole city a sample, or one node a sample."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simmst.traffic.windows import WindowBatch, WindowDataset, WindowSource

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class GraphWindows:
    """Every node at once: sample `i` is origin `i`.

    Its batches have `history [B, L, N, S]`, `target [B, H, N, S]` and `node [B, N]`. The target of a node whose
    window is not kept is NaN.

    Parameters
    ----------
    windows : WindowDataset
        What is cut; its patches are not read.
    """

    windows: WindowDataset

    def __len__(self) -> int:
        """Return the number of windows, one an origin."""
        return len(self.windows.origins)

    def batch(self, index: IntArray) -> WindowBatch:
        """Cut the windows with these numbers, int `[B]`."""
        w = self.windows
        place = np.asarray(index)
        origin = w.origins[place]
        past = w.before(origin)
        future = origin[:, None] + np.arange(w.horizon)
        nodes = np.arange(w.scaled.shape[1])
        target = w.scaled[future]
        if w.kept is not None:
            number = place[:, None] * len(nodes) + nodes  # [B, N]
            found = w.kept[np.minimum(np.searchsorted(w.kept, number), len(w.kept) - 1)]
            target = np.where((found == number)[:, None, :, None], target, np.float32(np.nan))
        return WindowBatch(
            history=w.scaled[past],
            history_marks=w.marks[past],
            future_marks=w.marks[future],
            target=target,
            node=np.broadcast_to(nodes, (len(origin), len(nodes))),
            origin=origin,
        )


@dataclass(frozen=True, slots=True)
class NodeWindows:
    """Each node a sample of its own, N = 1: `history [B, L, 1, S]`, `target [B, H, 1, S]`, `node [B]`.

    Parameters
    ----------
    windows : WindowSource
        Windows over neighbour patches, real or simulated; the centre of each patch is kept.
    """

    windows: WindowSource

    def __len__(self) -> int:
        """Return the number of windows, one an origin and node."""
        return len(self.windows)

    def batch(self, index: IntArray) -> WindowBatch:
        """Cut the windows with these numbers, int `[B]`."""
        batch = self.windows.batch(index)
        centre = batch.history.shape[2] // 2
        return replace(batch, history=batch.history[:, :, centre : centre + 1], target=batch.target[:, :, None])
