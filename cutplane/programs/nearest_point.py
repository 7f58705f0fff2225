"""The quadratic master: the point of a polyhedron, or of an epigraph over it, nearest to a centre.

Newton's method on the dual, which has one variable u a row. To any u belongs the point z(u) = center − Aᵀu,
clipped to the bounds, which meets all conditions of optimality but those of the rows. The dual is convex and
piecewise quadratic, and its Hessian is the Gram matrix of the rows in the columns that are off their bounds. A
step minimises that quadratic under the signs of u; a line search follows where it misjudged the bounds. An
iteration reads the rows twice and those at work a third time, tile by tile: none is copied as a whole. Where most
columns end on bounds far from the center it can come to no end; an interior point then finds another start.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from cutplane._arrays import Array
from cutplane.programs.interior_point import dual_start

_TILE = 1 << 17
"""Entries of the rows that are worked on at a time: what a core's own cache holds."""
_RIDGE = 1e-14
"""Added to the unit diagonal of a step's Gram matrix, so that dependent rows have a step."""
_EXACT = 1e-13
"""Residual at which no further step is tried."""
_PATIENCE = 8
"""Steps in a row that may fail to halve the residual."""
_GOOD = 2e-9
"""Residual above which the interior point is asked for a start."""


@dataclass(frozen=True, slots=True)
class QuadraticSolution:
    """Solution of a quadratic master.

    Attributes
    ----------
    point : ndarray of shape (n,)
    height : float
        Value of the epigraph variable; 0 where there is none.
    multipliers : ndarray of shape (m + p,)
        Of the rows; those of inequalities are not negative.
    residual : float
        Largest violation of the conditions of optimality, in units of how far the center is off: the distance
        by which the point misses a row, or the smaller of a row's slack and its multiplier. The other
        conditions hold by construction.
    """

    point: Array
    height: float
    multipliers: Array
    residual: float


def nearest_point(
    center: Array, rows: Sequence[Array], rhs: Array, lower: Array, upper: Array, equalities: int = 0,
    epigraph: Array | None = None, weight: float = 0.0, start: Array | None = None, max_iterations: int = 60,
) -> QuadraticSolution:  # fmt: skip
    """Minimise ½‖z − center‖² + weight·t over rows z − epigraph·t ≤ rhs and bounds; the last rows are equalities.

    Parameters
    ----------
    center, lower, upper : ndarray of shape (n,)
        The bounds may be infinite.
    rows : sequence of ndarray of shape (·, n)
        Matrices of m + p rows together; those of float32 are worked on in float64.
    rhs : ndarray of shape (m + p,)
    equalities : int
        p, how many of the rows, counted from the last one, are equalities.
    epigraph : ndarray of shape (m + p,), optional
        1 for the rows that bound t from below, 0 for the others. Without it there is no t.
    weight : float
        Price of t, positive when `epigraph` is given.
    start : ndarray of shape (m + p,), optional
        Guess of the multipliers.
    max_iterations : int
        Newton steps from a start.

    Returns
    -------
    QuadraticSolution
        Its `residual` tells how far the iteration came. That of a polyhedron which is empty by more than a share
        of the unit stays above that share.
    """
    signed = np.arange(rhs.size) < rhs.size - equalities
    on_t = np.zeros(rhs.size, dtype=bool) if epigraph is None else epigraph > 0
    dual = _Dual(rows, rhs, signed, on_t, weight, center, lower, upper)
    best, reached = _descend(dual, start, max_iterations)
    if not reached <= _GOOD * dual.length:
        again, missed = _descend(dual, dual.interior_start(), max_iterations)
        if missed < reached or not np.isfinite(reached):
            best, reached = again, missed
    height = dual.height(best) / dual.price_scale - dual.shift
    point = np.clip(center + best.point, lower, upper)
    return QuadraticSolution(point, height, best.u * dual.scale, reached / dual.unit)


def _descend(dual: "_Dual", start: Array | None, max_iterations: int) -> "tuple[_Iterate, float]":
    """Newton steps from a guess of the multipliers; the best iterate and its residual."""
    at = dual.look(dual.first(start))
    best, reached, stay, idle, slow = at, dual.residual(at), True, 0, 0
    for _ in range(max_iterations):
        if not _EXACT * dual.moved(best) < reached < np.inf or idle == 3 or slow == _PATIENCE:
            break
        at, promised = dual.step(at, stay)
        missed = dual.residual(at)
        stuck = not missed < 0.5 * reached
        slow = slow + 1 if stuck else 0
        rounding = missed <= np.finfo(float).eps * np.abs(at.u).sum()  # of Aᵀu
        idle = idle + 1 if rounding or (stuck and promised <= 1e-12 * abs(at.value)) else 0
        # multipliers of dependent rows may have run far away, where a step that stays near them is a short one
        stay = not (stuck and stay)
        if missed < reached:
            best, reached = at, missed
    return best, reached


@dataclass(frozen=True, slots=True)
class _Iterate:
    """Multipliers u [k], pull −Aᵀu [n], point [n], its excess over the rows [k], and the dual's value."""

    u: Array
    pull: Array
    point: Array
    excess: Array
    value: float


class _Dual:
    """The dual as a function to minimise. Rows have unit length, and the center is the origin."""

    def __init__(
        self, rows: Sequence[Array], rhs: Array, signed: Array, on_t: Array, weight: float,
        center: Array, lower: Array, upper: Array,
    ) -> None:  # fmt: skip
        self.rows, self.signed, self.on_t = [A for A in rows if A.shape[0]] or rows[:1], signed, on_t
        self.lower, self.upper = lower - center, upper - center
        wide = max(_TILE // max(rhs.size, 1), 512)
        self.parts = [slice(start, start + wide) for start in range(0, center.size, wide)]
        lengths = np.sqrt(np.concatenate([np.einsum("ij,ij->i", A, A, dtype=float) for A in self.rows]))
        if on_t.any():  # t has one unit; one plane far steeper or flatter than the others must not set it
            lengths[on_t] = np.median(lengths[on_t & (lengths > 0)]) if lengths[on_t].any() else 0.0
        self.scale = 1.0 / np.where(lengths > 0, lengths, 1.0)
        off = sum((self._tile(part) @ center[part] for part in self.parts), -rhs)
        self.with_t = int(on_t.any())
        self.price_scale = float(self.scale[on_t][0]) if self.with_t else 1.0
        self.price = weight / self.price_scale
        self.shift = -float(off[on_t].max()) if self.with_t else 0.0  # t is 0 at the center
        self.rhs = -(off + on_t * self.shift) * self.scale
        # how far the center is off
        reach = max(
            float(np.where(signed, -self.rhs, np.abs(self.rhs)).max(initial=0.0)),
            float(self.lower.max(initial=0.0)), -float(self.upper.min(initial=0.0)),
            1e-6 * (1.0 + float(np.abs(center).max(initial=0.0))),
        )  # fmt: skip
        #: Unit of residuals, in which the price counts; and the step's length, which the price and the box bound.
        self.reach = reach
        self.unit = max(reach, self.price)
        farthest = max(-float(self.lower.min(initial=0.0)), float(self.upper.max(initial=0.0)))
        self.length = max(reach, min(self.unit, farthest))

    def _tile(self, part: slice) -> Array:
        """All rows in some columns, in float64: a view where they are one matrix of that kind."""
        tiles = [A[:, part] for A in self.rows]
        return (tiles[0] if len(tiles) == 1 else np.concatenate(tiles)).astype(float, copy=False)

    def moved(self, at: _Iterate) -> float:
        """How far the center is off, or was moved by the price: what a residual is measured by."""
        return max(self.reach, min(self.unit, float(np.linalg.norm(at.point))))

    def first(self, guess: Array | None) -> Array:
        """Feasible multipliers from a guess."""
        u = np.zeros(self.rhs.size) if guess is None else guess / self.scale
        u[self.signed] = np.maximum(u[self.signed], 0.0)
        total = float(u[self.on_t].sum())
        if total > 1e-100 * self.price:
            u[self.on_t] *= self.price / total
        elif self.with_t:
            u[np.argmin(np.where(self.on_t, self.rhs, np.inf))] = self.price
        return u

    def interior_start(self) -> Array:
        """Multipliers by the interior point, as a guess for `first`."""
        rows = np.concatenate([A.astype(float) for A in self.rows]) * self.scale[:, None]
        unit, equalities = self.length, int((~self.signed).sum())
        lower, upper = self.lower / unit, self.upper / unit
        u = dual_start(rows, self.rhs / unit, equalities, lower, upper, self.on_t, self.price / unit)
        return unit * u * self.scale

    def look(self, u: Array) -> _Iterate:
        """Everything at u, in two readings of the rows."""
        w, pull, point = -u * self.scale, np.empty(self.lower.size), np.empty(self.lower.size)
        products = np.zeros(u.size)
        for part in self.parts:
            tile = self._tile(part)
            np.matmul(w, tile, out=pull[part])
            np.clip(pull[part], self.lower[part], self.upper[part], out=point[part])
            products += tile @ point[part]
        excess = products * self.scale - self.rhs
        return _Iterate(u, pull, point, excess, -0.5 * float(point @ point) - float(u @ excess))

    def height(self, at: _Iterate) -> float:
        """Value of t at a point."""
        return float(at.excess[self.on_t].max()) if self.with_t else 0.0

    def residual(self, at: _Iterate) -> float:
        """Largest violation of the conditions of optimality, a distance."""
        excess = at.excess - self.on_t * self.height(at)
        missed = np.where(self.signed, np.maximum(excess, np.minimum(at.u, -excess)), np.abs(excess))
        return float(missed.max(initial=0.0))

    def step(self, at: _Iterate, stay: bool) -> tuple[_Iterate, float]:
        """Take a Newton step on the rows at work and the violated ones; also the descent that its slope promised.

        The ridge pulls to the last multipliers with `stay`, and otherwise to 0.
        """
        t = float(at.u[self.on_t] @ at.excess[self.on_t]) / self.price if self.with_t else 0.0
        excess = at.excess - self.on_t * t
        which = np.flatnonzero((at.u > 0) | (excess > 0) | ~self.signed)
        k, more = which.size, self.with_t
        # that the multipliers of t add up to its price is one more row; the change of t is its multiplier
        system = np.zeros((k + more, k + more))
        system[:k, :k] = self._gram(which, at.pull)
        system[k:, :k], system[:k, k:] = self.on_t[which], self.on_t[which, None]
        right = np.full(k + more, self.price)
        right[:k] = system[:k, :k] @ at.u[which] + excess[which] + stay * _RIDGE * at.u[which]
        system[np.arange(k), np.arange(k)] += _RIDGE
        signed, guess = np.zeros(k + more, dtype=bool), np.zeros(k + more)
        signed[:k], guess[:k] = self.signed[which], at.u[which]
        change = np.zeros(at.u.size)
        change[which] = _minimise(system, right, signed, guess)[:k] - at.u[which]
        slope = -float(excess @ change)
        there = self.look(at.u + change)
        lower = there.value <= at.value + 1e-4 * slope
        if abs(there.value - at.value) <= 1e-12 * abs(at.value):  # rounding: the slope at the end tells more
            lower = float((there.excess - self.on_t * t) @ change) >= 0.5 * slope
        if slope < 0 and not lower:
            there = self.look(at.u + self._share(at, there, float(self.rhs @ change), slope) * change)
        return there, -slope

    def _gram(self, which: Array, pull: Array) -> Array:
        """Gram matrix of some rows in the columns off their bounds."""
        free = (pull >= self.lower) & (pull <= self.upper)
        gram = np.zeros((which.size, which.size))
        for part in self.parts:
            tile = self._tile(part)[which]
            tile *= free[part]
            gram += tile @ tile.T
        scale = self.scale[which]
        return gram * scale * scale[:, None]

    def _share(self, at: _Iterate, there: _Iterate, on_rhs: float, slope: float) -> float:
        """Share of the way between two iterates at which the dual is lowest; it does not read the rows."""
        move = there.pull - at.pull

        def rise(log_share: float) -> float:
            return on_rhs + float(np.clip(at.pull + np.exp(log_share) * move, self.lower, self.upper) @ move)

        # no curvature is larger than that of all columns
        least = -float(np.log(max(float(move @ move) / -slope, 1.0)))
        if rise(least) >= 0 or rise(0.0) <= 0:
            return float(np.exp(least)) if rise(least) >= 0 else 1.0
        # a column on its way off its bound must be found off it, or the next step is blind to it
        return float(np.exp(scipy.optimize.brentq(rise, least, 0.0, xtol=1e-14)))


def _minimise(system: Array, right: Array, signed: Array, x: Array) -> Array:
    """Minimise ½xᵀ·system·x − right·x with x ≥ 0 where `signed`, by an active set from the support of x on."""
    work = (x > 0) | ~signed
    enough = 1e-15 * (1.0 + float(np.abs(right).max(initial=0.0)))
    for _ in range(3 * x.size + 10):
        used = np.flatnonzero(work)
        try:
            wanted = np.linalg.solve(system[used[:, None], used], right[used])
        except np.linalg.LinAlgError:
            break
        falls = np.flatnonzero(signed[used] & (wanted <= 0))
        if falls.size:
            now = x[used]
            ratio = now[falls] / np.maximum(now[falls] - wanted[falls], np.finfo(float).tiny)
            x[used] = now + min(float(ratio.min()), 1.0) * (wanted - now)
            x[signed] = np.maximum(x[signed], 0.0)
            out = used[falls[np.argmin(ratio)]]
            x[out], work[out] = 0.0, False
            continue
        x[used] = wanted
        gain = right - system @ x
        gain[work] = 0.0
        if gain.max(initial=0.0) <= enough:
            break
        work[np.argmax(gain)] = True
    return x
