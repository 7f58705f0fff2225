"""Whole numbers in sets: which entries, what their bounds come to, and the nearest point."""

from typing import Any

import numpy as np

from cutplane._arrays import Array
from cutplane._feasible import FeasibleSet, Rows, integer_columns, linear_violation
from cutplane.errors import InputError, ProjectionError
from cutplane.programs.milp import minimise_milp
from cutplane.programs.nearest_point import nearest_point

_LARGEST = 1e6
"""Bound of whole numbers: HiGHS takes for whole what is within 1e-6, so that more digits would mean nothing."""
_ROUNDS = 500


def mask(value: Any, name: str) -> Array:
    """Return True or False, or an array of these, as booleans; refuse anything else by name."""
    found = np.asarray(value)
    if found.dtype != np.bool_ or found.ndim > 1:
        raise InputError(
            f"{name} must be True, False or one of these an entry, not {value!r}; for columns by number write "
            "np.isin(np.arange(n), columns)"
        )
    return found.copy()


def tightened(lower: Array, upper: Array, integer: Array, name: str) -> tuple[Array, Array]:
    """Bounds whose whole entries are whole: rounded inwards, but for the rounding of the bounds themselves."""
    if not integer.any():
        return lower, upper
    sizes = {part.size for part in (lower, upper, integer) if part.ndim}
    if len(sizes) > 1:
        raise InputError(
            f"{name}: integer has {integer.size} entries, the bounds have {min(sizes - {integer.size})}"
        )
    shape = (sizes.pop(),) if sizes else ()
    low, high = np.broadcast_to(lower, shape).astype(float), np.broadcast_to(upper, shape).astype(float)
    with np.errstate(invalid="ignore"):
        wild = integer & ~((np.abs(low) <= _LARGEST) & (np.abs(high) <= _LARGEST))
    if wild.any():
        raise InputError(f"{name}: integer entries need bounds between -{_LARGEST:.0e} and {_LARGEST:.0e}")
    low = np.where(integer, np.ceil(low - 1e-9) + 0.0, low)
    high = np.where(integer, np.floor(high + 1e-9), high)
    empty = np.flatnonzero(low > high)
    if empty.size:
        raise InputError(f"{name}: no whole number lies between the bounds of entry {int(empty[0])}")
    return low, high


def require_a_point(rows: Rows, lower: Array, upper: Array, integer: Array) -> None:
    """Raise `InputError` where rows and bounds leave no point whose entries are whole."""
    A, low, high = _sides(rows)
    if minimise_milp(np.zeros(lower.size), A, low, high, lower, upper, integer).status == "infeasible":
        raise InputError("Polytope has no integer point: points satisfy its rows, none of them is whole")


def _sides(rows: Rows) -> tuple[Array, Array, Array]:
    A = np.vstack([rows.A_ub, rows.A_eq])
    high = np.concatenate([rows.b_ub, rows.b_eq])
    return A, np.concatenate([np.full(rows.b_ub.size, -np.inf), rows.b_eq]), high


def nearest(feasible: FeasibleSet, v: Array) -> Array:
    """Point of a set with bounds, rows and whole numbers that is nearest to v, by outer approximation.

    Each (uᵢ − vᵢ)² / 2 has a height tᵢ of its own above lines: of a whole number those through two neighbours,
    which
    are exact at both, of another one tangents. With the whole numbers that an integer programme over the lines
    finds the rest is a projection; it ends where the lines leave nothing nearer.

    Raises
    ------
    ProjectionError
        Where there is no point, or none that is shown to be the nearest after 500 programmes.
    """
    n, rows = v.size, feasible.rows(v.size)
    lower, upper = feasible.bounds(n)
    integer = integer_columns(feasible, n)
    A, low, high = _sides(rows)
    lines = [
        _lines(lower + 0.5 * (integer & (upper > lower)), v, integer),
        _lines(np.clip(v, lower, upper), v, integer),
    ]
    best, least = None, np.inf
    for _ in range(_ROUNDS):
        normals, sides = (np.concatenate(part) for part in zip(*lines, strict=True))
        found = minimise_milp(
            np.repeat([0.0, 1.0], n), np.vstack([np.hstack([A, np.zeros_like(A)]), normals]),
            np.concatenate([low, np.full(sides.size, -np.inf)]), np.concatenate([high, sides]),
            np.concatenate([lower, np.zeros(n)]), np.concatenate([upper, np.full(n, np.inf)]),
            np.concatenate([integer, np.zeros(n, dtype=bool)]),
        )  # fmt: skip
        if found.status != "optimal":
            raise ProjectionError(
                f"Polytope.project: the integer programme of the nearest point is {found.status}"
            )
        point = _with_rest(feasible, rows, found.point[:n], v, integer)
        value = float((point - v) @ (point - v)) / 2
        if value < least:
            best, least = point, value
        if best is not None and least - found.bound <= 1e-10 * (1.0 + least):
            return best + 0.0
        lines += [_lines(at, v, integer) for at in (point, found.point[:n], point - 0.5 * integer)]
    raise ProjectionError(
        f"Polytope.project: no integer point was shown to be the nearest within {_ROUNDS} programmes"
    )


def _lines(at: Array, v: Array, integer: Array) -> tuple[Array, Array]:
    """Rows a·(u, t) ≤ b of the lines below (u − v)² / 2 at a point, one an entry."""
    left = np.floor(at)
    # through k and k + 1 the slope of (u − v)² / 2 is k + ½ − v
    slope, base = np.where(integer, left + 0.5 - v, at - v), np.where(integer, left, at)
    return np.hstack([np.diag(slope), -np.eye(v.size)]), slope * base - (base - v) ** 2 / 2


def _with_rest(feasible: FeasibleSet, rows: Rows, point: Array, v: Array, integer: Array) -> Array:
    """Point with these whole numbers, and the rest nearest to v; the point itself where that does not come off."""
    if integer.all():
        return point
    lower, upper = feasible.bounds(v.size)
    lower, upper = np.where(integer, point, lower), np.where(integer, point, upper)
    rest = nearest_point(
        v, (rows.A_ub, np.zeros((0, v.size)), rows.A_eq), np.concatenate([rows.b_ub, rows.b_eq]), lower, upper,
        rows.b_eq.size,
    )  # fmt: skip
    better = rest.residual <= 1e-8 and linear_violation(feasible, rest.point) <= 1e-9 * (1 + np.abs(v).max())
    return rest.point if better else point
