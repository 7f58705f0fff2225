"""The paper's gap, made from a solution map: what both lower levels share."""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from simmst.errors import ConfigError

Array = NDArray[np.floating]


class SolutionGap(ABC):
    """h(x, y) = ‖y − y*(x)‖² of a lower level that can say y*(x) and pull a vector back through it.

    `cutplane` takes it as a lower level as it stands: `gap` for the joint formulation, `solution` and `vjp`
    for the reduced one.
    """

    version: int = 0
    """Rises when h becomes another function; a solver's planes are then void."""

    @abstractmethod
    def solution(self, x: Array) -> Array:
        """Return y*(x), in the dtype of x."""

    @abstractmethod
    def vjp(self, x: Array, v: Array) -> Array:
        """Return (∂y*/∂x)ᵀ v, the shape and dtype of x."""

    def gap(self, x: Array, y: Array) -> tuple[float, Array, Array]:
        """Return h(x, y), its gradient in x and its gradient in y."""
        y, target = np.asarray(y), self.solution(x)
        if y.shape != target.shape:
            raise ConfigError(f"y must have shape {target.shape}, got {y.shape}")
        away = y - target
        value = float(np.square(away, dtype=np.float64).sum())
        return value, self.vjp(x, -2 * away), (2 * away).astype(y.dtype)

    def restore(self, x: Array, y: Array, epsilon: float) -> Array:
        """Return the point nearest to y with h ≤ ε at this x."""
        target = self.solution(x)
        away = y - target
        length = float(np.linalg.norm(away))
        if length**2 <= epsilon:
            return y
        # A hair inside, so that rounding does not put the point outside again.
        out: Array = target + away * (np.sqrt(epsilon) * (1 - 1e-6) / length)
        return out
