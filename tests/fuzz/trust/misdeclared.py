"""Problems that are declared convex and are not: is any bound reported above the value of a feasible point?"""

from __future__ import annotations

import numpy as np

from cutplane import Result

from .convex import METHODS
from .descent import way_down
from .judge import Report, solve
from .small import Small, library_problem, make_small
from .terms import Array

BOUND = 1e-5
"""By how much a bound may exceed a feasible point's F, relative to max(1, |F|): ten times the tolerance."""
SHARES = (0.01, 0.05, 0.1)
"""False bounds that few feasible points contradict are counted apart, by the share of X that does: the page on
bounds says how often the points that the library tries miss such a region. With its 60 points that is once in 500
times for the last share; a region larger than that is a failure."""


def run_misdeclared(seed: int, limit: float = 4.0) -> Report:
    """Solve the case of a seed and judge the answer."""
    case = make_small(seed, True, METHODS, stream=2, largest=3)
    report = Report("misdeclared", seed, traits=case.traits())
    start = case.scale_x * case.start[0], case.scale_y * case.start[1]
    result = solve(report, case.solver, library_problem(case), *start, limit, case.follower.ties > 0)
    if result is not None:
        judge(report, case, result)
    return report


def judge(report: Report, case: Small, result: Result) -> None:
    """Add to the report what is wrong with a result."""
    if result.bound is not None:
        low, share, *_ = lowest(case, result.bound, result.bound_radius, (result.x, result.y))
        if result.bound > low + BOUND * max(1.0, abs(low)):
            name = "false bound" if result.success else "false bound without success"
            band = next((limit for limit in SHARES if share < limit), None)
            if band is not None:
                report.notes.append(f"{name}, contradicted by less than {band:.0%} of the set")
            else:
                words = f"bound {result.bound:.8g}, a feasible point {low:.8g}; {share:.2%} of points are below"
                report.fail(name, words)
    if result.success and way_down(case, *case.unit(result.x, result.y)):
        report.notes.append("success at a point that is not stationary")


def lowest(
    case: Small, bound: float = -np.inf, radius: float = np.inf, point: tuple[Array, Array] | None = None
) -> tuple[float, float, Array, Array]:
    """Smallest F of points spread over X, then around the best ones; the share below the bound; where it is.

    Points beyond the radius in which the bound holds do not count.
    """
    rng = np.random.default_rng([case.seed, 9])
    U = _spread(case, rng, radius, point)
    T = rng.uniform(size=(len(U), case.follower.ties))
    values = _values(case, U, T, radius, point)
    share = float(np.mean(values < bound - BOUND * np.maximum(1.0, np.abs(values))))
    # and the rim, where uniform points hardly are
    more = case.place_x.sample(rng, 1000)
    ties = rng.uniform(size=(1000, case.follower.ties))
    values = np.append(values, _values(case, more, ties, radius, point))
    U, T = np.vstack([U, more]), np.vstack([T, ties])
    width = 0.3
    for _ in range(20):
        best = np.argsort(values)[:20]
        U, T, values = U[best], T[best], values[best]
        more = np.repeat(U, 20, axis=0) + case.place_x.flat(width * rng.normal(size=(400, case.n_x)))
        ties = np.clip(np.repeat(T, 20, axis=0) + width * rng.normal(size=(400, T.shape[1])), 0, 1)
        more = np.clip(more, case.place_x.lower, case.place_x.upper)
        values = np.concatenate([values, _values(case, more, ties, radius, point)])
        U, T = np.vstack([U, more]), np.vstack([T, ties])
        width *= 0.5
    best = int(np.argmin(values))
    return float(values[best]), share, U[best], T[best]


def _spread(case: Small, rng: np.random.Generator, radius: float, point: tuple[Array, Array] | None) -> Array:
    """Points [k, n_x] spread evenly over X, where it has no bounds over the part in which the bound holds."""
    place = case.place_x
    if place.kind == "simplex":
        return rng.dirichlet(np.ones(case.n_x), size=4000)
    lower = np.maximum(place.lower, place.center - place.radius)
    upper = np.minimum(place.upper, place.center + place.radius)
    if point is not None and np.isfinite(radius):
        reach = radius * case.solver.x_scale / case.scale_x
        lower = np.maximum(lower, point[0] / case.scale_x - reach)
        upper = np.minimum(upper, point[0] / case.scale_x + reach)
    if place.C.size or not (np.isfinite(lower).all() and np.isfinite(upper).all()):
        return place.sample(rng, 4000)
    points = rng.uniform(lower, upper, size=(20_000, case.n_x))
    inside = points[place.violations(points) <= 0]
    return inside[:4000] if len(inside) >= 100 else place.sample(rng, 4000)


def _values(case: Small, U: Array, T: Array, radius: float, point: tuple[Array, Array] | None) -> Array:
    values = case.values(U, T)
    if point is None or not np.isfinite(radius):
        return values
    V = case.follower.answers(U, T)
    away = np.abs(U * case.scale_x - point[0]).max(axis=1) / case.solver.x_scale
    if case.solver.formulation == "joint":
        away = np.maximum(away, np.abs(V * case.scale_y - point[1]).max(axis=1) / case.solver.y_scale)
    return np.where(away <= radius, values, np.inf)
