"""What is called stationary is: closed forms of residuals, and the kinds of rest that are none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutplane import (
    Ball,
    BilevelProblem,
    BilevelSolver,
    Box,
    Free,
    LinearConstraint,
    Polytope,
    QuadraticLevel,
    SolutionMap,
    Status,
)
from cutplane.core.formulations import build_model
from cutplane.masters.linearised import Linearised
from cutplane.run.differences import fault

LOCAL = ("linear", "primal-dual")
BOTH = ("joint", "reduced")


def identity():
    return SolutionMap(lambda x: x.copy(), lambda x, v: v)


def reduced(upper, lower=None, n=2, **options):
    return build_model(BilevelProblem(upper, lower or identity(), **options), "reduced", n, n, (1.0, 1.0), 0.0)


def residual(model, z):
    return Linearised(model, z).solve()


def linear(gradient):
    return lambda x, y: (float(gradient @ x), gradient, 0 * y)


# --- the residual in closed form --------------------------------------------------------------------------------


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=2), st.lists(st.floats(-0.9, 0.9), min_size=2, max_size=2))
def test_inside_a_box_the_residual_is_the_slopes_sum_times_the_unit(slope, point):
    """A unit is max(1, |z|), at most the width 2 of the box: here 1. The fall per unit is then Σ |g|."""
    gradient, z = np.array(slope), np.array(point)
    found, way = residual(reduced(linear(gradient), x_set=Box(-1, 1)), z)
    assert found == pytest.approx(np.abs(gradient).sum(), rel=1e-9, abs=1e-12)
    assert found == 0 or np.all(np.sign(way) == -np.sign(gradient))


@pytest.mark.parametrize(
    ("x_set", "z", "gradient", "fall"),
    [
        (Box(0, 5), [0.0, 3.0], [1.0, 0.0], 0.0),  # the bound holds x₁ back
        (Box(0, 5), [0.0, 3.0], [-1.0, 0.0], 1.0),
        (Box(0, 5), [0.0, 3.0], [0.0, 1.0], 3.0),  # a unit of x₂ is its size, 3
        (Box(0, 0.5), [0.2, 0.2], [1.0, 0.0], 0.5),  # the width of the box is the unit
        # on x₁ + x₂ = 1 the slope (1, 0) falls by 1 for a unit of both
        (Polytope(A_eq=[[1, 1]], b_eq=[1.0], lower=-5, upper=5), [0.5, 0.5], [1.0, 0.0], 1.0),
        (Polytope(A_eq=[[1, 1]], b_eq=[1.0], lower=-5, upper=5), [0.5, 0.5], [1.0, 1.0], 0.0),
        (Polytope(A_ub=[[1, 1]], b_ub=[1.0]), [0.5, 0.5], [-1.0, -1.0], 0.0),  # the outward normal
        (Ball(1.0), [0.6, 0.8], [-0.6, -0.8], 0.0),  # and that of the ball: F's minimum on it
    ],
)
def test_the_sets_hold_the_direction_back(x_set, z, gradient, fall):
    found, _ = residual(reduced(linear(np.array(gradient)), x_set=x_set), np.array(z))
    assert found == pytest.approx(fall, abs=2e-4)  # the ball's tangents end within the small box's accuracy


def test_a_constraint_counts_where_it_binds_and_only_there():
    def row(x, y):
        return np.array([x[0] - 1.0]), np.array([[1.0, 0.0]]), np.zeros((1, 2))

    down = linear(np.array([-1.0, 0.0]))
    at_rim = reduced(down, x_set=Box(-3, 3), constraints=row)
    assert residual(at_rim, np.array([1.0, 0.0]))[0] == pytest.approx(0.0, abs=1e-9)
    assert residual(at_rim, np.array([0.5, 0.0]))[0] == pytest.approx(1.0)
    joint = build_model(
        BilevelProblem(down, identity(), Box(-3, 3), constraints=LinearConstraint([[1, 0]], [[0, 0]], [1.0])),
        "joint", 2, 2, (1.0, 1.0), 1e-10,
    )  # fmt: skip
    assert residual(joint, np.array([1.0, 0.0, 1.0, 0.0]))[0] == pytest.approx(0.0, abs=1e-9)


def test_a_bound_of_y_that_the_answer_has_reached_counts():
    """F = −y with y = 2x and y ≤ 1: at x = ½ the bound of y holds x back."""
    double = SolutionMap(lambda x: 2 * x, lambda x, v: 2 * v)
    model = reduced(lambda x, y: (-float(y[0]), 0 * x, -np.ones(1)), double, 1, x_set=Box(0, 3), y_set=Box(0, 1))
    assert residual(model, np.array([0.5]))[0] == pytest.approx(0.0, abs=1e-9)
    assert residual(model, np.array([0.3]))[0] == pytest.approx(2.0)


# --- rest that is none ------------------------------------------------------------------------------------------


def solve(problem, x0, y0, method, formulation, **options):
    return BilevelSolver(method=method, formulation=formulation, **options).solve(problem, x0, y0)


@pytest.mark.parametrize("start", [-1.0, 0.6])
@pytest.mark.parametrize("formulation", BOTH)
@pytest.mark.parametrize("method", LOCAL)
def test_planes_of_an_upper_constraint_that_is_not_convex_do_not_hide_the_minima(method, formulation, start):
    """min x² s.t. 1 + x − 9x² ≤ 0 on [−1, 1]: the roots (1 ± √37)/18 of the constraint are the local minima."""
    problem = BilevelProblem(
        lambda x, y: (float(x[0] ** 2), 2 * x, 0 * y), identity(), Box(-1, 1),
        constraints=lambda x, y: (1 + x - 9 * x**2, np.diag(1 - 18 * x), np.zeros((1, 1))),
    )  # fmt: skip
    result = solve(problem, [start], [start], method, formulation)
    roots = np.array([1 - np.sqrt(37), 1 + np.sqrt(37)]) / 18
    assert result.success and np.abs(roots - result.x[0]).min() < 1e-4
    assert 1 + result.x[0] - 9 * result.x[0] ** 2 <= 1e-6


@pytest.mark.parametrize("formulation", BOTH)
@pytest.mark.parametrize("method", LOCAL)
def test_a_tie_at_the_end_of_the_trust_region_is_no_rest(method, formulation):
    """F = x³ − x² on [0, 1] from 1: F(0) = F(1), the slope at 1 is 1, and the minimum is at 2/3."""
    problem = BilevelProblem(
        lambda x, y: (float(y[0] ** 3 - y[0] ** 2), 0 * x, 3 * y**2 - 2 * y), identity(), Box(0, 1)
    )
    result = solve(problem, [1.0], [1.0], method, formulation)
    assert result.success and result.x[0] == pytest.approx(2 / 3, abs=1e-3)


@pytest.mark.parametrize("formulation", BOTH)
@pytest.mark.parametrize("method", LOCAL)
def test_a_follower_with_a_kink_is_followed_to_the_minimum(method, formulation):
    """y* = min(1 − 3x, 1 − x), F = (x + 1)² + (y + 3)². For x ≥ 0 the slope 2(x + 1) − 6(4 − 3x) is 0 at 1.1."""
    lower = QuadraticLevel(c=[-1.0], A=[[1.0], [1.0]], B=[[3.0], [1.0]], b=[1.0, 1.0])
    problem = BilevelProblem(
        lambda x, y: (float((x[0] + 1) ** 2 + (y[0] + 3) ** 2), 2 * (x + 1), 2 * (y + 3)), lower, Box(-5, 5)
    )
    result = solve(problem, [0.5], [-0.5], method, formulation)
    assert result.success and result.x[0] == pytest.approx(1.1, abs=2e-3) and result.fun < 4.9 + 1e-5


@pytest.mark.parametrize("wrong", ["upper", "vjp"])
@pytest.mark.parametrize("formulation", BOTH)
@pytest.mark.parametrize("method", LOCAL)
def test_a_gradient_of_the_wrong_sign_is_no_success_and_is_named(method, formulation, wrong):
    sign = {"upper": (-1, 1), "vjp": (1, -1)}[wrong]
    problem = BilevelProblem(
        lambda x, y: (float((y - 0.7) @ (y - 0.7)), 0 * x, sign[0] * 2 * (y - 0.7)),
        SolutionMap(lambda x: x**3 + x, lambda x, v: sign[1] * v * (3 * x**2 + 1)), Box(-1, 1),
    )  # fmt: skip
    result = solve(problem, [0.1], [0.101], method, formulation)
    assert not result.success
    if result.status is Status.ORACLE:
        assert "check_oracle" in result.message
        where = "vjp" if formulation == "reduced" else "lower.gap"
        assert ("upper" if wrong == "upper" else where) in result.message


@pytest.mark.parametrize("method", LOCAL)
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e4, 1e8])
@pytest.mark.parametrize("convex", [False, True])
def test_a_wide_set_without_its_scale_ends_in_no_false_success(method, size, convex):
    """F = (x/s − 1)² on [0, 5s] from 3s: the minimum is 0. No success unless F is there, whatever s is."""
    problem = BilevelProblem(
        lambda x, y: (float((y[0] / size - 1) ** 2), 0 * x, 2 * (y / size - 1) / size), identity(),
        Box(0, 5 * size), convex=convex,
    )  # fmt: skip
    result = solve(problem, [3 * size], [3 * size], method, "reduced")
    assert not result.success or result.fun < 1e-5
    assert result.success or "set x_scale" in result.message
    scaled = solve(problem, [3 * size], [3 * size], method, "reduced", x_scale=size)
    assert scaled.success and scaled.fun < 1e-5


def test_a_kink_at_rest_is_called_tested_and_says_what_was_tried():
    """F = |x₁| + |x₂| declared nothing: at 0 no gradient is small, and F is lower nowhere."""
    problem = BilevelProblem(
        lambda x, y: (float(np.abs(y).sum()), 0 * x, np.where(y >= 0, 1.0, -1.0)), identity(), Box(-1, 2)
    )
    result = BilevelSolver(method="primal-dual", formulation="reduced").solve(problem, [1.0, 0.5], [1.0, 0.5])
    assert result.fun < 1e-5
    if result.status is Status.TESTED:
        assert result.success and result.stationarity == pytest.approx(2.0) and "points" in result.message


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_a_success_has_no_way_down_beside_it(seed):
    """Random quartics in two variables: from a success, no step of a gradient method brings F down by much."""
    rng = np.random.default_rng(seed)
    a, b, c = rng.normal(size=(2, 2)), rng.normal(size=2), rng.normal(size=2)

    def upper(x, y):
        inner = a @ y
        value = 0.1 * np.sum(y**4) - 0.5 * np.sum(inner**2) + b @ y + 0.3 * np.sin(3 * c @ y)
        return float(value), 0 * x, 0.4 * y**3 - a.T @ inner + b + 0.9 * np.cos(3 * c @ y) * c

    problem, start = BilevelProblem(upper, identity(), Box(-3, 3)), rng.uniform(-2, 2, 2)
    result = BilevelSolver(method="linear", formulation="reduced").solve(problem, start, start)
    assert result.success
    gradient = upper(result.x, result.x)[2]
    ways = [-gradient, *np.eye(2), *-np.eye(2)]
    for step in (1e-3, 1e-2):
        near = [np.clip(result.x + step * way / max(np.linalg.norm(way), 1e-12), -3, 3) for way in ways]
        assert min(upper(z, z)[0] for z in near) > result.fun - 2e-3 * step * max(1, abs(result.fun)) - 1e-6


# --- differences ------------------------------------------------------------------------------------------------


def test_right_gradients_have_no_fault_kinks_included():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(5, 3))

    def upper(x, y):
        values = rows @ y
        k = int(np.argmax(values))
        return float(values[k]), 0 * x, rows[k]

    for formulation in BOTH:
        for x_set in (Free(), Box(-1, 1), Ball(2.0)):
            model = build_model(BilevelProblem(upper, identity(), x_set), formulation, 3, 3, (1.0, 1.0), 1e-10)
            z = model.project(rng.normal(size=model.n))
            assert fault(model, z) is None


@pytest.mark.parametrize("factor", [-1.0, 0.0, 3.0])
def test_a_wrong_gradient_is_named(factor):
    model = reduced(lambda x, y: (float(y @ y), 0 * x, factor * 2 * y), x_set=Box(-1, 2))
    assert "upper, in y: along one direction" in fault(model, np.array([1.0, 0.5]))


def test_an_approximate_gradient_is_no_fault():
    model = reduced(lambda x, y: (float(y @ y), 0 * x, 1.1 * 2 * y), x_set=Box(-1, 2))
    assert fault(model, np.array([1.0, 0.5])) is None


# --- trial points -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("formulation", BOTH)
@pytest.mark.parametrize("method", LOCAL)
def test_a_trial_whose_y_is_outside_its_set_is_none(method, formulation):
    """F = −y + 0.1 sin 9x with y = 2x ≤ 1: whatever lies beyond x = ½ is lower, and not allowed."""
    double = SolutionMap(lambda x: 2 * x, lambda x, v: 2 * v)
    problem = BilevelProblem(
        lambda x, y: (float(-y[0] + 0.1 * np.sin(9 * x[0])), 0.9 * np.cos(9 * x), -np.ones(1)),
        double, Box(0, 3), Box(0, 1),
    )  # fmt: skip
    result = solve(problem, [0.1], [0.2], method, formulation)
    grid = np.linspace(0, 0.5, 100_001)
    assert result.y[0] <= 1 + 1e-8 and result.x[0] <= 0.5 + 1e-8
    assert result.success and result.fun == pytest.approx(np.min(-2 * grid + 0.1 * np.sin(9 * grid)), abs=1e-5)


class OnlyAGap:
    """A lower level that offers nothing but how far y is from y*(x) = |x₁| + |x₂| − 1."""

    def gap(self, x, y):
        off = y[0] - (np.abs(x).sum() - 1)
        sign = 1.0 if off >= 0 else -1.0
        return abs(off), -sign * np.where(x >= 0, 1.0, -1.0), np.array([sign])


def test_a_kinked_lower_level_without_a_derivative_is_left_by_differences():
    """F = y + 0.3 (x₁ + x₂) with y = |x₁| + |x₂| − 1: the minimum is −1 at 0, a kink of the lower level."""
    problem = BilevelProblem(
        lambda x, y: (float(y[0] + 0.3 * x.sum()), np.full(2, 0.3), np.ones(1)), OnlyAGap(), Box(-2, 2)
    )
    for start in ([1.5, 1.0], [-1.0, 0.5]):
        y = [np.abs(start).sum() - 1]
        result = BilevelSolver(method="linear", max_iterations=3000).solve(problem, start, y)
        assert not result.success or result.fun == pytest.approx(-1.0, abs=1e-4), result
