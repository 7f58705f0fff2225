"""The exact last layer: a ridge on a network's own penultimate features as lower level."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simmst.errors import ConfigError
from simmst.models.simmstnet import SimMSTNet
from simmst.reweighting.problems import Sim2Real
from simmst.reweighting.proxy import RidgeLevel, Samples, SmoothAbsoluteError
from simmst.reweighting.weights import SampleWeights
from simmst.traffic.windows import WindowBatch, WindowSource, iterate_batches
from simmst.training.trainer import to_tensors

#: ``features(batch) -> ([B, R, d], [B, R, m])``: what the network knows before its last layer, R rows a window
#: (its forecast steps), and what is left for the last layer to explain.
Features = Callable[[WindowBatch], tuple[NDArray[np.float32], NDArray[np.float32]]]


@dataclass(frozen=True, slots=True)
class SimMSTNetFeatures:
    """What Sim-MSTNet's output map sees: the decoder's states of all tasks, a row for each forecast step.

    The targets are what the linear highway leaves over. The exact last layer may read each task's forecast
    from the states of all tasks; the network's own reads its own task's.

    Parameters
    ----------
    model : SimMSTNet
        Called in evaluation mode, on the device it is on.
    """

    model: SimMSTNet

    def __call__(self, batch: WindowBatch) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return features `[B, H, S · D]` and targets `[B, H, S]`."""
        head = self.model.decoder.head
        seen: list[tuple[Tensor, Tensor]] = []
        hook = head.register_forward_hook(lambda module, inputs, out: seen.append((inputs[0], out)))
        device, training = next(self.model.parameters()).device, self.model.training
        try:
            self.model.eval()
            with torch.no_grad():
                inputs, target = to_tensors(batch, device)
                forecast = self.model(*inputs)
        finally:
            hook.remove()
            self.model.train(training)
        states, own = seen[0]  # [S, B, H, D], [S, B, H, 1]
        rest = target - (forecast - own.squeeze(-1).permute(1, 2, 0))
        rows = states.permute(1, 2, 0, 3).flatten(2)
        return np.asarray(rows.cpu(), np.float32), np.asarray(rest.cpu(), np.float32)


def last_layer_problem(
    features: Features,
    simulated: WindowSource,
    real: WindowSource,
    weights: SampleWeights,
    *,
    share: float | None = None,
    floor: float | None = None,
    penalty: float = 1e-3,
    delta: float = 0.1,
) -> Sim2Real:
    """Sim2Real with the last layer of a network, solved exactly on frozen features, as lower level.

    Alternate it with training on the weights it gives (`alternating.alternate`): the features are of the
    network that the weights are for.

    Parameters
    ----------
    features : callable
        `SimMSTNetFeatures(model)`, or one of your own.
    simulated, real : WindowSource
    weights : SampleWeights
        One a window; all its rows weigh the same.
    share, floor : float, optional
        As in `Sim2Real.of`.
    penalty, delta : float
        Of `RidgeLevel` and `SmoothAbsoluteError`.
    """
    if weights.samples != len(simulated):
        raise ConfigError(f"weights are for {weights.samples} samples, but there are {len(simulated)} windows")
    below, rows = _samples(features, simulated)
    above, _ = _samples(features, real)
    level = RidgeLevel(below, weights.repeated(rows), penalty)
    return Sim2Real.of(SmoothAbsoluteError(above, delta), level, weights, share, floor)


def _samples(features: Features, windows: WindowSource) -> tuple[Samples, int]:
    """Features with a constant, and targets, row by row; and the number of rows a window."""
    parts = [features(batch) for _, batch in iterate_batches(windows, 512)]
    if not parts:
        raise ConfigError("there are no windows to make features of")
    inputs, targets = (np.concatenate(column) for column in zip(*parts, strict=True))
    rows = inputs.shape[1]
    flat = inputs.reshape(-1, inputs.shape[2])
    ones = np.ones((len(flat), 1), dtype=flat.dtype)
    return Samples(np.concatenate([flat, ones], axis=1), targets.reshape(len(flat), -1)), rows
