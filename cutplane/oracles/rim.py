"""The largest step away from an optimal point that a convex gap still allows, in a few evaluations."""

import math
from collections.abc import Callable

_CLOSE, _PATIENT = 1e-7, 4
"""How near to the rim, relative, is near enough, and for how many looks."""
_USEFUL = 1e-3
"""How near is near enough after that, where rounding may not let it come nearer."""

Look = tuple[float, float]
"""A share, and the ratio there."""


def rim(ratio: Callable[[float], float], outside: float, looks: int) -> float:
    """Return a share s in [0, 1) with ratio(s) < 1, as near to 1 as `looks` evaluations bring it; 0 if none is.

    Parameters
    ----------
    ratio : callable
        A quantity over what is allowed of it: below 1 at 0, above 1 at 1; convex.
    outside : float
        ratio(1).
    looks : int
        Most evaluations of `ratio`.

    Notes
    -----
    Secant steps in log ratio against log s, kept inside a bracket: a power of s is met by the second step, the
    square, which is usual, by the first. Kinks lead them astray: so after four, chords narrow the bracket without
    an evaluation, and its upper end (beyond the last kink the rim itself) and its middle are looked at in turn.
    """
    inside, beyond = [(0.0, 0.0)], [(1.0, outside)]
    last, power = beyond[0], 2.0
    for look in range(looks):
        close = _CLOSE if look < _PATIENT else _USEFUL
        (low, below), (high, _), aim = inside[-1], beyond[-1], 1.0 - 0.5 * close
        if below >= 1.0 - close:
            break
        s, value = last
        step = s * (aim / value) ** (1.0 / power) if 0 < value < math.inf else 0.0
        if look >= _PATIENT:
            least, most = _between_chords(inside, beyond, aim)
            step = (min(max(step, least), most), most, 0.5 * (least + most))[look % 3]
        if not low < step < high:
            step = (low * high) ** 0.5 if low > 0 else 0.1 * high
        found = (step, ratio(step))
        (inside if found[1] < 1.0 else beyond).append(found)
        if beyond[-1][0] - inside[-1][0] <= 1e-14 * beyond[-1][0]:
            break
        power, last = _power(*last, *found), found
    return inside[-1][0]


def _between_chords(inside: list[Look], beyond: list[Look], aim: float) -> Look:
    """Least and largest share at which a convex function with these values can be at its aim.

    It lies below the chord across the rim, and above what the chords on either side of it come to there.
    """
    ends = inside[-1][0], beyond[-1][0]
    least = _on_line(inside[-1], beyond[-1], aim, ends[0])
    sides = [_on_line(looks[-2], looks[-1], aim, ends[1]) for looks in (inside, beyond) if len(looks) > 1]
    return max(least, ends[0]), max(least, min([ends[1], *sides]))


def _on_line(a: Look, b: Look, aim: float, otherwise: float) -> float:
    """Where the line through two looks is at the aim; another share where it does not rise to it."""
    (s, low), (t, high) = a, b
    slope = (high - low) / (t - s)
    return s + (aim - low) / slope if 0 < slope < math.inf else otherwise


def _power(s: float, value: float, t: float, other: float) -> float:
    """The exponent that two points suggest; 2 where they suggest none."""
    if not (0 < value < float("inf") and 0 < other < float("inf")) or s == t or value == other:
        return 2.0
    return min(max(math.log(value / other) / math.log(s / t), 0.1), 64.0)
