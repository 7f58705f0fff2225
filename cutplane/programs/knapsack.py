"""The point of a box with one linear row nearest to a given one (the continuous quadratic knapsack problem)."""

import numpy as np

from cutplane._arrays import Array


def nearest_on_row(v: Array, a: Array, b: float, lower: Array, upper: Array) -> Array:
    """Minimise ‖u − v‖ over a·u = b, lower ≤ u ≤ upper, which must have a point; exact, in O(n log n).

    The solution is clip(v − τ a) for the multiplier τ at which the row is met; a·clip(v − τ a) falls
    piecewise linearly in τ, so that τ lies between two neighbouring breakpoints, found by bisection (Brucker 1984;
    Kiwiel 2008).

    Parameters
    ----------
    v, a, lower, upper : ndarray of shape (n,)
        The bounds may be infinite.
    b : float

    Returns
    -------
    ndarray of shape (n,)
    """
    at_work = a != 0
    slope = a[at_work]
    breaks = np.concatenate([(v - bound)[at_work] / slope for bound in (lower, upper)])
    breaks = np.unique(breaks[np.isfinite(breaks)])

    def excess(tau: float) -> float:
        return float(a @ np.clip(v - tau * a, lower, upper)) - b

    low, high = 0, breaks.size  # the row is exceeded at every breakpoint before `low`, and at none from `high` on
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if excess(breaks[middle]) > 0 else (low, middle)
    left = breaks[low - 1] if low > 0 else -np.inf
    right = breaks[low] if low < breaks.size else np.inf
    inside = _between(left, right)
    at = v - inside * a
    free = at_work & (at > lower) & (at < upper)
    fixed = np.clip(at, lower, upper)
    curvature = float(a[free] @ a[free])
    if curvature == 0.0:  # flat: every τ of the segment gives the same point
        return fixed
    tau = (float(a[free] @ v[free]) + float(a[~free] @ fixed[~free]) - b) / curvature
    return np.where(free, np.clip(v - tau * a, lower, upper), fixed)


def _between(left: float, right: float) -> float:
    """Some number strictly between two breakpoints, either of which may be infinite."""
    if np.isinf(left) and np.isinf(right):
        return 0.0
    if np.isinf(left):
        return right - 1.0 - abs(right)
    if np.isinf(right):
        return left + 1.0 + abs(left)
    return 0.5 * (left + right)
