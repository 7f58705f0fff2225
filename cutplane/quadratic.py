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
        return QuadraticSolution(
            point, part.height, part.multipliers, part.equality_multipliers, part.residual
        )
    solution = _interior_point(
        center, rows, rhs, eq_rows, eq_rhs, lower, upper, epigraph, weight, max_iterations
    )
    polished = _polish(solution, center, rows, rhs, eq_rows, eq_rhs, lower, upper, epigraph, weight)
    return polished if polished is not None and polished.residual <= solution.residual else solution


def _interior_point(
    center: Array, rows: Array, rhs: Array, eq_rows: Array, eq_rhs: Array, lower: Array, upper: Array,
    epigraph: Array | None, weight: float, max_iterations: int,
) -> QuadraticSolution:  # fmt: skip
    m, p, n = rows.shape[0], eq_rows.shape[0], center.size
    has_lower, has_upper = np.isfinite(lower), np.isfinite(upper)
    lo, hi = np.where(has_lower, lower, 0.0), np.where(has_upper, upper, 0.0)
    stacked = np.vstack([rows, eq_rows]) if p else rows
    e = np.zeros(m) if epigraph is None else epigraph.astype(float)
    both = has_lower & has_upper
    margin = np.where(both, np.minimum(1.0, 0.1 * (hi - lo)), 1.0)
    z = np.where(has_lower, np.maximum(center, lo + margin), center)
    z = np.where(has_upper, np.minimum(z, hi - margin), z)
    activity = rows @ z - rhs
    t = float(np.max(activity[e > 0], initial=0.0)) + 1.0 if epigraph is not None else 0.0
    slack = np.maximum(e * t - activity, 1.0)
    mult = np.full(m, max(weight, 1e-3) / max(m, 1) if epigraph is not None else 1.0)
    nu = np.zeros(p)
    low_slack, up_slack = np.where(has_lower, z - lo, 1.0), np.where(has_upper, hi - z, 1.0)
    low_mult, up_mult = has_lower.astype(float), has_upper.astype(float)
    pairs = m + int(has_lower.sum()) + int(has_upper.sum())
    scale = 1.0 + max(np.abs(center).max(initial=0.0), np.abs(rhs).max(initial=0.0), weight)
    best: tuple[float, Array, float, Array, Array] = (np.inf, z, t, mult, nu)
    for _ in range(max_iterations):
        r_z = z - center + rows.T @ mult + eq_rows.T @ nu - low_mult + up_mult
        r_t = weight - e @ mult if epigraph is not None else 0.0
        r_row = rows @ z - e * t + slack - rhs
        r_eq = eq_rows @ z - eq_rhs
        mu = mult @ slack + low_mult @ np.where(has_lower, low_slack, 0.0)
        mu = (mu + up_mult @ np.where(has_upper, up_slack, 0.0)) / max(pairs, 1)
        worst = max(np.abs(v).max(initial=0.0) for v in (r_z, r_row, r_eq, np.array([r_t, mu])))
        if worst < best[0]:
            best = (worst, z, t, mult, nu)
        if worst <= 1e-12 * scale or not np.isfinite(worst):
            break
        diag = 1.0 + low_mult / low_slack + up_mult / up_slack
        normal = (stacked / diag) @ stacked.T
        ridge = np.concatenate([slack / mult, np.full(p, 1e-13)])
        normal[np.diag_indices(m + p)] += ridge + 1e-14 * np.trace(normal) / max(m + p, 1)
        try:
            factor = linalg.cho_factor(normal, check_finite=False)
        except linalg.LinAlgError:
            break
        e_full = np.concatenate([e, np.zeros(p)])
        e_solved = linalg.cho_solve(factor, e_full, check_finite=False) if epigraph is not None else e_full

        def direction(
            comp: Array, comp_low: Array, comp_up: Array,
            diag: Array = diag, r_z: Array = r_z, r_row: Array = r_row, r_eq: Array = r_eq,
            r_t: float = r_t, factor: tuple[Array, bool] = factor, e_solved: Array = e_solved,
            e_full: Array = e_full, slack: Array = slack, mult: Array = mult,
            low_slack: Array = low_slack, up_slack: Array = up_slack,
            low_mult: Array = low_mult, up_mult: Array = up_mult,
        ) -> tuple[Array, ...]:  # fmt: skip
            """Newton direction for the complementarity targets mult·slack + comp = 0, and so on."""
            right = -r_z - comp_low / low_slack + comp_up / up_slack
            b = stacked @ (right / diag)
            b += np.concatenate([r_row - comp / mult, r_eq])
            d_rows = linalg.cho_solve(factor, b, check_finite=False)
            d_t = 0.0
            if epigraph is not None:
                d_t = float((e_full @ d_rows - r_t) / (e_full @ e_solved))
                d_rows = d_rows - d_t * e_solved
            d_mult, d_nu = d_rows[:m], d_rows[m:]
            d_z = (right - stacked.T @ d_rows) / diag
            d_slack = -(comp + slack * d_mult) / mult
            d_low = -(comp_low + low_mult * d_z) / low_slack
            d_up = -(comp_up - up_mult * d_z) / up_slack
            return d_z, d_t, d_mult, d_nu, d_slack, d_low, d_up

        def longest(
            step: tuple[Array, ...], slack: Array = slack, mult: Array = mult, low_slack: Array = low_slack,
            up_slack: Array = up_slack, low_mult: Array = low_mult, up_mult: Array = up_mult,
        ) -> float:  # fmt: skip
            d_z, _, d_mult, _, d_slack, d_low, d_up = step
            limit = 1.0
            for value, change in (
                (slack, d_slack), (mult, d_mult), (low_slack[has_lower], d_z[has_lower]),
                (up_slack[has_upper], -d_z[has_upper]), (low_mult[has_lower], d_low[has_lower]),
                (up_mult[has_upper], d_up[has_upper]),
            ):  # fmt: skip
                falling = change < 0
                if falling.any():
                    limit = min(limit, float(np.min(-value[falling] / change[falling])))
            return limit

        zero_low, zero_up = low_mult * low_slack * has_lower, up_mult * up_slack * has_upper
        affine = direction(mult * slack, zero_low, zero_up)
        a = longest(affine)
        d_z, _, d_mult, _, d_slack, d_low, d_up = affine
        mu_affine = (mult + a * d_mult) @ (slack + a * d_slack)
        mu_affine += float(np.sum(((low_mult + a * d_low) * (low_slack + a * d_z))[has_lower]))
        mu_affine += float(np.sum(((up_mult + a * d_up) * (up_slack - a * d_z))[has_upper]))
        sigma = (mu_affine / max(pairs, 1) / mu) ** 3 if mu > 0 else 0.0
        target = min(sigma, 1.0) * mu
        step = direction(
            mult * slack + d_mult * d_slack - target,
            (low_mult * low_slack + d_low * d_z - target) * has_lower,
            (up_mult * up_slack - d_up * d_z - target) * has_upper,
        )
        a = min(1.0, 0.995 * longest(step))
        d_z, d_t, d_mult, d_nu, d_slack, d_low, d_up = step
        z, t, mult, nu, slack = z + a * d_z, t + a * d_t, mult + a * d_mult, nu + a * d_nu, slack + a * d_slack
        low_slack = np.where(has_lower, low_slack + a * d_z, 1.0)
        up_slack = np.where(has_upper, up_slack - a * d_z, 1.0)
        low_mult, up_mult = (low_mult + a * d_low) * has_lower, (up_mult + a * d_up) * has_upper
    worst, z, t, mult, nu = best
    return QuadraticSolution(np.clip(z, lower, upper), float(t), np.maximum(mult, 0.0), nu, worst / scale)


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
