"""The compiled kernels under the pool of planes; nothing else in the library is compiled.

Each is compiled at its first call and cached on disk, so that importing the library compiles nothing.
The planes are stored as rows of a C-ordered matrix; both kernels walk it in blocks of columns, so that a
block is read from memory once and used twice.
"""

import numpy as np
from numba import njit

from cutplane._arrays import Array

BLOCK = 2048


@njit(cache=True, fastmath=False)
def primal_dual_sweep(
    A: Array, multipliers: Array, gradient: Array, steps: Array, lower: Array, upper: Array,
    point: Array, activity: Array,
) -> float:  # fmt: skip
    """Move `point` by one projected step along −(gradient + Aᵀ multipliers); fill activity = A·(new point).

    All in one reading of the planes: the paper's steps (4) and the products that (5) needs. Returns the
    squared length of the move, measured in units of the steps.
    """
    planes, n = A.shape
    activity[:] = 0.0
    moved = 0.0
    pull = np.empty(BLOCK, dtype=A.dtype)
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        width = stop - start
        for j in range(width):
            pull[j] = gradient[start + j]
        for l in range(planes):
            weight = multipliers[l]
            if weight != 0.0:
                for j in range(width):
                    pull[j] += weight * A[l, start + j]
        for j in range(width):
            old = point[start + j]
            new = old - steps[start + j] * pull[j]
            new = min(max(new, lower[start + j]), upper[start + j])
            point[start + j] = new
            shift = (new - old) / steps[start + j]
            moved += shift * shift
        for l in range(planes):
            total = 0.0
            for j in range(width):
                total += A[l, start + j] * point[start + j]
            activity[l] += total
    return moved


@njit(cache=True, fastmath=False)
def excess(A: Array, offsets: Array, l: int, k: int, lower: Array, upper: Array) -> float:
    """Return max over the box of plane l minus plane k: plane k implies plane l where it is ≤ 0."""
    worst = offsets[l] - offsets[k]
    for j in range(A.shape[1]):
        d = A[l, j] - A[k, j]
        if d > 0.0:
            worst += d * upper[j]
        elif d < 0.0:
            worst += d * lower[j]
        if worst == np.inf:
            break
    return float(worst)


@njit(cache=True, fastmath=False)
def dominated(A: Array, offsets: Array, kinds: Array, lower: Array, upper: Array, out: Array) -> None:
    """Mark in `out` each plane that one other of its kind implies on the box; of equals the first is kept."""
    planes = A.shape[0]
    out[:] = False
    for l in range(planes):
        for k in range(planes):
            if k == l or out[k] or kinds[k] != kinds[l] or excess(A, offsets, l, k, lower, upper) > 0.0:
                continue
            if k < l or excess(A, offsets, k, l, lower, upper) > 0.0:
                out[l] = True
                break
