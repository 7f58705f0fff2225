"""Lower levels written as CVXPY problems, against closed forms."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutplane import BilevelProblem, BilevelSolver, Box, InputError, OracleError
from cutplane.errors import NoAnswerError
from cutplane.oracles import CvxpyLevel, check_oracle

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
    with pytest.raises(ModuleNotFoundError, match=r"pip install .*\[reference\]"):
        CvxpyLevel(problem, x, y)


ATOMS = {
    "norm1": cp.norm1,
    "norm2": cp.norm2,
    "norm_inf": cp.norm_inf,
    "max": cp.max,
    "abs": lambda u: cp.sum(cp.abs(u)),
    "pos": lambda u: cp.sum(cp.pos(u)),
    "huber": lambda u: cp.sum(cp.huber(u)),
    "squares": cp.sum_squares,
    "squared hinge": lambda u: cp.sum_squares(cp.pos(u)),
    "log_sum_exp": cp.log_sum_exp,
    "sum_largest": lambda u: cp.sum_largest(u, 2),
    "total variation": cp.tv,
}


def random_problem(rng, names):
    """Sum of atoms of affine functions of x and y, products of both among them, over random rows."""
    n_x, n_y = int(rng.integers(1, 4)), int(rng.integers(2, 5))
    x, y = cp.Parameter(n_x), cp.Variable(n_y)
    objective = 0.2 * cp.sum_squares(y)
    for name in names:
        inner = rng.normal(size=(3, n_y)) @ y + rng.normal(size=(3, n_x)) @ x + rng.normal(size=3)
        if rng.random() < 0.4:
            inner = inner + x[0] * (rng.normal(size=(3, n_y)) @ y)
        objective = objective + ATOMS[name](inner)
    if rng.random() < 0.5:
        objective = objective + (rng.normal(size=(n_y, n_x)) @ x) @ y
    rows = [
        rng.normal(size=(2, n_y)) @ y + rng.normal(size=(2, n_x)) @ x <= 1,
        cp.sum(y) == x[0],
        cp.norm(y - x[0]) <= 3,
        x[0] * y[0] <= 1,
        cp.norm1(y) <= 3 + x[0],
    ]
    rows = [row for row in rows if rng.random() < 0.3]
    goal = cp.Maximize(-objective) if rng.random() < 0.3 else cp.Minimize(objective)
    return CvxpyLevel(cp.Problem(goal, rows), x, y), n_x


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.sampled_from(list(ATOMS)), min_size=1, max_size=2))
def test_the_gradient_of_v_lies_between_one_sided_differences(seed, names):
    rng = np.random.default_rng(seed)
    level, n_x = random_problem(rng, names)
    at, step = 0.5 * rng.normal(size=n_x), 1e-4

    def v(x):
        return level.objective(x, level.solution(x))[0]

    try:
        here, slope = v(at), level.solve(at).slope
        sides = [((v(at + d) - here) / step, (here - v(at - d)) / step) for d in step * np.eye(n_x)]
    except NoAnswerError as nothing:
        assert "infeasible" in str(nothing)
        return
    for (right, left), found in zip(sides, slope, strict=True):
        assert min(right, left) - 2e-3 * (1 + abs(found)) <= found <= max(right, left) + 2e-3 * (1 + abs(found))


def jointly_convex(name, rng):
    """g(x, y) = atom(y − Bx) + a·x with atom ≥ atom(0): v is affine, so that the gap is convex."""
    B, a = rng.normal(size=(3, 2)), rng.normal(size=2)
    x, y = cp.Parameter(2), cp.Variable(3)
    return CvxpyLevel(cp.Problem(cp.Minimize(ATOMS[name](y - B @ x) + a @ x)), x, y), B


@pytest.mark.parametrize(
    "name", ["norm1", "norm2", "norm_inf", "abs", "pos", "huber", "squares", "total variation"]
)
def test_planes_of_a_convex_gap_cut_no_solution_off(name):
    # every (x, Bx) has gap 0; at a kink, too, a plane must be of one subgradient in x and y
    rng = np.random.default_rng(1)
    level, B = jointly_convex(name, rng)
    for k in range(12):
        x, y = rng.normal(size=2), rng.normal(size=3)
        if k % 3 == 0:  # some components of y − Bx are zero or tie
            y = B @ x + np.array([[1.0, 0.0, 0.0], [2.0, -2.0, 0.0], [1.0, 1.0, 1.0]])[k % 9 // 3]
        gap, g_x, g_y = level.gap(x, y)
        for _ in range(20):
            other = 3 * rng.normal(size=2)
            assert gap + g_x @ (other - x) + g_y @ (B @ other - y) <= 1e-6 * (1 + np.abs(other).max())


@pytest.mark.parametrize("name", ["norm1", "norm_inf", "pos", "huber"])
def test_the_check_has_nothing_to_say(name):
    level, B = jointly_convex(name, np.random.default_rng(2))
    problem = BilevelProblem(lambda x, y: (float(x @ x), 2 * x, 0 * y), level, convex=True)
    at = np.array([0.3, -0.2])
    assert check_oracle(problem, at, B @ at + [1.0, 0.0, -1.0], samples=4).ok


def test_a_nonsmooth_follower_in_a_whole_problem():
    # follower |y − x| + y²/10 answers y = x up to |x| = 5; leader (x − 3)² + (y − 1)²: x = y = 2, F = 2
    x, y = cp.Parameter(), cp.Variable()
    level = CvxpyLevel(cp.Problem(cp.Minimize(cp.norm1(y - x) + 0.1 * cp.sum_squares(y))), x, y)

    def upper(x, y):
        return float((x[0] - 3) ** 2 + (y[0] - 1) ** 2), 2 * (x - 3), 2 * (y - 1)

    problem = BilevelProblem(upper, level, Box(0, 4), Box(0, 4))
    result = BilevelSolver(method="linear", epsilon=1e-6).solve(problem, [0.5], [0.5])
    assert result.fun == pytest.approx(2.0, abs=1e-2)


@pytest.mark.parametrize("name", ["norm1", "squares", "huber", "log_sum_exp"])
@pytest.mark.parametrize("epsilon", [1e-7, 1e-3])
def test_restoring_costs_one_solve_and_a_handful_of_evaluations(name, epsilon, monkeypatch):
    rng = np.random.default_rng(4)
    x, y = cp.Parameter(2), cp.Variable(3)
    B = rng.normal(size=(3, 2))
    objective = ATOMS[name](y - B @ x) + 0.5 * cp.sum_squares(y)
    level = CvxpyLevel(cp.Problem(cp.Minimize(objective), [cp.sum(y) <= 1 + x[0], y >= -2]), x, y)
    counts = {"solve": 0, "g": 0}
    inner, objective_at = level.solver, level.objective

    def solver(x):
        counts["solve"] += 1
        return inner(x)

    def g(x, y):
        counts["g"] += 1
        return objective_at(x, y)

    level.solver, level.objective = solver, g
    for _ in range(5):
        at = 0.3 * rng.normal(size=2)
        counts.update(solve=0, g=0)
        near = level.restore(at, rng.normal(size=3), epsilon)
        assert counts["solve"] == 1 and counts["g"] <= 8  # 1 and 52 by bisection
        assert level.gap(at, near)[0] <= epsilon
        assert level.constraints(at, near)[0].max() <= 1e-7


def test_lists_are_taken_and_wrong_lengths_named():
    x, y = cp.Parameter(2), cp.Variable(3)
    level = CvxpyLevel(cp.Problem(cp.Minimize(cp.sum_squares(y - x[0])), [cp.sum(y) == x[1]]), x, y)
    assert level.solution([1, 3]) == pytest.approx([1.0, 1.0, 1.0], abs=1e-6)
    assert level.gap([1, 3], [1, 2, 0])[0] == pytest.approx(2.0, abs=1e-7)
    assert level.gap([1, 3], level.restore([1, 3], [1, 2, 0], 1e-4))[0] <= 1e-4
    with pytest.raises(InputError, match="x has 1 entries, 2 were expected"):
        level.gap([1], [1, 2, 0])
    with pytest.raises(InputError, match="y has 2 entries, 3 were expected"):
        level.restore([1, 3], [1, 2], 1e-4)
    with pytest.raises(InputError, match="x has 3 entries"):
        level.solution([1, 2, 3])
