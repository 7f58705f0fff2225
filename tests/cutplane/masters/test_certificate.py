"""Bounds by weak duality, and the search for a point that contradicts them."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

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
from cutplane.core.formulations import build_model
from cutplane.core.pool import Kind, Plane
from cutplane.masters.certificate import contradiction, lagrangian_bound, relaxed_bound, search_box
from cutplane.sets import Rows


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


def test_a_point_that_was_not_restored_as_far_as_epsilon_contradicts_nothing():
    class Tired(SolutionMap):
        """Its `restore` gives up at once."""

        def restore(self, x, y, epsilon):
            return y.copy()

    def model(lower):
        problem = BilevelProblem(
            lambda x, y: (float(y @ y), 0 * x, 2 * y), lower(lambda x: x, lambda x, v: v), Box(-1, 1), Box(-1, 1),
            convex=True,
        )  # fmt: skip
        return build_model(problem, "joint", 1, 1, (1.0, 1.0), 1e-10)

    valid = pool_of((Kind.OBJECTIVE, [0, 0], -1.0), (Kind.GAP, [-1, 1], 0.0), (Kind.GAP, [1, -1], 0.0))
    invalid = pool_of((Kind.OBJECTIVE, [0, 0], -1.0), (Kind.GAP, [1, 1], -0.1))
    for lower in (SolutionMap, Tired):
        assert contradiction(model(lower), valid, np.zeros(2), 0.0) is None
    assert "is cut off by plane 1" in contradiction(model(SolutionMap), invalid, np.zeros(2), 0.0)


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


def exact_bound(rows, pool, multipliers, on_rows, lower, upper):
    """The Lagrangian's minimum over the box in rational numbers, and the size of its terms."""
    whole = [max(Fraction(float(v)), Fraction(0)) for v in multipliers]
    total = sum(w for w, bounding in zip(whole, pool.bounding, strict=True) if not bounding)
    weights = [w / total for w in whole]
    m = rows.b_ub.size
    on_set = [Fraction(float(v)) / total for v in on_rows]
    weights += [max(v, Fraction(0)) for v in on_set[:m]] + on_set[m:]
    matrix = np.vstack([pool.normals, rows.A_ub, rows.A_eq]).astype(float)
    sides = np.concatenate([pool.offsets, -rows.b_ub, -rows.b_eq])
    value = sum(w * Fraction(float(c)) for w, c in zip(weights, sides, strict=True))
    size = sum(abs(w * Fraction(float(c))) for w, c in zip(weights, sides, strict=True))
    for j in range(pool.n):
        terms = [w * Fraction(float(a)) for w, a in zip(weights, matrix[:, j], strict=True)]
        reduced = sum(terms)
        value += reduced * Fraction(float(lower[j] if reduced > 0 else upper[j]))
        size += sum(map(abs, terms)) * Fraction(max(abs(float(lower[j])), abs(float(upper[j]))))
    return value, size


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 10**6), st.sampled_from([-8, -3, 0, 3, 8]), st.sampled_from([-3, 0, 6, 12]), st.booleans(),
    st.sampled_from([np.float32, np.float64]),
)  # fmt: skip
def test_the_bound_is_never_above_the_one_of_rational_arithmetic(seed, scale, reach, balanced, dtype):
    rng = np.random.default_rng(seed)
    n, planes, (m, p) = rng.integers(1, 6), rng.integers(1, 8), rng.integers(0, 3, size=2)
    pool = Polyhedron(n, dtype)
    for l in range(planes):
        kind = Kind.GAP if l and rng.random() < 0.5 else Kind.OBJECTIVE
        offset = 10.0 ** (scale + rng.integers(-3, 9)) * rng.normal()
        pool.add(Plane(kind, 10.0**scale * rng.normal(size=n), offset))
    rows = Rows(rng.normal(size=(m, n)), rng.normal(size=m), rng.normal(size=(p, n)), rng.normal(size=p))
    multipliers, on_rows = rng.random(pool.size), 10.0**scale * rng.normal(size=m + p)
    if balanced and planes > 1:
        # multipliers as of an optimum: the reduced costs vanish but for rounding, and the box counts most
        pool.add(Plane(Kind.OBJECTIVE, -multipliers @ pool.normals.astype(float), 0.0))
        multipliers = np.append(multipliers, 1.0)[: pool.size]
    box = -(10.0**reach) * rng.random(n), 10.0**reach * rng.random(n)
    found = lagrangian_bound(SimpleNamespace(rows=rows), pool, multipliers, on_rows, *box)
    exact, size = exact_bound(rows, pool, multipliers, on_rows, *box)
    assert Fraction(found) <= exact
    # and below it by a few units of rounding, about one a plane and row, of the size of the terms
    assert exact - Fraction(found) <= Fraction(60 * np.finfo(float).eps) * size


def test_an_ordinary_bound_loses_nothing_that_shows():
    # 100 planes in [0, 1]^50: a bound of −0.0 to −1 is off by less than 1e-12
    rng = np.random.default_rng(1)
    pool, rows = Polyhedron(50), Rows(np.zeros((0, 50)), np.zeros(0), np.zeros((0, 50)), np.zeros(0))
    for _ in range(100):
        pool.add(Plane(Kind.OBJECTIVE, rng.normal(size=50), rng.normal()))
    arguments = rows, pool, rng.random(100), np.zeros(0), np.zeros(50), np.ones(50)
    found = lagrangian_bound(SimpleNamespace(rows=rows), *arguments[1:])
    assert 0 <= exact_bound(*arguments)[0] - Fraction(found) <= 1e-12


@pytest.mark.parametrize("multipliers", [[np.nan, 1.0], [np.inf, 1.0], [1e-320, 1e300], [0.0, 1.0], [-1.0, 1.0]])
def test_multipliers_that_are_no_numbers_give_no_bound(multipliers):
    model = quarter_model(Box(0, 1))
    pool = pool_of((Kind.OBJECTIVE, [-1, -2], 0.0), (Kind.GAP, [1, 1], -1.0))
    found = lagrangian_bound(model, pool, np.array(multipliers), np.zeros(0), np.zeros(2), np.ones(2))
    assert found == -np.inf


def test_multipliers_of_any_length_give_the_optimum_that_linprog_finds():
    # min t over three planes, a row and an equation of Z, a box: value and marginals are those of scipy's linprog
    rng = np.random.default_rng(4)
    normals, offsets = rng.normal(size=(3, 4)), rng.normal(size=3)
    rows = Rows(np.array([[1.0, 1, 1, 1]]), np.array([-0.5]), np.array([[1.0, -2, 0, 1]]), np.array([0.3]))
    lp = optimize.linprog(
        [0, 0, 0, 0, 1], np.vstack([np.c_[normals, -np.ones(3)], np.append(rows.A_ub, 0)]),
        np.append(-offsets, rows.b_ub), np.append(rows.A_eq, 0)[None], rows.b_eq, [(-1, 1)] * 4 + [(None, None)],
    )  # fmt: skip
    pool = pool_of(*((Kind.OBJECTIVE, a, c) for a, c in zip(normals, offsets, strict=True)), n=4)
    of_planes, of_row, of_equation = -lp.ineqlin.marginals[:3], -lp.ineqlin.marginals[3:], -lp.eqlin.marginals
    assert of_row[0] > 0.1 and abs(of_equation[0]) > 0.1  # both rows count
    for factor in (1.0, 0.02, 300.0):
        found = lagrangian_bound(
            SimpleNamespace(rows=rows), pool, factor * of_planes,
            factor * np.concatenate([of_row, of_equation]), -np.ones(4), np.ones(4),
        )  # fmt: skip
        assert found == pytest.approx(lp.fun, abs=1e-12)


def test_what_cancels_in_the_sum_is_charged():
    # 10¹⁶x₁ − 10¹⁶x₂ + 1.5 at the one point (1, 1) is 1.5; in doubles 1.5 + 10¹⁶ is 10¹⁶ + 2, and the sum is 2
    pool, one = pool_of((Kind.OBJECTIVE, [1e16, -1e16], 1.5)), np.ones(2)
    found = lagrangian_bound(quarter_model(Box(0, 1)), pool, np.ones(1), np.zeros(0), one, one)
    assert (1.5 + 1e16) - 1e16 == 2.0 and 1.5 - 100 < found <= 1.5


@pytest.mark.parametrize(("excess", "found"), [(1e-4, True), (1e-7, False)])
def test_a_plane_is_contradicted_from_a_millionth_on(excess, found):
    # F = x·x is 2 at the corner (1, 1), where its tangent is 2x₁ + 2x₂ − 2; the oracles are exact here
    model, corner = quarter_model(Box(-1, 1)), np.ones(2)
    tangent = pool_of((Kind.OBJECTIVE, [2, 2], -2 + excess))
    assert (contradiction(model, tangent, corner, 2.0) is not None) is found
    # and 3x₁ + 4x₂ ≤ 7 − 5·excess cuts the corner off by the distance `excess`, and next to nothing else
    passed = pool_of((Kind.OBJECTIVE, [2, 2], -2.0), (Kind.CONSTRAINT, [3, 4], -7 + 5 * excess))
    assert (contradiction(model, passed, corner, 2.0) is not None) is found
