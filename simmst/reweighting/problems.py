"""Sim2Real as a bi-level problem: real windows above, weighted simulated windows below (equation (1))."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cutplane import BilevelProblem, Box, Free, Polytope, SolutionMap
from cutplane.problem import UpperObjective
from cutplane.sets import FeasibleSet
from simmst.errors import ConfigError
from simmst.nn.draws import frozen_draws
from simmst.reweighting.flat import FlatModel
from simmst.reweighting.proxy import RidgeLevel, SmoothAbsoluteError, window_samples
from simmst.reweighting.unrolled import Index, SampleLosses, UnrollConfig, UnrolledOracle
from simmst.reweighting.weight_set import budget
from simmst.reweighting.weights import SampleWeights
from simmst.traffic.windows import WindowSource
from simmst.training.losses import ErrorName, task_errors
from simmst.training.trainer import to_tensors

Array = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Sim2Real:
    """A bi-level problem with its start and the meaning of its upper variable."""

    problem: BilevelProblem
    weights: SampleWeights
    x0: Array
    y0: Array

    @classmethod
    def of(
        cls,
        upper: UpperObjective,
        lower: SolutionMap,
        weights: SampleWeights,
        share: float | None = None,
        floor: float | None = None,
    ) -> Self:
        """Put an upper and a lower level together, starting from equal weights.

        Parameters
        ----------
        upper : callable
            ``upper(x, y) -> (value, grad_x, grad_y)``.
        lower : SolutionMap
            `UnrolledOracle`, `RidgeLevel`, or one of your own.
        weights : SampleWeights
        share : float, optional
            Keep Σs at this share of n exactly; otherwise s only stays in [0, 1]. Not with sigmoid weights.
        floor : float, optional
            Keep the effective sample size at this share of n at least. Needs `share`, and weights that
            samples take from one entry of x each (per sample or per world).
        """
        x_set, x0 = _start(weights, share, floor)
        return cls(BilevelProblem(upper, lower, x_set=x_set), weights, x0, lower.solution(x0))

    def starting_at(self, s: Array) -> Self:
        """Return the problem with a start that resembles sample weights s `[n]`: a warm start.

        Only the proportions of s count where the budget is fixed.
        """
        s = np.asarray(s, dtype=np.float64)
        if s.shape != (self.weights.samples,) or not np.isfinite(s).all() or (s < 0).any() or not s.any():
            raise ConfigError(f"s must be {self.weights.samples} finite weights, at least 0 and not all 0")
        if isinstance(self.problem.x_set, Polytope):
            s = s * (self.weights.of(self.x0).mean() / s.mean())
        x0 = self.problem.x_set.project(self.weights.nearest(s))
        lower = self.problem.lower
        assert isinstance(lower, SolutionMap)
        return replace(self, x0=x0, y0=lower.solution(x0))


class MeanLoss:
    """Upper objective: the mean loss of a model on real samples, as a function of its flat parameters.

    Parameters
    ----------
    model : Module
        Copied, and put in evaluation mode: the upper level has no dropout.
    losses : callable
        As the K-step oracle's.
    samples : int
    chunk_size : int
        Samples evaluated at once.
    """

    def __init__(self, model: nn.Module, losses: SampleLosses, samples: int, chunk_size: int = 256) -> None:
        self._flat, self._losses = FlatModel(model), losses
        self._flat.model.eval()
        self.samples, self.chunk_size = samples, chunk_size

    def __call__(self, x: Array, y: Array) -> tuple[float, Array, Array]:
        """Return the mean loss at parameters y `[p]` and its gradients; that in x is 0."""
        y = np.asarray(y)
        point = torch.from_numpy(y.copy()).to(self._flat.start).requires_grad_()
        value, gradient = 0.0, torch.zeros_like(self._flat.start)
        for first in range(0, self.samples, self.chunk_size):
            index = slice(first, min(first + self.chunk_size, self.samples))
            with frozen_draws(point.device, first):
                loss = self._losses(self._flat.at(point), index).sum() / self.samples
            value += float(loss.detach())
            gradient += torch.autograd.grad(loss, point)[0]
        return value, np.zeros_like(x), np.asarray(gradient.cpu()).astype(y.dtype)


def network_problem(
    model: nn.Module,
    simulated: WindowSource,
    real: WindowSource,
    weights: SampleWeights,
    unroll: UnrollConfig,
    *,
    share: float | None = None,
    floor: float | None = None,
    error: ErrorName = "mae",
    task_weights: Tensor | None = None,
) -> Sim2Real:
    """Sim2Real with K steps of the network as lower level: the paper's problem.

    The windows are held in memory, as each iteration needs them again: about 8 kB each at L = 48 and four
    services. Cut no more than that allows.

    Parameters
    ----------
    model : Module
        Its present parameters are the anchor φ^0, its mode that of the unrolled steps.
    simulated, real : WindowSource
        Lower and upper level.
    weights : SampleWeights
    unroll : UnrollConfig
    share, floor : float, optional
        As in `Sim2Real.of`.
    error : {"mae", "mse", "huber"}
    task_weights : Tensor of shape (S,), optional
        ω of equation (14), held fixed; equal by default. Other weights make another gap function.
    """
    below = _window_losses(simulated, model, error, task_weights)
    lower = UnrolledOracle(model, below, _matching(weights, simulated), unroll)
    upper = MeanLoss(model, _window_losses(real, model, error, task_weights), len(real))
    return Sim2Real.of(upper, lower, weights, share, floor)


def proxy_problem(
    simulated: WindowSource,
    real: WindowSource,
    weights: SampleWeights,
    *,
    share: float | None = None,
    floor: float | None = None,
    penalty: float = 1e-3,
    delta: float = 0.1,
    rescale: bool = True,
    steps: int | None = None,
) -> Sim2Real:
    """Sim2Real with a ridge on window features as lower level, solved exactly: see `proxy`.

    Parameters
    ----------
    simulated, real : WindowSource
    weights : SampleWeights
    share, floor : float, optional
        As in `Sim2Real.of`.
    penalty, delta, rescale, steps : float, float, bool, int, optional
        Of `RidgeLevel`, `SmoothAbsoluteError` and `window_samples`.
    """
    below, above = (window_samples(windows, rescale, steps) for windows in (simulated, real))
    lower, upper = RidgeLevel(below, _matching(weights, simulated), penalty), SmoothAbsoluteError(above, delta)
    return Sim2Real.of(upper, lower, weights, share, floor)


def _matching(weights: SampleWeights, simulated: WindowSource) -> SampleWeights:
    if weights.samples != len(simulated):
        raise ConfigError(f"weights are for {weights.samples} samples, but there are {len(simulated)} windows")
    return weights


def _start(
    weights: SampleWeights, share: float | None, floor: float | None
) -> tuple[FeasibleSet, NDArray[np.float64]]:
    """Return the set of x and equal weights in it."""
    if floor is not None and share is None:
        raise ConfigError("floor needs share: without a fixed sum the effective sample size bounds nothing convex")
    if weights.sigmoid:
        if share is not None:
            raise ConfigError("share needs weights that are x itself: pass SampleWeights(..., sigmoid=False)")
        return Free(), np.zeros(weights.size)
    if share is None:
        return Box(0.0, 1.0), np.full(weights.size, 0.5)
    if floor is not None and weights.basis.nnz != weights.samples:
        raise ConfigError("floor needs weights per sample or per world")
    return budget(weights.counts, share, floor), np.full(weights.size, float(share))


def _window_losses(
    windows: WindowSource, model: nn.Module, error: ErrorName, task_weights: Tensor | None
) -> SampleLosses:
    """Losses of windows, which are cut once and kept as tensors of the model's dtype on its device."""
    like = next(model.parameters())
    batch = windows.batch(np.arange(len(windows)))
    inputs, target = to_tensors(batch, like.device)
    inputs, target = [t.to(like.dtype) for t in inputs], target.to(like.dtype)
    tasks = target.shape[-1]
    omega = torch.full((tasks,), 1.0 / tasks) if task_weights is None else task_weights.detach()
    omega = omega.to(target)
    if omega.shape != (tasks,):
        raise ConfigError(f"task_weights must have shape ({tasks},), got {tuple(omega.shape)}")

    def losses(predict: Callable[..., Tensor], index: Index) -> Tensor:
        chosen = index if isinstance(index, slice) else index.to(like.device)
        forecast = predict(*(t[chosen] for t in inputs))
        return task_errors(forecast, target[chosen], error) @ omega

    return losses
