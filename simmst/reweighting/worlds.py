"""Weights of simulated windows for a city, by the pretrained network's own last layer as lower level."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simmst.errors import ConfigError
from simmst.pretraining.adapt_windows import Bank, RealWindows
from simmst.pretraining.draws import Draw
from simmst.pretraining.network import PretrainedNet
from simmst.pretraining.reading import MEDIAN
from simmst.reweighting.learn import Reweighting, default_solver, reweight
from simmst.reweighting.problems import Sim2Real
from simmst.reweighting.proxy import RidgeLevel, Samples, SmoothAbsoluteError
from simmst.reweighting.weights import SampleWeights

# Directions of the 352 features before the last layer that the ridge may use: those in which simulated windows
# differ most. The ridge is solved some hundred times.
_DIRECTIONS, _PENALTY, _FAR = 48, 1e-2, 4.0
_BATCH = 1024


def world_problem(
    network: PretrainedNet, real: RealWindows, bank: Bank, weights: SampleWeights, share: float, seed: int,
    real_windows: int = 2000,
) -> Sim2Real:  # fmt: skip
    """State the problem: real windows above, weighted simulated ones below.

    The network's median is a mixture of rows and a term that is linear in its last features. The lower level is
    the ridge that corrects that term so as to fit the weighted simulated windows, exactly; the upper one the error
    of so corrected medians on real windows, in z-scores of each window.

    Parameters
    ----------
    network : PretrainedNet
        In evaluation mode; is not changed.
    real : RealWindows
    bank : Bank
    weights : SampleWeights
        Of the bank's windows.
    share : float
        Sum of the weights, as a share of their number.
    seed : int
        Of the choice of real windows.
    real_windows : int
        How many at most.
    """
    if weights.samples != len(bank.world):
        raise ConfigError(f"weights: are for {weights.samples} windows, the bank has {len(bank.world)}")
    rng = np.random.default_rng((seed, 2))
    count = min(real_windows, len(real.places))
    chosen = real.cut(real.places[rng.choice(len(real.places), count, replace=False)])
    below, left_below = _last_layer(network, bank.windows)
    above, left_above = _last_layer(network, chosen)
    centre = below.mean(axis=0)
    directions = np.linalg.svd((below - centre)[:: max(1, len(below) // 2000)], full_matrices=False)[2]
    directions = directions[:_DIRECTIONS].T
    hours = left_above.shape[1]  # of short histories some leads are not known
    lower = RidgeLevel(_with_constant((below - centre) @ directions, left_below[:, :hours]), weights, _PENALTY)
    upper = SmoothAbsoluteError(_with_constant((above - centre) @ directions, left_above))
    return Sim2Real.of(upper, lower, weights, share)


def world_weights(
    network: PretrainedNet,
    real: RealWindows,
    bank: Bank,
    seed: int,
    by: str = "world",
    share: float = 0.5,
    iterations: int = 20,
) -> Reweighting:
    """Learn weights by cutting planes.

    Parameters
    ----------
    network : PretrainedNet
        As all that is not named here, as in `world_problem`.
    real : RealWindows
    bank : Bank
    seed : int
    share : float
    by : str
        "world" or "sample": what has a weight of its own.
    iterations : int
        Of the solver.
    """
    if by not in ("world", "sample"):
        raise ConfigError(f"by {by!r}: must be world or sample")
    weights = SampleWeights.per_world(bank.world) if by == "world" else SampleWeights.per_sample(len(bank.world))
    task = world_problem(network, real, bank, weights, share, seed)
    return reweight(task, default_solver(task, iterations, method="linear"), world=bank.world)


def _last_layer(network: PretrainedNet, windows: Draw) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Features `[n, d]` before the last layer, and what the medians of the first day asked leave `[n, H]`."""
    seen: list[Tensor] = []
    left = []
    hook = network.answer.register_forward_hook(lambda module, inputs, out: seen.append(inputs[0]))
    try:
        with torch.inference_mode():
            for first in range(0, len(windows.traffic), _BATCH):
                one = Draw(*(column[first : first + _BATCH] for column in windows))
                quantiles, scale = network(one.traffic, one.known, one.hour_of_week, one.blocks[:, :1])
                truth = one.truth[:, 0]
                away = scale.scaled(truth) - quantiles[:, 0, : truth.shape[1], MEDIAN]
                left.append(away.clamp(-_FAR, _FAR) * one.counts[:, None])
    finally:
        hook.remove()
    return torch.cat(seen).float().numpy(), torch.cat(left).numpy()


def _with_constant(features: NDArray[np.float32], targets: NDArray[np.float32]) -> Samples:
    ones = np.ones((len(features), 1), dtype=np.float32)
    return Samples(np.concatenate([features, ones], axis=1), targets)
