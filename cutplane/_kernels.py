"""The loops under the pool of planes: small ones by NumPy, large ones compiled.

Numba takes longer to import than a small problem takes to solve, so it is imported with the first large array.
"""

from __future__ import annotations

import numpy as np

from cutplane._arrays import Array

_SMALL = 1 << 16
"""Numbers that NumPy works on itself: below, its calls cost less than they would save."""


def primal_dual_sweep(
    A: Array, multipliers: Array, gradient: Array, steps: Array, lower: Array, upper: Array,
    point: Array, activity: Array,
) -> float:  # fmt: skip
    """Move `point` by one projected step along −(gradient + Aᵀ multipliers); fill activity = A·(new point).

    Returns the squared length of the move, measured in units of the steps.
    """
    if A.size > _SMALL or point.size > _SMALL:
        from cutplane._compiled import primal_dual_sweep as compiled

        return float(compiled(A, multipliers, gradient, steps, lower, upper, point, activity))
    moved = np.clip(point - steps * (gradient + multipliers @ A), lower, upper)
    shift = (moved - point) / steps
    point[:] = moved
    activity[:] = A @ point
    return float(shift @ shift)


def dual_sweep(
    A: Array, multipliers: Array, cost: Array, middle: Array, half: Array, width: float,
    point: Array, activity: Array,
) -> float:  # fmt: skip
    """Return max over a box of −(cost + Aᵀ multipliers)·d, its kink smoothed over `width`; fill the maximiser.

    `point` becomes the maximiser d of the smoothed function and `activity` A·d. The box is middle ± half. It is
    called for wide programmes alone, so it is compiled at any size.
    """
    from cutplane._compiled import dual_sweep as compiled

    return float(compiled(A, multipliers, cost, middle, half, width, point, activity))


def implied(A: Array, offsets: Array, rows: Array, k: int, lower: Array, upper: Array) -> Array:
    """Which of some planes the plane k implies on a box: their excess over it is nowhere above 0."""
    if len(rows) * A.shape[1] > _SMALL:
        from cutplane._compiled import excess

        return np.array([excess(A, offsets, int(l), k, lower, upper) <= 0.0 for l in rows], dtype=bool)
    return _excess(A, offsets, rows, k, lower, upper) <= 0.0


def dominated(A: Array, offsets: Array, kinds: Array, lower: Array, upper: Array) -> Array:
    """Which planes one other of their kind implies on the box; of equals the first is kept."""
    planes, n = A.shape
    out = np.zeros(planes, dtype=np.bool_)
    if planes * planes * n > _SMALL:
        from cutplane._compiled import dominated as compiled

        compiled(A, offsets, kinds, lower, upper, out)
        return out
    rows = np.arange(planes)
    # [k, l]: plane k implies plane l
    above = np.zeros((planes, planes), dtype=bool)
    for k in range(planes):
        above[k] = _excess(A, offsets, rows, k, lower, upper) <= 0.0
    for l in rows:
        for other in np.flatnonzero(above[:, l] & (kinds == kinds[l]) & ~out):
            if other != l and (other < l or not above[l, other]):
                out[l] = True
                break
    return out


def _excess(A: Array, offsets: Array, rows: Array, k: int, lower: Array, upper: Array) -> Array:
    """Max over the box of each plane minus plane k."""
    away = A[rows] - A[k]
    with np.errstate(invalid="ignore"):  # an open bound counts where the planes differ
        part = np.where(away != 0, away * np.where(away > 0, upper, lower), 0.0)
        return np.asarray(offsets[rows] - offsets[k] + part.sum(axis=1))
