"""The paper's Phase 1: its steps by hand, its step sizes, and when planes come and go."""

import numpy as np
import pytest

from cutplane import BilevelProblem, BilevelSolver, Box, Polytope, PrimalDual, SolutionMap
from cutplane.core.pool import Kind, Plane


def upper(x, y):
    return float((y - 3) @ (y - 3)) / 2, 0 * x, y - 3


def chain(x_set, method, **options):
    problem = BilevelProblem(upper, SolutionMap(lambda x: x.copy(), lambda x, v: v), x_set)
    return problem, BilevelSolver(method, epsilon=0.1, **options)


@pytest.mark.parametrize("x_set", [Box(0, 1), Polytope([[1.0]], [1.0], lower=0)])
def test_one_step_is_equations_4_and_5(x_set):
    problem, solver = chain(x_set, PrimalDual(100, 0.2, 0.1, 0.5, regularisation=0.01))
    state = solver.init(problem, [0.5], [1.0])
    a = np.array([-1.0, 1.0]) / np.sqrt(2)
    state.pool.add(Plane(Kind.GAP, a, -0.1))
    state.pool.multipliers[:] = 0.4
    z, multiplier = np.array([0.5, 1.0]), 0.4
    solver.step(problem, state)
    z = z - np.array([0.2, 0.1]) * (np.array([0.0, 1.0 - 3.0]) + multiplier * a)
    z[0] = np.clip(z[0], 0, 1)
    multiplier = max(0.0, multiplier + 0.5 * (a @ z - 0.1 - 0.01 * multiplier))
    np.testing.assert_allclose(state.point, z, atol=1e-9)
    np.testing.assert_allclose(state.pool.multipliers, [multiplier], atol=1e-9)


def test_planes_come_only_every_cut_every_iterations_and_only_if_the_gap_exceeds_epsilon():
    squared = SolutionMap(lambda x: x.copy(), lambda x, v: v, norm="squared")
    problem, solver = (
        BilevelProblem(upper, squared, Box(0, 1)),
        BilevelSolver(PrimalDual(cut_every=7), epsilon=0.1, max_iterations=60),
    )
    result = solver.solve(problem, [0.5], [0.5])
    history = result.history.to_dict()
    looked = np.isfinite(history["lower_gap"])
    assert np.array_equal(history["iteration"][looked] % 7, np.zeros(looked.sum()))
    assert np.array_equal(history["added"][looked], (history["lower_gap"][looked] > 0.1).astype(int))
    assert not history["added"][~looked].any() and history["added"].sum() > 0


def test_an_idle_plane_leaves_after_patience_looks():
    problem, solver = chain(Box(0, 1), PrimalDual(cut_every=1), patience=3, max_iterations=50)
    state = solver.init(problem, [0.5], [0.5])
    state.pool.add(Plane(Kind.GAP, np.array([1.0, 0.0]), -50.0))
    dropped = []
    for _ in range(4):
        solver.step(problem, state)
        dropped.append(state.history[-1].dropped)
    assert dropped == [0, 0, 1, 0]


def test_a_linear_objective_finds_a_step_length_too():
    problem = BilevelProblem(
        lambda x, y: (-float(y.sum()), 0 * x, -np.ones_like(y)),
        SolutionMap(lambda x: x.copy(), lambda x, v: v), Box(0, 1), convex=True,
    )  # fmt: skip
    result = BilevelSolver(epsilon=1e-6).solve(problem, [0.2, 0.4], [0.0, 0.0])
    assert result.success and result.fun == pytest.approx(-2.0, abs=1e-4)


def test_a_start_at_rest_stays():
    problem = BilevelProblem(
        lambda x, y: (0.0, 0 * x, 0 * y), SolutionMap(lambda x: x.copy(), lambda x, v: v), convex=True
    )
    result = BilevelSolver(PrimalDual(phase1_iterations=20)).solve(problem, [0.3], [0.3])
    assert result.success and result.x.tolist() == [0.3] and result.nit <= 30
