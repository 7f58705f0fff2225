"""Forecast losses a task, and the weights that balance the tasks: equations (13) and (14).

A rule is a frozen configuration; what it remembers is a plain tensor the caller keeps, so that a checkpoint
holds it and the K-step oracle can hold it still. Weights never carry a gradient.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import torch
from torch import Tensor

from simmst.errors import ConfigError

ErrorName = Literal["mae", "mse", "huber"]


def task_errors(forecast: Tensor, target: Tensor, error: ErrorName = "mae") -> Tensor:
    """Error of each sample and task, averaged over the horizon: `[B, H, S]` twice -> `[B, S]`.

    Axes between the first and the last are averaged too: with the nodes of a graph, `[B, H, N, S]`.
    "huber" is quadratic up to an error of 1 (one standard deviation of the scaled traffic), then linear.
    Where the target is NaN there is none: it counts for nothing, and a task without any target has the error 0.
    """
    lost = torch.isnan(target)
    any_lost = bool(lost.any())
    if any_lost:  # before the error is taken: a gradient through NaN is NaN, whatever it is multiplied by
        target = torch.where(lost, forecast.detach(), target)
    if error == "mae":
        each = (forecast - target).abs()
    elif error == "mse":
        each = (forecast - target).square()
    elif error == "huber":
        each = torch.nn.functional.huber_loss(forecast, target, reduction="none")
    else:
        raise ConfigError(f"error must be one of {', '.join(get_args(ErrorName))}, got {error!r}")
    if any_lost:
        return each.flatten(1, -2).sum(dim=1) / (~lost).flatten(1, -2).sum(dim=1).clamp(min=1)
    return each.flatten(1, -2).mean(dim=1)


class LossWeighting(Protocol):
    """How much each task's loss counts."""

    def init(self, tasks: int) -> Tensor:
        """Return the memory before the first step, any shape."""

    def weights(self, memory: Tensor) -> Tensor:
        """Return the weights ω `[S]`, detached."""

    def update(self, memory: Tensor, losses: Tensor) -> Tensor:
        """Return the memory after task losses `[S]`."""


def weighted_loss(losses: Tensor, weights: Tensor) -> Tensor:
    """Equation (14) [K]: L = Σ_k ω_k L_k over the last axis; ω is detached."""
    return (losses * weights.detach()).sum(-1)


@dataclass(frozen=True, slots=True)
class DynamicWeights:
    """Equation (13) [C]: ω_k ← α ω_k + (1 − α) L_k / Σ_j L_j, from ω_k = 1/S.

    Exponential smoothing that puts weight on the harder tasks. The losses must be comparable between tasks:
    here they are errors of per-node z-scores. The weights stay positive and sum to 1.

    Parameters
    ----------
    smoothing : float
        α in [0, 1): 0 follows the last losses, near 1 hardly moves.
    """

    smoothing: float = 0.99

    def __post_init__(self) -> None:
        if not 0.0 <= self.smoothing < 1.0:
            raise ConfigError(f"smoothing must lie in [0, 1), got {self.smoothing}")

    def init(self, tasks: int) -> Tensor:
        """Weights 1/S."""
        return torch.full((tasks,), 1.0 / tasks)

    def weights(self, memory: Tensor) -> Tensor:
        """Return the memory: it is the weights."""
        return memory

    def update(self, memory: Tensor, losses: Tensor) -> Tensor:
        """Move towards the losses' shares; where all losses are 0 nothing is learnt."""
        losses = losses.detach()
        total = losses.sum()
        if total <= 0:
            return memory
        return self.smoothing * memory + (1 - self.smoothing) * losses / total


@dataclass(frozen=True, slots=True)
class EqualWeights:
    """Every task counts 1/S: the paper's `Average` ablation."""

    def init(self, tasks: int) -> Tensor:
        """Weights 1/S."""
        return torch.full((tasks,), 1.0 / tasks)

    def weights(self, memory: Tensor) -> Tensor:
        """Return the memory: it is the weights."""
        return memory

    def update(self, memory: Tensor, losses: Tensor) -> Tensor:
        """Keep the weights."""
        return memory


@dataclass(frozen=True, slots=True)
class DynamicWeightAverage:
    """Weights softmax(r / T) of the ratio r of the last two losses (Liu, Johns, Davison, CVPR 2019).

    The published rule compares averages of two epochs; here they are two exponential averages of the step
    losses, a fast and a slow one. Sums to 1 (the publication's to S).

    Parameters
    ----------
    temperature : float
        T; large values approach equal weights.
    """

    temperature: float = 2.0

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ConfigError(f"temperature must be positive, got {self.temperature}")

    def init(self, tasks: int) -> Tensor:
        """Fast and slow average `[2, S]`, not yet known."""
        return torch.zeros(2, tasks)

    def weights(self, memory: Tensor) -> Tensor:
        """Return softmax of fast over slow; equal before the first update."""
        fast, slow = memory
        ratio = torch.where(slow > 0, fast / slow.clamp_min(1e-12), torch.ones_like(slow))
        return torch.softmax(ratio / self.temperature, dim=0)

    def update(self, memory: Tensor, losses: Tensor) -> Tensor:
        """Follow the losses at rates 1/20 and 1/200."""
        losses = losses.detach().to(memory)
        if not memory.any():
            return torch.stack([losses, losses])
        rates = torch.tensor([[1 / 20], [1 / 200]]).to(memory)
        return memory + rates * (losses - memory)


@dataclass(frozen=True, slots=True)
class UncertaintyWeights:
    """Weights exp(−s_k), s_k = log σ_k² (Kendall, Gal, Cipolla, CVPR 2018).

    Minimises Σ_k exp(−s_k) L_k + s_k in s by plain gradient steps beside the network's own, instead of
    handing s to the optimiser: the weights then stay out of the network's gradient like the other rules'.

    Parameters
    ----------
    learning_rate : float
        Step in s.
    """

    learning_rate: float = 0.01

    def __post_init__(self) -> None:
        if self.learning_rate <= 0:
            raise ConfigError(f"learning_rate must be positive, got {self.learning_rate}")

    def init(self, tasks: int) -> Tensor:
        """Start from s = log S, which is weight 1/S."""
        return torch.full((tasks,), float(tasks)).log()

    def weights(self, memory: Tensor) -> Tensor:
        """Return exp(−s)."""
        return torch.exp(-memory)

    def update(self, memory: Tensor, losses: Tensor) -> Tensor:
        """One step down the gradient 1 − exp(−s) L."""
        return memory - self.learning_rate * (1 - torch.exp(-memory) * losses.detach())


#: The rules by the names used in configurations.
WEIGHTINGS: dict[str, Callable[[], LossWeighting]] = {
    "dynamic": DynamicWeights,
    "equal": EqualWeights,
    "dwa": DynamicWeightAverage,
    "uncertainty": UncertaintyWeights,
}
