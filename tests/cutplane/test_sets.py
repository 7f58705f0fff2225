"""Feasible sets: what they refuse, and what they tell a master."""

import numpy as np
import pytest

from cutplane import Ball, Box, Free, InputError, Polytope, Simplex
from cutplane.errors import ProjectionError
from cutplane.sets import FeasibleSet, violation


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Box(1, 0), "lower exceeds upper"),
        (lambda: Box([0, 0], [1, 1, 1]), "lower has shape"),
        (lambda: Box(np.nan, 1), "lower holds NaN"),
        (lambda: Box("a", 1), "lower is not a number"),
        (lambda: Box(np.inf, np.inf), "below .inf"),
        (lambda: Box([[0.0]], 1), "number or a vector"),
        (lambda: Box(1j, 2), "complex"),
        (lambda: Simplex(0), "total must be a positive"),
        (lambda: Simplex("a"), "total must be a positive"),
        (lambda: Ball(-1), "radius must be a positive"),
        (lambda: Ball(1, [np.inf, 0]), "center holds a non-finite"),
        (lambda: Polytope(), "needs A_ub or A_eq"),
        (lambda: Polytope([[1, 1]]), "A_ub comes with b_ub"),
        (lambda: Polytope([[1, 1]], [1, 2]), "b_ub has 2 entries, 1 were expected"),
        (lambda: Polytope([[1, 1]], [1], [[1, 1, 1]], [1]), "A_eq has 3 columns, 2 were expected"),
        (lambda: Polytope([[1, 2], [3]], [1, 2]), "A_ub is not a matrix"),
        (lambda: Polytope([[[1.0]]], [1]), "A_ub must be two-dimensional"),
        (lambda: Polytope([[1, np.nan]], [1]), "A_ub holds a non-finite"),
        (lambda: Polytope([[1, 1]], [1], lower=[0, 0, 0]), "Box.lower has 3 entries"),
        (lambda: Polytope([[1, 1]], [-1], lower=0), "Polytope is empty"),
        (lambda: Polytope(A_eq=[[1.0], [1.0]], b_eq=[0, 1]), "Polytope is empty"),
    ],
)
def test_a_set_that_cannot_be_names_the_argument(make, words):
    with pytest.raises(InputError, match=words):
        make()


@pytest.mark.parametrize(
    ("feasible", "words"),
    [
        (Box([0, 0], 1), "x_set: Box.lower has 2 entries, the variable has 3"),
        (Ball(1, [0, 0]), "x_set: Ball.center has 2 entries"),
        (Polytope([[1, 1]], [1]), "x_set: Polytope has 2 columns"),
    ],
)
def test_a_set_of_another_dimension_is_refused(feasible, words):
    with pytest.raises(InputError, match=words):
        feasible.check(3, "x_set")


@pytest.mark.parametrize("feasible", [Free(), Box(0, 1), Simplex(2), Ball(1, 0.5), Polytope([[1, 1]], [1])])
def test_every_set_keeps_the_protocol_and_its_projection_is_inside(feasible):
    assert isinstance(feasible, FeasibleSet)
    feasible.check(2, "x_set")
    v = np.array([3.0, -4.0])
    point = feasible.project(v)
    assert violation(feasible, point) <= 1e-12
    assert np.allclose(feasible.project(point), point, atol=1e-12)
    assert feasible.project(v.astype(np.float32)).dtype == np.float32


def test_violation_is_the_largest_distance_missed():
    assert violation(Box(0, 1), np.array([1.5, -0.25])) == 0.5
    assert violation(Simplex(1.0), np.array([1.0, 1.0])) == pytest.approx(1 / np.sqrt(2))
    assert violation(Ball(1.0), np.array([3.0, 4.0])) == pytest.approx(4.0)
    assert violation(Polytope([[3.0, 4.0]], [0.0]), np.array([1.0, 0.5])) == pytest.approx(1.0)


def test_only_a_curved_set_has_tangents_and_they_support_it():
    v = np.array([3.0, 4.0])
    for flat in (Free(), Box(0, 1), Simplex(), Polytope([[1, 1]], [1])):
        assert flat.tangent(v) is None
    ball = Ball(2.0, [1.0, 0.0])
    normal, rhs = ball.tangent(v)
    assert normal @ v > rhs
    assert normal @ ball.project(v) == pytest.approx(rhs)
    assert ball.tangent(np.array([1.0, 1.0])) is None


def test_rows_and_bounds_describe_the_sets():
    rows = Simplex(2.0).rows(3)
    assert rows.A_eq.tolist() == [[1, 1, 1]] and rows.b_eq.tolist() == [2.0] and rows.A_ub.shape == (0, 3)
    assert [b.tolist() for b in Simplex(2.0).bounds(2)] == [[0, 0], [2, 2]]
    assert [b.tolist() for b in Ball(2.0, 1.0).bounds(2)] == [[-1, -1], [3, 3]]
    assert Ball(1.0).rows(2).A_ub.shape == (0, 2)
    assert np.isinf(Free().bounds(2)).all()


def test_a_large_point_lands_on_the_simplex_to_the_last_digit():
    point = Simplex(1.0).project(np.array([1e8, 1e8 + 0.3, -1e8]))
    assert abs(point.sum() - 1.0) <= 1e-12 and point.min() >= 0


def test_a_budget_is_met_from_far_away():
    budget = Polytope(np.ones((1, 6)), [2.0], lower=0, upper=1)
    for far in (1.0, 1e4, 6e7, 1e8, 1e12):
        point = budget.project(far * np.linspace(-1, 1, 6))
        assert violation(budget, point) <= 1e-11


def test_a_projection_that_does_not_converge_says_so(monkeypatch):
    polytope = Polytope([[1.0, 1.0], [1.0, 0.0]], [1.0, 2.0])
    from cutplane import sets

    def poor(*args):
        solution = original(*args)
        return type(solution)(solution.point, 0.0, solution.multipliers, 1.0)

    original = sets.nearest_point
    monkeypatch.setattr(sets, "nearest_point", poor)
    with pytest.raises(ProjectionError, match="did not converge"):
        polytope.project(np.array([3.0, 3.0]))


@pytest.mark.parametrize("size", [1e-10, 1e-6, 1.0, 1e6])
def test_sets_of_any_size_are_projected_on_and_found_empty(size):
    row, inside = np.array([[1e-6, 1e-6]]), np.zeros(2)
    equal = Polytope(A_eq=row, b_eq=[1e-6 * size], lower=0, upper=size)
    np.testing.assert_allclose(equal.project(inside), [size / 2, size / 2], rtol=1e-9)
    two = Polytope([[1.0, 2.0], [2.0, 1.0]], [size, size], lower=-size, upper=size)
    np.testing.assert_allclose(two.project(np.array([size, size])), [size / 3, size / 3], rtol=1e-9)
    with pytest.raises(InputError, match="empty"):
        Polytope([[1.0, 1.0]], [-size], lower=0, upper=5 * size)


def test_a_far_set_is_not_taken_for_empty():
    far = Polytope(A_ub=[[-1e-10]], b_ub=[-1.0], lower=0, upper=1e12)  # x is 1e10 at least
    np.testing.assert_allclose(far.project(np.zeros(1)), [1e10])


@pytest.mark.parametrize(
    ("arguments", "point"),
    [
        # to HiGHS a side from 1e20 on is none, and SciPy's linprog (1.17.1) calls the first and third infeasible
        ({"A_ub": [[-1.0]], "b_ub": [-1e21]}, [1e21]),
        ({"A_ub": [[1.0]], "b_ub": [1e25], "lower": 0}, [0.0]),
        ({"A_ub": [[-1.0, 0.0]], "b_ub": [-1e21], "lower": 0, "upper": [1e22, 1.0]}, [1e21, 0.0]),
        ({"A_ub": [[1e15, 1.0]], "b_ub": [1e15]}, [0.0, 0.0]),
        ({"A_ub": [[1e16, 1.0], [1.0, -1e16]], "b_ub": [1.0, 1.0], "lower": -1, "upper": 1}, [0.0, 0.0]),
        ({"A_eq": [[1.0, -1.0]], "b_eq": [1e21]}, [5e20, -5e20]),
        ({"A_ub": [[1.0, 1.0]], "b_ub": [1.0], "lower": [1e20, -np.inf]}, [1e20, -1e20]),
        # a row with an entry that HiGHS drops: y has to be 1e13
        ({"A_ub": [[1.0, -1e-13]], "b_ub": [-1.0], "lower": 0, "upper": [1.0, 1e14]}, [0.0, 1e13]),
    ],
)
def test_numbers_that_solvers_take_for_endless_do_not_make_a_set_empty(arguments, point):
    np.testing.assert_allclose(Polytope(**arguments).project(np.zeros(len(point))), point, rtol=1e-9)


@pytest.mark.parametrize(
    "arguments",
    [
        {"A_ub": [[1.0, 1.0]], "b_ub": [-1e21], "lower": 0},
        {"A_ub": [[1.0]], "b_ub": [1e20], "lower": 1e21},
        {"A_ub": [[1.0, 0.0]], "b_ub": [-1.0], "lower": 0, "upper": [1.0, 1e25]},
        {"A_ub": [[1.0, -1e-13]], "b_ub": [-1.0], "lower": 0, "upper": [1.0, 1e12]},
        {"A_ub": [[1.0, 1.0]], "b_ub": [1.0], "lower": [1e20, -1e19]},
        {"A_ub": [[0.0, 0.0]], "b_ub": [-1e-12]},
        {"A_eq": [[0.0, 0.0]], "b_eq": [1e-12]},
    ],
)
def test_an_empty_set_is_found_beside_numbers_of_any_size(arguments):
    with pytest.raises(InputError, match="empty"):
        Polytope(**arguments)
