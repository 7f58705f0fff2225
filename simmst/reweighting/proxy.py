"""The exact linear proxy: a ridge on window features as lower level, solved in closed form."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from cutplane import SolutionMap
from simmst.errors import ConfigError
from simmst.nn.window_scale import window_scale
from simmst.reweighting.weights import SampleWeights
from simmst.traffic.ridge import NormalEquations, solved
from simmst.traffic.windows import WindowBatch, WindowSource, iterate_batches

Array = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Samples:
    """Features `[n, d]` (the last one constant 1) and targets `[n, m]`."""

    features: Array
    targets: Array


def window_samples(windows: WindowSource, rescale: bool = True, steps: int | None = None) -> Samples:
    """Features and targets of windows, cut batch by batch.

    Features are the history of the window's own node, all services, and a constant: d = L · S + 1. Targets
    are the whole horizon, m = H · S.

    Parameters
    ----------
    windows : WindowSource
    rescale : bool
        Subtract from each window and service the mean of its history and divide by its deviation, so that
        windows of nodes of any size are alike.
    steps : int, optional
        Only the last steps of the history are features; all by default.
    """
    if steps is not None and steps < 1:
        raise ConfigError(f"steps={steps}: features need at least one step of history")
    parts = [_features(batch, rescale, steps) for _, batch in iterate_batches(windows, 1024)]
    if not parts:
        raise ConfigError("there are no windows to make features of")
    features, targets = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Samples(features, targets)


def _features(
    batch: WindowBatch, rescale: bool, steps: int | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    own, target = batch.history[:, :, batch.history.shape[2] // 2], batch.target  # [B, L, S], [B, H, S]
    if steps is not None:
        own = own[:, -steps:]
    if rescale:
        mean, deviation = (part.numpy() for part in window_scale(torch.from_numpy(own)))
        own, target = (own - mean) / deviation, (target - mean) / deviation
    count = len(own)
    ones = np.ones((count, 1), dtype=np.float32)
    return np.concatenate([own.reshape(count, -1), ones], axis=1), target.reshape(count, -1)


class RidgeLevel(SolutionMap):
    """Θ*(x) = argmin (1/2n) Σ_j s_j ‖Θᵀa_j − y_j‖² + (penalty/2) ‖Θ‖², exactly, with its exact derivative.

    One Cholesky factor of the weighted normal matrix G gives the solution, flattened `[d · m]`, and one solve
    with it pulls a vector V back: with G U = V, the component of s_j is ⟨Uᵀa_j, y_j − Θᵀa_j⟩ / n. The gap is
    the paper's, ‖y − Θ*(x)‖².

    Parameters
    ----------
    samples : Samples
        Simulated windows.
    weights : SampleWeights
    penalty : float
        Of all coefficients but the constant's.
    """

    def __init__(self, samples: Samples, weights: SampleWeights, penalty: float = 1e-3) -> None:
        if len(samples.features) != weights.samples:
            raise ConfigError(f"{len(samples.features)} samples, but {weights.samples} weights")
        if not penalty > 0:
            raise ConfigError(f"penalty must be positive, got {penalty}")
        self.samples, self.weights = samples, weights
        self.shape = samples.features.shape[1], samples.targets.shape[1]
        self._penalty = np.full(self.shape[0], float(penalty))
        self._penalty[-1] = 1e-9 * penalty  # only to keep G definite where every weight is 0
        self._solved: tuple[Array, Array, Array] | None = None
        super().__init__(self._forward, self._pull_back, norm="squared")

    def _forward(self, x: Array) -> Array:
        return self._solve(x)[1].ravel().astype(x.dtype)

    def _pull_back(self, x: Array, v: Array) -> Array:
        """(∂Θ*/∂x)ᵀ v by one adjoint solve."""
        _, theta, factor = self._solve(x)
        adjoint = solved(factor, v.astype(np.float64).reshape(self.shape))
        a, y = self.samples.features, self.samples.targets
        dtype = a.dtype
        residual = y - a @ theta.astype(dtype)
        in_samples = np.einsum("jm,jm->j", a @ adjoint.astype(dtype), residual, dtype=np.float64) / len(a)
        return self.weights.pull_back(x, in_samples).astype(x.dtype)

    def _solve(self, x: Array) -> tuple[Array, Array, Array]:
        if self._solved is None or not np.array_equal(self._solved[0], x):
            equations = NormalEquations(*self.shape)
            a, y = self.samples.features, self.samples.targets
            equations.add(a, y, self.weights.of(x) / len(a))
            factor = equations.factor(self._penalty)
            self._solved = x.copy(), solved(factor, equations.moment), factor
        return self._solved


@dataclass(frozen=True, slots=True)
class SmoothAbsoluteError:
    """Upper objective: mean of √(r² + δ²) − δ over the errors r of a linear model on real windows.

    Parameters
    ----------
    samples : Samples
        Real windows.
    delta : float
        Errors below δ count squared, larger ones linearly.
    """

    samples: Samples
    delta: float = 0.1

    def __call__(self, x: Array, y: Array) -> tuple[float, Array, Array]:
        """Return the error of coefficients y `[d · m]` and its gradients; that in x is 0."""
        a, target = self.samples.features, self.samples.targets
        theta = np.asarray(y, dtype=a.dtype).reshape(a.shape[1], target.shape[1])
        residual = a @ theta - target
        root = np.sqrt(np.square(residual) + a.dtype.type(self.delta**2))
        value = float(np.mean(root, dtype=np.float64)) - self.delta
        gradient = a.T @ (residual / root) / residual.size
        return value, np.zeros_like(x), gradient.ravel().astype(np.asarray(y).dtype)
