"""A linear or convex quadratic lower level written as data, solved to rounding.

Linear ones go to HiGHS, quadratic ones to an active-set projection: the quadratic solver of HiGHS (1.15.1)
called wrong points optimal in 30 of 1989 random problems with 4 variables and 16 rows.
"""

from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
import scipy

from cutplane._arrays import Array, matrix, scalar_or_vector, vector
from cutplane.errors import InputError, NoAnswerError, OracleError, SeveralAnswersError
from cutplane.oracles.uniqueness import distance_to_another
from cutplane.oracles.value_function import LowerSolution, ValueFunction
from cutplane.problem import LinearConstraint
from cutplane.programs import dense_lp
from cutplane.programs.highs import power

_TOLERANCE = 1e-9
_FAR = 1e6
"""Sides from which on a row is left out at first: it rarely binds, and its rounding drowns the others."""
_FEASIBLE = 1e-11
"""Violation of a row that rounding explains."""
_ANOTHER = 1e-6
"""Distance, relative, from which on another answer of the lower level counts as one."""


class QuadraticLevel(ValueFunction):
    """Lower level min over y of ½ yᵀQy + (c + Px)ᵀy s.t. Ay + Bx ≤ b and lower ≤ y ≤ upper.

    Parameters
    ----------
    c : array_like of shape (n_y,)
    Q : array_like of shape (n_y, n_y), optional
        Symmetric positive semidefinite; without it the lower level is linear.
    P : array_like of shape (n_y, n_x), optional
    A, B, b : array_like of shapes (k, n_y), (k, n_x), (k,), optional
    lower, upper : array_like
        Bounds of y; finite ones join the rows.
    n_x : int, optional
        Needed only where neither P nor B is given.

    Notes
    -----
    The rows are an exact `LinearConstraint` of the bi-level problem. The equations of the active
    set are solved directly at the end, so that the value is accurate to rounding. Where no
    y satisfies the rows at an x, the gap is the least violation of any row, a convex function of x that
    cuts such x off, and `solution` raises `NoAnswerError`, which holds both. Rows whose largest entry in y is
    below 1e-3 or above 1e3 are brought near 1 before their violation is measured. The derivative of y*(x) (`vjp`)
    is that of the active set at x, an element of the generalised Jacobian at a kink; where the lower level has
    several answers at x it is an `OracleError`.

    Examples
    --------
    Bard's follower, min (y − 1)² − 1.5xy with three rows:

    >>> level = QuadraticLevel(Q=[[2]], c=[-2], P=[[-1.5]], A=[[1], [-0.5], [1]], B=[[-3], [1], [1]],
    ...                        b=[-3, 4, 7], lower=0)
    >>> import numpy as np
    >>> level.solution(np.array([1.0])).round(9) + 0.0
    array([0.])
    """

    def __init__(
        self, c: Any, Q: Any = None, P: Any = None, A: Any = None, B: Any = None, b: Any = None,
        lower: Any = -np.inf, upper: Any = np.inf, n_x: int | None = None,
    ) -> None:  # fmt: skip
        self.c = vector(c, "c").astype(float)
        n = self.c.size
        self.Q = np.zeros((n, n)) if Q is None else matrix(Q, "Q", n)
        if self.Q.shape != (n, n) or not np.allclose(self.Q, self.Q.T, rtol=0, atol=1e-12 * np.abs(self.Q).max()):
            raise InputError(f"QuadraticLevel: Q must be a symmetric {n} x {n} matrix")
        if Q is not None and np.linalg.eigvalsh(self.Q)[0] < -1e-10 * np.abs(self.Q).max():
            raise InputError("QuadraticLevel: Q must be positive semidefinite; for others use ValueFunction")
        if (A is None) != (b is None) or (A is None and B is not None):
            raise InputError("QuadraticLevel: A comes with b (and B comes with both)")
        widths = [np.atleast_2d(np.asarray(M)).shape[1] for M in (P, B) if M is not None]
        if not widths and n_x is None:
            raise InputError("QuadraticLevel: give P, B or n_x, so that the length of x is known")
        self.n_x = widths[0] if widths else int(n_x or 0)
        self.P = np.zeros((n, self.n_x)) if P is None else matrix(P, "P", self.n_x)
        if self.P.shape[0] != n:
            raise InputError(f"QuadraticLevel: P has {self.P.shape[0]} rows, c has {n} entries")
        rows = np.zeros((0, n)) if A is None else matrix(A, "A", n)
        k = rows.shape[0]
        on_x = np.zeros((k, self.n_x)) if B is None else matrix(B, "B", self.n_x)
        right = np.zeros(0) if b is None else vector(b, "b", k).astype(float)
        if on_x.shape[0] != k:
            raise InputError(f"QuadraticLevel: B has {on_x.shape[0]} rows, A has {k}")
        bounds = [np.broadcast_to(scalar_or_vector(v, w), n) for v, w in ((lower, "lower"), (upper, "upper"))]
        for bound, sign in zip(bounds, (-1.0, 1.0), strict=True):
            held = np.flatnonzero(np.isfinite(bound))
            rows = np.vstack([rows, sign * np.eye(n)[held]])
            on_x = np.vstack([on_x, np.zeros((held.size, self.n_x))])
            right = np.concatenate([right, sign * bound[held]])
        self.A, self.B, self.b = rows, on_x, right
        self._scale = _row_scale(rows, on_x)
        self._rows, self._on_x = self._scale[:, None] * rows, self._scale[:, None] * on_x
        self._sides = self._scale * right
        self._factor = _cholesky(self.Q) if self.Q.any() else None
        super().__init__(self._objective, self._inner, LinearConstraint(on_x, rows, right), self._second)

    def _objective(self, x: Array, y: Array) -> tuple[float, Array, Array]:
        pull = self.Q @ y
        cost = self.c + self.P @ x
        return float(0.5 * y @ pull + cost @ y), self.P.T @ y, pull + cost

    def _second(self, x: Array, y: Array, multipliers: Array) -> tuple[Array, Array]:
        return self.Q, self.P

    def solve(self, x: Any) -> LowerSolution:
        """Return the answer at x, with its multipliers, remembered for repeated questions.

        Raises
        ------
        NoAnswerError
            Where no y satisfies the rows, or the lower level is unbounded.
        OracleError
            Where x has another length than P or B has columns, or no answer meets the optimality conditions.
        """
        point = vector(x, "x").astype(float)
        if point.size != self.n_x:
            raise OracleError(f"QuadraticLevel: x has {point.size} entries, P or B has {self.n_x} columns")
        return super().solve(point)

    def gap(self, x: Any, y: Any) -> tuple[float, Array, Array]:
        """Return (h, gradient in x, gradient in y); the least violation where no y is feasible."""
        x, y = vector(x, "x").astype(float), vector(y, "y").astype(float)
        try:
            return super().gap(x, y)
        except NoAnswerError as nothing:
            if nothing.violation is None:
                raise
            return nothing.violation, np.asarray(nothing.gradient), np.zeros_like(y)

    def restore(self, x: Any, y: Any, epsilon: float) -> Array:
        """Return the point nearest to y, on its segment to y*(x), that is feasible with h ≤ ε.

        Where there is no feasible y at this x, it is y itself.
        """
        x, y = vector(x, "x").astype(float), vector(y, "y", self.c.size).astype(float)
        try:
            target = self.solution(x)
        except NoAnswerError as nothing:
            if nothing.violation is None:
                raise
            return np.asarray(y)
        way, best = y - target, self._objective(x, target)[0]
        # the gap is a quadratic along the segment, and each row is linear
        slope, bend = float((self.Q @ target + self.c + self.P @ x) @ way), float(way @ self.Q @ way)
        root = max(slope, 0.0) + np.sqrt(max(slope, 0.0) ** 2 + 2 * max(bend, 0.0) * epsilon)
        towards, room = self._rows @ way, self._sides - self._on_x @ x - self._rows @ target
        leaving = towards > 0
        part = min(
            2 * epsilon / root if root > 0 else np.inf,
            float(np.min(np.maximum(room + _FEASIBLE, 0.0)[leaving] / towards[leaving], initial=np.inf)),
        )
        for short in (0.0, 1e-12, 1e-9, 1e-6, 1e-3, 0.5):  # the rounding of the values may be above ε
            point = y if part * (1 - short) >= 1 else target + part * (1 - short) * way
            if self._objective(x, point)[0] - best <= epsilon:
                return np.asarray(point)
        return np.array(target)

    def _implicit_vjp(self, x: Any, v: Any) -> Array:
        x, v = vector(x, "x").astype(float), vector(v, "v", self.c.size).astype(float)
        found = self.solve(x)
        unit = self._unit(self.c + self.P @ x)
        Q, mult = self.Q / unit, found.multipliers / (self._scale * unit)
        slack = self._sides - self._on_x @ x - self._rows @ found.y
        reach = 1.0 + float(np.abs(found.y).max(initial=0.0))
        if distance_to_another(Q, self._rows, slack, mult > _TOLERANCE, reach) > _ANOTHER * reach:
            raise SeveralAnswersError(
                f"QuadraticLevel: the lower level has several answers at x = {x}, so that y*(x) is not a function "
                "there: formulation='joint' takes the one that is best for F"
            )
        for active in (found.active, slack <= _TOLERANCE * reach):
            rows = self._rows[active]
            system = np.block([[Q, rows.T], [rows, np.zeros((len(rows), len(rows)))]])
            right = np.concatenate([v, np.zeros(len(rows))])
            solved = scipy.linalg.lstsq(system, right, check_finite=False)[0]
            if np.abs(system @ solved - right).max(initial=0.0) <= 1e-6 * np.abs(v).max(initial=0.0):
                break
        else:
            raise NoAnswerError(f"QuadraticLevel: y*(x) has no derivative at x = {x}")
        return np.asarray(-(self.P.T / unit @ solved[: v.size] + self._on_x[active].T @ solved[v.size :]))

    def _unit(self, cost: Array) -> float:
        """What the objective is divided by, so that the largest of its numbers is near 1."""
        return power(max(float(np.abs(cost).max()), float(np.abs(self.Q).max())) or 1.0)

    def _inner(self, x: Array) -> LowerSolution:
        cost, right = self.c + self.P @ x, self._sides - self._on_x @ x
        found = self._answer(cost, right)
        if found is None:
            nothing, conflict = self._infeasible(x, right)
            terms = np.abs(self._sides) + np.abs(self._on_x) @ np.abs(x)
            least = float(nothing.violation or 0.0)
            # of the rows in conflict: what is rounding beside a slack side of 1e18 is none here
            if least > max(_TOLERANCE, 1e-13 * float(terms[conflict].max(initial=0.0))):
                raise nothing
            eased = right + np.where(conflict, 2 * least, 0.0) + 1e-13 * (1.0 + terms)  # x is off by rounding
            found = self._answer(cost, eased)
        if found is None:
            if self._falls(cost):
                raise NoAnswerError(f"QuadraticLevel: the lower level is unbounded at x = {x}")
            raise OracleError(f"QuadraticLevel: the lower level was not solved at x = {x}")
        return found

    def _answer(self, cost: Array, right: Array) -> LowerSolution | None:
        near = right <= _FAR
        found = None
        if not near.all():
            fewer = copy(self)
            fewer._rows = self._rows[near]
            part = fewer._solved(cost, right[near])
            if part is not None and np.all(self._rows[~near] @ part.y <= right[~near]):
                multipliers, active = np.zeros(right.size), np.zeros(right.size, dtype=bool)
                multipliers[near], active[near] = part.multipliers, part.active
                found = LowerSolution(part.y, multipliers, active=active)
        if found is None:
            found = self._solved(cost, right)
        return None if found is None else replace(found, multipliers=found.multipliers * self._scale)

    def _solved(self, cost: Array, right: Array) -> LowerSolution | None:
        return self._quadratic(cost, right) if self._factor is not None else self._linear(cost, right)

    def _linear(self, cost: Array, right: Array) -> LowerSolution | None:
        free = np.full(cost.size, np.inf)
        found = dense_lp.minimise(cost, self._rows, right, -free, free)
        if found.status != "optimal":
            return None
        return self._polish(found.point, found.multipliers, found.working, cost, right)

    def _quadratic(self, cost: Array, right: Array) -> LowerSolution | None:
        """Project in the metric of Q; with a singular Q, proximal steps in the metric of Q + δI."""
        assert self._factor is not None
        delta, factor = self._factor
        rows = scipy.linalg.solve_triangular(factor, self._rows.T, lower=True, check_finite=False).T
        unit, y = self._unit(cost), np.zeros(cost.size)
        for _ in range(200 if delta else 1):
            center = scipy.linalg.solve_triangular(factor, delta * y - cost, lower=True, check_finite=False)
            step = _project(center, rows, right)
            if step is None:
                return None
            y = scipy.linalg.solve_triangular(factor, step[0], lower=True, trans="T", check_finite=False)
            working = step[1] > 1e-12 * (unit + float(step[1].max(initial=0.0)))
            found = self._polish(y, step[1], working, cost, right)
            if found is not None:
                return found
        return None

    def _falls(self, cost: Array) -> bool:
        """Whether the objective falls without end along a direction that no row bounds."""
        one, k = np.ones(cost.size), self._rows.shape[0]
        found = dense_lp.minimise(
            cost, np.vstack([self._rows, self.Q]), np.zeros(k + cost.size), -one, one, cost.size
        )
        return bool(cost @ found.point < -_TOLERANCE * np.abs(cost).max())

    def _error(self, y: Array, mult: Array, cost: Array, right: Array, unit: float) -> float:
        """Largest violation of the optimality conditions, with the objective in units of `unit`."""
        slack = right - self._rows @ y
        return float(
            max(
                np.abs(self.Q @ y + cost + self._rows.T @ mult).max() / unit,
                np.max(-slack, initial=0.0), np.max(-mult, initial=0.0) / unit,
                np.max(np.abs(mult * slack), initial=0.0) / unit,
            )
        )  # fmt: skip

    def _polish(
        self, y: Array, mult: Array, working: Array, cost: Array, right: Array
    ) -> LowerSolution | None:  # fmt: skip
        """Solve the equations of the working set; None if neither that nor y meets the conditions."""
        rows, unit = self._rows[working], self._unit(cost)
        k = rows.shape[0]
        system = np.block([[self.Q / unit, rows.T], [rows, np.zeros((k, k))]])
        start = np.concatenate([y, mult[working] / unit])
        missed = np.concatenate([-cost / unit, right[working]]) - system @ start
        # a correction of least length: directions that the equations leave open stay as they are
        solved = start + scipy.linalg.lstsq(system, missed, check_finite=False)[0]
        new_y, new_mult = solved[: y.size], np.zeros_like(mult)
        new_mult[working] = solved[y.size :] * unit
        before, after = self._error(y, mult, cost, right, unit), self._error(new_y, new_mult, cost, right, unit)
        scale = 1.0 + max(np.abs(v).max(initial=0.0) for v in (cost / unit, y, mult / unit))
        if not min(before, after) <= _TOLERANCE * scale:
            return None
        if after <= max(before, 1e-13 * scale):
            y, mult = new_y, np.maximum(new_mult, 0.0)
        return LowerSolution(y, mult, active=working)

    def _infeasible(self, x: Array, right: Array) -> tuple[NoAnswerError, Array]:
        """Least violation s of the rows, and its gradient in x by the multipliers; the rows in conflict."""
        k, n = self._rows.shape
        free = np.full(n, np.inf)
        found = dense_lp.minimise(
            np.append(np.zeros(n), 1.0), np.hstack([self._rows, -np.ones((k, 1))]), right,
            np.append(-free, 0.0), np.append(free, np.inf),
        )  # fmt: skip
        if found.status != "optimal":
            raise OracleError(f"QuadraticLevel: the least violation was not found at x = {x}")
        least = float(np.max(self._rows @ found.point[:-1] - right, initial=0.0))
        words = f"QuadraticLevel: the lower level has no feasible y at x = {x} (least violation {least:.3g})"
        conflict = self._rows @ found.point[:-1] - right >= -_TOLERANCE
        return NoAnswerError(words, least, found.multipliers @ self._on_x), conflict


def _row_scale(rows: Array, on_x: Array) -> Array:
    """Factors of the rows, powers of two: 1 for largest entries of 1e-3 to 1e3, else what brings them near 1."""
    length = np.abs(rows).max(axis=1, initial=0.0)
    length = np.where(length > 0, length, np.abs(on_x).max(axis=1, initial=0.0))
    unusual = (length > 0) & ((length < 1e-3) | (length > 1e3))
    return np.asarray(np.exp2(-np.round(np.log2(np.where(unusual, length, 1.0)))))


def _project(center: Array, rows: Array, right: Array) -> tuple[Array, Array] | None:
    """Nearest point of {rows u ≤ right} and its multipliers; None where the set is empty.

    Least-distance programming by non-negative least squares (Lawson and Hanson, 1974, chapter 23): an
    active-set method, which names the active rows.
    """
    if rows.shape[0] == 0:
        return center, np.zeros(0)
    length = np.where((norms := np.linalg.norm(rows, axis=1)) > 0, norms, 1.0)
    unit = rows / length[:, None]
    short = unit @ center - right / length
    size = max(float(np.abs(short).max()), 1e-300)
    system = np.vstack([-unit.T, short / size])
    goal = np.zeros(center.size + 1)
    goal[-1] = 1.0
    try:
        weights, missed = scipy.optimize.nnls(system, goal, maxiter=100 * rows.shape[0])
    except RuntimeError as error:
        raise OracleError(f"QuadraticLevel: the projection did not end: {error}") from None
    if missed <= 1e-12:
        return None
    residual = system @ weights - goal
    multipliers = weights * (-size / residual[-1])
    return center - unit.T @ multipliers, multipliers / length


def _cholesky(Q: Array) -> tuple[float, Array]:
    """(δ, lower factor of Q + δI), with δ > 0 only where Q alone is singular to working precision."""
    largest = float(np.linalg.eigvalsh(Q)[-1])
    smallest = float(np.linalg.eigvalsh(Q)[0])
    delta = 0.0 if smallest > 1e-8 * largest else 1e-4 * largest
    return delta, np.asarray(scipy.linalg.cholesky(Q + delta * np.eye(Q.shape[0]), lower=True))
