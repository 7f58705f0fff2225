"""A primal-dual interior point for the quadratic master, where Newton's method on its dual comes to no end.

Mehrotra's predictor and corrector, from a cold start. It is slower near a solution and less exact, but does not
mind how many columns are on their bounds far away from the center. Its multipliers are a start, not an answer. The
normal matrix has the size of the number of rows; the rows are copied once.
"""

import numpy as np
import scipy

from cutplane._arrays import Array


def dual_start(
    rows: Array, rhs: Array, equalities: int, lower: Array, upper: Array, on_t: Array, price: float,
    max_iterations: int = 60,
) -> Array:  # fmt: skip
    """Multipliers of min ½‖z‖² + price·t over rows z − on_t·t ≤ rhs and bounds; the last rows are equalities.

    Parameters
    ----------
    rows, rhs : ndarray of shape (m + p, n), (m + p,)
        In units in which the solution is of the order of 1.
    equalities : int
        p, how many of the rows, counted from the last one, are equalities.
    lower, upper : ndarray of shape (n,)
        May be infinite.
    on_t : ndarray of bool, shape (m + p,)
        Rows that bound t from below; there is no t without any.
    price : float
        Of t.
    max_iterations : int
        Of the interior point.

    Returns
    -------
    ndarray of shape (m + p,)
    """
    pinned = np.where(lower >= upper, lower, 0.0)
    free = lower < upper
    rows, rhs, lower, upper = rows[:, free], rhs - rows @ pinned, lower[free], upper[free]
    m = rhs.size - equalities
    G = _Inequalities(rows[:m], rhs[:m], lower, upper, on_t[:m].astype(float))
    with_t = bool(on_t.any())
    z, t, nu = np.clip(np.zeros(rows.shape[1]), lower, upper), 0.0, np.zeros(equalities)
    if with_t:
        t = float(np.max((rows[:m] @ z - rhs[:m])[on_t[:m]], initial=0.0)) + 1.0
    slack = np.maximum(G.h + G.e * t - G.apply(z), 1.0)
    mult = np.ones(slack.size)
    if with_t:
        mult[:m] = max(price, 1e-3) / max(m, 1)
    scale = 1.0 + max(float(np.abs(rhs).max(initial=0.0)), price)
    best: tuple[float, Array, Array] = (np.inf, mult, nu)
    for _ in range(max_iterations):
        r_z = z + rows.T @ np.concatenate([mult[:m], nu]) + G.bounds_transpose(mult)
        r_p = G.apply(z) - G.e * t + slack - G.h
        r_eq = rows[m:] @ z - rhs[m:]
        r_t = price - float(G.e @ mult) if with_t else 0.0
        mean = float(mult @ slack) / max(slack.size, 1)
        worst = max(float(np.abs(v).max(initial=0.0)) for v in (r_z, r_p, r_eq, np.array([r_t, mean])))
        if worst < best[0]:
            best = (worst, mult, nu)
        if worst <= 1e-12 * scale or not np.isfinite(worst):
            break
        w = mult / slack
        newton = _Newton(G, rows, 1.0 + G.bounds_diagonal(w), w, with_t)
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
    return np.concatenate([np.maximum(best[1][:m], 0.0), best[2]])


class _Inequalities:
    """G z − e t ≤ h with the rows first, then the finite lower and upper bounds, which stay implicit."""

    def __init__(self, rows: Array, rhs: Array, lower: Array, upper: Array, e: Array) -> None:
        self.rows, self.m = rows, rhs.size
        self.low, self.up = np.flatnonzero(np.isfinite(lower)), np.flatnonzero(np.isfinite(upper))
        self.h = np.concatenate([rhs, -lower[self.low], upper[self.up]])
        self.e = np.concatenate([e, np.zeros(self.low.size + self.up.size)])

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


class _Newton:
    """The factored normal equations of one iteration, of the size of the rows."""

    def __init__(self, G: _Inequalities, rows: Array, diagonal: Array, w: Array, with_t: bool) -> None:
        self.G, self.rows, self.diagonal, self.w, self.with_t = G, rows, diagonal, w, with_t
        normal = (rows / diagonal) @ rows.T
        size = normal.shape[0]
        ridge = np.concatenate([1.0 / w[: G.m], np.full(size - G.m, 1e-13)])
        normal[np.diag_indices(size)] += ridge + 1e-14 * np.trace(normal) / max(size, 1)
        try:
            self.factor = scipy.linalg.cho_factor(normal, check_finite=False)
        except (scipy.linalg.LinAlgError, ValueError):
            self.factor = None
        self.e = np.concatenate([G.e[: G.m], np.zeros(size - G.m)])
        self.e_solved = self._solve(self.e) if with_t and self.factor is not None else self.e

    def _solve(self, right: Array) -> Array:
        return scipy.linalg.cho_solve(self.factor, right, check_finite=False) if right.size else right

    def direction(
        self, r_z: Array, r_p: Array, r_eq: Array, r_t: float, slack: Array, mult: Array, comp: Array
    ) -> tuple[Array, float, Array, Array, Array]:
        """Directions of z, t, slack, multipliers and equality multipliers that zero the residuals."""
        m, w = self.G.m, self.w
        q = (mult * r_p - comp) / slack
        right = -r_z - self.G.bounds_transpose(np.concatenate([np.zeros(m), q[m:]]))
        b = self.rows @ (right / self.diagonal) + np.concatenate([q[:m] / w[:m], r_eq])
        d_rows, d_t = self._solve(b), 0.0
        if self.with_t:
            d_t = float((self.e @ d_rows - r_t) / (self.e @ self.e_solved))
            d_rows = d_rows - d_t * self.e_solved
        d_z = (right - self.rows.T @ d_rows) / self.diagonal
        change = self.G.apply(d_z) - self.G.e * d_t
        d_mult = q + w * change
        d_mult[:m] = d_rows[:m]
        return d_z, d_t, -r_p - change, d_mult, d_rows[m:]


def _longest(value: Array, change: Array) -> float:
    """Longest step in [0, 1] that keeps value + step·change ≥ 0."""
    falling = change < -np.finfo(float).tiny
    return min(1.0, float(np.min(-value[falling] / change[falling]))) if falling.any() else 1.0
