"""Ways down from a point where pieces of F and of the constraints meet: one piece at a time, and a few together.

Where functions have kinks, what is feasible beside a point is a union of cones, one of each piece, and the planes
of all of them together may leave nothing of it. So gradients of F and of the constraints are asked for at points
beside, and the linearised problem is solved for each piece alone, and for groups of them: a way down may run along
the kinks where they meet.
"""

from collections.abc import Callable, Iterator
from itertools import chain, combinations, islice

import numpy as np

from cutplane._arrays import Array
from cutplane.core.pool import Kind, Plane
from cutplane.masters.linearised import Linearised

_RADII = (1e-3, 1e-4, 1e-5)
"""Distances (units) of the points beside."""
_POINTS, _GROUPS, _STEPS = 48, 100, 100
"""Most points beside, groups of pieces whose directions are tried, and steps of a direct search."""
_SAME, _SAME_WAY = 1e-2, 1e-3
"""Relative difference up to which gradients are of the same piece, and directions the same."""
_INWARDS = (0.02, 0.0)
"""Shares of the planes' reach by which a direction stays inside: where a constraint bends, its rim leads out."""

Side = list[Plane]
"""F (first) and the constraints at a point beside, to first order."""


def leads_down(
    problem: Linearised, goes_down: Callable[[Array], bool], is_small: Callable[[float], bool], floor: float
) -> bool:  # fmt: skip
    """Whether F is lower along a direction that some of the pieces beside the point name.

    Parameters
    ----------
    problem : Linearised
    goes_down : callable
        Tries a direction (units).
    is_small : callable
        Whether a promised fall per unit is none.
    floor : float
        Slope (per unit) below which gradients do not differ.
    """
    sides = _Sides(problem, floor)
    for point in _points(problem):
        sides.index(point)
    if len(sides.found) < 2:
        return False
    tried, hopeless = list[Array](), set[tuple[int, ...]]()
    for group in islice(_groups(sides, hopeless), _GROUPS):
        planes = [plane for side in group for plane in sides.found[side]]
        promised, _ = problem.along(planes)
        if is_small(promised):
            hopeless.add(group)  # what more planes promise is less
            continue
        for inwards in _INWARDS if any(p.kind != Kind.OBJECTIVE for p in planes) else (0.0,):
            _, way = problem.along(planes, inwards)
            if not way.any() or any(np.abs(way - other).max() < _SAME_WAY for other in tried):
                continue
            if goes_down(way):
                return True
            tried.append(way)
            for radius in _RADII[1:]:  # a piece that no point beside has met
                sides.index(_projected(problem, radius * way))
    return False


def _groups(sides: "_Sides", hopeless: set[tuple[int, ...]]) -> Iterator[tuple[int, ...]]:
    """Numbers of pieces, each alone, then two together and more, up to as many as there are variables."""
    alone = 0
    for size in range(1, sides.problem.model.n + 1):
        known = range(len(sides.found))
        for group in chain(((k,) for k in known[alone:]), combinations(known, size) if size > 1 else ()):
            if hopeless.isdisjoint(combinations(group, len(group) - 1)):
                yield group
            else:
                hopeless.add(group)
        alone = len(known)


def lowest_way(value: Callable[[Array], float], n: int) -> Array:
    """Direction (entries up to 1) along which F is least at a short distance, by a direct search of a few steps.

    It needs no gradient: none names the rim of where the lower level has an answer. Zeros where nothing is met.

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

    def __init__(self, problem: Linearised, floor: float) -> None:
        self.problem, self.floor, self.found = problem, floor, list[Side]()

    def index(self, point: Array) -> int | None:
        """Number of the piece that a point lies on; None where the oracles have no answer."""
        try:
            side = self.problem.beside(point)
        except Exception:  # no answer there, in whatever words
            return None
        for k, other in enumerate(self.found):
            if _are_same(side, other, self.problem.units, self.floor):
                return k
        self.found.append(side)
        return len(self.found) - 1


def _are_same(a: Side, b: Side, units: Array, floor: float) -> bool:
    if [p.kind for p in a] != [p.kind for p in b]:
        return False
    pairs = [(p.normal * units, q.normal * units, p.kind) for p, q in zip(a, b, strict=True)]
    return all(
        np.abs(p - q).max() <= _SAME * np.abs(p).max() + (floor if kind == Kind.OBJECTIVE else 0.0)
        for p, q, kind in pairs
    )


def _points(problem: Linearised) -> Iterator[Array]:
    rng, n = np.random.default_rng(3), problem.model.n
    yield _projected(problem, np.zeros(n))
    for k in range(min(12 + 6 * n, _POINTS)):
        yield _projected(problem, _RADII[k % len(_RADII)] * rng.uniform(-1.0, 1.0, n))


def _projected(problem: Linearised, offset: Array) -> Array:
    point = problem.at + offset * problem.units
    return problem.model.project(point.astype(problem.model.scale.dtype))
