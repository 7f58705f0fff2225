"""What a feasible set is: its interface, its linear rows, and how far a point is from it."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from cutplane._arrays import Array, row_lengths


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Linear rows of a set: A_ub v ≤ b_ub and A_eq v = b_eq."""

    A_ub: Array
    b_ub: Array
    A_eq: Array
    b_eq: Array


@runtime_checkable
class FeasibleSet(Protocol):
    """A closed convex set. `simple` tells that bounds alone describe it."""

    simple: bool

    def check(self, n: int, name: str) -> None:
        """Raise `InputError` if the set cannot hold vectors of length n."""

    def project(self, v: Array) -> Array:
        """Nearest point of the set, in an array of its own."""

    def bounds(self, n: int) -> tuple[Array, Array]:
        """Componentwise bounds, infinite where there are none."""

    def rows(self, n: int) -> Rows:
        """Linear rows beyond the bounds."""

    def tangent(self, v: Array) -> tuple[Array, float] | None:
        """(a, b) with a·u ≤ b on the set and a·v > b, for a curved set that v is outside of."""


def no_rows(n: int) -> Rows:
    """Rows of a set that has none, in n variables."""
    return Rows(np.zeros((0, n)), np.zeros(0), np.zeros((0, n)), np.zeros(0))


def usual_rows(A_ub: Array, b_ub: Array, A_eq: Array, b_eq: Array) -> Rows:
    """Rows with those of unusual length (below 1e-3, above 1e3) scaled to length 1; rows of zeros stay.

    Masters forgive a row what they forgive any: of a tiny row that is all of it. The other rows, and with them
    their multipliers, stay in the user's units.
    """
    ub, eq = (np.where((n < 1e-3) | (n > 1e3), n, 1.0) for n in (row_lengths(A_ub), row_lengths(A_eq)))
    return Rows(A_ub / ub[:, None], b_ub / ub, A_eq / eq[:, None], b_eq / eq)


def integer_columns(feasible: FeasibleSet, n: int) -> Array:
    """[n] True for the entries of a set that are whole numbers; a set without `integer` has none."""
    return np.broadcast_to(np.asarray(getattr(feasible, "integer", False), dtype=bool), n)


def _size(lower: Array, upper: Array, rows: Rows) -> float:
    """Largest number in the bounds and the right sides; 1 where there is none but zeros."""
    numbers = np.concatenate([lower, upper, rows.b_ub, rows.b_eq])
    return float(np.abs(numbers[np.isfinite(numbers)]).max(initial=0.0)) or 1.0


def violation(feasible: FeasibleSet, v: Array) -> float:
    """Return the largest distance by which v misses a bound, a row (of unit length), a whole number or a curve."""
    worst, tangent = linear_violation(feasible, v), feasible.tangent(v)
    whole = integer_columns(feasible, v.size)
    worst = max(worst, float(np.max(np.abs(v - np.rint(v))[whole], initial=0.0)))
    return worst if tangent is None else max(worst, float(tangent[0] @ v - tangent[1]))


def allowance(feasible: FeasibleSet, v: Array) -> float:
    """Distance by which v may miss the set and still be meant to lie in it: 1e-9 (float32: 1e-6) of its size.

    The size is that of the widest bounds, of the numbers in bounds and rows, or 1 + ‖v‖∞, whichever is least; the
    rounding of v itself is always allowed.
    """
    lo, hi = feasible.bounds(v.size)
    of_v = float(np.abs(v).max(initial=0.0))
    with np.errstate(over="ignore"):  # bounds may be as wide as numbers go
        width = float(np.max(hi - lo, initial=0.0))
    size = min(1.0 + of_v, max(of_v, _size(lo, hi, feasible.rows(v.size))), width if width > 0 else np.inf)
    return max((1e-6 if v.dtype == np.float32 else 1e-9) * size, 8 * float(np.finfo(v.dtype).eps) * of_v)


def linear_violation(feasible: FeasibleSet, v: Array) -> float:
    """Return the largest distance by which v misses a bound or a row of unit length."""
    lo, hi = feasible.bounds(v.size)
    rows = feasible.rows(v.size)
    worst = max(float(np.max(lo - v, initial=0.0)), float(np.max(v - hi, initial=0.0)))
    worst = max(worst, float(np.max((rows.A_ub @ v - rows.b_ub) / row_lengths(rows.A_ub), initial=0.0)))
    return max(worst, float(np.max(np.abs(rows.A_eq @ v - rows.b_eq) / row_lengths(rows.A_eq), initial=0.0)))
