"""The lower level by its first-order condition: the gap is ‖∇_y g(x, y)‖²."""

from collections.abc import Callable

import numpy as np
from scipy.sparse import linalg

from cutplane._arrays import Array
from cutplane.errors import OracleError

Product = Callable[[Array, Array, Array], Array]


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

    def gap(self, x: Array, y: Array) -> tuple[float, Array, Array]:
        """Return (h, gradient in x, gradient in y)."""
        slope = self._slope(x, y)
        return (
            float(slope @ slope), 2.0 * np.asarray(self.cross(x, y, slope)),
            2.0 * np.asarray(self.hvp(x, y, slope)),
        )  # fmt: skip

    def restore(self, x: Array, y: Array, epsilon: float) -> Array:
        """Return a point near y with h ≤ ε by Newton's method; the best point reached where that fails."""
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
            if float(trial @ trial) < epsilon:
                rate = min(rate, self._rim(x, y, step, rate, epsilon))
                trial = self._slope(x, y - rate * step)
            y, slope = y - rate * step, trial
        return y

    def _rim(self, x: Array, y: Array, step: Array, inside: float, epsilon: float) -> float:
        low, high = 0.0, inside
        for _ in range(40):
            middle = 0.5 * (low + high)
            slope = self._slope(x, y - middle * step)
            low, high = (low, middle) if float(slope @ slope) <= epsilon else (middle, high)
        return high

    def _newton(self, x: Array, y: Array, slope: Array) -> Array:
        operator = linalg.LinearOperator(
            (y.size, y.size), matvec=lambda v: np.asarray(self.hvp(x, y, np.ravel(v))), dtype=y.dtype
        )
        # minimal residual iterations: the Hessian need not be definite away from the solution
        step, _ = linalg.minres(operator, slope, rtol=1e-12, maxiter=10 * y.size)
        return np.asarray(step)

    def _slope(self, x: Array, y: Array) -> Array:
        slope = np.asarray(self.gradient(x, y))
        if slope.shape != y.shape:
            raise OracleError(f"Stationarity.gradient returned shape {slope.shape}, y has shape {y.shape}")
        return slope
