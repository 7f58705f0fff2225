"""Linear and quadratic lower levels written as data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutplane import BilevelProblem, BilevelSolver, Box, OracleError, Status
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
    level = QuadraticLevel(c=[-1], n_x=1)
    with pytest.raises(OracleError, match="unbounded"):
        level.gap(np.zeros(1), np.zeros(1))


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
