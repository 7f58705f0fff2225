"""Lower levels written as CVXPY problems, against closed forms."""

import sys

import numpy as np
import pytest

from cutplane import BilevelProblem, BilevelSolver, Box, OracleError
from cutplane.oracles import CvxpyLevel

cp = pytest.importorskip("cvxpy")


def test_value_gradient_by_duals_of_an_inequality_with_x_on_its_right():
    # min ½‖y‖² − 1·y s.t. Σy ≤ x: v = −1 for x ≥ 2, else x²/4 − x with slope x/2 − 1
    x, y = cp.Parameter(), cp.Variable(2)
    level = CvxpyLevel(cp.Problem(cp.Minimize(cp.sum_squares(y) / 2 - cp.sum(y)), [cp.sum(y) <= x]), x, y)
    point = np.array([1.0, -1.0])
    for at, value, slope in ((1.0, -0.75, -0.5), (3.0, -1.0, 0.0)):
        gap, g_x, g_y = level.gap(np.array([at]), point)
        assert gap == pytest.approx(1.0 - value, abs=1e-7)
        assert g_x == pytest.approx([-slope], abs=1e-6)
        np.testing.assert_allclose(g_y, point - 1)


def test_x_that_multiplies_in_objective_and_constraint():
    # min y²/2 − x₁y s.t. x₂y ≤ 1: at x = (2, 1) y* = 1, multiplier 1; v = 1/(2x₂²) − x₁/x₂
    x, y = cp.Parameter(2), cp.Variable()
    problem = cp.Problem(cp.Minimize(cp.square(y) / 2 - x[0] * y), [x[1] * y <= 1])
    level = CvxpyLevel(problem, x, y)
    at, point = np.array([2.0, 1.0]), np.array([0.5])
    gap, g_x, g_y = level.gap(at, point)
    assert gap == pytest.approx(0.125 - 1.0 + 1.5, abs=1e-7)
    # ∇v = (−1/x₂, −1/x₂³ + x₁/x₂²) and ∇_x g = (−y, 0)
    np.testing.assert_allclose(g_x, [-0.5 + 1.0, 0.0 - 1.0], atol=1e-6)
    np.testing.assert_allclose(g_y, [-1.5], atol=1e-9)
    values, j_x, j_y = level.constraints(at, point)
    np.testing.assert_allclose((values[0], *j_x[0], *j_y[0]), (-0.5, 0.0, 0.5, 1.0), atol=1e-12)


def test_equalities_vectors_and_maximisation():
    # max −½‖y − a‖² s.t. Σy = x: distance (Σa − x)²/4
    a = np.array([1.0, 3.0])
    x, y = cp.Parameter(), cp.Variable(2)
    level = CvxpyLevel(cp.Problem(cp.Maximize(-cp.sum_squares(y - a) / 2), [cp.sum(y) == x]), x, y)
    gap, g_x, _ = level.gap(np.array([2.0]), a)
    assert gap == 0.0 and not g_x.any()  # y = a is infeasible, and better than any feasible point
    values = level.constraints(np.array([2.0]), a)[0]
    np.testing.assert_allclose(values, [2.0, -2.0])
    gap, g_x, _ = level.gap(np.array([2.0]), np.array([2.0, 0.0]))
    assert gap == pytest.approx(5.0 - 1.0, abs=1e-7) and g_x == pytest.approx([1.0], abs=1e-6)


def test_gradients_of_a_mixed_problem_agree_with_differences():
    rng = np.random.default_rng(0)
    A, B, P = rng.normal(size=(4, 3)), rng.normal(size=(4, 2)), rng.normal(size=(3, 2))
    x, y = cp.Parameter(2), cp.Variable(3)
    objective = cp.sum_squares(y) / 2 + (P @ x) @ y + x[0] * y[1] + cp.norm(y - 1)
    rows = [A @ y + B @ x <= 3, cp.sum(y) == x[1], x[0] * y[0] <= 2, cp.norm(y) <= 3 + x[0]]
    level = CvxpyLevel(cp.Problem(cp.Minimize(objective), rows), x, y)
    for _ in range(4):
        at, point = 0.4 * rng.normal(size=2), rng.normal(size=3)
        steps = np.eye(2) * 1e-4
        gap, g_x, _ = level.gap(at, point)
        if gap > 0:
            numeric = [(level.gap(at + s, point)[0] - level.gap(at - s, point)[0]) / 2e-4 for s in steps]
            np.testing.assert_allclose(numeric, g_x, atol=1e-4)
        j_x = level.constraints(at, point)[1]
        numeric = [
            (level.constraints(at + s, point)[0] - level.constraints(at - s, point)[0]) / 2e-4 for s in steps
        ]
        np.testing.assert_allclose(np.array(numeric).T, j_x, atol=1e-6)


def test_a_whole_problem():
    # follower min (y − x)², leader min (x − 2)² + (y − 1)²: x = y = 3/2, F = ½
    x, y = cp.Parameter(), cp.Variable()
    lower = CvxpyLevel(cp.Problem(cp.Minimize(cp.square(y - x))), x, y)
    problem = BilevelProblem(
        lambda x, y: (float((x[0] - 2) ** 2 + (y[0] - 1) ** 2), 2 * (x - 2), 2 * (y - 1)),
        lower,
        Box(0, 3),
        Box(0, 3),
        convex=True,
    )
    result = BilevelSolver(method="level", epsilon=1e-4, tolerance=1e-2).solve(problem, [0.5], [0.5])
    assert result.success and result.fun == pytest.approx(0.5, abs=3e-2)


def test_an_infeasible_lower_level_is_an_oracle_error():
    x, y = cp.Parameter(), cp.Variable()
    level = CvxpyLevel(cp.Problem(cp.Minimize(y), [y >= 0, y <= x]), x, y)
    with pytest.raises(OracleError, match="infeasible"):
        level.gap(np.array([-1.0]), np.zeros(1))


def _forms():
    x, y, z = cp.Parameter(), cp.Variable(), cp.Variable()
    yield cp.Problem(cp.Minimize(cp.square(y) + cp.square(z) + x * y)), x, y, "only variable"
    yield cp.Problem(cp.Minimize(cp.square(y))), x, y, "only parameter"
    w = cp.Variable(nonneg=True)
    yield cp.Problem(cp.Minimize(cp.square(w) + x * w)), x, w, "attributes"
    m = cp.Variable((2, 2))
    yield cp.Problem(cp.Minimize(cp.sum_squares(m) + x * m[0, 0])), x, m, "scalars or vectors"
    v = cp.Variable(2)
    yield cp.Problem(cp.Minimize(cp.sum(v) * x), [cp.SOC(x, v)]), x, v, "equalities or inequalities"
    yield cp.Problem(cp.Minimize(x * x * cp.square(y))), x, y, "DPP"


@pytest.mark.parametrize("form", list(_forms()), ids=lambda form: form[3])
def test_other_forms_are_refused_by_name(form):
    problem, x, y, words = form
    with pytest.raises(ValueError, match=words):
        CvxpyLevel(problem, x, y)


def test_without_cvxpy_the_extra_is_named(monkeypatch):
    x, y = cp.Parameter(), cp.Variable()
    problem = cp.Problem(cp.Minimize(cp.square(y - x)))
    monkeypatch.setitem(sys.modules, "cvxpy", None)
    with pytest.raises(ModuleNotFoundError, match=r"cutplane\[reference\]"):
        CvxpyLevel(problem, x, y)
