"""The lower level given by its objective: the gap is g(x, y) − min g(x, ·), the value-function constraint."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy

from cutplane._arrays import Array, vector
from cutplane.errors import InputError, NoAnswerError, OracleError, SeveralAnswersError
from cutplane.oracles.rim import rim
from cutplane.oracles.several import Surroundings, another_solution
from cutplane.problem import Constraint

Objective = Callable[[Array, Array], tuple[float, Array, Array]]
Hessians = Callable[[Array, Array, Array], tuple[Array, Array]]

_ACTIVE = 1e-9
"""Multipliers above this share of the largest one mark a lower-level constraint as active."""
_EXCESS = 1e-2
"""By how much an inner solver may miss the minimum, relative: more is not a matter of its accuracy."""
_ROUNDING = 1e-8
"""By how much it may miss the minimum where its y meets the optimality conditions, relative."""
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
    unique : bool
        False where the inner solver knows another y with the same g: y*(x) has then no derivative.
    bounds : tuple of two ndarrays of shape (n_y,), optional
        Bounds of y that the constraints do not list; other solutions are looked for within them.
    slope : ndarray of shape (n_x,), optional
        ∇v(x), where the inner solver knows it; by default it comes from the multipliers.
    """

    y: Array
    multipliers: Array = field(default_factory=_no_multipliers)
    fixed: Array | None = None
    active: Array | None = None
    unique: bool = True
    bounds: tuple[Array, Array] | None = None
    slope: Array | None = None


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
    the constraints alone keep the point out. A feasible y below v proves that the inner solver failed: an
    `OracleError`, unless y* misses the optimality conditions by so much that this explains it to first order.

    Where the lower level has several solutions at an x, the gap does not mind, but y*(x) means nothing: `vjp`
    raises there. It knows of them by the inner solver's word, or by looking along directions in which the
    Lagrangian does not curve; what it finds is checked by values of g and c. A solution elsewhere, behind a
    hill of g, is found only by an inner solver with several starts.
    """

    _looks = 20
    """Most evaluations of g on the way of `restore`."""

    def __init__(
        self, objective: Objective, solver: InnerSolver, constraints: Constraint | None = None,
        hessians: Hessians | None = None,
    ) -> None:  # fmt: skip
        self.objective, self.solver, self.constraints = objective, solver, constraints
        self._hessians = hessians
        self.version = 0  # raised by a user whose lower level changes: planes and answers are then void
        self._last: tuple[int, Array, LowerSolution] | None = None
        self._best: tuple[float, Array, Array] | None = None
        self._looked_at: LowerSolution | None = None  # the answer that is known to have none beside it

    def solve(self, x: Any) -> LowerSolution:
        """Return the inner solver's answer at x, remembered for repeated questions."""
        x = vector(x, "x")
        if self._last is None or self._last[0] != self.version or not np.array_equal(self._last[1], x):
            self._last = (self.version, x.copy(), self._ask(x))
            self._looked_at = self._best = None
        return self._last[2]

    def _ask(self, x: Array) -> LowerSolution:
        answer = self.solver(x)
        if isinstance(answer, LowerSolution):
            found = answer
        elif isinstance(answer, tuple):
            if len(answer) != 2:
                raise OracleError(
                    f"ValueFunction: the inner solver returned {len(answer)} things; return y or (y, multipliers)"
                )
            found = LowerSolution(*answer)
        else:
            found = LowerSolution(answer)
        found = replace(found, y=_own(found.y, "y*"), multipliers=_own(found.multipliers, "multipliers"))
        if not (np.isfinite(found.y).all() and np.isfinite(found.multipliers).all()):
            raise NoAnswerError(f"ValueFunction: the inner solver's solution is not finite at x = {x}")
        if self.constraints is not None:
            values = np.atleast_1d(self.constraints(x, found.y)[0])
            if found.multipliers.shape != values.shape:
                raise OracleError(
                    f"ValueFunction: the inner solver gave {found.multipliers.size} multipliers for "
                    f"{values.size} constraints; return (y, multipliers)"
                )
        return found

    def solution(self, x: Any) -> Array:
        """Return y*(x)."""
        return self.solve(x).y

    def gap(self, x: Any, y: Any) -> tuple[float, Array, Array]:
        """Return (h, gradient in x, gradient in y).

        Raises
        ------
        NoAnswerError
            Where the lower level has no solution at x.
        OracleError
            Where y proves that the inner solver's answer is no minimum.
        """
        x, y, found = self._pair(x, y)
        value, g_x, g_y = self.objective(x, y)
        best, v_x, slope = self._at_solution(x, found)
        if not np.isfinite(best):
            raise NoAnswerError(f"ValueFunction: min g(x, ·) is {float(best)} at x = {x}")
        g_x, g_y = np.asarray(g_x), np.asarray(g_y)
        if value <= best:
            self._below(x, y, found, float(value), float(best), np.asarray(slope))
            return 0.0, np.zeros_like(g_x), np.zeros_like(g_y)
        if found.slope is not None:
            v_x = found.slope
        elif self.constraints is not None:
            v_x = v_x + found.multipliers @ np.atleast_2d(self.constraints(x, found.y)[1])
        return float(value - best), g_x - np.asarray(v_x), g_y

    def _at_solution(self, x: Array, found: LowerSolution) -> tuple[float, Array, Array]:
        """Objective and gradients at (x, y*(x)), asked once."""
        if self._best is None:
            self._best = self.objective(x, found.y)
        return self._best

    def _pair(self, x: Any, y: Any) -> tuple[Array, Array, LowerSolution]:
        x, y = vector(x, "x"), vector(y, "y")
        found = self.solve(x)
        if found.y.shape != y.shape:
            raise OracleError(f"ValueFunction: the inner solver returned shape {found.y.shape}, y has {y.shape}")
        return x, y, found

    def _below(
        self, x: Array, y: Array, found: LowerSolution, value: float, best: float, slope: Array
    ) -> None:  # fmt: skip
        """Raise where y is feasible and better than y* by more than the accuracy of y* explains.

        For a convex lower level g(y) ≥ g(y*) + ∇L·(y − y*) + μ·(c(y*) − c(y)), whatever y* and μ ≥ 0 are.
        """
        explained = 0.0
        if self.constraints is not None:
            rounding = 1e-9 * (1.0 + float(np.abs(y).max(initial=0.0)))
            if (np.atleast_1d(self.constraints(x, y)[0]) > rounding).any():
                return
            values, _, rows = self.constraints(x, found.y)
            slope = slope + found.multipliers @ np.atleast_2d(rows)
            explained = float(found.multipliers @ (np.abs(np.atleast_1d(values)) + rounding))
        explained += max(0.0, -float(slope @ (y - found.y)))
        unit = 1.0 + abs(best)
        if best - value > min(_EXCESS * unit, _ROUNDING * unit + 2 * explained):
            raise OracleError(
                f"ValueFunction: the inner solver's y has g = {best:.6g}, but there is a y with "
                f"{value:.6g}: it found no global minimum (give it more starts, or a tighter tolerance)"
            )

    def restore(self, x: Any, y: Any, epsilon: float) -> Array:
        """Return a point near y, on its segment to y*(x), that is feasible with h ≤ ε.

        It lies on the rim of these points as nearly as a few evaluations of g and c bring it; where y* itself
        misses a constraint by a little, the point may miss it by as much.
        """
        x, y, found = self._pair(x, y)
        target = found.y
        best = float(self._at_solution(x, found)[0])
        at_target = self._values(x, target)
        most = np.maximum(at_target, 0.0) + _FEASIBLE

        def ratio(point: Array) -> float:
            """What is used up of ε and of the constraints' slack: below 1 inside."""
            excess = float(self.objective(x, point)[0]) - best
            gap = excess / epsilon if epsilon > 0 else (0.0 if excess <= 0 else np.inf)
            with np.errstate(invalid="ignore"):
                used = (self._values(x, point) - at_target) / (most - at_target)
            worst = max(gap, float(used.max(initial=0.0)))
            return worst if np.isfinite(worst) else np.inf

        if (outside := ratio(y)) <= 1.0:
            return np.asarray(y)
        if not epsilon > 0:
            return target.copy()
        away = y - target
        return np.asarray(target + rim(lambda s: ratio(target + s * away), outside, self._looks) * away)

    def _values(self, x: Array, y: Array) -> Array:
        return np.zeros(0) if self.constraints is None else np.atleast_1d(self.constraints(x, y)[0])

    @property
    def vjp(self) -> Callable[[Any, Any], Array]:
        """``vjp(x, v) -> (dy*/dx)ᵀ v``; missing where no `hessians` were given."""
        if self._hessians is None:
            raise AttributeError("ValueFunction: vjp needs hessians=")
        return self._implicit_vjp

    def _implicit_vjp(self, x: Any, v: Any) -> Array:
        assert self._hessians is not None
        x, v = vector(x, "x"), vector(v, "v")
        found = self.solve(x)
        if v.shape != found.y.shape:
            raise InputError(f"ValueFunction: v has {v.size} entries, y*(x) has {found.y.size}")
        positive = found.multipliers > _ACTIVE * max(1.0, float(found.multipliers.max(initial=0.0)))
        self._require_one(x, found, positive)
        l_yy, l_yx = self._hessians(x, found.y, found.multipliers)
        free = np.ones(v.size, dtype=bool) if found.fixed is None else ~found.fixed
        j_x, j_y = np.zeros((0, x.size)), np.zeros((0, v.size))
        if self.constraints is not None:
            active = positive if found.active is None else found.active
            _, c_x, c_y = self.constraints(x, found.y)
            j_x, j_y = np.atleast_2d(c_x)[active], np.atleast_2d(c_y)[active]
        adjoint, weights = _solve_kkt(np.asarray(l_yy)[np.ix_(free, free)], j_y[:, free], v[free])
        return np.asarray(-(np.asarray(l_yx)[free].T @ adjoint + j_x.T @ weights))

    def _require_one(self, x: Array, found: LowerSolution, positive: Array) -> None:
        """Raise where another solution is known or found."""
        if self._looked_at is found:
            return
        other = None if not found.unique else self._another(x, found, positive)
        if other is not None or not found.unique:
            where = "" if other is None else f" (y = {found.y} and y = {other} have the same g)"
            raise SeveralAnswersError(
                f"{type(self).__name__}: the lower level's solution is not unique at x = {x}{where}: which one "
                "the leader gets is not said; use formulation='joint', or add a small strictly convex term to g"
            )
        self._looked_at = found

    def _another(self, x: Array, found: LowerSolution, positive: Array) -> Array | None:
        y, n, assumed = found.y, found.y.size, self._hessians
        assert assumed is not None

        def rows(point: Array) -> tuple[Array, Array]:
            if self.constraints is None:
                return np.zeros(0), np.zeros((0, n))
            values, _, jacobian = self.constraints(x, point)
            return np.atleast_1d(values), np.atleast_2d(jacobian)

        free = np.ones(n, dtype=bool)
        if found.fixed is not None:  # a bound holds by force only where g would fall beyond it
            gradient = np.asarray(self.objective(x, y)[2])
            pull = np.abs(gradient + found.multipliers @ rows(y)[1])
            free = ~found.fixed | (pull <= _ACTIVE * (1.0 + np.abs(gradient).max(initial=0.0)))
        lower, upper = found.bounds if found.bounds is not None else (np.full(n, -np.inf), np.full(n, np.inf))
        around = Surroundings(
            value=lambda point: float(self.objective(x, point)[0]), rows=rows,
            curvature=lambda point: np.asarray(assumed(x, point, found.multipliers)[0]),
            held=positive, free=free, lower=lower, upper=upper,
        )  # fmt: skip
        return another_solution(around, y)


def _own(value: Any, name: str) -> Array:
    """A copy of what an inner solver returned, as a vector."""
    try:
        own = np.array(vector(value, name, finite=False), copy=True)
    except InputError as error:
        raise OracleError(f"ValueFunction: the inner solver's answer is wrong: {error}") from None
    own.flags.writeable = False
    return own


def _solve_kkt(hessian: Array, rows: Array, right: Array) -> tuple[Array, Array]:
    """Solve [H Jᵀ; J 0] (u, w) = (right, 0): the adjoint of the active optimality conditions."""
    n, k = hessian.shape[0], rows.shape[0]
    if n == 0 or not right.any():
        return np.zeros(n), np.zeros(k)
    system = np.block([[hessian, rows.T], [rows, np.zeros((k, k))]])
    rhs = np.concatenate([right, np.zeros(k)])
    solved = scipy.linalg.lstsq(system, rhs, check_finite=False)[0]
    if not float(np.abs(system @ solved - rhs).max()) <= 1e-6 * float(np.abs(right).max()):
        raise NoAnswerError(
            "the lower level's solution has no derivative at this x that its optimality conditions give: they are "
            "singular there, as at the minimum of (y − x)⁴ (no second solution was found); "
            "use formulation='joint', or SolutionMap with a derivative of your own"
        )
    return solved[:n], solved[n:]
