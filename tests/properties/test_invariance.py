"""The answer does not depend on units, order or scaling."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutplane import BilevelProblem, BilevelSolver, Box, SolutionMap, Status
from cutplane.methods import METHODS

CONTINUOUS = tuple(name for name in METHODS if name != "outer")  # which is for whole numbers

SEEDS = st.integers(0, 10**6)
BOTH = st.sampled_from(["joint", "reduced"])


@pytest.mark.parametrize("method", CONTINUOUS)
@settings(max_examples=4)
@given(seed=SEEDS, formulation=BOTH, x_scale=st.sampled_from([0.2, 5.0]), y_scale=st.sampled_from([0.5, 3.0]))
def test_scaling_options_leave_the_solution(quadratic_bilevel, method, seed, formulation, x_scale, y_scale):
    case = quadratic_bilevel(seed)
    solver = BilevelSolver(
        method=method, formulation=formulation, epsilon=1e-8, x_scale=x_scale, y_scale=y_scale, max_iterations=8000
    )
    result = solver.solve(case.problem, np.zeros(3), np.zeros(4))
    # first-order steps are slow where the scales are wrong by 15, and then say so
    assert result.success or (method == "primal-dual" and result.status is Status.MAX_ITERATIONS)
    assert result.fun == pytest.approx(case.fun, abs=3e-6 if result.success else 1e-2)


@pytest.mark.parametrize("method", CONTINUOUS)
@settings(max_examples=3)
@given(seed=SEEDS, unit=st.sampled_from([1e-3, 1e3]))
def test_a_problem_in_other_units_with_the_matching_scale_takes_the_same_path(
    quadratic_bilevel, method, seed, unit
):
    """x in grams or in tonnes: u = unit·x with x_scale = unit is the same computation."""
    case = quadratic_bilevel(seed, x_set=Box(-1, 1))
    inner = case.problem

    def upper(u, y):
        value, g_x, g_y = inner.upper(u / unit, y)
        return value, g_x / unit, g_y

    lower = SolutionMap(lambda u: case.reaction @ (u / unit), lambda u, v: case.reaction.T @ v / unit)
    rescaled = BilevelProblem(upper, lower, Box(-unit, unit), convex=True)
    solver = BilevelSolver(method=method, epsilon=1e-8, max_iterations=3000)
    plain = solver.solve(inner, np.zeros(3), np.zeros(4))
    scaled = replace(solver, x_scale=unit).solve(rescaled, np.zeros(3), np.zeros(4))
    assert scaled.fun == pytest.approx(plain.fun, abs=2e-6)
    np.testing.assert_allclose(scaled.x / unit, plain.x, atol=2e-3)


@pytest.mark.parametrize("method", CONTINUOUS)
@settings(max_examples=4)
@given(seed=SEEDS, formulation=BOTH)
def test_the_order_of_the_variables_does_not_matter(quadratic_bilevel, method, seed, formulation):
    case = quadratic_bilevel(seed, x_set=Box([-0.1, -0.5, -1.0], [0.1, 0.5, 1.0]))
    rng = np.random.default_rng(seed)
    p, q = rng.permutation(3), rng.permutation(4)
    back_p, back_q = np.argsort(p), np.argsort(q)
    inner, M = case.problem, case.reaction

    def upper(x, y):
        value, g_x, g_y = inner.upper(x[back_p], y[back_q])
        return value, g_x[p], g_y[q]

    lower = SolutionMap(lambda x: (M @ x[back_p])[q], lambda x, v: (M.T @ v[back_q])[p])
    shuffled = BilevelProblem(upper, lower, Box(inner.x_set.lower[p], inner.x_set.upper[p]), convex=True)
    solver = BilevelSolver(method=method, formulation=formulation, epsilon=1e-8, max_iterations=8000)
    first = solver.solve(inner, np.zeros(3), np.zeros(4))
    second = solver.solve(shuffled, np.zeros(3), np.zeros(4))
    assert second.fun == pytest.approx(first.fun, abs=3e-6)
    np.testing.assert_allclose(second.x[back_p], first.x, atol=3e-3)
