"""The value-function oracle: gap, gradients, feasible points and the derivative of y*(x)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutplane import BilevelProblem, BilevelSolver, Box, OracleError
from cutplane.oracles import LowerSolution, ScipyInner, ValueFunction
from cutplane.problem import LinearConstraint


def square(x, y):
    """g = ½‖y − 2x‖² in two variables."""
    away = y - 2 * x
    return float(away @ away) / 2, -2 * away, away


def differences(function, v, step=1e-6):
    return np.array([(function(v + d) - function(v - d)) / (2 * step) for d in np.eye(v.size) * step])


def test_gap_is_g_minus_its_minimum_and_zero_at_the_solution():
    oracle = ValueFunction(square, lambda x: 2 * x)
    x = np.array([1.0, -1.0])
    assert oracle.gap(x, np.array([3.0, -2.0]))[0] == pytest.approx(0.5)
    value, g_x, g_y = oracle.gap(x, oracle.solution(x))
    assert value == 0 and not g_x.any() and not g_y.any()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=4, max_size=4))
def test_gradients_agree_with_differences_where_constraints_bind(numbers):
    # min ½(y − 3x₁)² s.t. y ≤ x₁ + x₂: y* = min(3x₁, x₁ + x₂), multiplier (2x₁ − x₂)₊
    row = LinearConstraint([[-1, -1]], [[1]], [0])

    def g(x, y):
        away = y - 3 * x[0]
        return float(away @ away) / 2, np.array([-3 * away[0], 0.0]), away

    def inner(x):
        return np.array([min(3 * x[0], x.sum())]), np.array([max(2 * x[0] - x[1], 0.0)])

    oracle = ValueFunction(g, inner, row)
    x, y = np.array(numbers[:2]), np.array(numbers[2:3])
    value, g_x, g_y = oracle.gap(x, y)
    if value > 1e-4 and abs(2 * x[0] - x[1]) > 1e-3:
        np.testing.assert_allclose(differences(lambda v: oracle.gap(v, y)[0], x), g_x, atol=1e-5)
        np.testing.assert_allclose(differences(lambda v: oracle.gap(x, v)[0], y), g_y, atol=1e-5)


def test_a_value_below_the_minimum_is_infeasible_and_has_gap_zero():
    row = LinearConstraint([[0]], [[-1]], [0])  # y ≥ 0
    oracle = ValueFunction(lambda x, y: (float(y[0]), 0 * x, np.ones(1)), lambda x: (np.zeros(1), np.ones(1)), row)
    assert oracle.gap(np.zeros(1), np.array([-2.0]))[0] == 0.0
    assert oracle.constraints(np.zeros(1), np.array([-2.0]))[0] == 2.0


def test_restored_points_are_feasible_and_no_farther_than_the_rim():
    oracle = ValueFunction(square, lambda x: 2 * x)
    x, y = np.array([1.0, 2.0]), np.array([9.0, 9.0])
    near = oracle.restore(x, y, 1e-4)
    assert oracle.gap(x, near)[0] == pytest.approx(1e-4, rel=1e-6)
    assert oracle.restore(x, near, 1e-4) is near


def test_vjp_differentiates_through_active_constraints():
    # min ½‖y − x‖² s.t. y₁ + y₂ ≤ 1: y* = x − (Σx − 1)₊/2, Jacobian I − ½ 11ᵀ where the row is active
    row = LinearConstraint(np.zeros((1, 2)), [[1, 1]], [1])

    def g(x, y):
        return float((y - x) @ (y - x)) / 2, x - y, y - x

    def inner(x):
        excess = max(x.sum() - 1, 0.0) / 2
        return x - excess, np.array([excess])

    oracle = ValueFunction(g, inner, row, hessians=lambda x, y, m: (np.eye(2), -np.eye(2)))
    v = np.array([1.0, 3.0])
    np.testing.assert_allclose(oracle.vjp(np.array([2.0, 3.0]), v), [-1.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(oracle.vjp(np.array([-2.0, 0.0]), v), v, atol=1e-12)


def test_components_held_by_a_bound_do_not_move():
    # min ½‖y − x‖² over y ≤ 1: where x₁ > 1, y₁ stays at 1
    def g(x, y):
        return float((y - x) @ (y - x)) / 2, x - y, y - x

    inner = ScipyInner(g, [0.0, 0.0], upper=1.0)
    oracle = ValueFunction(g, inner, hessians=lambda x, y, m: (np.eye(2), -np.eye(2)))
    np.testing.assert_allclose(oracle.vjp(np.array([3.0, 0.5]), np.array([5.0, 7.0])), [0.0, 7.0], atol=1e-9)


def test_without_hessians_there_is_no_vjp_and_no_reduced_formulation():
    oracle = ValueFunction(square, lambda x: 2 * x)
    assert not hasattr(oracle, "vjp")
    problem = BilevelProblem(lambda x, y: (0.0, 0 * x, 0 * y), oracle)
    with pytest.raises(ValueError, match=r"reduced.*lower\.vjp"):
        BilevelSolver(formulation="reduced").solve(problem, np.zeros(2), np.zeros(2))


def test_a_solution_that_is_not_unique_has_no_derivative():
    oracle = ValueFunction(
        lambda x, y: (0.0, 0 * x, 0 * y),
        lambda x: 0 * x,
        hessians=lambda x, y, m: (np.zeros((1, 1)), np.zeros((1, 1))),
    )
    with pytest.raises(OracleError, match="not unique"):
        oracle.vjp(np.zeros(1), np.ones(1))


def test_wrong_inner_answers_are_named():
    row = LinearConstraint([[0]], [[1]], [1])

    def g(x, y):
        return 0.0, 0 * x, 0 * y

    x, y = np.zeros(1), np.zeros(1)
    with pytest.raises(OracleError, match="0 multipliers for 1"):
        ValueFunction(g, lambda x: x, row).gap(x, y)
    with pytest.raises(OracleError, match="not finite"):
        ValueFunction(g, lambda x: x + np.nan).gap(x, y)
    with pytest.raises(OracleError, match="shape"):
        ValueFunction(g, lambda x: np.zeros(3)).gap(x, y)


def test_the_inner_solver_is_asked_once_for_each_x():
    asked = []

    def inner(x):
        asked.append(x.copy())
        return LowerSolution(2 * x)

    oracle = ValueFunction(square, inner)
    x = np.ones(2)
    oracle.gap(x, x)
    oracle.restore(x, x, 1e-9)
    oracle.solution(x)
    assert len(asked) == 1
    x[0] = 5.0  # in place: a new question all the same
    assert oracle.solution(x)[0] == 10.0


class TestScipyInner:
    def test_constrained_solution_and_multipliers(self):
        def g(x, y):
            return float((y - x) @ (y - x)) / 2, x - y, y - x

        row = LinearConstraint(np.zeros((1, 2)), [[1, 1]], [1])
        found = ScipyInner(g, [0.0, 0.0], row)(np.array([2.0, 3.0]))
        np.testing.assert_allclose(found.y, [0.0, 1.0], atol=1e-7)
        np.testing.assert_allclose(found.multipliers, [2.0], atol=1e-6)

    def test_the_lowest_of_several_starts_counts(self):
        def g(x, y):
            return float(y[0] ** 4 - y[0] ** 2 + x[0] * y[0]), y.copy(), 4 * y**3 - 2 * y + x

        inner = ScipyInner(g, [[-1.0], [1.0]], lower=-2, upper=2)
        assert inner(np.array([0.1])).y[0] < 0 < inner(np.array([-0.1])).y[0]

    def test_an_answer_that_misses_the_conditions_is_refused(self):
        # a gradient of the wrong sign leaves the search where it began
        inner = ScipyInner(lambda x, y: (float(y @ y), 0 * x, -2 * y), [1.0])
        with pytest.raises(OracleError, match="no start reached"):
            inner(np.zeros(1))

    def test_starts_must_be_numbers(self):
        with pytest.raises(ValueError, match="starts"):
            ScipyInner(square, [np.inf])

    def test_a_whole_problem_in_a_few_lines(self):
        def g(x, y):
            return float((y[0] - x[0]) ** 2), -2 * (y - x), 2 * (y - x)

        lower = ValueFunction(g, ScipyInner(g, [0.0], lower=0, upper=1))
        problem = BilevelProblem(
            lambda x, y: (float((x[0] - 2) ** 2 + (y[0] - 0.5) ** 2), 2 * (x - 2), 2 * (y - 0.5)), lower,
            Box(0, 1), Box(0, 1), convex=True,
        )  # fmt: skip
        result = BilevelSolver(method="level", epsilon=1e-8).solve(problem, [0.2], [0.2])
        assert result.success and result.fun == pytest.approx(1.25, abs=1e-3)


def test_an_inner_solver_that_missed_the_global_minimum_is_found_out():
    def two_wells(x, y):
        return float((y @ y - 1) ** 2), 0 * x, 4 * (y @ y - 1) * y

    oracle = ValueFunction(two_wells, lambda x: np.zeros(1))  # rests on the top between the wells
    with pytest.raises(OracleError, match="no global minimum"):
        oracle.gap(np.zeros(1), np.array([0.9]))


def test_an_inner_solver_that_is_only_inexact_is_not_refused():
    oracle = ValueFunction(square, lambda x: 2 * x + 1e-3)
    assert oracle.gap(np.ones(2), np.full(2, 2.0))[0] == 0.0
