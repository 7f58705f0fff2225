"""The closed-form start of a network's highway: a ridge on weighted windows in place of "same hour yesterday"."""

import numpy as np
import torch
from numpy.typing import NDArray

from simmst.errors import ConfigError
from simmst.models.simmstnet import SimMSTNet
from simmst.nn.window_scale import window_scale
from simmst.traffic.ridge import NormalEquations
from simmst.traffic.windows import WindowSource, iterate_batches

_BATCH = 1024


def start_highway(
    model: SimMSTNet, windows: WindowSource, weights: NDArray[np.floating] | None = None, penalty: float = 1e-3
) -> None:
    """Put into each task's highway the ridge of its own past that is fitted to weighted windows.

    Each task's L x H map minimises Σ_j s_j ‖Θᵀa_j − y_j‖² / Σ_j s_j + penalty ‖Θ‖², with a_j the history of the
    window's own node and y_j its target, both normalised as the network does: a model of the kind that weights are
    learned for (`simmst.reweighting.proxy`), of each service alone and without a constant.

    Parameters
    ----------
    model : SimMSTNet
        A network with a highway; whatever was in it is overwritten.
    windows : WindowSource
        Simulated or real windows, n of them.
    weights : float array `[n]`, optional
        Weight of each window, at least 0; None: all equal.
    penalty : float
        In units of a normalised window's mean square.

    Raises
    ------
    ConfigError
        If the network has no highway, or windows, weights or penalty do not fit.
    """
    if model.highway is None:
        raise ConfigError("the network has no highway to start: its configuration says highway=None")
    s = np.ones(len(windows)) if weights is None else np.asarray(weights, dtype=np.float64)
    if s.shape != (len(windows),) or not np.isfinite(s).all() or s.min(initial=0.0) < 0 or not s.any():
        raise ConfigError(f"weights must be {len(windows)} numbers of at least 0, not all 0: one a window")
    if not penalty > 0:
        raise ConfigError(f"penalty must be positive, got {penalty}")
    c = model.config
    equations = [NormalEquations(c.lookback, c.horizon) for _ in range(c.services)]
    for index, batch in iterate_batches(windows, _BATCH):
        shapes = batch.history.shape[1:], batch.target.shape[1:]
        if shapes != ((c.lookback, c.patch, c.services), (c.horizon, c.services)):
            raise ConfigError(
                f"windows: history and target of a window have the shapes {shapes[0]} and {shapes[1]}, the "
                f"network takes {(c.lookback, c.patch, c.services)} and {(c.horizon, c.services)}"
            )
        own, target = torch.from_numpy(batch.history[:, :, c.patch // 2]), torch.from_numpy(batch.target)
        if c.normalise:
            mean, deviation = window_scale(own)
            own, target = (own - mean) / deviation, (target - mean) / deviation
        past, future = (x.permute(2, 0, 1).double().numpy() for x in (own, target))  # [S, B, L], [S, B, H]
        for service, one in enumerate(equations):
            one.add(past[service], future[service], s[index])
    maps = np.stack([one.solve(penalty * s.sum()) for one in equations])
    with torch.no_grad():
        model.highway.weight.copy_(torch.from_numpy(maps))
