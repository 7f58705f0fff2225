"""A problem that is not convex is never certified, whatever was declared."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutplane import BilevelProblem, BilevelSolver, Box, SolutionMap
from cutplane.methods import METHODS

CONTINUOUS = tuple(name for name in METHODS if name != "outer")  # which is for whole numbers

GRID = np.linspace(-1, 1, 4001)


def wavy(seed):
    """min over [−1, 1] of F(x, y*(x)) with wavy F and y*: (problem parts, true optimum)."""
    rng = np.random.default_rng(seed)
    a, b, c = rng.uniform(0.5, 2), rng.uniform(2, 6), rng.uniform(-1, 1)

    def upper(x, y):
        return float((y - c) @ (y - c)) + 0.1 * float(x @ x), 0.2 * x, 2 * (y - c)

    lower = SolutionMap(lambda x: a * np.sin(b * x), lambda x, v: a * b * np.cos(b * x) * v)
    truth = float(np.min((a * np.sin(b * GRID) - c) ** 2 + 0.1 * GRID**2))
    return upper, lower, truth


@pytest.mark.parametrize("formulation", ["joint", "reduced"])
@pytest.mark.parametrize("method", CONTINUOUS)
@settings(max_examples=12)
@given(seed=st.integers(0, 10**6), start=st.floats(-1, 1))
def test_a_wrong_declaration_never_gives_a_success_with_a_false_bound(method, formulation, seed, start):
    upper, lower, truth = wavy(seed)
    problem = BilevelProblem(upper, lower, Box(-1, 1), Box(-3, 3), convex=True)
    solver = BilevelSolver(method=method, formulation=formulation, epsilon=1e-6, max_iterations=800)
    result = solver.solve(problem, [start], lower.solution(np.array([start])))
    assert result.bound is None or result.bound <= truth + 1e-4


@pytest.mark.parametrize("formulation", ["joint", "reduced"])
@pytest.mark.parametrize("method", ["primal-dual", "linear"])
@settings(max_examples=6)
@given(seed=st.integers(0, 10**6), start=st.floats(-1, 1))
def test_without_the_declaration_there_is_no_bound_and_no_value_below_the_truth(method, formulation, seed, start):
    upper, lower, truth = wavy(seed)
    problem = BilevelProblem(upper, lower, Box(-1, 1), Box(-3, 3))
    solver = BilevelSolver(method=method, formulation=formulation, epsilon=1e-8, max_iterations=3000)
    result = solver.solve(problem, [start], [0.0])
    assert result.bound is None and result.gap is None
    if result.success:
        assert result.fun >= truth - 1e-3 and result.lower_gap <= 1e-6
