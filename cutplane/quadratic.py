"""The quadratic master: the point of a polyhedron, or of an epigraph over it, nearest to a centre.

One primal-dual interior-point method (Mehrotra's predictor and corrector) serves the projection onto
a `Polytope`, the level master and the proximal master. Its linear algebra has the size of the number
of rows, not of variables: the normal matrix is the Gram matrix of the rows in the metric of the bounds.
An active-set step on the rows and bounds found at work then removes the interior-point error.
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from cutplane._arrays import Array


@dataclass(frozen=True, slots=True)
class QuadraticSolution:
    """Solution of a quadratic master.

    Attributes
    ----------
    point : ndarray of shape (n,)
    height : float
        Value of the epigraph variable; 0 where there is none.
    multipliers : ndarray of shape (m,)
        Non-negative multipliers of the inequality rows.
    equality_multipliers : ndarray of shape (p,)
    residual : float
        Largest violation of the optimality conditions, relative.
    """

    point: Array
    height: float
    multipliers: Array
    equality_multipliers: Array
    residual: float


def nearest_point(
    center: Array,
    rows: Array,
    rhs: Array,
    eq_rows: Array,
    eq_rhs: Array,
    lower: Array,
    upper: Array,
    epigraph: Array | None = None,
    weight: float = 0.0,
    max_iterations: int = 60,
) -> QuadraticSolution:
    """Minimise ½‖z − center‖² + weight·t over rows z − epigraph·t ≤ rhs, eq_rows z = eq_rhs, bounds.

    Parameters
    ----------
    center, lower, upper : ndarray of shape (n,)
        The bounds may be infinite.
    rows, rhs : ndarray of shape (m, n), (m,)
    eq_rows, eq_rhs : ndarray of shape (p, n), (p,)
    epigraph : ndarray of shape (m,), optional
        1 for the rows that bound t from below, 0 for the others. Without it there is no t.
    weight : float
        Price of t, positive when `epigraph` is given.
    max_iterations : int

    Returns
    -------
    QuadraticSolution
        Its `residual` tells how far the iteration came; an infeasible polyhedron leaves it large.
    """
    fixed = lower >= upper
    if fixed.any():
        free = ~fixed
        pinned = np.where(fixed, lower, 0.0)
        part = nearest_point(
            center[free], rows[:, free], rhs - rows @ pinned, eq_rows[:, free], eq_rhs - eq_rows @ pinned,
            lower[free], upper[free], epigraph, weight, max_iterations,
        )  # fmt: skip
        point = pinned.astype(center.dtype)
        point[free] = part.point
        return QuadraticSolution(point, part.height, part.multipliers, part.equality_multipliers, part.residual)
    solution = _interior_point(center, rows, rhs, eq_rows, eq_rhs, lower, upper, epigraph, weight, max_iterations)
    polished = _polish(solution, center, rows, rhs, eq_rows, eq_rhs, lower, upper, epigraph, weight)
    return polished if polished is not None and polished.residual <= solution.residual else solution


class _Inequalities:
    """G z − e t ≤ h with the rows first, then the finite lower and upper bounds, which stay implicit."""

    def __init__(self, rows: Array, rhs: Array, lower: Array, upper: Array, epigraph: Array) -> None:
        self.rows, self.m = rows, rhs.size
        self.low, self.up = np.flatnonzero(np.isfinite(lower)), np.flatnonzero(np.isfinite(upper))
        self.h = np.concatenate([rhs, -lower[self.low], upper[self.up]])
        self.e = np.concatenate([epigraph, np.zeros(self.low.size + self.up.size)])

    def apply(self, z: Array) -> Array:
        """G z."""
        return np.concatenate([self.rows @ z, -z[self.low], z[self.up]])

    def bounds_transpose(self, v: Array) -> Array:
        """The bounds' part of Gᵀ v."""
        out = np.zeros(self.rows.shape[1])
        out[self.low] -= v[self.m : self.m + self.low.size]
        out[self.up] += v[self.m + self.low.size :]
        return out

    def bounds_diagonal(self, w: Array) -> Array:
        """Diagonal of the bounds' part of Gᵀ diag(w) G."""
        out = np.zeros(self.rows.shape[1])
        out[self.low] += w[self.m : self.m + self.low.size]
        out[self.up] += w[self.m + self.low.size :]
        return out


def _interior_point(
    center: Array, rows: Array, rhs: Array, eq_rows: Array, eq_rhs: Array, lower: Array, upper: Array,
    epigraph: Array | None, weight: float, max_iterations: int,
) -> QuadraticSolution:  # fmt: skip
    with_t = epigraph is not None
    e: Array = np.zeros(rhs.size) if epigraph is None else epigraph
    G = _Inequalities(rows, rhs, lower, upper, e)
    m, p = rhs.size, eq_rhs.size
    stacked = np.vstack([rows, eq_rows])
    z, t, nu = np.clip(center, lower, upper), 0.0, np.zeros(p)
    if with_t:
        t = float(np.max((rows @ z - rhs)[e > 0], initial=0.0)) + 1.0
    slack = np.maximum(G.h + G.e * t - G.apply(z), 1.0)
    mult = np.ones(slack.size)
    if with_t:
        mult[:m] = max(weight, 1e-3) / max(m, 1)
    scale = 1.0 + max(np.abs(center).max(initial=0.0), np.abs(rhs).max(initial=0.0), weight)
    best: tuple[float, Array, float, Array, Array] = (np.inf, z, t, mult, nu)
    for _ in range(max_iterations):
        r_z = z - center + stacked.T @ np.concatenate([mult[:m], nu]) + G.bounds_transpose(mult)
        r_p = G.apply(z) - G.e * t + slack - G.h
        r_eq = eq_rows @ z - eq_rhs
        r_t = weight - float(G.e @ mult) if with_t else 0.0
        mean = float(mult @ slack) / max(slack.size, 1)
        worst = max(float(np.abs(v).max(initial=0.0)) for v in (r_z, r_p, r_eq, np.array([r_t, mean])))
        if worst < best[0]:
            best = (worst, z, t, mult, nu)
        if worst <= 1e-12 * scale or not np.isfinite(worst):
            break
        w = mult / slack
        newton = _Newton(G, stacked, 1.0 + G.bounds_diagonal(w), w, p, with_t)
        if newton.factor is None:
            break
        # predictor: aim at complementarity zero, to see how far it gets
        _, _, d_slack, d_mult, _ = newton.direction(r_z, r_p, r_eq, r_t, slack, mult, mult * slack)
        a = min(_longest(slack, d_slack), _longest(mult, d_mult))
        reached = float((mult + a * d_mult) @ (slack + a * d_slack)) / max(slack.size, 1)
        target = min((reached / mean) ** 3, 1.0) * mean if mean > 0 else 0.0
        # corrector: with the centring that the predictor calls for, and with the second-order term of the step
        # that the predictor could take; taken in full it can cycle (Cartis 2009; Colombo and Gondzio 2008)
        comp = mult * slack + a * a * d_mult * d_slack - target
        d_z, d_t, d_slack, d_mult, d_nu = newton.direction(r_z, r_p, r_eq, r_t, slack, mult, comp)
        a = min(1.0, 0.995 * min(_longest(slack, d_slack), _longest(mult, d_mult)))
        z, t, nu = z + a * d_z, t + a * d_t, nu + a * d_nu
        slack, mult = slack + a * d_slack, mult + a * d_mult
    worst, z, t, mult, nu = best
    return QuadraticSolution(np.clip(z, lower, upper), float(t), np.maximum(mult[:m], 0.0), nu, worst / scale)


def _longest(value: Array, change: Array) -> float:
    """Longest step in [0, 1] that keeps value + step·change ≥ 0."""
    falling = change < -np.finfo(float).tiny
    return min(1.0, float(np.min(-value[falling] / change[falling]))) if falling.any() else 1.0


class _Newton:
    """The factored normal equations of one interior-point iteration, of the size of the rows."""

    def __init__(self, G: _Inequalities, stacked: Array, diagonal: Array, w: Array, p: int, with_t: bool) -> None:
        self.G, self.stacked, self.diagonal, self.w, self.with_t = G, stacked, diagonal, w, with_t
        normal = (stacked / diagonal) @ stacked.T
        size = normal.shape[0]
        ridge = np.concatenate([1.0 / w[: G.m], np.full(p, 1e-13)])
        normal[np.diag_indices(size)] += ridge + 1e-14 * np.trace(normal) / max(size, 1)
        try:
            self.factor = linalg.cho_factor(normal, check_finite=False)
        except (linalg.LinAlgError, ValueError):
            self.factor = None
        self.e = np.concatenate([G.e[: G.m], np.zeros(p)])
        self.e_solved = self._solve(self.e) if with_t and self.factor is not None else self.e

    def _solve(self, right: Array) -> Array:
        return linalg.cho_solve(self.factor, right, check_finite=False) if right.size else right

    def direction(
        self, r_z: Array, r_p: Array, r_eq: Array, r_t: float, slack: Array, mult: Array, comp: Array
    ) -> tuple[Array, float, Array, Array, Array]:
        """Directions of z, t, slack, multipliers and equality multipliers that zero the residuals."""
        m, w = self.G.m, self.w
        q = (mult * r_p - comp) / slack
        right = -r_z - self.G.bounds_transpose(np.concatenate([np.zeros(m), q[m:]]))
        b = self.stacked @ (right / self.diagonal) + np.concatenate([q[:m] / w[:m], r_eq])
        d_rows, d_t = self._solve(b), 0.0
        if self.with_t:
            d_t = float((self.e @ d_rows - r_t) / (self.e @ self.e_solved))
            d_rows = d_rows - d_t * self.e_solved
        d_z = (right - self.stacked.T @ d_rows) / self.diagonal
        change = self.G.apply(d_z) - self.G.e * d_t
        d_mult = q + w * change
        d_mult[:m] = d_rows[:m]
        return d_z, d_t, -r_p - change, d_mult, d_rows[m:]


def _polish(
    guess: QuadraticSolution, center: Array, rows: Array, rhs: Array, eq_rows: Array, eq_rhs: Array,
    lower: Array, upper: Array, epigraph: Array | None, weight: float,
) -> QuadraticSolution | None:  # fmt: skip
    """Solve the equations of the rows and bounds that the guess has at work; None if it misjudged them."""
    e = np.zeros(rows.shape[0]) if epigraph is None else epigraph.astype(float)
    scale = 1.0 + max(np.abs(center).max(initial=0.0), np.abs(rhs).max(initial=0.0), weight)
    slack = rhs + e * guess.height - rows @ guess.point
    work = np.flatnonzero(guess.multipliers > slack)
    pull = center - rows.T @ guess.multipliers - eq_rows.T @ guess.equality_multipliers
    at_low, at_up = pull <= lower, pull >= upper
    free = ~(at_low | at_up)
    bound_point = np.where(at_low, lower, np.where(at_up, upper, 0.0))
    stacked = np.vstack([rows[work], eq_rows])
    right = np.concatenate([rhs[work], eq_rhs])
    if stacked.shape[0] == 0:
        point = np.clip(center, lower, upper)
        d_rows, height = np.zeros(0), guess.height
    else:
        part = stacked[:, free]
        k = stacked.shape[0]
        system = np.zeros((k + 1, k + 1)) if epigraph is not None else np.zeros((k, k))
        system[:k, :k] = part @ part.T
        b = part @ center[free] + stacked @ np.where(free, 0.0, bound_point) - right
        if epigraph is not None:
            e_work = np.concatenate([e[work], np.zeros(eq_rhs.size)])
            system[:k, k], system[k, :k] = e_work, e_work
            b = np.append(b, weight)
        solved = linalg.lstsq(system, b, check_finite=False, lapack_driver="gelsd")[0]
        d_rows, height = solved[:k], float(solved[k]) if epigraph is not None else 0.0
        point = np.where(free, center - stacked.T @ d_rows, bound_point)
    mult = np.zeros(rows.shape[0])
    mult[work] = d_rows[: work.size]
    nu = d_rows[work.size :]
    pull = center - rows.T @ mult - eq_rows.T @ nu
    violations = (
        np.maximum(-mult, 0.0),
        np.maximum(rows @ point - e * height - rhs, 0.0),
        np.abs(eq_rows @ point - eq_rhs),
        np.abs(point - np.clip(pull, lower, upper)),
        np.array([abs(weight - e @ mult)]) if epigraph is not None else np.zeros(1),
    )
    worst = max(float(v.max(initial=0.0)) for v in violations)
    if not np.isfinite(worst):
        return None
    return QuadraticSolution(np.clip(point, lower, upper), height, np.maximum(mult, 0.0), nu, worst / scale)
