"""Ways down from a point where pieces of F and of the constraints meet: one piece at a time, and a few together.

Where functions have kinks, what is feasible beside a point is a union of cones, one of each piece, and the planes of
all of them together may leave nothing of it. So gradients of F and of the constraints are asked for at points
beside, and the linearised problem is solved for each piece alone; where its direction leads onto another piece, for
that one, and for both (a way may run along the kink between them).
"""

from collections.abc import Callable, Iterator

import numpy as np

from cutplane._arrays import Array
from cutplane.core.pool import Plane
from cutplane.masters.linearised import Linearised

_RADII = (1e-3, 1e-4, 1e-5)
"""Distances (units) of the points beside."""
_POINTS, _GROUPS, _STEPS = 48, 80, 100
"""Most points beside, groups of pieces whose directions are tried, and steps of a direct search."""
_SAME = 1e-2
"""Relative difference up to which gradients are of the same piece."""
_INWARDS = (0.02, 0.0)
"""Shares of the planes' reach by which a direction is to stay inside: where constraints bend, the rim leads out."""

Side = list[Plane]
"""F (first) and the constraints at a point beside, to first order."""


def leads_down(
    problem: Linearised, goes_down: Callable[[Array], bool], is_small: Callable[[float], bool]
) -> bool:  # fmt: skip
    """Whether F is lower along a direction that some of the pieces beside the point name.

    Parameters
    ----------
    problem : Linearised
    goes_down : callable
        Tries a direction (units).
    is_small : callable
        Whether a promised fall per unit is none.
    """
    sides = _Sides(problem)
    for point in _points(problem):
        sides.index(point)
    if len(sides.found) < 2:
        return False
    groups = [frozenset([k]) for k in range(len(sides.found))]
    seen, k = set(groups), 0
    while k < min(len(groups), _GROUPS):
        group, met = groups[k], set()
        planes = [plane for side in sorted(group) for plane in sides.found[side]]
        for inwards in _INWARDS:
            promised, way = problem.along(planes, inwards)
            if not way.any() or is_small(promised):
                continue
            if goes_down(way):
                return True
            for radius in _RADII[1:]:
                met.add(sides.index(_projected(problem, radius * way)))
        k += 1
        for side in met - {None} - group:
            more = {frozenset([side])} | ({group | {side}} if len(group) <= problem.model.n else set())
            groups += sorted(more - seen, key=len)
            seen |= more
    return False


def lowest_way(value: Callable[[Array], float], n: int) -> Array:
    """The direction (entries up to 1) along which F is least at a short distance, by a direct search of a few steps.

    No gradient names the rim of where the lower level has an answer.

    Parameters
    ----------
    value : callable
        F at an offset (units); infinite where it is not feasible.
    n : int
        Number of variables that move.
    """
    rng = np.random.default_rng(4)

    def at(way: Array) -> float:
        return value(_RADII[0] * way)

    ways = [_on_cube(rng.uniform(-1.0, 1.0, n)) for _ in range(min(8 * n, _POINTS))]
    values = [at(way) for way in ways]
    k = int(np.argmin(values))
    best, least, width = ways[k], values[k], 0.5
    if not np.isfinite(least):
        return np.zeros(n)
    for _ in range(min(30 + 10 * n, _STEPS)):  # a (1+1) evolution strategy, with the one-fifth rule
        way = _on_cube(best + width * rng.normal(size=n))
        found = at(way)
        if found < least:
            best, least, width = way, found, min(1.0, 1.5 * width)
        else:
            width *= 0.9
    return best


def _on_cube(way: Array) -> Array:
    return np.asarray(way / np.abs(way).max())


class _Sides:
    """Pieces seen so far."""

    def __init__(self, problem: Linearised) -> None:
        self.problem, self.found = problem, list[Side]()

    def index(self, point: Array) -> int | None:
        """Number of the piece that a point lies on; None where the oracles have no answer."""
        try:
            side = self.problem.beside(point)
        except Exception:  # no answer there, in whatever words
            return None
        for k, other in enumerate(self.found):
            if _are_same(side, other, self.problem.units):
                return k
        self.found.append(side)
        return len(self.found) - 1


def _are_same(a: Side, b: Side, units: Array) -> bool:
    return len(a) == len(b) and all(
        np.abs((p.normal - q.normal) * units).max() <= _SAME * np.abs(p.normal * units).max()
        for p, q in zip(a, b, strict=True)
    )


def _points(problem: Linearised) -> Iterator[Array]:
    rng, n = np.random.default_rng(3), problem.model.n
    yield _projected(problem, np.zeros(n))
    for k in range(min(12 + 6 * n, _POINTS)):
        yield _projected(problem, _RADII[k % len(_RADII)] * rng.uniform(-1.0, 1.0, n))


def _projected(problem: Linearised, offset: Array) -> Array:
    point = problem.at + offset * problem.units
    return problem.model.project(point.astype(problem.model.scale.dtype))
