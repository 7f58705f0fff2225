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
NARROW = 0.01
"""A false bound that fewer feasible points than this share contradict is counted apart: that the points which the
library tries may miss such a hole is what its page on bounds says."""


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
            if share < NARROW:
                report.notes.append(f"{name}, narrow")
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
    U, T = case.place_x.sample(rng, 4000), rng.uniform(size=(4000, case.follower.ties))
    values = _values(case, U, T, radius, point)
    feasible = np.isfinite(values)
    below = values < bound - BOUND * np.maximum(1.0, np.abs(values))
    share = float(below.sum() / max(feasible.sum(), 1))
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


def _values(case: Small, U: Array, T: Array, radius: float, point: tuple[Array, Array] | None) -> Array:
    values = case.values(U, T)
    if point is None or not np.isfinite(radius):
        return values
    V = case.follower.answers(U, T)
    away = np.abs(U * case.scale_x - point[0]).max(axis=1) / case.solver.x_scale
    if case.solver.formulation == "joint":
        away = np.maximum(away, np.abs(V * case.scale_y - point[1]).max(axis=1) / case.solver.y_scale)
    return np.where(away <= radius, values, np.inf)
