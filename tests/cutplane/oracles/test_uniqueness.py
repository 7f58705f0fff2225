"""Several answers of a follower: found exactly where a count of the optimal vertices finds them."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutplane import BilevelProblem, BilevelSolver, Box, OracleError
from cutplane.oracles import QuadraticLevel
from cutplane.oracles.uniqueness import distance_to_another


def vertices(A, b):
    """All vertices of {A y ≤ b}, by the solutions of n rows at a time."""
    found = []
    for rows in itertools.combinations(range(len(A)), A.shape[1]):
        square = A[list(rows)]
        if abs(np.linalg.det(square)) > 1e-9:
            point = np.linalg.solve(square, b[list(rows)])
            if np.all(A @ point <= b + 1e-9) and not any(np.allclose(point, v, atol=1e-9) for v in found):
                found.append(point)
    return found


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_a_derivative_is_refused_where_two_vertices_tie_and_given_where_one_is_best(seed, scaled):
    # whole numbers, doubled rows and rows along the cost: ties and degenerate vertices are the rule
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, 4), rng.integers(1, 6)
    cost, A = rng.integers(-2, 3, size=n).astype(float), rng.integers(-2, 3, size=(m, n)).astype(float)
    b = rng.integers(0, 4, size=m).astype(float)
    if m > 2:
        twice = rng.integers(1, 3)
        A[1], b[1] = twice * A[0], twice * b[0]
    if rng.random() < 0.4:
        A[-1] = -cost
    size = 10.0 ** rng.integers(-10, 11, size=m) if scaled else np.ones(m)
    unit = 10.0 ** rng.integers(-12, 13) if scaled else 1.0
    level = QuadraticLevel(
        c=unit * cost, A=size[:, None] * A, b=size * b, B=np.zeros((m, 1)), lower=0, upper=3
    )
    all_rows, all_sides = np.vstack([A, -np.eye(n), np.eye(n)]), np.concatenate([b, np.zeros(n), np.full(n, 3.0)])
    values = np.array([cost @ v for v in vertices(all_rows, all_sides)])
    assert cost @ level.solution([0.0]) == pytest.approx(values.min(), abs=1e-8)
    if np.sum(values < values.min() + 1e-9) > 1:
        with pytest.raises(OracleError, match=r"several answers.*joint"):
            level.vjp([0.0], np.ones(n))
    else:
        assert level.vjp([0.0], np.ones(n)) == pytest.approx([0.0])  # no row and no cost moves with x


def test_a_quadratic_follower_with_a_flat_direction_has_several_answers_unless_a_row_closes_it():
    # min ½(y₁ + y₂ − 1)² over [0, 1]²: every point of the diagonal; with y₁ ≤ x = 0 or a cost on y₂ only one
    Q, c = np.ones((2, 2)), np.array([-1.0, -1.0])
    with pytest.raises(OracleError, match="several answers"):
        QuadraticLevel(Q=Q, c=c, lower=0, upper=1, n_x=1).vjp([0.0], np.ones(2))
    closed = QuadraticLevel(Q=Q, c=c, A=[[1, 0]], B=[[-1]], b=[0], lower=0, upper=1)
    np.testing.assert_allclose(closed.solution([0.0]), [0.0, 1.0], atol=1e-9)
    assert np.isfinite(closed.vjp([0.0], np.ones(2))).all()
    tilted = QuadraticLevel(Q=Q, c=[-1.0, -0.9], lower=0, upper=2, n_x=1)
    np.testing.assert_allclose(tilted.solution([0.0]), [1.0, 0.0], atol=1e-8)
    assert np.isfinite(tilted.vjp([0.0], np.ones(2))).all()


@pytest.mark.parametrize("method", ["linear", "primal-dual"])
def test_the_reduced_formulation_takes_no_arbitrary_answer(method):
    # the follower is indifferent between all y in [0, 1]; the optimistic leader has (x, y) = (0, 0.7) and F = 0
    level = QuadraticLevel(c=[0.0], lower=0, upper=1, n_x=1)
    problem = BilevelProblem(
        lambda x, y: (float(x @ x + (y[0] - 0.7) ** 2), 2 * x, 2 * (y - 0.7)), level, Box(-1, 1), Box(0, 1)
    )
    with pytest.raises(OracleError, match="several answers"):
        BilevelSolver(method=method, formulation="reduced").solve(problem, [0.5], [0.0])
    assert BilevelSolver(method=method).solve(problem, [0.5], [0.0]).fun == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("method", ["linear", "primal-dual"])
def test_a_run_that_ends_beside_a_tie_says_so_and_is_no_success(method):
    # y* = 0 for x > 0; at x = 0 every y in [0, 1] is an answer, ½ the leader's: F = 0 there, and 2.5 + x beside it
    level = QuadraticLevel(c=[0.0], P=[[1.0]], lower=0, upper=1)
    problem = BilevelProblem(
        lambda x, y: (float(x[0] + 10 * (y[0] - 0.5) ** 2), np.ones(1), 20 * (y - 0.5)),
        level,
        Box(0, 1),
        Box(0, 1),
    )
    result = BilevelSolver(method=method, formulation="reduced").solve(problem, [1.0], [0.0])
    assert result.fun == pytest.approx(2.5, abs=1e-3)
    assert not result.success and "several answers" in result.message and "joint" in result.message


def test_a_tie_that_does_not_concern_the_leader_is_a_null_step():
    # the same follower under F = x: whatever y is at x = 0, the optimum is 0
    level = QuadraticLevel(c=[0.0], P=[[1.0]], lower=0, upper=1)
    problem = BilevelProblem(lambda x, y: (float(x[0]), np.ones(1), 0 * y), level, Box(0, 1), convex=True)
    result = BilevelSolver(method="linear", formulation="reduced").solve(problem, [1.0], [0.0])
    assert result.success and 0 <= result.fun <= 1e-6 and result.bound <= 1e-12


def test_the_distance_is_bounded_by_the_reach():
    # in the plane with y₁ held at its side: y₂ is free, or has a room of 0.25, or none
    rows, held = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]), np.array([True, False, False])
    for room, distance in ((5.0, 2.0), (0.25, 0.25), (0.0, 0.0)):
        slack = np.array([0.0, room, room])
        assert distance_to_another(np.zeros((2, 2)), rows, slack, held, 2.0) == pytest.approx(distance)
    assert distance_to_another(np.eye(2), rows, np.ones(3), held, 2.0) == 0.0
