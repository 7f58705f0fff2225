"""Stating a problem: what is refused at the door, in the caller's words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, sparse

from cutplane import (
    Ball,
    BilevelProblem,
    BilevelSolver,
    Box,
    InputError,
    LinearConstraint,
    Polytope,
    Simplex,
    SolutionMap,
)
from cutplane.oracles import QuadraticLevel
from cutplane.problem import start_point
from cutplane.sets import violation


def upper_level(x, y):
    return float((y - 2) @ (y - 2)) / 2, 0 * x, y - 2


def identity():
    return SolutionMap(lambda x: x.copy(), lambda x, v: v)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"upper": 3}, "upper must be callable"),
        ({"lower": object()}, r"lower must have gap\(x, y\)"),
        ({"x_set": (0, 1)}, "x_set must be Free"),
        ({"y_set": None}, "y_set must be Free"),
        ({"constraints": 3}, "constraints must be callables"),
        ({"constraints": (3,)}, "constraints must be callables"),
        ({"constraints": [LinearConstraint]}, "constraints must be callables"),
        ({"constraints": {"type": "ineq", "fun": max}}, "constraints must be callables"),
        ({"convex": "no"}, "convex must be True or False"),
    ],
)
def test_a_problem_that_cannot_be_names_the_argument(arguments, words):
    with pytest.raises(InputError, match=words):
        BilevelProblem(**({"upper": upper_level, "lower": identity()} | arguments))


def test_a_stochastic_lower_level_cannot_be_declared_convex():
    lower = identity()
    lower.stochastic = True
    BilevelProblem(upper_level, lower)
    with pytest.raises(InputError, match="stochastic"):
        BilevelProblem(upper_level, lower, convex=True)


def test_one_constraint_needs_no_tuple():
    constraint = LinearConstraint([[1.0]], [[1.0]], [1.0])
    assert BilevelProblem(upper_level, identity(), constraints=constraint).constraints == (constraint,)
    values, j_x, j_y = constraint(np.array([1.0]), np.array([2.0]))
    assert values.tolist() == [2.0] and j_x.tolist() == [[1.0]] and j_y.tolist() == [[1.0]]


def test_a_linear_constraint_with_rows_that_disagree_is_refused():
    with pytest.raises(InputError, match="A_x has 1 rows, A_y 2"):
        LinearConstraint([[1.0]], [[1.0], [1.0]], [1.0])


@pytest.mark.parametrize("formulation", ["joint", "reduced"])
@pytest.mark.parametrize("shapes", [(2, 0), (0, 2), (2, 1), (1, 2)])
def test_columns_of_a_linear_constraint_are_those_of_x_and_of_y(formulation, shapes):
    row = LinearConstraint(np.ones((1, shapes[0])), np.ones((1, shapes[1])), [1.0])
    problem = BilevelProblem(upper_level, identity(), Box(0, 1), constraints=row)
    with pytest.raises(InputError, match=r"LinearConstraint: A_[xy] has \d columns"):
        BilevelSolver(formulation=formulation).init(problem, [0.5], [0.5])


@pytest.mark.parametrize(
    ("x0", "y0", "words"),
    [
        ([np.nan], [0.0], r"x0\[0\] is not finite"),
        ([0.5], [np.inf], r"y0\[0\] is not finite"),
        ([[0.5]], [0.0], "x0 must be one-dimensional"),
        ("a", [0.0], "x0 is not an array of numbers"),
        ([0.5 + 1j], [0.0], "x0 .* complex"),
        ([1.5], [0.0], r"x0 is outside x_set by 0.5; start from problem.x_set.project\(x0\)"),
        ([0.5], [3.0], "y0 is outside y_set by 1"),
        ([0.5, 0.5], [0.0], "x_set: Box.upper has 1 entries, the variable has 2"),
    ],
)
def test_a_start_that_cannot_be_is_refused(x0, y0, words):
    problem = BilevelProblem(upper_level, identity(), Box(0, [1.0]), Box(-2, 2))
    with pytest.raises(InputError, match=words):
        BilevelSolver().init(problem, x0, y0)


def test_a_start_off_by_rounding_is_put_inside():
    budget = Polytope([[1.0, 1.0]], [1.0], lower=0)
    problem = BilevelProblem(upper_level, identity(), budget)
    state = BilevelSolver().init(problem, [0.5, 0.5 + 1e-10], [0.0, 0.0])
    assert state.point[:2].sum() <= 1.0 + 1e-12


def test_a_row_of_zeros_that_nothing_satisfies_is_refused():
    LinearConstraint([[0.0]], [[0.0]], [0.0])
    with pytest.raises(InputError, match="row 1 reads 0 ≤ -1"):
        LinearConstraint([[1.0], [0.0]], [[0.0], [0.0]], [1.0, -1.0])


ROWS = np.array([[1.0, 2.0, 0.0], [1.0, 1.0, 1.0], [0.0, -1.0, 3.0]])


@given(st.integers(0, 10**6))
def test_bounds_and_rows_of_scipys_hold_the_points_that_they_describe(seed):
    rng = np.random.default_rng(seed)
    A, middle = rng.normal(size=(4, 3)), rng.normal(size=3)
    lb, ub = A @ middle - rng.uniform(0, 1, 4), A @ middle + rng.uniform(0, 1, 4)
    lb[rng.random(4) < 0.3], ub[rng.random(4) < 0.3] = -np.inf, np.inf
    lower, upper = middle - rng.uniform(0, 1, 3), middle + rng.uniform(0, 1, 3)
    of = rng.choice([np.asarray, sparse.csr_array, sparse.coo_matrix])
    given_as = [optimize.LinearConstraint(of(A), lb, ub), optimize.Bounds(lower, upper, keep_feasible=True)]
    x_set = BilevelProblem(upper_level, identity(), x_set=given_as).x_set
    for v in middle + rng.normal(size=(20, 3)):  # the words of SciPy's manual: lb <= A @ x <= ub
        inside = (lb <= A @ v).all() and (A @ v <= ub).all() and (lower <= v).all() and (v <= upper).all()
        assert (violation(x_set, v) == 0) == inside
    assert violation(x_set, x_set.project(middle + rng.normal(size=3))) <= 1e-9


def test_scipys_sets_are_boxes_and_polytopes():
    def as_set(value):
        return BilevelProblem(upper_level, identity(), x_set=value, y_set=value).y_set

    box = as_set(optimize.Bounds(0, 1))
    assert isinstance(box, Box) and [b.tolist() for b in box.bounds(3)] == [[0, 0, 0], [1, 1, 1]]
    assert [b.tolist() for b in as_set(optimize.Bounds([0, 1], np.inf)).bounds(2)] == [[0, 1], [np.inf, np.inf]]
    both = as_set((optimize.Bounds(0, [4, 5]), optimize.Bounds([-1, 2], 3)))
    assert isinstance(both, Box) and [b.tolist() for b in both.bounds(2)] == [[0, 2], [3, 3]]
    found = as_set(optimize.LinearConstraint(ROWS, [0, 2, -np.inf], [1, 2, np.inf]))
    rows = found.rows(3)
    assert isinstance(found, Polytope)
    # 0 ≤ v₁ + 2v₂ ≤ 1 is two rows, Σ v = 2 an equality, and the third row asks nothing
    assert rows.A_ub.tolist() == [[1, 2, 0], [-1, -2, 0]] and rows.b_ub.tolist() == [1, 0]
    assert rows.A_eq.tolist() == [[1, 1, 1]] and rows.b_eq.tolist() == [2]
    single = as_set(optimize.LinearConstraint([1, 1], ub=1))  # one row, lb = −∞
    assert single.rows(2).A_ub.tolist() == [[1, 1]] and single.project([1.0, 1.0]).tolist() == [0.5, 0.5]
    nothing = as_set(optimize.LinearConstraint(np.eye(2)))
    assert nothing.project([3.0, -4.0]).tolist() == [3.0, -4.0]


@pytest.mark.parametrize("formulation", ["joint", "reduced"])
def test_a_problem_over_scipys_sets_is_solved_as_scipy_solves_it(formulation):
    wanted = np.array([2.0, -1.0, 0.5])
    box, rows = optimize.Bounds([-1, 0, -1], 1), optimize.LinearConstraint(ROWS[[0, 2]], [-1, 0], [1, 2])
    where = [box, rows, optimize.LinearConstraint(sparse.csc_array(ROWS[[1]]), 1, 1)]

    def F(x):
        return 0.5 * float((x - wanted) @ (x - wanted))

    problem = BilevelProblem(
        lambda x, y: (F(y), 0 * x, y - wanted), identity(), x_set=where, convex=True
    )  # y*(x) = x, so that the problem is min F over the set
    start = problem.x_set.project(np.zeros(3))
    ours = BilevelSolver(method="level", formulation=formulation, epsilon=1e-9).solve(problem, start, start)
    theirs = optimize.minimize(
        F, start, jac=lambda x: x - wanted, method="SLSQP", bounds=box, options={"ftol": 1e-12},
        constraints=[rows, optimize.LinearConstraint(ROWS[1], 1, 1)],
    )  # fmt: skip
    assert ours.success and theirs.success
    assert ours.fun == pytest.approx(theirs.fun, abs=1e-6)
    np.testing.assert_allclose(ours.x, theirs.x, atol=1e-3)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (lambda: optimize.Bounds(1, 0), "x_set: Box: lower exceeds upper"),
        (lambda: optimize.Bounds(np.nan, 0), "x_set: lb holds NaN"),
        (lambda: optimize.Bounds([[0.0, 0.0]], 1), "x_set: lb must be a number or a vector"),
        (lambda: optimize.Bounds(np.inf, np.inf), r"x_set: Box: lower must be below \+inf"),
        (lambda: [optimize.Bounds([0, 0], 1), optimize.Bounds([0, 0, 0], 1)], "x_set: Bounds are of 2 and of 3"),
        (lambda: optimize.LinearConstraint(np.eye(2), 1, 0), "x_set: LinearConstraint: row 0 has lb = 1 and"),
        (lambda: optimize.LinearConstraint(np.eye(2), [0, np.inf], np.inf), "row 1 has lb = inf"),
        (lambda: optimize.LinearConstraint(np.eye(2), -np.inf, [0, -np.inf]), "row 1 has lb = -inf and ub = -inf"),
        (lambda: optimize.LinearConstraint(np.eye(2), np.nan, 1), "x_set: lb holds NaN"),
        (lambda: optimize.LinearConstraint([[1, np.nan]], 0, 1), "x_set: A holds a non-finite entry"),
        (lambda: optimize.LinearConstraint([[0, 0]], 1, 2), "x_set: Polytope is empty"),
        (lambda: optimize.LinearConstraint([[1, 0], [-1, 0]], 1, 2), "x_set: Polytope is empty"),
        (
            lambda: [optimize.LinearConstraint([[1, 0]], 0, 1), optimize.LinearConstraint([[1, 0, 0]], 0, 1)],
            "x_set: A has 3 columns, 2 were expected",
        ),
        (lambda: optimize.NonlinearConstraint(np.sum, 0, 1), "x_set must be Free.*NonlinearConstraint object"),
        (lambda: [], r"x_set must be Free.*not \[\]"),
        (lambda: [Box(0, 1)], "x_set must be Free"),
        (lambda: optimize.Bounds, "x_set must be Free"),
    ],
)
def test_scipys_sets_that_cannot_be_are_refused_by_name(value, words):
    with pytest.raises(InputError, match=words):
        BilevelProblem(upper_level, identity(), x_set=value())


def test_a_start_of_another_length_than_scipys_set_is_named():
    problem = BilevelProblem(upper_level, identity(), optimize.Bounds([0, 0], 1))
    with pytest.raises(InputError, match=r"x0 has 3 entries: x_set: Box.lower has 2 entries, the variable has 3"):
        BilevelSolver().init(problem, [0.5] * 3, [0.5] * 3)


@pytest.mark.parametrize(
    "value",
    [
        optimize.LinearConstraint([[1.0, 1.0]], 0, 1),
        optimize.Bounds(0, 1),
        optimize.NonlinearConstraint(np.sum, 0, 1),
    ],
)
def test_scipys_constraints_do_not_tell_x_from_y(value):
    name = type(value).__name__
    for constraints in (value, [value], (LinearConstraint([[1.0]], [[1.0]], [1.0]), value)):
        place = len(constraints) - 1 if isinstance(constraints, tuple) else 0
        words = rf"constraints\[{place}\] is SciPy's {name}.*cutplane.LinearConstraint\(A_x.*x_set or y_set"
        with pytest.raises(InputError, match=words):
            BilevelProblem(upper_level, identity(), constraints=constraints)


def test_a_linear_constraint_takes_sparse_rows_and_keeps_no_array_of_the_callers():
    b = np.array([1.0, 2.0])
    row = LinearConstraint(sparse.csr_array(np.eye(2)), sparse.dok_matrix((2, 1)), b)
    b[:] = -1.0
    values, j_x, j_y = row(np.array([3.0, 4.0]), np.array([5.0]))
    assert values.tolist() == [2.0, 2.0] and j_x.tolist() == [[1, 0], [0, 1]] and j_y.tolist() == [[0], [0]]


def test_a_quadratic_level_takes_sparse_matrices():
    # min ½‖y‖² − x·y over y₁ + y₂ ≤ 1 at x = (1, 1): by symmetry y = (1/2, 1/2)
    level = QuadraticLevel(
        c=[0, 0], Q=sparse.eye_array(2), P=-np.eye(2), A=sparse.coo_array([[1.0, 1.0]]),
        B=sparse.csc_array((1, 2)), b=[1],
    )  # fmt: skip
    np.testing.assert_allclose(level.solution(np.ones(2)), [0.5, 0.5], rtol=1e-12)


@pytest.mark.parametrize("size", [1e-12, 1e-9, 1e-4, 1.0, 1e6])
@pytest.mark.parametrize("make", [lambda s: Box(0, s), Simplex, Ball, lambda s: Polytope([[1, 1]], [s], lower=0)])
def test_a_start_outside_is_refused_whatever_the_size_of_the_set(make, size):
    feasible = make(size)
    edge = feasible.project([size, size])
    inside = start_point(edge * (1 + 1e-14), "x0", feasible)  # off by rounding
    assert violation(feasible, inside) <= 1e-15 * size
    for off in (1e-6, 0.5):
        with pytest.raises(InputError, match="x0 is outside x_set by"):
            start_point(edge * (1 + off), "x0", feasible)


def test_a_start_outside_of_a_thin_set_far_away_is_refused():
    feasible = Box(1e6, 1e6 + 1e-3)
    assert start_point([1e6 - 1e-10], "y0", feasible) == 1e6
    with pytest.raises(InputError, match=r"y0 is outside y_set by 0\.0005"):
        start_point([1e6 - 5e-4], "y0", feasible)


def test_a_start_is_a_copy():
    given_as = np.array([0.5])
    state = BilevelSolver().init(BilevelProblem(upper_level, identity()), given_as, given_as)
    given_as[:] = 7.0
    assert state.point.tolist() == [0.5, 0.5]


def test_columns_of_a_quadratic_level_name_the_start():
    level = QuadraticLevel(c=[0.0], Q=[[1.0]], P=[[1.0, 1.0]], lower=0)
    problem = BilevelProblem(upper_level, level)
    with pytest.raises(InputError, match="x0 has 3 entries, the lower level takes 2"):
        BilevelSolver().init(problem, [0.0] * 3, [0.0])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([[np.nan]], [[1.0]], [1.0]), "A_x holds a non-finite entry"),
        (([[1.0]], [[np.inf]], [1.0]), "A_y holds a non-finite entry"),
        (([[1.0]], [[1.0]], [np.nan]), r"b\[0\] is not finite"),
        (([[0.0]], [[0.0]], [-1e-300]), "row 0 reads 0 ≤ -1e-300"),
        # a pool measures a row by the root of its squares: 1e-200 would count as 0, and the row as none
        (([[0.0], [1e-200]], [[1.0], [0.0]], [1.0, -1.0]), "row 1 go up to 1e-200"),
        (([[1e200]], [[1.0]], [1.0]), "row 0 go up to 1e.200"),
    ],
)
def test_a_linear_constraint_that_could_not_be_kept_is_refused(arguments, words):
    with pytest.raises(InputError, match=words):
        LinearConstraint(*arguments)


def test_a_linear_constraint_without_rows_asks_nothing():
    assert LinearConstraint(np.zeros((0, 1)), np.zeros((0, 1)), [])(np.ones(1), np.ones(1))[0].shape == (0,)
