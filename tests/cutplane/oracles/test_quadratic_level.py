"""Linear and quadratic lower levels written as data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutplane import BilevelProblem, BilevelSolver, Box, InputError, OracleError, Status
from cutplane.errors import NoAnswerError
from cutplane.oracles import QuadraticLevel


def random_level(seed, kind):
    """Four variables, eight rows, bounds; strictly convex, semidefinite or linear."""
    rng = np.random.default_rng(seed)
    L = rng.normal(size=(4, 4))
    Q = {"strict": L @ L.T + 0.1 * np.eye(4), "semidefinite": L[:, :2] @ L[:, :2].T, "linear": None}[kind]
    level = QuadraticLevel(
        Q=Q, c=rng.normal(size=4), P=rng.normal(size=(4, 3)), A=rng.normal(size=(8, 4)),
        B=0.3 * rng.normal(size=(8, 3)), b=1 + rng.random(8), lower=-2, upper=2,
    )  # fmt: skip
    return level, rng.normal(size=3), rng.normal(size=4), rng


kinds = st.sampled_from(["strict", "semidefinite", "linear"])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), kinds)
def test_solutions_meet_the_optimality_conditions_to_rounding(seed, kind):
    level, x, _, _ = random_level(seed, kind)
    try:
        found = level.solve(x)
    except OracleError as error:
        assert "no feasible y" in str(error)
        return
    slack = level.b - level.B @ x - level.A @ found.y
    slope = level.Q @ found.y + level.c + level.P @ x + level.A.T @ found.multipliers
    assert np.abs(slope).max() < 1e-8 and slack.min() > -1e-8
    assert found.multipliers.min() >= 0 and np.abs(slack * found.multipliers).max() < 1e-8


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), kinds)
def test_gradients_and_vjp_agree_with_differences(seed, kind):
    level, x, y, rng = random_level(seed, kind)
    steps = np.eye(3) * 1e-6
    try:
        around = [level.solve(x + s) for s in (*steps, *-steps)]
        here = level.solve(x)
    except OracleError:
        return
    # a change of the active set lies between the points: a kink has no derivative
    if any(((s.multipliers > 1e-9) != (here.multipliers > 1e-9)).any() for s in around):
        return
    value, g_x, _ = level.gap(x, y)
    if value > 1e-4:
        numeric = [(level.gap(x + s, y)[0] - level.gap(x - s, y)[0]) / 2e-6 for s in steps]
        np.testing.assert_allclose(numeric, g_x, atol=1e-6)
    if kind != "semidefinite":
        v = rng.normal(size=4)
        numeric = [v @ (level.solution(x + s) - level.solution(x - s)) / 2e-6 for s in steps]
        np.testing.assert_allclose(numeric, level.vjp(x, v), atol=1e-4 * (1 + np.abs(numeric).max()))


def test_values_agree_with_a_cone_solver():
    cp = pytest.importorskip("cvxpy")
    for seed, kind in ((1, "strict"), (2, "semidefinite"), (3, "linear")):
        level, x, _, _ = random_level(seed, kind)
        x = 0.1 * x
        y = cp.Variable(4)
        objective = (level.c + level.P @ x) @ y + (
            cp.quad_form(y, cp.psd_wrap(level.Q)) / 2 if level.Q.any() else 0
        )
        reference = cp.Problem(cp.Minimize(objective), [level.A @ y + level.B @ x <= level.b]).solve(
            solver="CLARABEL"
        )
        assert level._objective(x, level.solution(x))[0] == pytest.approx(reference, abs=1e-6)


def test_an_x_without_feasible_y_is_cut_off_by_the_least_violation():
    # y ≥ 0 and y ≤ x: infeasible for x < 0, least violation −x/2 shared by both rows
    level = QuadraticLevel(c=[1], A=[[1]], B=[[-1]], b=[0], lower=0)
    value, g_x, g_y = level.gap(np.array([-2.0]), np.array([5.0]))
    assert value == pytest.approx(1.0) and g_x == pytest.approx([-0.5]) and not g_y.any()
    assert level.restore(np.array([-2.0]), np.array([5.0]), 1e-9) == [5.0]
    with pytest.raises(OracleError, match="no feasible y"):
        level.solution(np.array([-2.0]))
    problem = BilevelProblem(
        lambda x, y: (float(x[0] + y[0]), np.ones(1), np.ones(1)), level, Box(-3, 3), Box(0, 9)
    )
    result = BilevelSolver(method="linear").solve(problem, [2.0], [0.0])
    assert result.fun == pytest.approx(0.0, abs=1e-6)
    # the lower level has no answer for x < 0: no slope says that x = 0 is best, trial points beside it do
    assert result.status is Status.TESTED and result.success and result.stationarity == pytest.approx(1.0)


def test_an_unbounded_lower_level_is_an_error():
    flat = {"Q": [[1, 0], [0, 0]], "c": [0, -1e-6], "upper": [1, np.inf]}
    for level in (QuadraticLevel(c=[-1], n_x=1), QuadraticLevel(**flat, n_x=1)):
        for ask in (level.gap, lambda x, y, level=level: level.restore(x, y, 1e-9)):
            with pytest.raises(NoAnswerError, match="unbounded") as raised:
                ask(np.zeros(1), np.zeros(level.c.size))
            assert raised.value.violation is None and raised.value.gradient is None


def test_answers_do_not_depend_on_the_questions_before():
    level, x, y, _ = random_level(5, "linear")
    first = level.gap(x, y)
    for k in range(5):
        level.gap(x + 0.01 * k, y)
    again = level.gap(x, y)
    assert first[0] == again[0] and np.array_equal(first[1], again[1])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"Q": [[1.0, 2.0], [0.0, 1.0]]}, "symmetric"),
        ({"Q": [[-1.0, 0.0], [0.0, 1.0]]}, "semidefinite"),
        ({"A": [[1.0, 1.0]]}, "A comes with b"),
        ({"B": [[1.0]]}, "A comes with b"),
        ({"P": [[1.0]]}, "P has 1 rows"),
        ({"A": [[1.0, 1.0]], "b": [1.0], "B": [[1.0], [2.0]]}, "B has 2 rows"),
    ],
)
def test_wrong_data_is_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        QuadraticLevel(c=[0.0, 0.0], n_x=1, **arguments)


def test_the_length_of_x_must_be_known_and_is_checked():
    with pytest.raises(ValueError, match="n_x"):
        QuadraticLevel(c=[0.0], Q=[[1.0]])
    with pytest.raises(OracleError, match="x has 2 entries"):
        QuadraticLevel(c=[0.0], Q=[[1.0]], n_x=1).gap(np.zeros(2), np.zeros(1))


def test_an_x_without_feasible_y_carries_the_violation_and_its_gradient():
    # x ≤ y ≤ 1 and B of both signs: the least violation is (x − 1)/2 for x > 1
    level = QuadraticLevel(c=[1], A=[[1], [-1]], B=[[0], [1]], b=[1, 0])
    with pytest.raises(NoAnswerError, match="no feasible y at x") as raised:
        level.solution([3.0])
    assert raised.value.violation == pytest.approx(1.0) and raised.value.gradient == pytest.approx([0.5])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_the_violation_is_convex_and_its_gradient_a_subgradient(seed):
    rng = np.random.default_rng(seed)
    A, B = rng.normal(size=(7, 3)), rng.normal(size=(7, 2))
    level = QuadraticLevel(c=np.ones(3), A=A, B=B, b=-rng.random(7), lower=-1, upper=1)
    x, other = 3 * rng.normal(size=(2, 2))
    answers = [level.gap(v, np.zeros(3)) for v in (x, other) if not _answers(level, v)]
    if len(answers) == 2:
        assert answers[1][0] >= answers[0][0] + answers[0][1] @ (other - x) - 1e-8


def _answers(level, x):
    try:
        level.solution(x)
    except NoAnswerError:
        return False
    return True


@pytest.mark.parametrize("Q", [None, [[1.0]]])
@pytest.mark.parametrize("off", [1e-16, 1e-13, 1e-11, 1e-10])
def test_an_x_that_is_infeasible_by_rounding_has_an_answer(Q, off):
    level = QuadraticLevel(c=[1], Q=Q, A=[[1], [-1]], B=[[0], [1]], b=[1, 0])  # x ≤ y ≤ 1
    np.testing.assert_allclose(level.solution([1 + off]), [1.0], atol=3 * off + 1e-12)
    assert level.gap([1 + off], [1.0])[0] <= 3 * off + 1e-12


@pytest.mark.parametrize("size", [1e-130, 1e-30, 1e-9, 1e-4, 1e4, 1e9, 1e15, 1e130])
def test_rows_of_any_size_are_the_same_rows(size):
    # max y over y ≤ x and 0 ≤ y ≤ 10: y* = x, dy*/dx = 1, and the gap at y is x − y
    level = QuadraticLevel(c=[-1], A=[[size]], B=[[-size]], b=[0], lower=0, upper=10)
    assert level.solution([1.0]) == pytest.approx([1.0], rel=1e-12)
    assert level.vjp([1.0], [3.0]) == pytest.approx([3.0])
    value, g_x, g_y = level.gap([1.0], [0.25])
    assert (value, g_x[0], g_y[0]) == pytest.approx((0.75, 1.0, -1.0))
    assert level.restore([1.0], [0.25], 0.5) == pytest.approx([0.5])
    assert level.solve([1.0]).multipliers[0] * size == pytest.approx(1.0)
    missing = level.gap([-2.0], [0.0])  # y ≤ −2 and y ≥ 0
    assert missing[0] > 0 and missing[1][0] < 0


@pytest.mark.parametrize("unit", [1e-30, 1e-12, 1e-9, 1e9, 1e15])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["strict", "linear"])
def test_the_unit_of_the_objective_changes_no_answer(kind, seed, unit):
    level, x, y, _ = random_level(seed, kind)
    x = 0.1 * x
    again = QuadraticLevel(
        Q=None if kind == "linear" else unit * level.Q, c=unit * level.c, P=unit * level.P, A=level.A, B=level.B,
        b=level.b,
    )  # fmt: skip
    np.testing.assert_allclose(again.solution(x), level.solution(x), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(again.vjp(x, y), level.vjp(x, y), rtol=1e-6, atol=1e-8)
    assert again.gap(x, y)[0] == pytest.approx(unit * level.gap(x, y)[0], rel=1e-6, abs=1e-9 * unit)


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        ({"c": [-1], "lower": 0, "upper": 1e21}, [1e21]),  # to HiGHS a side from 1e20 on is none
        ({"c": [1], "lower": -1e21}, [-1e21]),
        ({"c": [-1, -1e-11], "lower": 0, "upper": 10}, [10, 10]),  # below HiGHS's tolerance
        ({"c": [-1e-12], "lower": 0, "upper": 10}, [10]),
    ],
)
def test_sides_and_costs_of_any_size(arguments, answer):
    assert QuadraticLevel(**arguments, n_x=1).solution([0.0]) == pytest.approx(answer, rel=1e-9)


@pytest.mark.parametrize("kind", ["strict", "linear"])
def test_lists_are_as_good_as_arrays(kind):
    level, x, y, _ = random_level(7, kind)
    x = 0.1 * x
    np.testing.assert_array_equal(level.solution(x.tolist()), level.solution(x))
    np.testing.assert_array_equal(level.vjp(x.tolist(), y.tolist()), level.vjp(x, y))
    np.testing.assert_array_equal(level.restore(x.tolist(), y.tolist(), 1e-6), level.restore(x, y, 1e-6))
    for ask in (level.gap, level.constraints):
        for mine, plain in zip(ask(x.tolist(), y.tolist()), ask(x, y), strict=True):
            np.testing.assert_array_equal(mine, plain)
    for ask in (level.solution, lambda x: level.gap(x, y), lambda x: level.vjp(x, y)):
        with pytest.raises(InputError, match=r"x\[1\] is not finite"):
            ask([0.0, np.nan, 0.0])
    with pytest.raises(InputError, match="v has 1 entries, 4 were expected"):
        level.vjp(x, [1.0])


def by_bisection(level, x, y, epsilon):
    """The last point of the segment from y*(x) to y that is feasible with a gap of at most ε."""
    target = level.solution(x)
    best = level.objective(x, target)[0]

    def admissible(point):
        rows = np.max(level.constraints(x, point)[0], initial=-1.0)
        return level.objective(x, point)[0] - best <= epsilon and rows <= 1e-11

    if admissible(y):
        return y
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if admissible(target + middle * (y - target)) else (low, middle)
    return target + low * (y - target)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), kinds, st.sampled_from([1e-10, 1e-4, 0.3]))
def test_restore_goes_as_far_as_a_search_does_and_asks_the_follower_once(seed, kind, epsilon):
    level, x, y, rng = random_level(seed, kind)
    x = 0.1 * x
    y = y if rng.random() < 0.7 else level.solution(x) + 1e-7 * y
    known = by_bisection(level, x, y, epsilon)
    level._last, asked, inner = None, [], level._inner
    level.solver = lambda x: asked.append(x) or inner(x)
    found = level.restore(x, y, epsilon)
    assert len(asked) == 1
    assert level.gap(x, found)[0] <= epsilon and np.max(level.constraints(x, found)[0]) <= 2e-11
    # where the gap is far below what its values resolve, either may stop anywhere on the last 1e-7 of the way
    np.testing.assert_allclose(found, known, atol=1e-6 * (1 + np.abs(y).max()))
