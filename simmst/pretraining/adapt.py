"""Adapting the pretrained network to a city: a few steps on its known days and on weighted simulated windows."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from simmst.errors import ConfigError, DataError
from simmst.pretraining.adapt_windows import Bank, RealWindows
from simmst.pretraining.draws import Draw
from simmst.pretraining.loss import quantile_loss
from simmst.pretraining.network import PretrainedNet

_RISE, _AVERAGED, _CLIP = 20, 0.98, 1.0


@dataclass(frozen=True, slots=True)
class Steps:
    """How a network is adapted.

    Attributes
    ----------
    steps : int
        Gradient steps; 0 leaves the network as it is.
    batch : int
        Windows of each kind in a step.
    rate : float
        Largest learning rate of Adam; it rises for 20 steps, then falls along a cosine.
    """

    steps: int = 100
    batch: int = 128
    rate: float = 1e-4

    def __post_init__(self) -> None:
        for name, least in (("steps", 0), ("batch", 2)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} {getattr(self, name)}: must be at least {least}")
        if not 0 < self.rate <= 1:
            raise ConfigError(f"rate {self.rate:g}: must lie in (0, 1]")


def adapt(
    network: PretrainedNet,
    real: RealWindows | None,
    bank: Bank | None,
    weights: NDArray[np.floating] | None,
    steps: Steps,
    seed: int,
    watch: Callable[[int, int], None] = lambda done, total: None,
) -> PretrainedNet:
    """Train a copy of a network on real windows, simulated ones, or half and half.

    Parameters
    ----------
    network : PretrainedNet
        Is not changed.
    real : RealWindows or None
    bank : Bank or None
    weights : array [n], optional
        In proportion to which simulated windows are drawn; equal by default.
    steps : Steps
    seed : int
    watch : callable, optional
        Called with steps done and their total.

    Returns
    -------
    PretrainedNet
        The running mean of the weights, rounded to half precision as a file holds them, in evaluation mode.

    Raises
    ------
    SimmstError
        If there are no windows at all, weights do not fit the bank, or a loss is not finite.
    """
    if real is None and bank is None:
        raise ConfigError("real, bank: one of them must be given")
    share = None if bank is None else _shares(bank, weights)
    mean = copy.deepcopy(network).requires_grad_(False)
    moving = copy.deepcopy(network).train().requires_grad_(True)
    optimiser = torch.optim.Adam(moving.parameters(), lr=steps.rate, betas=(0.9, 0.98))
    rng = np.random.default_rng((seed, 1))
    for step in range(steps.steps):
        for group in optimiser.param_groups:
            group["lr"] = steps.rate * _part(step, steps.steps)
        parts = [] if real is None else [real.draw(steps.batch, rng)]
        if bank is not None:
            parts.append(bank.take(rng.choice(len(bank.world), steps.batch, p=share)))
        loss = torch.stack([_loss(moving, one) for one in parts]).sum()
        if not math.isfinite(float(loss.detach())):
            raise DataError(f"step {step + 1}: the loss is {float(loss.detach())}; a smaller rate may help")
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(moving.parameters(), _CLIP)
        optimiser.step()
        decay = min(_AVERAGED, (step + 1) / (step + 10))
        with torch.no_grad():
            for kept, one in zip(mean.parameters(), moving.parameters(), strict=True):
                kept.lerp_(one, 1 - decay)
        watch(step + 1, steps.steps)
    with torch.no_grad():
        for kept in mean.parameters():
            kept.copy_(kept.to(torch.float16).float())
    return mean.eval()


def _loss(network: PretrainedNet, windows: Draw) -> Tensor:
    quantiles, scale = network(*windows[:4])
    hours = windows.truth.shape[2]  # of short histories not the whole day
    return quantile_loss(quantiles[:, :, :hours], scale, windows.blocks, windows.truth, windows.counts)


def _shares(bank: Bank, weights: NDArray[np.floating] | None) -> NDArray[np.float64]:
    """Probabilities of the bank's windows; those that count for nothing are never drawn."""
    counts = bank.windows.counts.numpy().astype(np.float64)
    if weights is not None:
        if weights.shape != counts.shape or not np.isfinite(weights).all() or (weights < 0).any():
            raise ConfigError(f"weights: must be {len(counts)} finite numbers, 0 at least")
        counts = counts * weights
    if not counts.any():
        raise ConfigError("weights: none of a window that counts is above 0")
    return np.asarray(counts / counts.sum())


def _part(step: int, steps: int) -> float:
    """Part of the largest rate: it rises, then falls to a fiftieth along a cosine."""
    return min(1.0, (step + 1) / _RISE) * (0.49 * (1.0 + math.cos(math.pi * step / steps)) + 0.02)
