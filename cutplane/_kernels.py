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
def dominated(A: Array, offsets: Array, kinds: Array, lower: Array, upper: Array, out: Array) -> None:
    """Mark in `out` each plane that another of its kind implies on the box.

    Plane l is implied by plane k where max over the box of (a_l − a_k)·z + c_l − c_k ≤ 0. Of two equal
    planes the earlier one is kept.
    """
    planes, n = A.shape
    out[:] = False
    for l in range(planes):
        for k in range(planes):
            if k == l or out[k] or kinds[k] != kinds[l]:
                continue
            worst = offsets[l] - offsets[k]
            magnitude = abs(offsets[l])
            for j in range(n):
                d = A[l, j] - A[k, j]
                if d > 0.0:
                    worst += d * upper[j]
                    magnitude += abs(d * upper[j])
                elif d < 0.0:
                    worst += d * lower[j]
                    magnitude += abs(d * lower[j])
                if worst == np.inf:
                    break
            if worst <= 0.0:
                equal = worst == 0.0 and magnitude == abs(offsets[l])
                if not equal or k < l:
                    out[l] = True
                    break
