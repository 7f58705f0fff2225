"""The stationarity oracle ‖∇_y g‖²."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutplane import InputError, OracleError
from cutplane.oracles import Stationarity, check_oracle
from cutplane.problem import BilevelProblem

H = np.array([[3.0, 1.0], [1.0, 2.0]])
B = np.array([[1.0, 0.0, 2.0], [0.0, -1.0, 1.0]])


def quadratic():
    return Stationarity(lambda x, y: H @ y - B @ x, lambda x, y, v: H @ v, lambda x, y, v: -B.T @ v)


def quartic():
    """g = Σ (y − x)⁴/4 + y²/2."""
    return Stationarity(
        lambda x, y: (y - x) ** 3 + y,
        lambda x, y, v: (3 * (y - x) ** 2 + 1) * v,
        lambda x, y, v: -3 * (y - x) ** 2 * v,
    )


numbers = st.lists(st.floats(-3, 3), min_size=4, max_size=4)


@settings(max_examples=30, deadline=None)
@given(numbers)
def test_gradients_agree_with_differences(values):
    x, y = np.array(values[:2]), np.array(values[2:])
    problem = BilevelProblem(lambda x, y: (0.0, 0 * x, 0 * y), quartic())
    assert check_oracle(problem, x, y, samples=0).gradient_error < 1e-4


def test_the_gap_vanishes_at_the_solution_alone():
    x = np.array([1.0, 2.0, -1.0])
    y = np.linalg.solve(H, B @ x)
    assert quadratic().gap(x, y)[0] < 1e-28
    assert quadratic().gap(x, y + 0.1)[0] > 1e-2


@settings(max_examples=30, deadline=None)
@given(numbers, st.sampled_from([1e-2, 1e-6, 1e-10]))
def test_restored_points_lie_on_the_rim_of_the_feasible_set(values, epsilon):
    x, y = np.array(values[:2]), np.array(values[2:])
    oracle = quartic()
    before, after = oracle.gap(x, y)[0], oracle.gap(x, oracle.restore(x, y, epsilon))[0]
    assert after <= epsilon
    assert after >= 0.5 * epsilon or before <= epsilon


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_a_point_is_restored_in_any_unit_of_y(unit):
    """g of y/unit: its Hessian is 1e-18 to 1e18 of the quadratic's, its gap's root 1e-9 to 1e9 of it."""
    oracle = Stationarity(
        lambda x, y: (H @ y / unit - B @ x) / unit, lambda x, y, v: H @ v / unit**2,
        lambda x, y, v: -B.T @ v / unit,
    )  # fmt: skip
    x, epsilon = np.array([1.0, 2.0, -1.0]), 1e-10 / unit**2
    for y in (np.array([3.0, -2.0]), np.array([-20.0, 5.0])):
        assert 0.5 * epsilon <= oracle.gap(x, oracle.restore(x, unit * y, epsilon))[0] <= epsilon


@settings(max_examples=30, deadline=None)
@given(numbers, st.sampled_from([1e-2, 1e-6, 1e-10]))
def test_restoring_asks_for_few_gradients(values, epsilon):
    # a quadratic: at y, at the Newton point, and once on the way to the rim; 43 by bisection
    x, y = np.array([*values[:2], 0.5]), np.array(values[2:])
    asked = []
    plain = quadratic()
    oracle = Stationarity(lambda x, y: asked.append(y) or plain.gradient(x, y), plain.hvp, plain.cross)
    near = oracle.restore(x, y, epsilon)
    assert len(asked) <= 4
    assert plain.gap(x, near)[0] <= epsilon
    asked.clear()
    plain = quartic()  # 54 by bisection; the Newton steps before the last are among them
    Stationarity(lambda x, y: asked.append(y) or plain.gradient(x, y), plain.hvp, plain.cross).restore(
        x[:2], y, epsilon
    )
    assert len(asked) <= 30


def test_lists_are_taken_and_wrong_lengths_named():
    assert quadratic().gap([1, 2, -1], [0, 0])[0] == pytest.approx(10.0)  # ‖Bx‖² with Bx = (−1, −3)
    assert quadratic().gap([1, 2, -1], quadratic().restore([1, 2, -1], [5, 5], 1e-6))[0] <= 1e-6
    with pytest.raises(InputError, match=r"y\[0\] is not finite"):
        quadratic().gap([1, 2, -1], [np.inf, 0])
    with pytest.raises(InputError, match="one-dimensional"):
        quadratic().gap([[1, 2, -1]], [0, 0])


def test_where_newton_fails_the_point_is_left_infeasible_and_finite():
    # ∇g = 1 + y² has no zero
    oracle = Stationarity(lambda x, y: 1 + y**2, lambda x, y, v: 2 * y * v, lambda x, y, v: 0 * x)
    point = oracle.restore(np.zeros(1), np.ones(1), 1e-6)
    assert np.isfinite(point).all() and oracle.gap(np.zeros(1), point)[0] >= 1.0


def test_a_gradient_of_the_wrong_length_is_named():
    oracle = Stationarity(lambda x, y: np.zeros(3), lambda x, y, v: v, lambda x, y, v: x)
    with pytest.raises(OracleError, match="shape"):
        oracle.gap(np.zeros(1), np.zeros(2))
