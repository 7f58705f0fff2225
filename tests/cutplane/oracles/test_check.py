"""The randomised check of gradients and of declared convexity."""

import warnings

import numpy as np
import pytest

from cutplane import BilevelProblem, Box, SolutionMap, ValueFunction
from cutplane.oracles import OracleWarning, check_oracle
from cutplane.problem import LinearConstraint
from cutplane.zoo import problems


def right(x, y):
    return float(x @ x + y @ y), 2 * x, 2 * y


IDENTITY = SolutionMap(lambda x: x, lambda x, v: v)


@pytest.mark.parametrize("entry", problems(), ids=lambda entry: entry.name)
def test_the_zoo_passes(entry):
    for formulation in entry.formulations:
        report = check_oracle(entry.problem, entry.x0, entry.y0, samples=4, radius=0.3, formulation=formulation)
        assert report.ok and report.gradient_error < 1e-3 and report.points > 0


def test_a_wrong_component_is_named():
    def wrong(x, y):
        return float(x @ x + y @ y), 2 * x, 2 * y * np.array([1.0, 1.5])

    with pytest.warns(OracleWarning, match=r"upper: the derivative in y\[1\] is"):
        report = check_oracle(BilevelProblem(wrong, IDENTITY), [1.0, 1.0], [1.0, 2.0])
    assert not report.ok and report.gradient_error > 0.1


def test_a_wrong_vjp_shows_in_the_gap_and_in_the_hyper_gradient():
    problem = BilevelProblem(right, SolutionMap(lambda x: 2 * x, lambda x, v: v))
    with pytest.warns(OracleWarning, match=r"lower\.gap: the derivative in x\[0\]"):
        check_oracle(problem, [1.0], [1.0])
    with pytest.warns(OracleWarning, match=r"F\(x, y\*\(x\)\): the derivative in x\[0\]"):
        check_oracle(problem, [1.0], [1.0], formulation="reduced")


def test_a_wrong_constraint_is_named():
    def disc(x, y):
        return np.array([x[0] - 5, x @ x - 1]), np.array([[1.0], [x[0]]]), np.zeros((2, 1))

    problem = BilevelProblem(right, IDENTITY, constraints=(disc, LinearConstraint([[1]], [[1]], [9])))
    with pytest.warns(OracleWarning, match=r"constraint row 1: the derivative in x\[0\]"):
        check_oracle(problem, [1.0], [1.0])


def test_a_false_declaration_of_convexity_is_found():
    def saddle(x, y):
        return float(x @ x - y @ y), 2 * x, -2 * y

    assert check_oracle(BilevelProblem(saddle, IDENTITY), [1.0], [1.0]).ok
    with pytest.warns(OracleWarning, match="upper is not convex"):
        report = check_oracle(BilevelProblem(saddle, IDENTITY, convex=True), [1.0], [1.0])
    assert report.convexity_error > 0.01
    curved = SolutionMap(lambda x: np.sin(3 * x), lambda x, v: 3 * np.cos(3 * x) * v)
    with pytest.warns(OracleWarning, match=r"lower\.gap is not convex"):
        check_oracle(BilevelProblem(right, curved, Box(-2, 2), Box(-2, 2), convex=True), [1.0], [1.0])


def test_a_subgradient_at_a_kink_is_right_and_one_outside_is_wrong():
    def kink(slope):
        def upper(x, y):
            return float(np.abs(x).sum()), np.where(x == 0, slope, np.sign(x)), 0 * y

        return BilevelProblem(upper, IDENTITY, convex=True)

    assert check_oracle(kink(0.7), [0.0], [0.0]).ok
    with pytest.warns(OracleWarning):
        assert not check_oracle(kink(1.5), [0.0], [0.0]).ok


def test_an_oracle_that_fails_is_reported_and_does_not_stop_the_check():
    def breaking(x, y):
        return (float(x @ x) if x[0] < 1 else np.nan), 2 * x, 0 * y

    with pytest.warns(OracleWarning, match="cannot be evaluated at every point"):
        report = check_oracle(BilevelProblem(breaking, IDENTITY), [0.0], [0.0])
    assert not report.ok and report.points > 0


def test_the_same_seed_gives_the_same_report():
    def rough(x, y):
        return float(x @ x) + 0.1 * np.sin(50 * x[0]), 2 * x, 0 * y

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OracleWarning)
        first, second, other = (
            check_oracle(BilevelProblem(rough, IDENTITY), [0.3], [0.0], seed=s) for s in (1, 1, 2)
        )
    assert first == second != other


def test_a_binding_y_set_is_checked_in_the_reduced_form():
    problem = BilevelProblem(
        right, IDENTITY, Box(-2, 2), Box(-1, 0.5), LinearConstraint([[1.0]], [[1.0]], [3.0]), True
    )
    for start in (0.0, 1.0):
        assert check_oracle(problem, [start], [start], formulation="reduced").ok


class Careless:
    """y* = x, with a `solution` and a `restore` that may be off."""

    def __init__(self, off, eager):
        self.off, self.eager = off, eager

    def gap(self, x, y):
        return float((y - x) @ (y - x)), -2 * (y - x), 2 * (y - x)

    def solution(self, x):
        return x + self.off

    def restore(self, x, y, epsilon):
        away, length = y - x, np.linalg.norm(y - x)
        return x + away * min(1.0, self.eager * np.sqrt(epsilon) / length)


def test_what_solution_and_restore_promise_is_looked_at():
    assert check_oracle(BilevelProblem(right, Careless(0.0, 1.0)), [0.0], [1.0]).ok
    with pytest.warns(OracleWarning, match=r"lower\.solution gives a point of gap 0\.01"):
        check_oracle(BilevelProblem(right, Careless(0.1, 1.0)), [0.0], [1.0])
    with pytest.warns(OracleWarning, match=r"lower\.restore gives a point of gap 0\.4 .* where 0\.1 is promised"):
        check_oracle(BilevelProblem(right, Careless(0.0, 2.0)), [0.0], [1.0])


def test_several_lower_answers_are_reported_in_the_reduced_form():
    flat = ValueFunction(
        lambda x, y: (float((y[0] - x[0]) ** 2), -2 * (y[:1] - x), 2 * np.array([y[0] - x[0], 0.0])),
        lambda x: np.array([x[0], 0.0]),
        hessians=lambda x, y, m: (np.diag([2.0, 0.0]), np.array([[-2.0], [0.0]])),
    )
    problem = BilevelProblem(right, flat)
    assert check_oracle(problem, [1.0], [0.0, 1.0]).ok
    with pytest.warns(OracleWarning, match="not unique"):
        check_oracle(problem, [1.0], [0.0, 1.0], formulation="reduced")
