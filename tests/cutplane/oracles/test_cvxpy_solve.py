"""Answers of CVXPY's solvers are held against the conditions, and their first word is not believed."""

import numpy as np
import pytest

from cutplane import OracleError
from cutplane.errors import NoAnswerError
from cutplane.oracles import CvxpyLevel

cp = pytest.importorskip("cvxpy")

# with Clarabel 0.11.1, bounds from 1e9 on end "inaccurate", "unbounded" or in an exception, and one at 1e19 in
# "optimal" at y = 0, far below y ≥ x
SLACK = [1e6, 1e9, 1e10, 1e11, 1e12, 1e14, 1e16, 1e19, 1e20, 1e100]
FOLLOWERS = {  # objective in (x, y), v'(2) where y ≥ x is the only other row
    "linear": (lambda x, y: cp.Minimize(y), 1.0),
    "product": (lambda x, y: cp.Minimize(x * y), 4.0),  # v = x²
    "square": (lambda x, y: cp.Minimize(cp.square(y - 1)), 2.0),  # v = (x − 1)²
    "nonsmooth": (lambda x, y: cp.Minimize(cp.abs(y - 3 * x) + y / 2), 1.5),  # y = 3x
    "maximised": (lambda x, y: cp.Maximize(-cp.exp(y)), np.exp(2.0)),
}


@pytest.mark.parametrize("name", FOLLOWERS)
@pytest.mark.parametrize("bound", SLACK)
def test_a_slack_bound_changes_no_answer(name, bound):
    x, y = cp.Parameter(), cp.Variable()
    make, right = FOLLOWERS[name]
    with_bound = CvxpyLevel(cp.Problem(make(x, y), [y >= x, y <= bound]), x, y)
    found = with_bound.solve([2.0])
    x, y = cp.Parameter(), cp.Variable()
    free = CvxpyLevel(cp.Problem(make(x, y), [y >= x]), x, y)
    values = [level.objective(np.array([2.0]), level.solution([2.0]))[0] for level in (with_bound, free)]
    assert values[0] == pytest.approx(values[1], rel=1e-7)
    assert found.slope == pytest.approx([right], rel=1e-5)
    assert with_bound.constraints(np.array([2.0]), found.y)[0].max() <= 1e-6


@pytest.mark.parametrize("bound", [1e9, 1e12, 1e15, 1e19])
def test_a_slack_cone_row_changes_no_answer(bound):
    # min |y₁ − x| + (y₂ − 1)²/2 + y₁/5 under x·y₁ + ‖y‖ ≤ bound: y = (x, 1), v = x/5
    x, y = cp.Parameter(), cp.Variable(2)
    objective = cp.abs(y[0] - x) + cp.square(y[1] - 1) / 2 + y[0] / 5
    level = CvxpyLevel(cp.Problem(cp.Minimize(objective), [x * y[0] + cp.norm(y) <= bound]), x, y)
    assert level.gap([2.0], [3.0, 1.0])[0] == pytest.approx(1.2, abs=1e-7)
    assert level.solve([2.0]).slope == pytest.approx([0.2], abs=1e-6)


def test_a_slack_bound_in_a_vector_row_and_a_whole_polytope():
    # min c·y over Ay ≤ b + Bx, 0 ≤ y ≤ u with some u of 1e12: against scipy's linprog
    from scipy import optimize

    rng = np.random.default_rng(3)
    A, B, c = rng.normal(size=(4, 5)), rng.normal(size=(4, 2)), rng.normal(size=5)
    upper = np.array([1.0, 1e12, 2.0, 1e10, 3.0])
    A[0] = 1.0  # Σy is bounded
    x, y = cp.Parameter(2), cp.Variable(5)
    level = CvxpyLevel(cp.Problem(cp.Minimize(c @ y), [A @ y <= 4 + B @ x, y >= 0, y <= upper]), x, y)
    for _ in range(5):
        at = 0.3 * rng.normal(size=2)
        right = optimize.linprog(c, A_ub=A, b_ub=4 + B @ at, bounds=np.column_stack([np.zeros(5), upper]))
        assert level.objective(at, level.solution(at))[0] == pytest.approx(right.fun, abs=1e-7)


@pytest.mark.parametrize("bound", [1e4, 1e6, 1e8])
def test_a_large_bound_that_is_met_is_met(bound):
    # max y over y ≤ bound: v = −bound
    x, y = cp.Parameter(), cp.Variable()
    level = CvxpyLevel(cp.Problem(cp.Maximize(y), [y >= x, y <= bound]), x, y)
    assert level.solution([1.0]) == pytest.approx([bound], rel=1e-6)


def test_infeasible_unbounded_and_out_of_domain_are_no_answer_in_the_solvers_words():
    x, y = cp.Parameter(), cp.Variable()
    level = CvxpyLevel(cp.Problem(cp.Minimize(y), [y >= 0, y <= x]), x, y)
    with pytest.raises(NoAnswerError, match=r"infeasible at x = .*by 0\.5.*CLARABEL: infeasible") as caught:
        level.gap([-1.0], [0.0])
    # least s with y ≥ −s, y ≤ x + s: −x/2
    assert caught.value.violation == pytest.approx(0.5, abs=1e-7)
    assert caught.value.gradient == pytest.approx([-0.5], abs=1e-6)
    x, y = cp.Parameter(), cp.Variable(2)
    level = CvxpyLevel(cp.Problem(cp.Minimize(cp.sum(y)), [y[0] >= x, y <= 1e12]), x, y)
    with pytest.raises(NoAnswerError, match="unbounded"):
        level.solution([1.0])
    x, y = cp.Parameter(), cp.Variable()
    level = CvxpyLevel(cp.Problem(cp.Minimize(y - cp.log(x - y)), [y >= 0]), x, y)
    with pytest.raises(NoAnswerError, match="CLARABEL"):
        level.solution([-1.0])
    x, y = cp.Parameter(), cp.Variable()
    level = CvxpyLevel(cp.Problem(cp.Minimize(y), [y >= 1, x * y <= -1]), x, y)
    with pytest.raises(NoAnswerError, match="infeasible") as caught:
        level.solution([1.0])
    assert caught.value.violation is None  # with a product it is not convex in x


def test_the_least_violation_of_an_equality():
    # y₁ + y₂ = x, y ≤ 1: (x − 2)/3, shared by three rows
    x, y = cp.Parameter(), cp.Variable(2)
    level = CvxpyLevel(cp.Problem(cp.Minimize(cp.sum_squares(y)), [cp.sum(y) == x, y <= 1]), x, y)
    with pytest.raises(NoAnswerError) as caught:
        level.gap([3.0], [0.0, 0.0])
    assert caught.value.violation == pytest.approx(1 / 3, abs=1e-7)
    assert caught.value.gradient == pytest.approx([1 / 3], abs=1e-6)


@pytest.mark.parametrize("x0", [-1e-13, -1e-11, -1e-10, -1e-9, 0.0])
def test_an_x_infeasible_by_rounding_has_an_answer(x0):
    x, y = cp.Parameter(), cp.Variable()
    level = CvxpyLevel(cp.Problem(cp.Minimize(y), [y >= 0, y <= x]), x, y)
    assert level.solution([x0]) == pytest.approx([0.0], abs=1e-8)


def test_the_users_options_are_obeyed_and_wrong_ones_named(monkeypatch):
    asked, solve = [], cp.Problem.solve

    def watched(self, **options):
        asked.append(options["solver"])
        return solve(self, **options)

    monkeypatch.setattr(cp.Problem, "solve", watched)

    def level(**options):
        x, y = cp.Parameter(), cp.Variable()
        return CvxpyLevel(cp.Problem(cp.Minimize(cp.square(y - x)), [y <= 1e10, y >= 0]), x, y, **options)

    for solver in ("SCS", "OSQP"):
        if solver in cp.installed_solvers():
            asked.clear()
            assert level(solver=solver).gap([1.0], [2.0])[0] == pytest.approx(1.0, abs=1e-3)
            assert set(asked) == {solver}
    with pytest.raises(ValueError, match="no solver 'NOPE'; installed are"):
        level(solver="NOPE")
    with pytest.raises(OracleError, match="nonsense"):
        level(solver="CLARABEL", nonsense=1).solution([1.0])
    x, y = cp.Parameter(), cp.Variable()
    with pytest.raises(OracleError, match="cannot solve"):
        CvxpyLevel(cp.Problem(cp.Minimize(cp.exp(y) - x * y)), x, y, solver="HIGHS").solution([1.0])


def test_a_parameter_that_refuses_x_is_named():
    x, y = cp.Parameter(nonneg=True), cp.Variable()
    level = CvxpyLevel(cp.Problem(cp.Minimize(x * cp.square(y) - y)), x, y)
    with pytest.raises(NoAnswerError, match="nonnegative"):
        level.solution([-1.0])
    assert level.solution([2.0]) == pytest.approx([0.25], abs=1e-6)


def test_answers_do_not_depend_on_the_questions_before():
    x, y = cp.Parameter(2), cp.Variable(3)
    A = np.random.default_rng(0).normal(size=(6, 3))
    level = CvxpyLevel(cp.Problem(cp.Minimize(cp.sum_squares(y - x[0]) + cp.norm1(y)), [A @ y <= x[1]]), x, y)
    first = level.gap([1.0, 2.0], [0.1, 0.2, 0.3])
    for k in range(4):
        level.gap([1.0 + 10 * k, 2.0 + 1e3 * k], [0.1, 0.2, 0.3])
    again = level.gap([1.0, 2.0], [0.1, 0.2, 0.3])
    assert first[0] == again[0] and np.array_equal(first[1], again[1])
