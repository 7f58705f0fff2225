"""Gradients held to account by differences of their own functions, beside a point at which a run came to rest.

A gradient of the wrong sign makes any point look like a minimum. Points beside it are taken at random, where no
kink is met; on a line through them a derivative lies between the two one-sided differences of a convex or concave
function. One that is far outside at each of several draws is wrong.
"""

from collections.abc import Callable, Iterator

import numpy as np

from cutplane._arrays import Array
from cutplane.core.formulations import Joint, Reduced
from cutplane.core.pool import Kind
from cutplane.masters.linearised import units_of

_WIDE, _OFF = 1e-2, 0.3
"""Distance (units) of the points at which gradients are held against differences, and the share by which they may
be off: an approximate gradient is no fault, one of the wrong sign is."""
_DRAWS = 3
_NOISE = 2e-7
"""Relative error of a value that an inner solver's accuracy explains."""

Along = Callable[[float], tuple[float, float]]
"""Value and slope of a function at a share of the way between two points."""


def fault(model: Joint | Reduced, z: Array) -> str | None:
    """Say which gradient contradicts differences of its own function near z; None where none does.

    Each part is asked by itself: F along x and along y, the gap along both, y*(x) by `vjp`, the constraints.
    """
    rng = np.random.default_rng(1)
    spread = _WIDE * units_of(model, z)
    suspects: dict[str, str] = {}
    for draw in range(_DRAWS):
        ends = [model.project((z + spread * rng.uniform(-1.0, 1.0, z.size)).astype(z.dtype)) for _ in range(2)]
        found = dict(_mismatches(model, *ends))
        suspects = {name: words for name, words in found.items() if draw == 0 or name in suspects}
        if not suspects:
            return None
    return next(iter(suspects.values()))


def _mismatches(model: Joint | Reduced, a: Array, b: Array) -> Iterator[tuple[str, str]]:
    """Functions whose slope on the way from a to b, half-way, is far from their differences."""
    noise = _NOISE if a.dtype == np.float64 else 1e-4
    for name, function in _functions(model, a, b):
        try:
            (low, _), (middle, slope), (high, _) = (function(share) for share in (0.45, 0.5, 0.55))
        except Exception:  # no answer there: nothing to hold the gradient against
            continue
        before, after = (middle - low) / 0.05, (high - middle) / 0.05
        off = max(min(before, after) - slope, slope - max(before, after), 0.0)
        if off > _OFF * max(abs(before), abs(after), abs(slope)) + noise * (1 + abs(middle)) / 0.05:
            yield name, (
                f"{name}: along one direction its gradient says {slope:.3g} and its values rise by "
                f"{(high - low) / 0.1:.3g}; look at it with check_oracle"
            )


def _functions(model: Joint | Reduced, a: Array, b: Array) -> list[tuple[str, Along]]:
    """Everything that the oracles differentiate, as functions of the share of the way from a to b."""
    (x_a, y_a), (x_b, y_b) = model.split(a), model.split(b)
    on_x, on_y = x_b - x_a, y_b - y_a
    weights = np.cos(np.arange(y_a.size))  # of a component each: no two cancel

    def upper(share: float, along: int) -> tuple[float, float]:
        x, y = (x_a + share * on_x, y_a) if along == 1 else (x_a, y_a + share * on_y)
        answer = model.upper_value(x, y)
        return answer[0], float(answer[along] @ (on_x if along == 1 else on_y))

    def gap(share: float, along: int) -> tuple[float, float]:
        x, y = (x_a + share * on_x, y_a) if along == 1 else (x_a, y_a + share * on_y)
        answer = model.problem.lower.gap(x, y)
        return float(answer[0]), float(np.asarray(answer[along]) @ (on_x if along == 1 else on_y))

    def answer_of_y(share: float) -> tuple[float, float]:
        x, y = model.split(a + a.dtype.type(share) * (b - a))
        pull = model.problem.lower.vjp(x, weights.astype(y.dtype))  # type: ignore[attr-defined]
        return float(weights @ y), float(np.asarray(pull) @ on_x)

    def constraints(share: float) -> tuple[float, float]:
        way = b - a
        found = [p for p in model.pieces(a + a.dtype.type(share) * way)[1] if p.kind == Kind.CONSTRAINT]
        each = np.cos(np.arange(len(found)))
        slopes = [float(p.gradient @ way) for p in found]
        return float(each @ [p.value for p in found]), float(each @ slopes)

    named: list[tuple[str, Along]] = [
        ("upper, in x", lambda share: upper(share, 1)), ("upper, in y", lambda share: upper(share, 2)),
    ]  # fmt: skip
    if isinstance(model, Reduced):
        named.append(("lower.vjp", answer_of_y))
    else:
        named.append(("lower.gap, in x", lambda share: gap(share, 1)))
        named.append(("lower.gap, in y", lambda share: gap(share, 2)))
    if len(model.constraints):
        named.append(("constraints", constraints))
    return named
