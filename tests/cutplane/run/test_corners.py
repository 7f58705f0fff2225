"""Ways down from corners: what is feasible is a union of cones, or a valley lies where several pieces meet."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutplane import BilevelProblem, Box, SolutionMap
from cutplane.core.formulations import build_model
from cutplane.masters.linearised import Linearised
from cutplane.run.corners import leads_down, lowest_way


def turned(angle):
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def two_cones(angle):
    """F = −0.3 a + 6 b in turned variables (a, b), feasible where |a| ≥ 20 |b|: two cones of 5.7° at the origin.

    The lower level answers y = (|a|, |b|). The planes of all four pieces together leave nothing but the origin.
    """
    turn = turned(angle)

    def follower(x):
        return np.abs(turn.T @ x)

    slope = turn @ np.array([-0.3, 6.0])
    return BilevelProblem(
        lambda x, y: (float(slope @ x), slope, 0 * y),
        SolutionMap(follower, lambda x, v: turn @ (np.where(turn.T @ x >= 0, 1.0, -1.0) * v)), Box(-1, 1),
        constraints=lambda x, y: (np.array([20 * y[1] - y[0]]), np.zeros((1, 2)), np.array([[-1.0, 20.0]])),
    )  # fmt: skip


def value_of(model, z):
    def value(offset):
        x, y = model.split(z + offset)
        inside = all(piece.value <= 1e-9 for piece in model.pieces(z + offset)[1])
        return model.upper_value(x, y)[0] if inside else np.inf

    return value


def search(problem, z):
    """What `leads_down` finds at z, and along which direction."""
    model = build_model(problem, "reduced", z.size, z.size, (1.0, 1.0), 0.0)
    value, found = value_of(model, z), []

    def goes_down(way):
        if value(1e-4 * way) < value(0 * way) - 1e-7:
            found.append(way)
        return bool(found)

    return leads_down(Linearised(model, z), goes_down, lambda fall: fall < 1e-3, 1e-3), found


@settings(max_examples=15, deadline=None)
@given(st.floats(0, 6.28))
def test_the_cone_is_found_whichever_way_it_points(angle):
    down, ways = search(two_cones(angle), np.zeros(2))
    assert down
    a, b = turned(angle).T @ ways[0]
    assert a >= 20 * abs(b) - 1e-6 * a


def valley(normals, along):
    """F = max |N x|, less a slope along the one direction on which N x = 0; its gradient is of one piece."""

    def upper(x, y):
        rows = normals @ x
        k = int(np.argmax(np.abs(rows)))
        gradient = np.where(rows[k] >= 0, 1.0, -1.0) * normals[k] - along
        return float(gradient @ x), gradient, 0 * y

    return BilevelProblem(upper, SolutionMap(lambda x: x, lambda x, v: v), Box(-5, 5))


@settings(max_examples=8, deadline=None)
@given(st.integers(2, 4), st.integers(0, 10**6))
def test_a_valley_where_as_many_pieces_meet_as_there_are_variables_is_found(n, seed):
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.normal(size=(n, n)))
    down, ways = search(valley(20.0 * basis[:, 1:].T, 0.1 * basis[:, 0]), np.zeros(n))
    assert down
    np.testing.assert_allclose(ways[0] / np.linalg.norm(ways[0]), basis[:, 0], atol=0.02)


@pytest.mark.parametrize("slope", [0.0, 1e-4])
def test_at_a_minimum_nothing_is_found(slope):
    """‖x‖₁ and a slope too small to count: no direction leads down."""
    first = slope * np.eye(3)[0]
    problem = BilevelProblem(
        lambda x, y: (float(np.abs(x).sum() - first @ x), np.where(x >= 0, 1.0, -1.0) - first, 0 * y),
        SolutionMap(lambda x: x, lambda x, v: v), Box(-1, 1),
    )  # fmt: skip
    assert search(problem, np.zeros(3)) == (False, [])


def test_a_smooth_point_costs_some_gradients_and_no_trial():
    asked = []

    def upper(x, y):
        asked.append(x.copy())
        return float(0.5 * x @ x + x[0]), x + np.array([1.0, 0, 0]), 0 * y

    problem = BilevelProblem(upper, SolutionMap(lambda x: x, lambda x, v: v), Box(-1, 1))
    assert search(problem, np.array([0.3, 0.2, -0.1])) == (False, [])
    assert len(asked) <= 40


# --- without gradients ------------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 4), st.integers(0, 10**6))
def test_a_direct_search_comes_near_the_lowest_direction_on_the_cube(n, seed):
    slope = np.random.default_rng(seed).normal(size=n)
    way = lowest_way(lambda offset: float(slope @ offset), n)
    assert np.abs(way).max() == 1.0
    assert slope @ way <= -0.75 * np.abs(slope).sum()  # the corner −sign(slope) is the lowest


def test_where_nothing_is_feasible_there_is_no_direction():
    assert not lowest_way(lambda offset: np.inf, 3).any()


@pytest.mark.parametrize("angle", np.linspace(0.1, 6.2, 12))
def test_a_way_inside_the_rim_of_where_the_lower_level_answers_is_found(angle):
    """F = max(0.3 a, −3 a) − b, with answers for b ≤ a/2 alone: F falls where 0.3 a < b ≤ a/2."""
    turn = turned(angle)

    def value(offset):
        a, b = turn.T @ offset
        return max(0.3 * a, -3 * a) - b if b <= 0.5 * a else np.inf

    a, b = turn.T @ lowest_way(value, 2)
    assert 0.3 * a < b <= 0.5 * a
