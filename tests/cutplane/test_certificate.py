"""Bounds by weak duality, and the search for a point that contradicts them."""

import numpy as np
import pytest

from cutplane import (
    Ball,
    BilevelProblem,
    BilevelSolver,
    Box,
    LinearConstraint,
    OracleError,
    Polyhedron,
    SolutionMap,
)
from cutplane.certificate import contradiction, lagrangian_bound, relaxed_bound, search_box
from cutplane.model import build_model
from cutplane.polyhedron import Kind, Plane


def quarter_model(x_set, constraints=(), solution=lambda x: x, formulation="reduced"):
    lower = SolutionMap(solution, lambda x, v: v)
    problem = BilevelProblem(
        lambda x, y: (float(x @ x), 2 * x, 0 * y), lower, x_set, constraints=constraints, convex=True
    )
    return build_model(problem, formulation, 2, 2, (1.0, 1.0), 0.0)


def pool_of(*planes, n=2):
    pool = Polyhedron(n)
    for kind, normal, offset in planes:
        pool.add(Plane(kind, np.array(normal, dtype=float), offset))
    return pool


def test_any_multipliers_give_a_bound_and_the_right_ones_the_optimum():
    model = quarter_model(Box(0, 1))
    pool = pool_of((Kind.OBJECTIVE, [-1, -2], 0.0), (Kind.GAP, [1, 1], -1.0))
    lower, upper, radius = search_box(model, np.zeros(2))
    assert radius == np.inf
    none = np.zeros(0)
    rng = np.random.default_rng(0)
    for multipliers in rng.uniform(-1, 3, size=(50, 2)):
        assert lagrangian_bound(model, pool, multipliers, none, lower, upper) <= -2.0
    best = lagrangian_bound(model, pool, np.array([1.0, 2 * np.sqrt(2)]), none, lower, upper)
    assert best == pytest.approx(-2.0)
    assert lagrangian_bound(model, pool, np.array([0.0, 1.0]), none, lower, upper) == -np.inf
    assert relaxed_bound(model, pool, np.zeros(2)).value == pytest.approx(-2.0)


def test_without_objective_planes_or_with_an_empty_pool_there_is_no_bound():
    model = quarter_model(Box(0, 1))
    assert relaxed_bound(model, pool_of((Kind.GAP, [1, 1], -1.0)), np.zeros(2)).value == -np.inf
    empty = pool_of((Kind.OBJECTIVE, [1, 1], 0.0), (Kind.GAP, [1, 1], 1.0))
    assert relaxed_bound(model, empty, np.zeros(2)).value == -np.inf


def test_on_an_open_set_the_bound_has_a_radius():
    model = quarter_model(Box(-np.inf, 5.0))
    lower, upper, radius = search_box(model, np.array([1.0, -3.0]))
    assert radius == 40.0 and lower.tolist() == [-39.0, -43.0] and upper.tolist() == [5.0, 5.0]


def test_a_ball_is_learnt_by_its_tangents():
    model = quarter_model(Ball(1.0))
    bound = relaxed_bound(model, pool_of((Kind.OBJECTIVE, [3, 4], 0.0)), np.zeros(2))
    assert bound.value == pytest.approx(-5.0, abs=1e-6) and bound.value <= -5.0


def test_a_valid_pool_is_not_contradicted():
    model = quarter_model(Box(-1, 1))
    pool = pool_of((Kind.OBJECTIVE, [2, 0], -1.0))  # tangent of x·x at (1, 0)
    assert contradiction(model, pool, np.zeros(2), 0.0) is None


def test_a_plane_above_the_objective_or_through_the_feasible_set_is_found():
    model = quarter_model(Box(-1, 1))
    above = pool_of((Kind.OBJECTIVE, [0, 0], 0.5))
    assert "has an objective below plane 0" in contradiction(model, above, np.ones(2), 2.0)
    through = pool_of((Kind.OBJECTIVE, [0, 0], -1.0), (Kind.CONSTRAINT, [1, 0], -0.5))
    assert "is cut off by plane 1" in contradiction(model, through, np.zeros(2), 0.0)


def test_points_off_a_linear_row_say_nothing():
    row = LinearConstraint([[1.0, 0.0]], [[0.0, 0.0]], [-0.4])
    model = quarter_model(Box(-1, 1), row, formulation="joint")
    pool = pool_of((Kind.LINEAR, [1, 0, 0, 0], 0.4), (Kind.GAP, [1, 0, 0, 0], 0.39), n=4)
    assert contradiction(model, pool, np.array([-0.5, 0, -0.5, 0]), 0.25) is None


def test_an_oracle_without_an_answer_far_away_is_no_contradiction():
    def solution(x):
        if np.abs(x).max() > 0.5:
            raise OracleError("too far")
        return x

    model = quarter_model(Box(-1, 1), constraints=(lambda x, y: (-np.ones(1), 0 * x[None], 0 * y[None]),),
                          solution=solution)  # fmt: skip
    assert contradiction(model, pool_of((Kind.OBJECTIVE, [0, 0], -1.0)), np.zeros(2), 0.0) is None


def test_without_restore_only_the_best_point_is_tried():
    class GapOnly:
        def gap(self, x, y):
            return float(np.abs(y - x).sum()), -np.sign(y - x), np.sign(y - x)

    problem = BilevelProblem(
        lambda x, y: (float(x @ x), 2 * x, 0 * y), GapOnly(), Box(-1, 1), Box(-1, 1), convex=True
    )
    model = build_model(problem, "joint", 1, 1, (1.0, 1.0), 0.0)
    wrong = pool_of((Kind.OBJECTIVE, [0, 0], -1.0), (Kind.GAP, [1, 0], -0.5))
    assert contradiction(model, wrong, np.zeros(2), 0.0) is None
    assert "is cut off" in contradiction(model, wrong, np.array([0.9, 0.9]), 0.81)


def test_a_wrong_declaration_ends_without_a_bound():
    # F(x) = −x² on [−1, 2]: its tangents lie above it, and the start is nearer to the worse end
    problem = BilevelProblem(
        lambda x, y: (-float(x @ x), -2 * x, 0 * y),
        SolutionMap(lambda x: x, lambda x, v: v),
        Box(-1, 2),
        convex=True,
    )
    for method in ("level", "proximal", "linear", "primal-dual"):
        result = BilevelSolver(method=method, formulation="reduced").solve(problem, [-0.5], [0.0])
        assert not result.success or result.fun == pytest.approx(-4.0)
        assert result.bound is None and "contradict" in result.message


def test_tangents_at_the_samples_show_what_the_runs_own_planes_do_not():
    # a narrow valley beside a local minimum: the only plane of the run, the flat one there, is far from it
    def wave(x, y):
        return float(np.sin(20 * x[0]) + 0.1 * x[0] ** 2), 20 * np.cos(20 * x) + 0.2 * x, 0 * y

    problem = BilevelProblem(wave, SolutionMap(lambda x: x, lambda x, v: v), Box(-1, 1), convex=True)
    model = build_model(problem, "reduced", 1, 1, (1.0, 1.0), 0.0)
    flat = pool_of((Kind.OBJECTIVE, [0], -0.95), n=1)
    assert "the plane of another point" in contradiction(model, flat, np.array([0.7]), 0.9)
