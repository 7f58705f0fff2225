"""An inner solver for `ValueFunction` by scipy, with its accuracy checked and not believed."""

from typing import Any

import numpy as np
from scipy import optimize

from cutplane._arrays import Array, scalar_or_vector
from cutplane.errors import InputError, OracleError
from cutplane.oracles.value_function import LowerSolution, Objective
from cutplane.problem import Constraint


class ScipyInner:
    """Minimise g(x, ·) by L-BFGS-B (bounds) or SLSQP (constraints), from fixed starts.

    Parameters
    ----------
    objective : callable
        ``g(x, y) -> (value, grad_x, grad_y)``, as given to `ValueFunction`.
    starts : array_like of shape (n_y,) or (m, n_y)
        Starts of the search; the lowest of the m results counts. One is enough for a convex lower level.
        A nonconvex one is solved only as globally as the starts reach.
    constraints : callable, optional
        As given to `ValueFunction`.
    lower, upper : array_like
        Bounds of y; put them into the problem's `y_set` too.
    tolerance : float
        Largest violation of the optimality conditions (relative to the gradient) that is accepted.

    Raises
    ------
    OracleError
        When asked, if the conditions are missed by more: the error of the value is of the order of the
        square of that violation over the curvature of g, about 1e-12 at the default.

    Notes
    -----
    The search always begins at the given starts: a warm start would make an answer depend on the ones
    before, and a resumed run differ from one that never stopped. Multipliers are the non-negative least
    squares solution of the optimality conditions.
    """

    def __init__(
        self, objective: Objective, starts: Any, constraints: Constraint | None = None,
        lower: Any = -np.inf, upper: Any = np.inf, tolerance: float = 1e-6,
    ) -> None:  # fmt: skip
        self.objective, self.constraints, self.tolerance = objective, constraints, tolerance
        self.starts = np.atleast_2d(np.asarray(starts, dtype=float))
        if self.starts.ndim != 2 or not np.isfinite(self.starts).all():
            raise InputError("ScipyInner: starts must be finite, of shape (n_y,) or (m, n_y)")
        n = self.starts.shape[1]
        self.lower = np.broadcast_to(scalar_or_vector(lower, "lower"), n)
        self.upper = np.broadcast_to(scalar_or_vector(upper, "upper"), n)
        self.starts = np.clip(self.starts, self.lower, self.upper)

    def __call__(self, x: Array) -> LowerSolution:
        """Return the lowest solution found at x, with its multipliers."""
        best: tuple[float, LowerSolution] | None = None
        worst = np.inf
        for start in self.starts:
            y = self._minimise(x, start)
            missed, answer = self._conditions(x, y)
            worst = min(worst, missed)
            value = float(self.objective(x, y)[0])
            if missed <= self.tolerance and (best is None or value < best[0]):
                best = (value, answer)
        if best is None:
            raise OracleError(
                f"ScipyInner: no start reached the optimality conditions at x = {x} (missed by {worst:.1e}, "
                f"tolerance {self.tolerance:.0e}); scale the lower level or give a closed form"
            )
        return best[1]

    def _minimise(self, x: Array, start: Array) -> Array:
        def fun(y: Array) -> tuple[float, Array]:
            value, _, gradient = self.objective(x, y)
            return float(value), np.asarray(gradient, dtype=float)

        bounds = optimize.Bounds(self.lower, self.upper)
        options: dict[str, Any] = {"maxiter": 1000}
        if self.constraints is None:
            options |= {"ftol": 0.0, "gtol": 1e-12}
            found = optimize.minimize(fun, start, jac=True, bounds=bounds, method="L-BFGS-B", options=options)
            return np.asarray(np.clip(found.x, self.lower, self.upper))
        constraints = self.constraints
        rows = {
            "type": "ineq",
            "fun": lambda y: -np.atleast_1d(constraints(x, y)[0]),
            "jac": lambda y: -np.atleast_2d(constraints(x, y)[2]),
        }
        options |= {"ftol": 1e-16}
        found = optimize.minimize(
            fun, start, jac=True, bounds=bounds, constraints=[rows], method="SLSQP", options=options
        )
        return np.asarray(np.clip(found.x, self.lower, self.upper))

    def _conditions(self, x: Array, y: Array) -> tuple[float, LowerSolution]:
        """Violation of the optimality conditions at y, and the multipliers that meet them best."""
        gradient = np.asarray(self.objective(x, y)[2], dtype=float)
        values, rows = np.zeros(0), np.zeros((0, y.size))
        if self.constraints is not None:
            c, _, c_y = self.constraints(x, y)
            values, rows = np.atleast_1d(c), np.atleast_2d(c_y)
        near = 1e-7 * (1 + np.abs(y).max(initial=0.0))
        held = [rows[i] for i in np.flatnonzero(values > -near)]
        k = len(held)
        at_low, at_up = y - self.lower <= near, self.upper - y <= near
        identity = np.eye(y.size)
        held += [-identity[j] for j in np.flatnonzero(at_low)] + [identity[j] for j in np.flatnonzero(at_up)]
        weights, missed = np.zeros(0), float(np.linalg.norm(gradient))
        if held:
            weights, missed = optimize.nnls(np.array(held).T, -gradient)
        multipliers = np.zeros(values.size)
        multipliers[np.flatnonzero(values > -near)] = weights[:k]
        missed = max(float(missed) / (1 + float(np.linalg.norm(gradient))), float(np.max(values, initial=0.0)))
        on_bounds = np.zeros(y.size)
        where = np.concatenate([np.flatnonzero(at_low), np.flatnonzero(at_up)])
        np.add.at(on_bounds, where, weights[k:])
        fixed = on_bounds > 1e-9 * (1 + on_bounds.max(initial=0.0))
        return missed, LowerSolution(y, multipliers, fixed)
