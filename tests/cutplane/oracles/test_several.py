"""Several lower-level solutions are found out, and flat single ones are not taken for them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from cutplane import BilevelProblem, BilevelSolver, Box, OracleError
from cutplane.oracles import LowerSolution, ValueFunction
from cutplane.problem import LinearConstraint


def powers(p):
    """g = Σ (y − x)^p, whose only minimum y = x has no second derivative for p > 2."""
    return ValueFunction(
        lambda x, y: (float(np.sum((y - x) ** p)), -p * (y - x) ** (p - 1), p * (y - x) ** (p - 1)),
        lambda x: x.copy(),
        hessians=lambda x, y, m: (
            np.diag(p * (p - 1) * (y - x) ** (p - 2)),
            -np.diag(p * (p - 1) * (y - x) ** (p - 2)),
        ),
    )


@pytest.mark.parametrize("p", [4, 6, 8])
@pytest.mark.parametrize("size", [1.0, 1e-3, 1e3])
def test_a_single_minimum_without_curvature_is_not_called_several(p, size):
    oracle, x = powers(p), size * np.array([0.5, -0.2])
    assert not oracle.vjp(x, np.zeros(2)).any()
    with pytest.raises(OracleError, match=r"no derivative.*no second solution"):
        oracle.vjp(x, np.array([1.0, 0.0]))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([2, 4]), st.floats(0.0, 1.0))
def test_a_flat_direction_is_found_whatever_it_points_along(seed, p, along):
    # g = Σ over two directions a of (a·y − x)^p in R³: constant along the third
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    A = Q[:2]

    def g(x, y):
        r = A @ y - x
        return float(np.sum(r**p)), -p * r ** (p - 1), A.T @ (p * r ** (p - 1))

    def second(x, y, m):
        d = np.diag(p * (p - 1) * (A @ y - x) ** (p - 2))
        return A.T @ d @ A, -A.T @ d

    oracle = ValueFunction(g, lambda x: A.T @ x + along * Q[2], hessians=second)
    x = rng.normal(size=2)
    with pytest.raises(OracleError, match="not unique"):
        oracle.vjp(x, np.zeros(3))  # whatever F asks for, and if it asks for nothing
    assert oracle.gap(x, A.T @ x)[0] == pytest.approx(0.0, abs=1e-12)


def linear(A, b):
    """min x·y over Ay ≤ b by an LP, as functions."""
    row = LinearConstraint(np.zeros((len(b), A.shape[1])), A, b)

    def inner(x):
        found = optimize.linprog(x, A_ub=A, b_ub=b, bounds=(None, None), method="highs")
        return found.x, -found.ineqlin.marginals

    n = A.shape[1]
    return ValueFunction(
        lambda x, y: (float(x @ y), y.copy(), x.copy()), inner, row,
        hessians=lambda x, y, m: (np.zeros((n, n)), np.eye(n)),
    )  # fmt: skip


SQUARE = np.vstack([np.eye(2), -np.eye(2)]), np.array([1.0, 1.0, 0.0, 0.0])


@pytest.mark.parametrize(
    ("cost", "several"),
    [((1.0, 2.0), False), ((-1.0, 2.0), False), ((1.0, 0.0), True), ((0.0, -3.0), True), ((0.0, 0.0), True)],
)
def test_ties_between_vertices_of_a_linear_follower(cost, several):
    # over the unit square the solution is one vertex unless a component of the cost is zero
    oracle = linear(*SQUARE)
    if several:
        with pytest.raises(OracleError, match="not unique"):
            oracle.vjp(np.array(cost), np.zeros(2))
    else:
        np.testing.assert_allclose(oracle.vjp(np.array(cost), np.ones(2)), 0.0, atol=1e-12)


def test_a_vertex_with_a_row_too_many_is_one_solution():
    # (0, 0) is cut out by three rows; with cost (1, 2) it stays the only solution
    A, b = np.vstack([SQUARE[0], [[-1.0, -1.0]]]), np.append(SQUARE[1], 0.0)
    np.testing.assert_allclose(linear(A, b).vjp(np.array([1.0, 2.0]), np.ones(2)), 0.0, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_random_linear_followers_agree_with_the_width_of_their_solution_sets(seed):
    # independent: the extent of the optimal face, by two more LPs over {Ay ≤ b, c·y ≤ v}
    rng = np.random.default_rng(seed)
    A = np.vstack([rng.integers(-2, 3, size=(4, 3)), np.eye(3), -np.eye(3)]).astype(float)
    A = A[A.any(axis=1)]
    b = np.concatenate([rng.integers(1, 4, size=len(A) - 6), np.ones(6)]).astype(float)
    c = rng.integers(-2, 3, size=3).astype(float)
    value = optimize.linprog(c, A_ub=A, b_ub=b, bounds=(None, None)).fun
    width = 0.0
    for d in np.eye(3):
        ends = [
            optimize.linprog(s * d, A_ub=A, b_ub=b, A_eq=c[None], b_eq=[value], bounds=(None, None)).fun
            for s in (1, -1)
        ]
        width = max(width, -ends[0] - ends[1])
    oracle = linear(A, b)
    if width > 1e-6:
        with pytest.raises(OracleError, match="not unique"):
            oracle.vjp(c, np.zeros(3))
    else:
        assert np.isfinite(oracle.vjp(c, np.zeros(3))).all()


def test_solutions_along_a_bent_constraint():
    # min −‖y‖² over the unit disc: the whole circle; min −y₁ over it: (1, 0) alone
    def disc(x, y):
        return np.array([y @ y - 1]), np.zeros((1, 1)), 2 * y[None, :]

    circle = ValueFunction(
        lambda x, y: (-float(y @ y), 0 * x, -2 * y), lambda x: (np.array([1.0, 0.0]), np.ones(1)), disc,
        hessians=lambda x, y, m: (2 * (m[0] - 1) * np.eye(2), np.zeros((2, 1))),
    )  # fmt: skip
    with pytest.raises(OracleError, match="not unique"):
        circle.vjp(np.zeros(1), np.zeros(2))
    point = ValueFunction(
        lambda x, y: (-float(y[0]), 0 * x, np.array([-1.0, 0.0])),
        lambda x: (np.array([1.0, 0.0]), np.array([0.5])), disc,
        hessians=lambda x, y, m: (2 * m[0] * np.eye(2), np.zeros((2, 1))),
    )  # fmt: skip
    assert not point.vjp(np.zeros(1), np.ones(2)).any()


def test_a_short_set_of_solutions_is_found_and_bounds_end_it():
    # g = (|y − x| − L)₊² is flat on an interval of length 2L; a bound at y* on both sides leaves one point
    def flat(length, bounds=None, fixed=None):
        def excess(x, y):
            return np.sign(y - x) * np.maximum(np.abs(y - x) - length, 0)

        return ValueFunction(
            lambda x, y: (float(excess(x, y) @ excess(x, y)), -2 * excess(x, y), 2 * excess(x, y)),
            lambda x: LowerSolution(x.copy(), bounds=bounds, fixed=fixed),
            hessians=lambda x, y, m: (2 * np.diag(1.0 * (excess(x, y) != 0)), np.zeros((1, 1))),
        )

    x = np.array([0.3])
    for length in (10.0, 1e-2, 1e-3):
        with pytest.raises(OracleError, match="not unique"):
            flat(length).vjp(x, np.zeros(1))
    assert flat(1.0, (x, x)).vjp(x, np.zeros(1)) == 0.0
    with pytest.raises(OracleError, match="not unique"):
        flat(1.0, fixed=np.array([True])).vjp(x, np.zeros(1))  # no bound holds y where g is flat


def test_an_inner_solver_may_say_so_itself():
    one = ValueFunction(
        lambda x, y: (float((y - x) @ (y - x)), 2 * (x - y), 2 * (y - x)),
        lambda x: LowerSolution(x.copy(), unique=bool(x[0] > 0)),
        hessians=lambda x, y, m: (2 * np.eye(1), -2 * np.eye(1)),
    )
    assert one.vjp([1.0], [3.0]) == 3.0
    with pytest.raises(OracleError, match="not unique"):
        one.vjp([-1.0], [3.0])
    assert one.gap([-1.0], [0.0])[0] == 1.0


def test_the_reduced_formulation_stops_by_name_where_the_leader_could_choose():
    # g does not depend on y₂: F = (y₂ − 1)² has the optimistic optimum 0, and y₂ = 0 would give 1 with success
    follower = ValueFunction(
        lambda x, y: (float((y[0] - x[0]) ** 2), -2 * (y[:1] - x), 2 * np.array([y[0] - x[0], 0.0])),
        lambda x: np.array([x[0], 0.0]),
        hessians=lambda x, y, m: (np.diag([2.0, 0.0]), np.array([[-2.0], [0.0]])),
    )
    for target in (1.0, 0.0):  # 0: F asks nothing of y₂ at y*, and still the choice is the leader's
        problem = BilevelProblem(
            lambda x, y, t=target: (float((y[1] - t) ** 2 + x[0] ** 2), 2 * x, np.array([0.0, 2 * (y[1] - t)])),
            follower, Box(-1, 1),
        )  # fmt: skip
        with pytest.raises(OracleError, match="not unique"):
            BilevelSolver(method="linear", formulation="reduced").solve(problem, [0.5], [0.0, 0.0])
