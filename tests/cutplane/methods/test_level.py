"""The level method: certified gaps, monotone bounds, curved sets."""

import numpy as np
import pytest

from cutplane import Ball, BilevelProblem, BilevelSolver, Box, InputError, SolutionMap, Status
from cutplane.methods import level as level_module


def identity():
    return SolutionMap(lambda x: x.copy(), lambda x, v: v)


def nonsmooth(x, y):
    return float(np.abs(y - 0.3).sum()), 0 * x, np.sign(y - 0.3)


def test_it_needs_a_convex_problem():
    for method in ("level", "proximal"):
        with pytest.raises(InputError, match="needs a problem declared convex=True; for others use"):
            BilevelSolver(method=method).init(BilevelProblem(nonsmooth, identity()), [0.0], [0.0])


def test_the_bound_rises_and_the_best_falls_to_the_tolerance(quadratic_bilevel):
    case = quadratic_bilevel(5, x_set=Box(-2, 2), y_set=Box(-9, 9))
    result = BilevelSolver(method="level", epsilon=1e-8, tolerance=1e-7).solve(
        case.problem, np.zeros(3), np.zeros(4)
    )
    history = result.history.to_dict()
    found = np.isfinite(history["bound"])
    assert np.all(np.diff(history["bound"][found]) >= 0) and np.all(np.diff(history["best"]) <= 0)
    assert result.status is Status.OPTIMAL and result.bound_radius == np.inf
    assert result.gap <= 1e-7 * max(1, abs(result.fun)) * 1.01
    assert result.bound <= case.fun <= result.fun + 1e-6


def test_a_nonsmooth_objective_is_solved_to_the_kink():
    problem = BilevelProblem(nonsmooth, identity(), Box(-1, 2), Box(-1, 2), convex=True)
    result = BilevelSolver(method="level", epsilon=1e-8).solve(problem, np.full(3, 1.5), np.zeros(3))
    assert result.success
    np.testing.assert_allclose(result.x, 0.3, atol=1e-5)


@pytest.mark.parametrize("n", [2, 10])
@pytest.mark.parametrize("formulation", ["joint", "reduced"])
def test_a_ball_is_learnt_until_the_gap_is_certified(n, formulation):
    wanted = np.arange(1.0, n + 1)
    problem = BilevelProblem(
        lambda x, y: (float((y - wanted) @ (y - wanted)) / 2, 0 * x, y - wanted),
        identity(),
        Ball(1.0),
        convex=True,
    )
    solver = BilevelSolver(method="level", formulation=formulation, epsilon=1e-8, max_iterations=500)
    result = solver.solve(problem, np.zeros(n), np.zeros(n))
    length = np.linalg.norm(wanted)
    assert result.success and result.fun == pytest.approx((length - 1) ** 2 / 2, rel=1e-5)
    assert np.linalg.norm(result.x) <= 1 + 1e-9


def test_where_the_projection_fails_the_linear_master_serves(quadratic_bilevel, monkeypatch):
    def fail(*args, **kwargs):
        raise level_module.EmptyPolyhedronError("numerical trouble")

    case = quadratic_bilevel(2, n_x=1, n_y=1, x_set=Box(-2, 2), y_set=Box(-9, 9))
    monkeypatch.setattr(level_module, "nearest_in", fail)
    result = BilevelSolver(method="level", epsilon=1e-8, max_iterations=300).solve(case.problem, [1.0], [0.0])
    assert result.success and result.fun == pytest.approx(case.fun, abs=1e-5)
