"""Feasible sets: what they refuse, and what they tell a master."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from cutplane import Ball, Box, Free, InputError, Polytope, Simplex
from cutplane.errors import ProjectionError
from cutplane.sets import FeasibleSet, allowance, no_rows, violation

THREE = {
    "free": (Free(), [1.0, 1.0, 1.0]),
    "box": (Box(0, 0.5), [0.5, 0.5, 0.5]),
    # by symmetry the entries of the nearest point are equal: 1/3 in the simplex and on the plane Σ v = 1, and
    # 1/√3 on the sphere
    "simplex": (Simplex(1), [1 / 3, 1 / 3, 1 / 3]),
    "ball": (Ball(1), [3**-0.5, 3**-0.5, 3**-0.5]),
    "one row": (Polytope([[1, 1, 1]], [1]), [1 / 3, 1 / 3, 1 / 3]),
    # the second row holds at (1/3, 1/3, 1/3) anyway
    "two rows": (Polytope([[1, 1, 1], [1, -1, 0]], [1, 1]), [1 / 3, 1 / 3, 1 / 3]),
}


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


@pytest.mark.parametrize("name", THREE)
@pytest.mark.parametrize(
    "ones",
    [
        [1, 1, 1],
        (1, True, 1.0),
        np.ones(3, dtype=np.int64),
        np.ones(3, dtype=np.uint8),
        np.ones(3, dtype=bool),
        np.ones(3, dtype=np.float16),
        np.ones(3, dtype=object),
    ],
)
def test_whatever_the_numbers_come_in_is_projected_in_float64(name, ones):
    feasible, expected = THREE[name]
    point = feasible.project(ones)
    assert point.dtype == np.float64
    np.testing.assert_allclose(point, expected, rtol=1e-12)


@given(st.lists(st.integers(-100, 100), min_size=3, max_size=3), st.sampled_from(sorted(THREE)))
def test_integers_and_their_floats_have_one_nearest_point(whole, name):
    feasible, _ = THREE[name]
    expected = feasible.project(np.array(whole, dtype=float))
    for given_as in (whole, np.array(whole, dtype=np.int8), np.array(whole, dtype=np.int64)):
        np.testing.assert_array_equal(feasible.project(given_as), expected, strict=True)
    single = feasible.project(np.array(whole, dtype=np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, rtol=1e-6, atol=1e-6)


def test_a_number_is_a_vector_of_one_entry():
    for feasible, expected in (
        (Free(), 3), (Box(0, 1), 1), (Simplex(2), 2), (Ball(1, [1.0]), 2), (Polytope([[2]], [1]), 0.5)
    ):  # fmt: skip
        assert feasible.project(3).tolist() == [expected]


@pytest.mark.parametrize("name", THREE)
@pytest.mark.parametrize(
    ("v", "words"),
    [
        ([1, np.nan, 1], r"v\[1\] is not finite"),
        (np.array([1, 1, np.inf], dtype=np.float32), r"v\[2\] is not finite"),
        ([[1, 1, 1]], r"v must be one-dimensional, its shape is \(1, 3\)"),
        ([1j, 0, 0], "v is not an array of numbers: it holds complex"),
        ("abc", "v is not an array of numbers: it holds text"),
        (["1", "2", "3"], "v is not an array of numbers"),
        (np.array(["2020-01-01"] * 3, dtype="M8[D]"), "v is not an array of numbers: it holds datetime64"),
        (np.ma.masked_array([1.0, 2.0, 3.0], [False, True, False]), "v .* masked"),
        ([1, [2], 3], "v is not an array of numbers"),
        ([10**400, 1, 1], "v is not an array of numbers"),
        (None, r"v\[0\] is not finite"),
    ],
)
def test_what_cannot_be_projected_is_refused_by_name(name, v, words):
    with pytest.raises(InputError, match=words):
        THREE[name][0].project(v)


@pytest.mark.parametrize(
    ("feasible", "words"),
    [
        (Box([0, 0, 0], 1), "v: Box.lower has 3 entries, the variable has 2"),
        (Ball(1, [0, 0, 0]), "v: Ball.center has 3 entries"),
        (Polytope([[1, 1, 1]], [1]), "v: Polytope has 3 columns, the variable has 2"),
    ],
)
def test_a_point_of_another_length_is_not_projected(feasible, words):
    with pytest.raises(InputError, match=words):
        feasible.project([1.0, 2.0])


def test_no_entries_cannot_sum_to_a_total():
    with pytest.raises(InputError, match="v: no entries cannot sum to the Simplex's total of 1"):
        Simplex(1).project([])
    assert Box(0, 1).project([]).shape == (0,)


@pytest.mark.parametrize("name", THREE)
def test_the_nearest_point_is_an_array_of_its_own(name):
    feasible, _ = THREE[name]
    for v in (np.full(3, 1 / 3), np.full(3, 5.0)):  # the first lies in each of the sets
        point = feasible.project(v)
        kept = point.copy()
        assert not np.shares_memory(point, v)
        v[:] = 7.0
        assert np.array_equal(point, kept)
        point[:] = 7.0  # nor does what a caller does to it change the set
        np.testing.assert_allclose(feasible.project(kept), kept, rtol=1e-11)


def test_a_set_keeps_no_array_of_the_callers():
    lower, center, A, b = np.zeros(2), np.zeros(2), np.ones((1, 2)), np.ones(1)
    box, ball, polytope = Box(lower, 1), Ball(1, center), Polytope(A, b)
    lower[:] = center[:] = A[:] = b[:] = 9.0
    assert box.lower.tolist() == [0, 0] and ball.center.tolist() == [0, 0]
    assert polytope.rows(2).A_ub.tolist() == [[1, 1]] and polytope.rows(2).b_ub.tolist() == [1]


def test_numbers_whose_squares_overflow_or_vanish_are_projected_on_a_ball():
    # (3, 4)/5 is the direction of (3, 4), at any size
    np.testing.assert_allclose(Ball(1.0).project([3e200, 4e200]), [0.6, 0.8], rtol=1e-15)
    np.testing.assert_allclose(Ball(1e-200).project([3e-170, 4e-170]), [0.6e-200, 0.8e-200], rtol=1e-15)
    normal, rhs = Ball(1e-200).tangent(np.array([3e-170, 4e-170]))
    np.testing.assert_allclose([*normal, rhs], [0.6, 0.8, 1e-200], rtol=1e-15)
    assert Ball(1.0).project([0.0, 0.0]).tolist() == [0.0, 0.0]


def test_a_simplex_takes_numbers_of_any_size():
    assert Simplex(1.0).project([1.7e308, -1.7e308]).tolist() == [1.0, 0.0]
    # 2¹⁶ equal entries of float32: each is the total over their number, which a running sum in float32 would miss
    point = Simplex(3.0).project(np.full(2**16, 0.1, dtype=np.float32))
    np.testing.assert_allclose(point, 3 / 2**16, rtol=1e-6)


FORMATS = [
    getattr(sparse, f"{name}_{kind}") for name in ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")
    for kind in ("array", "matrix")
]  # fmt: skip


@pytest.mark.parametrize("of", FORMATS)
def test_a_sparse_matrix_of_any_format_is_the_dense_one(of):
    A, E = np.array([[1.0, 2.0, 0.0], [0.0, 0.0, -3.0]]), np.array([[1, 1, 1]])
    dense, thin = Polytope(A, [1, 1], E, [1], lower=-5), Polytope(of(A), [1, 1], of(E), [1], lower=-5)
    for ours, theirs in zip(
        (thin.rows(3).A_ub, thin.rows(3).A_eq), (dense.rows(3).A_ub, dense.rows(3).A_eq), strict=True
    ):  # fmt: skip
        assert type(ours) is np.ndarray
        np.testing.assert_array_equal(ours, theirs, strict=True)
    np.testing.assert_array_equal(thin.project([3, 3, 3]), dense.project([3, 3, 3]))


def test_a_sparse_matrix_with_twice_the_same_place_is_their_sum():
    twice = sparse.coo_array(([1.0, 2.0], ([0, 0], [0, 0])), shape=(1, 2))
    assert Polytope(twice, [1]).rows(2).A_ub.tolist() == [[3.0, 0.0]]


@pytest.mark.parametrize(
    ("A", "words"),
    [
        (sparse.csr_array((2**16, 2**16)), r"A_ub .* \(65536, 65536\) .* 32.0 GiB, and 2 GiB are the most"),
        (sparse.csr_array(np.array([[1.0, np.nan]])), "A_ub holds a non-finite entry"),
        (sparse.csr_array(np.array([[1j, 1]])), "A_ub is not a matrix of numbers: it holds complex"),
    ],
)
def test_a_sparse_matrix_that_cannot_be_is_refused_by_name(A, words):
    with pytest.raises(InputError, match=words):
        Polytope(A, np.ones(A.shape[0]))


def test_what_a_set_forgives_is_measured_by_its_size():
    # 1e-9 of: the widest bounds, the numbers of bounds and rows, and 1 + ‖v‖∞, whichever is least
    v = np.array([0.5, 0.5])
    for feasible, at, expected in (
        (Box(0, 1e-9), 0 * v, 1e-18),
        (Box([0, 0], [1e-9, 1e-3]), 0 * v, 1e-12),
        (Simplex(1e-6), 0 * v, 1e-15),
        (Ball(1e-6), 0 * v, 2e-15),
        (Polytope([[1, 1]], [1e-6], lower=0), 0 * v, 1e-15),
        (Polytope([[1, 1]], [1.0], lower=0), v, 1e-9),
        (Free(), v, 1e-9),
        (Box(-1e308, 1e308), v, 1.5e-9),
        (Box(1.0, 1.0), 2 * v, 1e-9),  # of no width: its numbers are all there is
        (Box(1e6, 1e6 + 1e-3), v + 1e6, 8 * np.finfo(float).eps * 1e6),  # a number there has no finer steps
    ):
        assert allowance(feasible, at) == pytest.approx(expected, rel=1e-5), feasible
    assert allowance(Box(0, 1), v.astype(np.float32)) == pytest.approx(1e-6)


def test_rows_are_compared_as_objects():
    assert no_rows(2) != no_rows(2)  # arrays in a tuple would raise


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
