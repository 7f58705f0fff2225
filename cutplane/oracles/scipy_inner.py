"""An inner solver for `ValueFunction` by scipy, with its accuracy checked and not believed."""

from dataclasses import replace
from typing import Any

import numpy as np
import scipy

from cutplane._arrays import Array, scalar_or_vector, vector
from cutplane.errors import InputError, NoAnswerError
from cutplane.oracles.several import equally_low, noise
from cutplane.oracles.value_function import LowerSolution, Objective
from cutplane.problem import Constraint, LinearConstraint

_SAME_VALUE = 1e-9
"""Difference of two minima, relative, that the accuracy of the search explains."""


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
    NoAnswerError
        When asked, if no start reaches the conditions; with the least violation of the rows where that is
        why and the constraints are a `LinearConstraint`. The error of an accepted value is of the order of the
        square of the conditions' violation over the curvature of g, about 1e-12 at the default.

    Notes
    -----
    The search always begins at the given starts: a warm start would make an answer depend on the ones
    before, and a resumed run differ from one that never stopped. Multipliers are the non-negative least
    squares solution of the optimality conditions. Two starts that end at different y with the same g mark the
    answer as one of several (``unique=False``), which a leader in the reduced formulation then hears of.
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

    def __call__(self, x: Any) -> LowerSolution:
        """Return the lowest solution found at x, with its multipliers."""
        x = vector(x, "x")
        reached: list[tuple[float, LowerSolution]] = []
        worst = short = np.inf
        for start in self.starts:
            y = self._minimise(x, start)
            if not np.isfinite(y).all():
                continue
            missed, violated, answer = self._conditions(x, y)
            value = float(self.objective(x, y)[0])
            if not np.isfinite([missed, value]).all():
                continue
            worst, short = min(worst, max(missed, violated)), min(short, violated)
            if max(missed, violated) <= self.tolerance:
                reached.append((value, answer))
        if not reached:
            raise self._nothing(x, worst, short)
        value, best = min(reached, key=lambda pair: pair[0])
        others = [answer.y for other, answer in reached if other - value <= _SAME_VALUE * (1 + abs(value))]
        if any(self._apart(x, best.y, y) for y in others):
            return replace(best, unique=False)
        return best

    def _apart(self, x: Array, y: Array, other: Array) -> bool:
        """Whether two minima of one value are two solutions, and not one flat minimum reached from two sides."""
        size = 1.0 + float(np.abs(y).max(initial=0.0))
        step = float(np.linalg.norm(other - y))
        if step <= 1e-5 * size:
            return False
        along, base = (other - y) / step, float(self.objective(x, y)[0])

        def rise(distance: float) -> float:
            return float(self.objective(x, y + distance * along)[0]) - base

        return equally_low(rise, step, size, max(noise(base), abs(rise(step))))

    def _nothing(self, x: Array, worst: float, short: float) -> NoAnswerError:
        """The error where no start reached the conditions."""
        if not short > self.tolerance:
            return NoAnswerError(
                f"ScipyInner: no start reached the optimality conditions at x = {x} (missed by {worst:.1e}, "
                f"tolerance {self.tolerance:.0e}): the lower level is unbounded or badly scaled there, or starts "
                "are wanting; scale it, bound y, or give a closed form"
            )
        words = f"ScipyInner: no start reached the optimality conditions at x = {x}: no feasible y was found there"
        rows = self.constraints
        if isinstance(rows, LinearConstraint):
            n = self.lower.size
            found = scipy.optimize.linprog(
                np.append(np.zeros(n), 1.0), A_ub=np.hstack([rows.A_y, -np.ones((rows.b.size, 1))]),
                b_ub=rows.b - rows.A_x @ x, method="highs",
                bounds=[*np.column_stack([self.lower, self.upper]).tolist(), (0, None)],
            )  # fmt: skip
            if found.status == 0 and found.fun > 0:
                slope = -np.asarray(found.ineqlin.marginals) @ rows.A_x
                return NoAnswerError(f"{words} (least violation {found.fun:.3g})", float(found.fun), slope)
        return NoAnswerError(f"{words} (every start ends with a violation of {short:.1e} or more)")

    def _minimise(self, x: Array, start: Array) -> Array:
        def fun(y: Array) -> tuple[float, Array]:
            value, _, gradient = self.objective(x, y)
            return float(value), np.asarray(gradient, dtype=float)

        bounds = scipy.optimize.Bounds(self.lower, self.upper)
        options: dict[str, Any] = {"maxiter": 1000}
        if self.constraints is None:
            options |= {"ftol": 0.0, "gtol": 1e-12}
            found = scipy.optimize.minimize(
                fun, start, jac=True, bounds=bounds, method="L-BFGS-B", options=options
            )
            return np.asarray(np.clip(found.x, self.lower, self.upper))
        constraints = self.constraints
        rows = {
            "type": "ineq",
            "fun": lambda y: -np.atleast_1d(constraints(x, y)[0]),
            "jac": lambda y: -np.atleast_2d(constraints(x, y)[2]),
        }
        options |= {"ftol": 1e-16}
        found = scipy.optimize.minimize(
            fun, start, jac=True, bounds=bounds, constraints=[rows], method="SLSQP", options=options
        )
        return np.asarray(np.clip(found.x, self.lower, self.upper))

    def _conditions(self, x: Array, y: Array) -> tuple[float, float, LowerSolution]:
        """Violation of stationarity and of the constraints at y, and the multipliers that suit y best."""
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
            weights, missed = scipy.optimize.nnls(np.array(held).T, -gradient)
        multipliers = np.zeros(values.size)
        multipliers[np.flatnonzero(values > -near)] = weights[:k]
        missed = float(missed) / (1 + float(np.linalg.norm(gradient)))
        violated = float(np.max(values, initial=0.0))
        on_bounds = np.zeros(y.size)
        where = np.concatenate([np.flatnonzero(at_low), np.flatnonzero(at_up)])
        np.add.at(on_bounds, where, weights[k:])
        fixed = on_bounds > 1e-9 * (1 + on_bounds.max(initial=0.0))
        return missed, violated, LowerSolution(y, multipliers, fixed, bounds=(self.lower, self.upper))
