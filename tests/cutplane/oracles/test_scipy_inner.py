"""The inner solver by scipy: its accuracy, several answers and none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutplane import BilevelProblem, BilevelSolver, Box, InputError, OracleError
from cutplane.errors import NoAnswerError
from cutplane.oracles import ScipyInner, ValueFunction
from cutplane.problem import LinearConstraint


def two_wells(x, y):
    """(y² − 1)² + x·y: minima near ±1, tied at x = 0."""
    return float((y[0] ** 2 - 1) ** 2 + x[0] * y[0]), y.copy(), 4 * (y**2 - 1) * y + x


def follower(**more):
    inner = ScipyInner(two_wells, [[-1.05], [1.05]], **more)
    return ValueFunction(two_wells, inner, hessians=lambda x, y, m: (np.diag(12 * y**2 - 4), np.eye(1)))


def test_constrained_solution_and_multipliers():
    def g(x, y):
        return float((y - x) @ (y - x)) / 2, x - y, y - x

    row = LinearConstraint(np.zeros((1, 2)), [[1, 1]], [1])
    found = ScipyInner(g, [0.0, 0.0], row)(np.array([2.0, 3.0]))
    np.testing.assert_allclose(found.y, [0.0, 1.0], atol=1e-7)
    np.testing.assert_allclose(found.multipliers, [2.0], atol=1e-6)

def test_the_lowest_of_several_starts_counts():
    def g(x, y):
        return float(y[0] ** 4 - y[0] ** 2 + x[0] * y[0]), y.copy(), 4 * y**3 - 2 * y + x

    inner = ScipyInner(g, [[-1.0], [1.0]], lower=-2, upper=2)
    assert inner(np.array([0.1])).y[0] < 0 < inner(np.array([-0.1])).y[0]

def test_an_answer_that_misses_the_conditions_is_refused():
    # a gradient of the wrong sign leaves the search where it began
    inner = ScipyInner(lambda x, y: (float(y @ y), 0 * x, -2 * y), [1.0])
    with pytest.raises(OracleError, match="no start reached"):
        inner(np.zeros(1))

def test_starts_must_be_numbers():
    with pytest.raises(ValueError, match="starts"):
        ScipyInner(two_wells, [np.inf])

def test_a_whole_problem_in_a_few_lines():
    def g(x, y):
        return float((y[0] - x[0]) ** 2), -2 * (y - x), 2 * (y - x)

    lower = ValueFunction(g, ScipyInner(g, [0.0], lower=0, upper=1))
    problem = BilevelProblem(
        lambda x, y: (float((x[0] - 2) ** 2 + (y[0] - 0.5) ** 2), 2 * (x - 2), 2 * (y - 0.5)), lower,
        Box(0, 1), Box(0, 1), convex=True,
    )  # fmt: skip
    result = BilevelSolver(method="level", epsilon=1e-8).solve(problem, [0.2], [0.2])
    assert result.success and result.fun == pytest.approx(1.25, abs=1e-3)


@pytest.mark.parametrize("bounds", [{}, {"lower": -2.0, "upper": 2.0}])
def test_two_wells_that_tie_are_several_answers_and_the_gap_does_not_mind(bounds):
    oracle = follower(**bounds)
    assert not oracle.solve([0.0]).unique
    with pytest.raises(OracleError, match="not unique"):
        oracle.vjp([0.0], [1.0])
    assert oracle.gap([0.0], [0.0])[0] == pytest.approx(1.0)
    for x in (0.1, -0.1):
        # y* solves 4(y² − 1)y + x = 0, so dy*/dx = −1/(12y² − 4)
        y = oracle.solution([x])
        assert np.sign(y[0]) == -np.sign(x) and oracle.solve([x]).unique
        np.testing.assert_allclose(oracle.vjp([x], [1.0]), -1 / (12 * y**2 - 4), rtol=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([2, 4, 6, 8]))
def test_one_flat_minimum_reached_from_several_sides_is_one_answer(seed, p):
    # Σ (y − x)^p: the searches end up to 1e-2 apart, at values equal to rounding
    def g(x, y):
        return float(np.sum((y - x) ** p)), -p * (y - x) ** (p - 1), p * (y - x) ** (p - 1)

    rng = np.random.default_rng(seed)
    assert ScipyInner(g, rng.normal(size=(5, 2)))(rng.normal(size=2)).unique


def test_starts_that_end_on_a_flat_bottom_are_several_answers():
    # (|y − x| − ½)₊²: every y within ½ of x
    def g(x, y):
        excess = np.sign(y - x) * np.maximum(np.abs(y - x) - 0.5, 0)
        return float(excess @ excess), -2 * excess, 2 * excess

    assert not ScipyInner(g, [[-3.0], [3.0]])(np.zeros(1)).unique
    assert ScipyInner(g, [[-3.0], [3.0]], lower=0.4, upper=0.4)(np.zeros(1)).unique


def test_a_tie_under_constraints_and_in_the_reduced_formulation():
    # min −y² over −1 ≤ y ≤ 1 + x: the right end wins for x > 0, the left for x < 0
    def g(x, y):
        return -float(y @ y), 0 * x, -2 * y

    row = LinearConstraint([[0], [-1]], [[-1], [1]], [1, 1])
    inner = ScipyInner(g, [[-0.5], [0.5]], row)
    assert not inner([0.0]).unique and inner([0.1]).unique and inner([-0.1]).unique
    lower = ValueFunction(g, inner, row, lambda x, y, m: (np.array([[-2.0]]), np.zeros((1, 1))))
    problem = BilevelProblem(lambda x, y: (float(y[0] + x[0] ** 2), 2 * x, np.ones(1)), lower, Box(-0.5, 0.5))
    with pytest.raises(OracleError, match="not unique"):
        BilevelSolver(formulation="reduced", method="linear").solve(problem, [0.0], [0.0])


def test_an_x_without_feasible_y_is_named_with_its_least_violation():
    # y ≥ 0 and y ≤ x: least violation −x/2, shared by both rows
    row = LinearConstraint([[0], [-1]], [[-1], [1]], [0, 0])

    def g(x, y):
        return float(y[0]), 0 * x, np.ones(1)

    inner = ScipyInner(g, [0.0], row)
    with pytest.raises(NoAnswerError, match="no feasible y") as caught:
        inner(np.array([-1.0]))
    assert caught.value.violation == pytest.approx(0.5) and caught.value.gradient == pytest.approx([-0.5])
    # a bound in place of the row: the other has to give all
    with pytest.raises(NoAnswerError) as caught:
        ScipyInner(g, [0.0], LinearConstraint([[-1]], [[1]], [0]), lower=0.0)(np.array([-1.0]))
    assert caught.value.violation == pytest.approx(1.0) and caught.value.gradient == pytest.approx([-1.0])
    bent = ScipyInner(g, [0.5], lambda x, y: (y**2 + 1 - x, -np.ones((1, 1)), 2 * y[:, None]))
    with pytest.raises(NoAnswerError, match="no feasible y") as caught:
        bent(np.zeros(1))
    assert caught.value.violation is None and caught.value.gradient is None


@pytest.mark.parametrize("x", [-1e-13, -1e-11, 0.0, 1e-13])
def test_an_x_infeasible_by_rounding_has_an_answer(x):
    row = LinearConstraint([[0], [-1]], [[-1], [1]], [0, 0])

    def g(x, y):
        return float(y @ y), 0 * x, 2 * y

    assert ScipyInner(g, [0.3], row)(np.array([x])).y == pytest.approx([0.0], abs=1e-6)


def test_an_unbounded_follower_is_named():
    with pytest.raises(NoAnswerError, match="unbounded"):
        ScipyInner(lambda x, y: (float(y[0]), 0 * x, np.ones(1)), [0.0])(np.zeros(1))


def test_lists_are_taken():
    assert ScipyInner(two_wells, [[-1.2], [1.3]])([0.1]).y[0] < 0
    with pytest.raises(InputError, match="x"):
        ScipyInner(two_wells, [1.0])(["a"])
