"""Stating a problem: what is refused at the door, in the caller's words."""

import numpy as np
import pytest

from cutplane import BilevelProblem, BilevelSolver, Box, InputError, LinearConstraint, Polytope, SolutionMap


def upper(x, y):
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
        ({"convex": "no"}, "convex must be True or False"),
    ],
)
def test_a_problem_that_cannot_be_names_the_argument(arguments, words):
    with pytest.raises(InputError, match=words):
        BilevelProblem(**({"upper": upper, "lower": identity()} | arguments))


def test_a_stochastic_lower_level_cannot_be_declared_convex():
    lower = identity()
    lower.stochastic = True
    BilevelProblem(upper, lower)
    with pytest.raises(InputError, match="stochastic"):
        BilevelProblem(upper, lower, convex=True)


def test_one_constraint_needs_no_tuple():
    constraint = LinearConstraint([[1.0]], [[1.0]], [1.0])
    assert BilevelProblem(upper, identity(), constraints=constraint).constraints == (constraint,)
    values, j_x, j_y = constraint(np.array([1.0]), np.array([2.0]))
    assert values.tolist() == [2.0] and j_x.tolist() == [[1.0]] and j_y.tolist() == [[1.0]]


def test_a_linear_constraint_with_rows_that_disagree_is_refused():
    with pytest.raises(InputError, match="A_x has 1 rows, A_y 2"):
        LinearConstraint([[1.0]], [[1.0], [1.0]], [1.0])


@pytest.mark.parametrize("formulation", ["joint", "reduced"])
@pytest.mark.parametrize("shapes", [(2, 0), (0, 2), (2, 1), (1, 2)])
def test_columns_of_a_linear_constraint_are_those_of_x_and_of_y(formulation, shapes):
    row = LinearConstraint(np.ones((1, shapes[0])), np.ones((1, shapes[1])), [1.0])
    problem = BilevelProblem(upper, identity(), Box(0, 1), constraints=row)
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
    problem = BilevelProblem(upper, identity(), Box(0, [1.0]), Box(-2, 2))
    with pytest.raises(InputError, match=words):
        BilevelSolver().init(problem, x0, y0)


def test_a_start_off_by_rounding_is_put_inside():
    budget = Polytope([[1.0, 1.0]], [1.0], lower=0)
    problem = BilevelProblem(upper, identity(), budget)
    state = BilevelSolver().init(problem, [0.5, 0.5 + 1e-10], [0.0, 0.0])
    assert state.point[:2].sum() <= 1.0 + 1e-12


def test_a_row_of_zeros_that_nothing_satisfies_is_refused():
    LinearConstraint([[0.0]], [[0.0]], [0.0])
    with pytest.raises(InputError, match="row 1 reads 0 ≤ -1"):
        LinearConstraint([[1.0], [0.0]], [[0.0], [0.0]], [1.0, -1.0])
