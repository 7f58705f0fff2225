"""The lower level given by its objective: the gap is g(x, y) − min g(x, ·), the value-function constraint."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import linalg

from cutplane._arrays import Array
from cutplane.errors import OracleError
from cutplane.problem import Constraint

Objective = Callable[[Array, Array], tuple[float, Array, Array]]
Hessians = Callable[[Array, Array, Array], tuple[Array, Array]]

_ACTIVE = 1e-9
"""Multipliers above this share of the largest one mark a lower-level constraint as active."""
_EXCESS = 1e-2
"""By how much an inner solver may miss the minimum, relative: more is not a matter of its accuracy."""
_FEASIBLE = 1e-11
"""Violation of a lower-level constraint that rounding explains."""


def _no_multipliers() -> Array:
    return np.zeros(0)


@dataclass(frozen=True, slots=True)
class LowerSolution:
    """What an inner solver answers at one x.

    Attributes
    ----------
    y : ndarray of shape (n_y,)
        A global minimiser of g(x, ·) over the lower level's constraints.
    multipliers : ndarray of shape (k,)
        Non-negative multipliers of the constraints ``c(x, y) ≤ 0``.
    fixed : ndarray of shape (n_y,), optional
        True for components held by a bound that the constraints do not list.
    active : ndarray of shape (k,), optional
        Constraints that stay equalities when x moves; by default those of positive multiplier.
    """

    y: Array
    multipliers: Array = field(default_factory=_no_multipliers)
    fixed: Array | None = None
    active: Array | None = None


InnerSolver = Callable[[Array], Any]


class ValueFunction:
    """Gap h(x, y) = g(x, y) − v(x) with the value function v(x) = min over y of g(x, y) s.t. c(x, y) ≤ 0.

    Parameters
    ----------
    objective : callable
        ``g(x, y) -> (value, grad_x, grad_y)``.
    solver : callable
        ``solver(x)`` gives y*(x): a closed form, a `ScipyInner`, or any callable. With constraints it
        returns ``(y*, multipliers)`` or a `LowerSolution`.
    constraints : callable, optional
        Lower-level constraints ``c(x, y) -> (values, jac_x, jac_y)``, feasible where values ≤ 0. They are
        required of (x, y) as well. Bounds on y that do not depend on x may stay in the problem's `y_set`
        alone.
    hessians : callable, optional
        ``hessians(x, y, multipliers) -> (L_yy, L_yx)``, second derivatives of the Lagrangian g + μ·c, of
        shapes [n_y, n_y] and [n_y, n_x]. With them y*(x) is differentiated implicitly (`vjp`), and the
        reduced formulation becomes available.

    Notes
    -----
    ∇v(x) = ∇_x g(x, y*) + Σ μ_i ∇_x c_i(x, y*) (Danskin; with constraints the envelope theorem, for a
    unique multiplier). h is convex in (x, y) for a quadratic g without constraints; with constraints it is
    not in general, even for a linear lower level, since −v is then concave.

    An inner solver that is off by δ in value puts h off by δ: the solver's `epsilon` (1e-10 by default)
    should not be below that. Where y is infeasible for the lower level, g may be below v: h is then 0, and
    the constraints alone keep the point out. Without constraints a y below v proves that the inner solver
    failed, which is an `OracleError`.
    """

    def __init__(
        self, objective: Objective, solver: InnerSolver, constraints: Constraint | None = None,
        hessians: Hessians | None = None,
    ) -> None:  # fmt: skip
        self.objective, self.solver, self.constraints = objective, solver, constraints
        self._hessians = hessians
        self.version = 0  # raised by a user whose lower level changes: planes and answers are then void
        self._last: tuple[int, Array, LowerSolution] | None = None

    def solve(self, x: Array) -> LowerSolution:
        """Return the inner solver's answer at x, remembered for repeated questions."""
        if self._last is None or self._last[0] != self.version or not np.array_equal(self._last[1], x):
            self._last = (self.version, x.copy(), self._ask(x))
        return self._last[2]

    def _ask(self, x: Array) -> LowerSolution:
        answer = self.solver(x)
        if isinstance(answer, LowerSolution):
            found = answer
        elif isinstance(answer, tuple):
            found = LowerSolution(np.array(answer[0], copy=True), np.array(answer[1], copy=True))
        else:
            found = LowerSolution(np.array(answer, copy=True))
        if not np.isfinite(found.y).all():
            raise OracleError("ValueFunction: the inner solver's solution is not finite")
        if self.constraints is not None:
            values = np.atleast_1d(self.constraints(x, found.y)[0])
            if found.multipliers.shape != values.shape:
                raise OracleError(
                    f"ValueFunction: the inner solver gave {found.multipliers.size} multipliers for "
                    f"{values.size} constraints; return (y, multipliers)"
                )
        return found

    def solution(self, x: Array) -> Array:
        """Return y*(x)."""
        return self.solve(x).y

    def gap(self, x: Array, y: Array) -> tuple[float, Array, Array]:
        """Return (h, gradient in x, gradient in y)."""
        found = self.solve(x)
        if found.y.shape != y.shape:
            raise OracleError(f"ValueFunction: the inner solver returned shape {found.y.shape}, y has {y.shape}")
        value, g_x, g_y = self.objective(x, y)
        best, v_x, _ = self.objective(x, found.y)
        if self.constraints is not None:
            v_x = v_x + found.multipliers @ np.atleast_2d(self.constraints(x, found.y)[1])
        if value <= best:
            if self.constraints is None and value < best - _EXCESS * (1.0 + abs(float(best))):
                raise OracleError(
                    f"ValueFunction: the inner solver's y has g = {float(best):.6g}, but there is a y with "
                    f"{float(value):.6g}: it found no global minimum (give it more starts, or a tighter tolerance)"
                )
            return 0.0, np.zeros_like(g_x), np.zeros_like(g_y)
        return float(value - best), np.asarray(g_x - v_x), np.asarray(g_y)

    def restore(self, x: Array, y: Array, epsilon: float) -> Array:
        """Return the point nearest to y, on its segment to y*(x), that is feasible with h ≤ ε."""
        target = self.solution(x)
        best = self.objective(x, target)[0]

        def admissible(point: Array) -> bool:
            if self.objective(x, point)[0] - best > epsilon:
                return False
            return self.constraints is None or bool(np.all(self.constraints(x, point)[0] <= _FEASIBLE))

        if admissible(y):
            return y
        low, high = 0.0, 1.0
        for _ in range(50):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if admissible(target + middle * (y - target)) else (low, middle)
        return np.asarray(target + low * (y - target))

    @property
    def vjp(self) -> Callable[[Array, Array], Array]:
        """``vjp(x, v) -> (dy*/dx)ᵀ v``; missing where no `hessians` were given."""
        if self._hessians is None:
            raise AttributeError("ValueFunction: vjp needs hessians=")
        return self._implicit_vjp

    def _implicit_vjp(self, x: Array, v: Array) -> Array:
        assert self._hessians is not None
        found = self.solve(x)
        l_yy, l_yx = self._hessians(x, found.y, found.multipliers)
        free = np.ones(v.size, dtype=bool) if found.fixed is None else ~found.fixed
        j_x, j_y = np.zeros((0, x.size)), np.zeros((0, v.size))
        if self.constraints is not None:
            active = found.active
            if active is None:
                active = found.multipliers > _ACTIVE * max(1.0, float(found.multipliers.max(initial=0.0)))
            _, c_x, c_y = self.constraints(x, found.y)
            j_x, j_y = np.atleast_2d(c_x)[active], np.atleast_2d(c_y)[active]
        adjoint, weights = _solve_kkt(np.asarray(l_yy)[np.ix_(free, free)], j_y[:, free], v[free])
        return np.asarray(-(np.asarray(l_yx)[free].T @ adjoint + j_x.T @ weights))


def _solve_kkt(hessian: Array, rows: Array, right: Array) -> tuple[Array, Array]:
    """Solve [H Jᵀ; J 0] (u, w) = (right, 0): the adjoint of the active optimality conditions."""
    n, k = hessian.shape[0], rows.shape[0]
    if n == 0 or not right.any():
        return np.zeros(n), np.zeros(k)
    system = np.block([[hessian, rows.T], [rows, np.zeros((k, k))]])
    rhs = np.concatenate([right, np.zeros(k)])
    solved = linalg.lstsq(system, rhs, check_finite=False)[0]
    if not float(np.abs(system @ solved - rhs).max()) <= 1e-6 * float(np.abs(right).max()):
        raise OracleError(
            "the lower level's solution is not unique at this x, so that it has no derivative: "
            "use formulation='joint'"
        )
    return solved[:n], solved[n:]
