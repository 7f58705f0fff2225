"""Feasible sets of x and y: each projects, and tells a master its bounds, linear rows and tangents."""

from dataclasses import dataclass
from typing import Any

import numpy as np

import cutplane._integer as _integer
from cutplane._arrays import Array, direction, matrix, positive, scalar_or_vector, vector
from cutplane._feasible import (
    FeasibleSet,
    Rows,
    allowance,
    integer_columns,
    linear_violation,
    no_rows,
    usual_rows,
    violation,
)
from cutplane.errors import InputError, ProjectionError
from cutplane.programs import dense_lp
from cutplane.programs.knapsack import nearest_on_row
from cutplane.programs.nearest_point import nearest_point

__all__ = [
    "Ball", "Box", "FeasibleSet", "Free", "Polytope", "Rows", "Simplex", "allowance", "fixed", "integer_columns",
    "no_rows", "relaxed", "usual_rows", "violation",
]  # fmt: skip


def _point(feasible: FeasibleSet, v: Any) -> Array:
    """Return a copy of what is to be projected, as finite floats of the set's dimension."""
    point = vector(v, "v")
    feasible.check(point.size, "v")
    return point


class _Linear:
    """What every set described by bounds and rows alone shares."""

    simple = True

    def check(self, n: int, name: str) -> None:
        """Accept any dimension."""

    def rows(self, n: int) -> Rows:
        """No rows beyond the bounds."""
        return no_rows(n)

    def tangent(self, v: Array) -> tuple[Array, float] | None:
        """No curved part."""
        return None


@dataclass(frozen=True)
class Free(_Linear):
    """The whole space."""

    def project(self, v: Any) -> Array:
        """Return a copy of v."""
        return _point(self, v)

    def bounds(self, n: int) -> tuple[Array, Array]:
        """Infinite bounds."""
        return np.full(n, -np.inf), np.full(n, np.inf)


class Box(_Linear):
    """Componentwise bounds lower ≤ v ≤ upper, numbers or vectors, infinite where wanted.

    Parameters
    ----------
    lower, upper : float or array_like of shape (n,)
    integer : bool or array_like of bool, shape (n,)
        Entries that are whole numbers; these need finite bounds.

    Raises
    ------
    InputError
        Where the bounds leave nothing, or no whole number.
    """

    def __init__(self, lower: Any, upper: Any, integer: Any = False) -> None:
        self.lower, self.upper = scalar_or_vector(lower, "lower"), scalar_or_vector(upper, "upper")
        try:
            wrong = np.any(self.lower > self.upper)
        except ValueError:
            raise InputError(
                f"Box: lower has shape {self.lower.shape}, upper has shape {self.upper.shape}"
            ) from None
        if wrong:
            raise InputError("Box: lower exceeds upper")
        if np.any(self.lower == np.inf) or np.any(self.upper == -np.inf):
            raise InputError("Box: lower must be below +inf and upper above -inf")
        self.integer = _integer.mask(integer, "Box: integer")
        self.lower, self.upper = _integer.tightened(self.lower, self.upper, self.integer, "Box")

    def check(self, n: int, name: str) -> None:
        """Require vector bounds to have length n."""
        for bound, which in ((self.integer, "integer"), (self.lower, "lower"), (self.upper, "upper")):
            if bound.ndim == 1 and bound.size != n:
                raise InputError(f"{name}: Box.{which} has {bound.size} entries, the variable has {n}")

    def project(self, v: Any) -> Array:
        """Clip, and round what is whole."""
        given = _point(self, v)
        if self.integer.any():
            given = np.where(self.integer, np.rint(given) + 0.0, given)
        return np.clip(given, self.lower, self.upper).astype(given.dtype, copy=False)

    def bounds(self, n: int) -> tuple[Array, Array]:
        """Return the bounds as vectors."""
        return np.broadcast_to(self.lower, n).copy(), np.broadcast_to(self.upper, n).copy()


class Simplex(_Linear):
    """{v ≥ 0, Σ v = total}."""

    simple = False

    def __init__(self, total: float = 1.0) -> None:
        self.total = positive(total, "Simplex: total")

    def check(self, n: int, name: str) -> None:
        """Require an entry to put the total in."""
        if n == 0:
            raise InputError(f"{name}: no entries cannot sum to the Simplex's total of {self.total:g}")

    def project(self, v: Any) -> Array:
        """Project by sorting: the shift that makes the positive parts sum to the total."""
        given = _point(self, v)
        with np.errstate(over="ignore"):  # an entry that far below the largest is 0 in any case
            # a common shift changes nothing but the rounding: large entries would lose the sum
            v = given.astype(np.float64) - float(given.max())
            ordered = np.sort(v)[::-1]
            shift = (np.cumsum(ordered) - self.total) / np.arange(1, v.size + 1)
        last = np.flatnonzero(ordered > shift)[-1]
        point: Array = np.maximum(v - shift[last], 0.0)
        return point.astype(given.dtype, copy=False)

    def bounds(self, n: int) -> tuple[Array, Array]:
        """Between 0 and the total."""
        return np.zeros(n), np.full(n, self.total)

    def rows(self, n: int) -> Rows:
        """One equality row."""
        none = no_rows(n)
        return Rows(none.A_ub, none.b_ub, np.ones((1, n)), np.array([self.total]))


class Ball:
    """{‖v − center‖₂ ≤ radius}."""

    simple = False

    def __init__(self, radius: float, center: Any = 0.0) -> None:
        self.radius, self.center = positive(radius, "Ball: radius"), scalar_or_vector(center, "center")
        if not np.isfinite(self.center).all():
            raise InputError("Ball: center holds a non-finite entry")

    def check(self, n: int, name: str) -> None:
        """Require a vector center to have length n."""
        if self.center.ndim == 1 and self.center.size != n:
            raise InputError(f"{name}: Ball.center has {self.center.size} entries, the variable has {n}")

    def project(self, v: Any) -> Array:
        """Shrink towards the center."""
        given = _point(self, v)
        away, length = direction(given - self.center)
        if length <= self.radius:
            return given
        shrunk: Array = self.center + away * self.radius
        return shrunk.astype(given.dtype)

    def bounds(self, n: int) -> tuple[Array, Array]:
        """Return the box around the ball."""
        c = np.broadcast_to(self.center, n)
        return c - self.radius, c + self.radius

    def rows(self, n: int) -> Rows:
        """No linear rows; a master learns the ball by its tangents."""
        return no_rows(n)

    def tangent(self, v: Array) -> tuple[Array, float] | None:
        """Return the tangent half-space at the nearest point of the sphere."""
        a, length = direction(v - self.center)
        if length <= self.radius * (1 + 1e-12):
            return None
        return a, float(a @ np.broadcast_to(self.center, v.size)) + self.radius


class Polytope(_Linear):
    """{lower ≤ v ≤ upper, A_ub v ≤ b_ub, A_eq v = b_eq}; any part may be left out.

    Parameters
    ----------
    A_ub, b_ub : array_like of shapes (m, n) and (m,)
        Inequality rows; a matrix may be one of SciPy's sparse ones, and is kept dense.
    A_eq, b_eq : array_like of shapes (p, n) and (p,)
        Equality rows.
    lower, upper : float or array_like of shape (n,)
        Bounds, infinite where there are none.
    integer : bool or array_like of bool, shape (n,)
        Entries that are whole numbers; these need finite bounds.

    Raises
    ------
    InputError
        Where the shapes disagree, or no point satisfies all of it.
    """

    simple = False

    def __init__(
        self, A_ub: Any = None, b_ub: Any = None, A_eq: Any = None, b_eq: Any = None,
        lower: Any = -np.inf, upper: Any = np.inf, integer: Any = False,
    ) -> None:  # fmt: skip
        given = {name: matrix(A, name) for A, name in ((A_ub, "A_ub"), (A_eq, "A_eq")) if A is not None}
        if not given:
            raise InputError("Polytope needs A_ub or A_eq; without rows use Box(lower, upper)")
        self.n = next(iter(given.values())).shape[1]
        ub, eq = (given.get(name, np.zeros((0, self.n))) for name in ("A_ub", "A_eq"))
        if eq.shape[1] != self.n:
            raise InputError(f"Polytope: A_eq has {eq.shape[1]} columns, {self.n} were expected, as A_ub has")
        if (A_ub is None) != (b_ub is None) or (A_eq is None) != (b_eq is None):
            raise InputError("Polytope: A_ub comes with b_ub, and A_eq with b_eq")
        self._rows = usual_rows(
            ub, np.zeros(0) if b_ub is None else vector(b_ub, "b_ub", ub.shape[0]).astype(float),
            eq, np.zeros(0) if b_eq is None else vector(b_eq, "b_eq", eq.shape[0]).astype(float),
        )  # fmt: skip
        self._box = Box(lower, upper, integer)
        self._box.check(self.n, "Polytope")
        self.integer = self._box.integer
        if _is_empty(self._rows, *self._box.bounds(self.n)):
            raise InputError("Polytope is empty: no point satisfies all its rows and bounds")
        if self.integer.any():
            _integer.require_a_point(self._rows, *self._box.bounds(self.n), np.broadcast_to(self.integer, self.n))

    def check(self, n: int, name: str) -> None:
        """Require n columns."""
        if n != self.n:
            raise InputError(f"{name}: Polytope has {self.n} columns, the variable has {n}")

    def project(self, v: Any) -> Array:
        """Solve the projection's quadratic programme; with whole numbers, a series of integer ones.

        Raises
        ------
        InputError
            If v is not a finite vector of as many entries as there are columns.
        ProjectionError
            If the quadratic programme cannot be solved to 1e-11 of the size of the point found and of the rows.
        """
        given = _point(self, v)
        lo, hi = self._box.bounds(self.n)
        r = self._rows
        clipped = self._box.project(given)
        exact = 1e-12 * min(1.0, self._size(clipped))
        if np.all(r.A_ub @ clipped <= r.b_ub) and np.all(np.abs(r.A_eq @ clipped - r.b_eq) <= exact):
            return clipped.astype(given.dtype, copy=False)
        if self.integer.any():
            return _integer.nearest(self, given.astype(float)).astype(given.dtype, copy=False)
        if r.b_ub.size + r.b_eq.size == 1:
            row, rhs = (r.A_ub[0], r.b_ub[0]) if r.b_ub.size else (r.A_eq[0], r.b_eq[0])
            near = given.astype(np.float64)
            for _ in range(_PASSES):  # the second pass takes away the rounding of a far point
                near = nearest_on_row(near, row, rhs, lo, hi)
                if linear_violation(self, near) <= 1e-11 * self._size(near):
                    return near.astype(given.dtype, copy=False)
            raise ProjectionError("Polytope.project: the point is too far away for its row to be met")
        point: Array = given.astype(np.float64)
        rhs = np.concatenate([r.b_ub, r.b_eq])
        for _ in range(_PASSES):  # as above
            unit = max(self._size(point), np.finfo(float).tiny)
            solution = nearest_point(point / unit, (r.A_ub, r.A_eq), rhs / unit, lo / unit, hi / unit, r.b_eq.size)
            if solution.residual > 1e-8:
                break
            point = solution.point * unit
            if linear_violation(self, point) <= 1e-11 * self._size(point):
                return point.astype(given.dtype, copy=False)
        raise ProjectionError(f"Polytope.project did not converge (residual {solution.residual:.1e})")

    def _size(self, v: Array) -> float:
        """Size of a point and of the rows, by which what it misses them by is measured; at most 1 + that of v."""
        of_v, *of_rows = (float(np.abs(part).max(initial=0.0)) for part in (v, self._rows.b_ub, self._rows.b_eq))
        return min(1.0 + of_v, max(of_v, *of_rows))

    def bounds(self, n: int) -> tuple[Array, Array]:
        """Return the bounds beside the rows."""
        return self._box.bounds(n)

    def rows(self, n: int) -> Rows:
        """Return the rows."""
        return self._rows


_PASSES = 4


def _is_empty(rows: Rows, lower: Array, upper: Array) -> bool:
    """Whether there is a proof that no point satisfies all rows and bounds; without one there may be points."""
    unmet = np.append(-rows.b_ub[~rows.A_ub.any(axis=1)], np.abs(rows.b_eq[~rows.A_eq.any(axis=1)]))
    if np.any(unmet > 0):
        return True
    A, b = np.vstack([rows.A_ub, rows.A_eq]), np.concatenate([rows.b_ub, rows.b_eq])
    return dense_lp.minimise(np.zeros(A.shape[1]), A, b, lower, upper, rows.b_eq.size).status == "infeasible"


def relaxed(feasible: FeasibleSet) -> FeasibleSet:
    """Return the set without its whole numbers: all of the box or the polytope that they lie in."""
    return _between(feasible) if np.any(getattr(feasible, "integer", False)) else feasible


def fixed(feasible: FeasibleSet, v: Array) -> FeasibleSet:
    """Return the part of the set whose whole entries are those of v."""
    lower, upper = feasible.bounds(v.size)
    whole, near = integer_columns(feasible, v.size), np.rint(v)
    return _between(feasible, np.where(whole, near, lower), np.where(whole, near, upper))


def _between(feasible: FeasibleSet, lower: Any = None, upper: Any = None) -> FeasibleSet:
    """Box or polytope of the same rows, with other bounds and no whole numbers."""
    if isinstance(feasible, Polytope):
        rows = feasible.rows(feasible.n)
        low, high = feasible.bounds(feasible.n) if lower is None else (lower, upper)
        return Polytope(rows.A_ub, rows.b_ub, rows.A_eq, rows.b_eq, low, high)
    if not isinstance(feasible, Box):
        raise InputError(f"{type(feasible).__name__} cannot hold whole numbers: only Box and Polytope can")
    return Box(feasible.lower, feasible.upper) if lower is None else Box(lower, upper)
