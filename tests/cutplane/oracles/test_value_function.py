"""The value-function oracle: gap, gradients, feasible points and the derivative of y*(x)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutplane import BilevelProblem, BilevelSolver, InputError, OracleError
from cutplane.errors import NoAnswerError
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
    np.testing.assert_array_equal(oracle.restore(x, near, 1e-4), near)


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


def test_an_inner_solver_that_missed_the_global_minimum_is_found_out():
    oracle = ValueFunction(two_wells(1.0), lambda x: np.zeros(1))  # rests on the top between the wells
    with pytest.raises(OracleError, match="no global minimum"):
        oracle.gap(np.zeros(1), np.array([0.9]))


def test_an_inner_solver_that_is_only_inexact_is_not_refused():
    oracle = ValueFunction(square, lambda x: 2 * x + 1e-3)
    assert oracle.gap(np.ones(2), np.full(2, 2.0))[0] == 0.0


def two_wells(scale):
    """scale·(y² − 1)², with minima at ±1 and a top at 0."""
    return lambda x, y: (scale * float((y @ y - 1) ** 2), 0 * x, 4 * scale * (y @ y - 1) * y)


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1.0, 1e6])
@pytest.mark.parametrize("rows", [False, True])
def test_a_feasible_y_below_the_inner_minimum_is_an_error_at_any_scale(scale, rows):
    own = LinearConstraint([[0], [0]], [[-1], [1]], [2, 2]) if rows else None  # −2 ≤ y ≤ 2
    top = (np.zeros(1), np.zeros(2)) if rows else np.zeros(1)
    oracle = ValueFunction(two_wells(scale), lambda x: top, own)
    with pytest.raises(OracleError, match="no global minimum"):
        oracle.gap(np.zeros(1), np.array([0.9]))


def test_an_infeasible_y_below_the_inner_minimum_is_not():
    # over 0 ≤ y ≤ ½ the minimum of (y² − 1)² is at ½, with slope 4·(¼ − 1)·½ = −3/2
    own = LinearConstraint([[0], [0]], [[-1], [1]], [0, 0.5])
    oracle = ValueFunction(two_wells(1.0), lambda x: (np.array([0.5]), np.array([0.0, 1.5])), own)
    assert oracle.gap(np.zeros(1), np.array([1.0]))[0] == 0.0


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(1e-12, 1e-3))
def test_an_inexact_answer_of_a_convex_follower_is_never_called_wrong(seed, error):
    # ½yᵀHy − x·y over y₁ + y₂ ≤ 1, with y* and the multiplier off by `error`
    rng = np.random.default_rng(seed)
    L = rng.normal(size=(2, 2))
    H, a = L @ L.T + 0.1 * np.eye(2), np.ones(2)

    def inner(x):
        y, m = np.linalg.solve(H, x), 0.0
        if a @ y > 1:
            m = (a @ y - 1) / (a @ np.linalg.solve(H, a))
            y = np.linalg.solve(H, x - m * a)
        return y + error * rng.normal(size=2), np.array([m + error * rng.random()])

    row = LinearConstraint(np.zeros((1, 2)), [a], [1])
    oracle = ValueFunction(lambda x, y: (float(y @ H @ y / 2 - x @ y), -y, H @ y - x), inner, row)
    x = rng.normal(size=2)
    y = oracle.solution(x)
    for _ in range(20):
        point = y + error * rng.normal(size=2)
        if a @ point <= 1:
            assert oracle.gap(x, point)[0] >= 0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1e-10, 1e-6, 1e-2]))
def test_restored_points_keep_every_promise_in_a_few_evaluations(seed, epsilon):
    # a disc and a half-plane around y* = (x, x)/norm-clipped, g a quartic plus a norm
    rng = np.random.default_rng(seed)
    asked = []

    def g(x, y):
        asked.append(y)
        away = y - x
        return float(np.sum(away**4) + away @ away), -4 * away**3 - 2 * away, 4 * away**3 + 2 * away

    def disc(x, y):
        return np.array([y @ y - 4, y[0] - 1.5]), np.zeros((2, 2)), np.array([2 * y, [1.0, 0.0]])

    oracle = ValueFunction(g, lambda x: (x.copy(), np.zeros(2)), disc)
    x, y = 0.5 * rng.normal(size=2), 3 * rng.normal(size=2)
    if disc(x, x)[0].max() > 0:
        return
    near = oracle.restore(x, y, epsilon)
    assert len(asked) <= 22  # 55 by bisection
    gap, rows = oracle.gap(x, near)[0], disc(x, near)[0]
    assert gap <= epsilon and rows.max() <= 1e-11
    # it stopped at what stands in its way, not before
    assert gap >= 0.999 * epsilon or rows.max() >= -1e-3 or np.array_equal(near, y)


def test_restoring_to_no_gap_at_all_gives_the_solution():
    oracle = ValueFunction(square, lambda x: 2 * x)
    np.testing.assert_array_equal(oracle.restore(np.ones(2), np.zeros(2), 0.0), [2.0, 2.0])


def test_lists_are_taken_and_wrong_lengths_named():
    oracle = ValueFunction(square, lambda x: 2 * x, hessians=lambda x, y, m: (np.eye(2), -2 * np.eye(2)))
    assert oracle.gap([1, 2], [2, 5])[0] == pytest.approx(0.5)
    np.testing.assert_array_equal(oracle.solution([1, 2]), [2.0, 4.0])
    np.testing.assert_allclose(oracle.vjp([1, 2], [1, 0]), [2.0, 0.0])
    assert oracle.gap([1, 2], oracle.restore([1, 2], [9, 9], 1e-4))[0] <= 1e-4
    with pytest.raises(OracleError, match="shape"):
        oracle.gap([1, 2], [1, 2, 3])
    with pytest.raises(OracleError, match="shape"):
        oracle.restore([1, 2], [1, 2, 3], 1.0)
    with pytest.raises(InputError, match="v has 3 entries"):
        oracle.vjp([1, 2], [1, 2, 3])
    with pytest.raises(InputError, match=r"y\[1\] is not finite"):
        oracle.gap([1, 2], [1, np.nan])


def test_no_answer_has_an_error_of_its_own():
    for answer in (np.array([np.nan]), (np.zeros(1), np.array([np.inf]))):
        oracle = ValueFunction(square, lambda x, a=answer: a, LinearConstraint([[0]], [[1]], [1]))
        with pytest.raises(NoAnswerError, match="not finite"):
            oracle.gap(np.zeros(1), np.zeros(1))
    unbounded = ValueFunction(lambda x, y: (-np.inf if y[0] == 0 else 1.0, x, y), lambda x: np.zeros(1))
    with pytest.raises(NoAnswerError, match="-inf"):
        unbounded.gap(np.zeros(1), np.ones(1))


def test_a_slope_that_the_inner_solver_knows_is_taken():
    oracle = ValueFunction(square, lambda x: LowerSolution(2 * x, slope=np.array([7.0, 0.0])))
    np.testing.assert_allclose(oracle.gap(np.zeros(2), np.ones(2))[1], [-2.0 - 7.0, -2.0])


def test_answers_cannot_be_overwritten():
    oracle = ValueFunction(square, lambda x: 2 * x)
    with pytest.raises(ValueError, match="read-only"):
        oracle.solution(np.ones(2))[0] = 5.0
