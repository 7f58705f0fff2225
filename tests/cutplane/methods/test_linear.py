"""Linear masters in a trust region."""

import numpy as np
import pytest

from cutplane import Ball, BilevelProblem, BilevelSolver, Box, Linear, Simplex, SolutionMap, Status


def identity():
    return SolutionMap(lambda x: x.copy(), lambda x, v: v)


def linear_upper(x, y):
    return -float(y.sum()), 0 * x, -np.ones_like(y)


def test_a_linear_problem_with_an_affine_reaction_takes_a_handful_of_masters():
    problem = BilevelProblem(linear_upper, identity(), Box(0, 1), convex=True)
    result = BilevelSolver(Linear(trust_radius=10.0)).solve(problem, np.full(6, 0.5), np.zeros(6))
    assert result.success and result.nit <= 12
    np.testing.assert_allclose(result.x, 1.0, atol=1e-8)
    assert result.fun == pytest.approx(-6.0, abs=1e-7) and result.gap <= 1e-6


def test_no_step_is_longer_than_the_trust_radius():
    problem = BilevelProblem(linear_upper, identity(), Box(0, 100), convex=True)
    solver = BilevelSolver(Linear(trust_radius=0.5), formulation="reduced")
    state = solver.init(problem, [0.0], [0.0])
    while state.status is Status.RUNNING:
        radius, center = float(state.memory["delta"]), state.best.copy()
        solver.step(problem, state)
        assert np.abs(state.point - center).max() <= radius * (1 + 1e-9)
    assert state.best.tolist() == [100.0]


@pytest.mark.parametrize("x_set", [Ball(1.0), Simplex(1.0)])
def test_curved_and_equality_sets(x_set):
    problem = BilevelProblem(
        lambda x, y: (-float(y[0]), 0 * x, np.array([-1.0, 0, 0])), identity(), x_set, convex=True
    )
    start = x_set.project(np.full(3, 0.1))
    result = BilevelSolver(method="linear").solve(problem, start, start)
    assert result.success and result.fun == pytest.approx(-1.0, abs=1e-5)


def test_a_nonconvex_reduced_objective_is_followed_to_a_local_minimum():
    # F(x, y*(x)) = sin(3 x) + x²/4 has several minima; the nearest to 2 solves 3 cos 3x + x/2 = 0
    problem = BilevelProblem(
        lambda x, y: (float(np.sin(3 * y[0]) + x[0] ** 2 / 4), x / 2, 3 * np.cos(3 * y)), identity(), Box(-3, 3)
    )
    result = BilevelSolver(Linear(trust_radius=0.2), formulation="reduced").solve(problem, [2.0], [0.0])
    assert result.success and result.bound is None
    assert 3 * np.cos(3 * result.x[0]) + result.x[0] / 2 == pytest.approx(0.0, abs=1e-3)
    assert -9 * np.sin(3 * result.x[0]) + 0.5 > 0


def test_a_cap_too_small_for_the_problem_stalls_and_blames_no_plane():
    S, target = np.array([[1.0, 0.5, 0.0], [0.0, 1.0, 2.0]]), np.array([1.0, 2.0])
    problem = BilevelProblem(
        lambda x, y: (0.5 * float((y - target) @ (y - target)) + 0.05 * float(x @ x), 0.1 * x, y - target),
        SolutionMap(lambda x: S @ x, lambda x, v: S.T @ v), x_set=Box(0.0, 1.0), convex=True,
    )  # fmt: skip
    starved = BilevelSolver(method="linear", max_planes=2).solve(problem, np.zeros(3), np.zeros(2))
    fed = BilevelSolver(method="linear", max_planes=8).solve(problem, np.zeros(3), np.zeros(2))
    assert starved.status is Status.STALLED and starved.bound <= fed.fun <= starved.fun
    assert fed.success
