"""The compiled kernels of `_kernels`, for large arrays; nothing else in the library is compiled.

Each is compiled at its first call and cached on disk, so that importing the library compiles nothing.
The planes are stored as rows of a C-ordered matrix; the sweep walks it in tiles of columns, so that each is read
from memory once and used twice.
"""

import numpy as np
from numba import njit

from cutplane._arrays import Array

_TILE = 1 << 20
"""Bytes of the planes that are worked on at a time: what a core's own cache holds."""
_GROUP = 8
"""Planes read side by side: one load and one store of the vector serve eight of them."""
_FAST = {"reassoc", "contract", "nsz"}
"""Sums may be reordered, so that they use vector registers; NaN and infinity keep their meaning."""


@njit(cache=True, fastmath=_FAST)
def primal_dual_sweep(
    A: Array, multipliers: Array, gradient: Array, steps: Array, lower: Array, upper: Array,
    point: Array, activity: Array,
) -> float:  # fmt: skip
    """Move `point` by one projected step along −(gradient + Aᵀ multipliers); fill activity = A·(new point).

    All in one reading of the planes: the paper's steps (4) and the products that (5) needs. Returns the
    squared length of the move, measured in units of the steps.
    """
    planes, n = A.shape
    zero = A.dtype.type(0)
    activity[:] = 0.0
    moved = 0.0
    block = min(max(_TILE // (max(planes, 1) * A.itemsize), 512), 16384)
    pull = np.empty(block, dtype=A.dtype)
    for start in range(0, n, block):
        stop = min(start + block, n)
        z, q = point[start:stop], pull[: stop - start]
        q[:] = gradient[start:stop]
        _add_planes(A, start, multipliers, q)
        low, up, eta = lower[start:stop], upper[start:stop], steps[start:stop]
        part = zero
        for j in range(z.size):
            old = z[j]
            new = min(max(old - eta[j] * q[j], low[j]), up[j])
            z[j] = new
            shift = (new - old) / eta[j]
            part += shift * shift
        moved += part
        _add_products(A, start, z, activity)
    return moved


@njit(cache=True, fastmath=_FAST)
def dual_sweep(
    A: Array, multipliers: Array, cost: Array, middle: Array, half: Array, width: float,
    point: Array, activity: Array,
) -> float:  # fmt: skip
    """Return max over a box of −(cost + Aᵀ multipliers)·d, its kink smoothed over `width`; fill the maximiser.

    `point` becomes the maximiser d of the smoothed function and `activity` A·d, in one reading of the planes.
    The box is middle ± half.
    """
    planes, n = A.shape
    activity[:] = 0.0
    value = 0.0
    block = min(max(_TILE // (max(planes, 1) * A.itemsize), 512), 16384)
    pull = np.empty(block, dtype=A.dtype)
    for start in range(0, n, block):
        stop = min(start + block, n)
        z, q = point[start:stop], pull[: stop - start]
        q[:] = cost[start:stop]
        _add_planes(A, start, multipliers, q)
        m, w = middle[start:stop], half[start:stop]
        part = 0.0
        for j in range(z.size):
            side = min(max(q[j] / width, -1.0), 1.0)
            z[j] = m[j] - w[j] * side
            part += w[j] * (side * q[j] - 0.5 * width * side * side) - q[j] * m[j]
        value += part
        _add_products(A, start, z, activity)
    return value


@njit(cache=True, fastmath=_FAST)
def _add_planes(A: Array, start: int, w: Array, q: Array) -> None:
    """Add Σ w_l A[l] to q, in the columns from `start` on."""
    planes, stop = A.shape[0], start + q.size
    whole = planes - planes % _GROUP
    for l in range(0, whole, _GROUP):
        a, b, c, d = A[l, start:stop], A[l + 1, start:stop], A[l + 2, start:stop], A[l + 3, start:stop]
        e, f, g, h = A[l + 4, start:stop], A[l + 5, start:stop], A[l + 6, start:stop], A[l + 7, start:stop]
        wa, wb, wc, wd = w[l], w[l + 1], w[l + 2], w[l + 3]
        we, wf, wg, wh = w[l + 4], w[l + 5], w[l + 6], w[l + 7]
        for j in range(q.size):
            q[j] += wa * a[j] + wb * b[j] + wc * c[j] + wd * d[j] + we * e[j] + wf * f[j] + wg * g[j] + wh * h[j]
    for l in range(whole, planes):
        a, wa = A[l, start:stop], w[l]
        for j in range(q.size):
            q[j] += wa * a[j]


@njit(cache=True, fastmath=_FAST)
def _add_products(A: Array, start: int, z: Array, out: Array) -> None:
    """Add A·z to out, in the columns from `start` on."""
    planes, stop = A.shape[0], start + z.size
    whole = planes - planes % _GROUP
    zero = A.dtype.type(0)
    for l in range(0, whole, _GROUP):
        a, b, c, d = A[l, start:stop], A[l + 1, start:stop], A[l + 2, start:stop], A[l + 3, start:stop]
        e, f, g, h = A[l + 4, start:stop], A[l + 5, start:stop], A[l + 6, start:stop], A[l + 7, start:stop]
        sa, sb, sc, sd, se, sf, sg, sh = zero, zero, zero, zero, zero, zero, zero, zero
        for j in range(z.size):
            v = z[j]
            sa += a[j] * v
            sb += b[j] * v
            sc += c[j] * v
            sd += d[j] * v
            se += e[j] * v
            sf += f[j] * v
            sg += g[j] * v
            sh += h[j] * v
        for k, s in enumerate((sa, sb, sc, sd, se, sf, sg, sh)):
            out[l + k] += s
    for l in range(whole, planes):
        a, s = A[l, start:stop], zero
        for j in range(z.size):
            s += a[j] * z[j]
        out[l] += s


@njit(cache=True, fastmath=_FAST)
def excess(A: Array, offsets: Array, l: int, k: int, lower: Array, upper: Array) -> float:
    """Return max over the box of plane l minus plane k: plane k implies plane l where it is ≤ 0."""
    n = A.shape[1]
    worst = offsets[l] - offsets[k]
    for start in range(0, n, 4096):
        stop = min(start + 4096, n)
        a, b, low, up = A[l, start:stop], A[k, start:stop], lower[start:stop], upper[start:stop]
        part = 0.0
        for j in range(stop - start):
            d = a[j] - b[j]
            bound = up[j] if d > 0 else low[j]
            part += d * bound if d != 0 else 0.0  # an open bound counts where the planes differ
        worst += part
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
