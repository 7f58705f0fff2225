"""A linear or convex quadratic lower level written as data, solved to rounding.

Linear ones go to HiGHS, quadratic ones to an active-set projection: the quadratic solver of HiGHS (1.15.1)
called wrong points optimal in 30 of 1989 random problems with 4 variables and 16 rows.
"""

from typing import Any

import highspy
import numpy as np
from scipy import linalg, optimize

from cutplane._arrays import Array, matrix, scalar_or_vector, vector
from cutplane.errors import InputError, OracleError
from cutplane.oracles.value_function import LowerSolution, ValueFunction
from cutplane.problem import LinearConstraint

_TOLERANCE = 1e-9


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
    cuts such x off. The derivative of y*(x) (`vjp`) is that of the active set at x, an element of the
    generalised Jacobian at a kink.

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
        self._factor = _cholesky(self.Q) if self.Q.any() else None
        self._h = self._model()
        super().__init__(self._objective, self._inner, LinearConstraint(on_x, rows, right), self._second)

    def _objective(self, x: Array, y: Array) -> tuple[float, Array, Array]:
        pull = self.Q @ y
        cost = self.c + self.P @ x
        return float(0.5 * y @ pull + cost @ y), self.P.T @ y, pull + cost

    def _second(self, x: Array, y: Array, multipliers: Array) -> tuple[Array, Array]:
        return self.Q, self.P

    def gap(self, x: Array, y: Array) -> tuple[float, Array, Array]:
        """Return (h, gradient in x, gradient in y); the least violation where no y is feasible."""
        try:
            return super().gap(x, y)
        except _Infeasible as nothing:
            return nothing.violation, nothing.gradient, np.zeros_like(y)

    def restore(self, x: Array, y: Array, epsilon: float) -> Array:
        """Return a feasible point near y with h ≤ ε; y itself where there is none at this x."""
        try:
            return super().restore(x, y, epsilon)
        except _Infeasible:
            return y

    def _model(self) -> Any:
        h = highspy.Highs()  # type: ignore[no-untyped-call]
        for option, value in (
            ("output_flag", False), ("threads", 1), ("presolve", "off"), ("solver", "simplex"),
            ("primal_feasibility_tolerance", _TOLERANCE), ("dual_feasibility_tolerance", _TOLERANCE),
        ):  # fmt: skip
            h.setOptionValue(option, value)
        infinity, n = h.getInfinity(), self.c.size
        h.addVars(n, np.full(n, -infinity), np.full(n, infinity))
        for row, right in zip(self.A, self.b, strict=True):
            index = np.flatnonzero(row)
            h.addRow(-infinity, float(right), index.size, index.astype(np.int32), row[index])
        return h

    def _inner(self, x: Array) -> LowerSolution:
        if x.size != self.n_x:
            raise OracleError(f"QuadraticLevel: x has {x.size} entries, P or B has {self.n_x} columns")
        cost, right = self.c + self.P @ x, self.b - self.B @ x
        found = self._quadratic(cost, right) if self._factor is not None else self._linear(cost, right)
        if found is not None:
            return found
        nothing = self._infeasible(x, right)
        if nothing.violation > 0.1 * _TOLERANCE:
            raise nothing
        raise OracleError(f"QuadraticLevel: the lower level was not solved, or is unbounded, at x = {x}")

    def _linear(self, cost: Array, right: Array) -> LowerSolution | None:
        h = self._h
        h.clearSolver()  # a warm start would make the answer depend on the questions before
        for j, value in enumerate(cost):
            h.changeColCost(j, float(value))
        for i, value in enumerate(right):
            h.changeRowBounds(i, -h.getInfinity(), float(value))
        h.run()
        if h.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        found, basic = h.getSolution(), highspy.HighsBasisStatus.kBasic
        working = np.array([s != basic for s in h.getBasis().row_status], dtype=bool)
        y, mult = np.array(found.col_value), np.maximum(-np.array(found.row_dual), 0.0)
        return self._polish(y, mult, working, cost, right)

    def _quadratic(self, cost: Array, right: Array) -> LowerSolution | None:
        """Project in the metric of Q; with a singular Q, proximal steps in the metric of Q + δI."""
        assert self._factor is not None
        delta, factor = self._factor
        rows = linalg.solve_triangular(factor, self.A.T, lower=True, check_finite=False).T
        y = np.zeros(cost.size)
        for _ in range(200 if delta else 1):
            center = linalg.solve_triangular(factor, delta * y - cost, lower=True, check_finite=False)
            step = _project(center, rows, right)
            if step is None:
                return None
            y = linalg.solve_triangular(factor, step[0], lower=True, trans="T", check_finite=False)
            working = step[1] > 1e-12 * (1 + float(step[1].max(initial=0.0)))
            found = self._polish(y, step[1], working, cost, right)
            if found is not None:
                return found
        return None

    def _error(self, y: Array, mult: Array, cost: Array, right: Array) -> float:
        """Largest violation of the optimality conditions."""
        slack = right - self.A @ y
        return float(
            max(
                np.abs(self.Q @ y + cost + self.A.T @ mult).max(),
                np.max(-slack, initial=0.0), np.max(-mult, initial=0.0),
                np.max(np.abs(mult * slack), initial=0.0),
            )
        )  # fmt: skip

    def _polish(
        self, y: Array, mult: Array, working: Array, cost: Array, right: Array
    ) -> LowerSolution | None:  # fmt: skip
        """Solve the equations of the working set; None if neither that nor y meets the conditions."""
        rows = self.A[working]
        k = rows.shape[0]
        system = np.block([[self.Q, rows.T], [rows, np.zeros((k, k))]])
        start = np.concatenate([y, mult[working]])
        missed = np.concatenate([-cost, right[working]]) - system @ start
        # a correction of least length: directions that the equations leave open stay as they are
        solved = start + linalg.lstsq(system, missed, check_finite=False)[0]
        new_y, new_mult = solved[: y.size], np.zeros_like(mult)
        new_mult[working] = solved[y.size :]
        before, after = self._error(y, mult, cost, right), self._error(new_y, new_mult, cost, right)
        scale = 1.0 + max(np.abs(v).max(initial=0.0) for v in (cost, y, mult))
        if not min(before, after) <= _TOLERANCE * scale:
            return None
        if after <= max(before, 1e-13 * scale):
            y, mult = new_y, np.maximum(new_mult, 0.0)
        return LowerSolution(y, mult, active=working)

    def _infeasible(self, x: Array, right: Array) -> "_Infeasible":
        """Least violation s of A y ≤ right + s, and its gradient in x by the multipliers."""
        k, n = self.A.shape
        found = optimize.linprog(
            np.append(np.zeros(n), 1.0), A_ub=np.hstack([self.A, -np.ones((k, 1))]), b_ub=right,
            bounds=[(None, None)] * n + [(0, None)], method="highs",
        )  # fmt: skip
        if found.status != 0:
            raise OracleError(f"QuadraticLevel: the least violation was not found at x = {x}: {found.message}")
        return _Infeasible(float(found.fun), -np.asarray(found.ineqlin.marginals) @ self.B)


class _Infeasible(OracleError):
    """The lower level has no feasible y at this x."""

    def __init__(self, violation: float, gradient: Array) -> None:
        super().__init__(f"the lower level has no feasible y at this x (least violation {violation:.3g})")
        self.violation, self.gradient = violation, gradient


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
        weights, missed = optimize.nnls(system, goal, maxiter=100 * rows.shape[0])
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
    return delta, np.asarray(linalg.cholesky(Q + delta * np.eye(Q.shape[0]), lower=True))
