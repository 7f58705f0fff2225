"""The largest step away from an optimal point that a convex gap still allows, in a few evaluations."""

import math
from collections.abc import Callable

_CLOSE, _PATIENT = 1e-7, 4
"""How near to the rim, relative, is near enough, and for how many looks."""
_USEFUL = 1e-3
"""How near is near enough after that, where rounding may not let it come nearer."""


def rim(ratio: Callable[[float], float], outside: float, looks: int) -> float:
    """Return a share s in [0, 1) with ratio(s) < 1, as near to 1 as `looks` evaluations bring it; 0 if none is.

    Parameters
    ----------
    ratio : callable
        A quantity over what is allowed of it: below 1 at 0, above 1 at 1.
    outside : float
        ratio(1).
    looks : int
        Most evaluations of `ratio`.

    Notes
    -----
    Secant steps in log ratio against log s, kept inside a bracket: a power of s is met by the second step, the
    square, which is usual, by the first. After four they alternate with halving the bracket.
    """
    low, high, below = 0.0, 1.0, 0.0
    s, value, power = high, outside, 2.0
    for look in range(looks):
        close = _CLOSE if look < _PATIENT else _USEFUL
        if below >= 1.0 - close:
            break
        step = s * ((1.0 - 0.5 * close) / value) ** (1.0 / power) if 0 < value < float("inf") else 0.0
        if look > _PATIENT and look % 2:  # kinks lead secants astray
            step = 0.5 * (low + high)
        elif not low < step < high:
            step = (low * high) ** 0.5 if low > 0 else 0.1 * high
        found = ratio(step)
        if found < 1.0:
            low, below = step, found
        else:
            high = step
        if high - low <= 1e-14 * high:
            break
        power = _power(s, value, step, found)
        s, value = step, found
    return low


def _power(s: float, value: float, t: float, other: float) -> float:
    """The exponent that two points suggest; 2 where they suggest none."""
    if not (0 < value < float("inf") and 0 < other < float("inf")) or s == t or value == other:
        return 2.0
    return min(max(math.log(value / other) / math.log(s / t), 0.1), 64.0)
