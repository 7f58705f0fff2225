"""The lower level by its first-order condition: the gap is ‖∇_y g(x, y)‖²."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy

from cutplane._arrays import Array, vector
from cutplane.errors import OracleError
from cutplane.oracles.rim import rim

Product = Callable[[Array, Array, Array], Array]

_LOOKS = 20
"""Most evaluations of the gradient on the way to the rim."""


class Stationarity:
    """Gap h(x, y) = ‖∇_y g(x, y)‖², for a lower level without constraints.

    Parameters
    ----------
    gradient : callable
        ``gradient(x, y) -> ∇_y g`` of shape [n_y].
    hvp : callable
        ``hvp(x, y, v) -> ∇²_yy g v`` of shape [n_y].
    cross : callable
        ``cross(x, y, v) -> ∇²_xy g v`` of shape [n_x]: the gradient in x of ∇_y g · v.

    Notes
    -----
    Right for g convex in y; otherwise every stationary y counts as optimal, maxima as well. h is convex in
    (x, y) for a quadratic g. There is no solution map here (a stationarity condition has many solutions),
    so the reduced formulation is not available: give a `SolutionMap` or a `ValueFunction` for that.
    """

    def __init__(self, gradient: Callable[[Array, Array], Array], hvp: Product, cross: Product) -> None:
        self.gradient, self.hvp, self.cross = gradient, hvp, cross

    def gap(self, x: Any, y: Any) -> tuple[float, Array, Array]:
        """Return (h, gradient in x, gradient in y)."""
        x, y = vector(x, "x"), vector(y, "y")
        slope = self._slope(x, y)
        return (
            float(slope @ slope), 2.0 * np.asarray(self.cross(x, y, slope)),
            2.0 * np.asarray(self.hvp(x, y, slope)),
        )  # fmt: skip

    def restore(self, x: Any, y: Any, epsilon: float) -> Array:
        """Return a point near y with h ≤ ε by Newton's method; the best point reached where that fails."""
        x, y = vector(x, "x"), vector(y, "y")
        slope = self._slope(x, y)
        for _ in range(50):
            size = float(slope @ slope)
            if size <= epsilon:
                break
            step, rate = self._newton(x, y, slope), 1.0
            while rate > 1e-8:
                trial = self._slope(x, y - rate * step)
                if float(trial @ trial) <= (1 - 0.1 * rate) * size:
                    break
                rate *= 0.5
            else:
                break
            # stop on the rim of {h ≤ ε} and not deep inside: the upper level loses least there
            if 0 < epsilon and float(trial @ trial) < epsilon:
                return self._on_rim(x, y, rate * step, size / epsilon, epsilon)
            y, slope = y - rate * step, trial
        return np.asarray(y)

    def _on_rim(self, x: Array, y: Array, step: Array, outside: float, epsilon: float) -> Array:
        inside = y - step

        def ratio(share: float) -> float:
            slope = self._slope(x, inside + share * step)
            return float(slope @ slope) / epsilon

        return np.asarray(inside + rim(ratio, outside, _LOOKS) * step)

    def _newton(self, x: Array, y: Array, slope: Array) -> Array:
        unit = slope / (float(np.linalg.norm(slope)) or 1.0)
        # in units of its own: `minres` takes the machine's epsilon, whatever the scale, for the least curvature
        size = float(np.linalg.norm(self.hvp(x, y, unit))) or 1.0
        operator = scipy.sparse.linalg.LinearOperator(
            (y.size, y.size), matvec=lambda v: np.asarray(self.hvp(x, y, np.ravel(v))) / size, dtype=y.dtype
        )
        # minimal residual iterations: the Hessian need not be definite away from the solution
        step, _ = scipy.sparse.linalg.minres(operator, unit, rtol=1e-12, maxiter=10 * y.size)
        return np.asarray(step * (float(np.linalg.norm(slope)) / size))

    def _slope(self, x: Array, y: Array) -> Array:
        slope = np.asarray(self.gradient(x, y))
        if slope.shape != y.shape:
            raise OracleError(f"Stationarity.gradient returned shape {slope.shape}, y has shape {y.shape}")
        return slope
