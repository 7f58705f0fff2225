"""The point found, evaluated anew: what is kept where an oracle fails, and by how much a point misses anything."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutplane import BilevelProblem, BilevelSolver, Box, LinearConstraint, OracleError, SolutionMap
from cutplane.core.formulations import build_model
from cutplane.run.found import answers_otherwise, evaluate_found


class Moody(SolutionMap):
    """A gap that is larger at each question."""

    asked = 0

    def gap(self, x, y):
        self.asked += 1
        value, on_x, on_y = super().gap(x, y)
        return value + 1e-3 * self.asked, on_x, on_y


def square(x, y):
    return float(y @ y), 0 * x, 2 * y


def found_at(point, upper=square, lower=SolutionMap, constraints=()):
    problem = BilevelProblem(
        upper, lower(lambda x: 2 * x, lambda x, v: 2 * v), Box(-3, 3), Box(-5, 5), constraints=constraints
    )
    model = build_model(problem, "joint", 1, 1, (1.0, 1.0), 1e-10)
    state = BilevelSolver().init(problem, [0.5], [1.0])
    state.best, state.best_fun = np.array(point, dtype=float), 0.0
    return problem, model, state, evaluate_found(problem, model, state)


@settings(max_examples=15, deadline=None)
@given(st.floats(-2, 2), st.floats(-4, 4))
def test_value_and_gap_are_those_of_the_point_itself(x, y):
    *_, found = found_at([x, y])
    assert found.fun == y * y and found.gap == pytest.approx(abs(y - 2 * x))
    assert (found.x, found.y, found.error) == ([x], [y], "")


def test_where_an_oracle_fails_x_is_kept_and_what_it_said():
    def upper(x, y):
        if x[0] == 0.25:
            raise OracleError("no F here")
        return square(x, y)

    *_, found = found_at([0.25, 0.5], upper)
    assert found.x == [0.25] and np.isnan(found.fun) and np.isnan(found.gap) and found.pieces is None
    assert found.error == "no F here (at the point found)"
    assert np.isnan(found.violation)


@settings(max_examples=15, deadline=None)
@given(st.floats(-1, 1), st.floats(-1, 1))
def test_the_violation_is_the_largest_distance_to_anything(x, y):
    """Gap |y − 2x| − 1e-10 of slope √5, the row 3x + 4y ≤ 1 of length 5, the curve x² ≤ 1/4 of slope 2|x|."""
    row = LinearConstraint([[3.0]], [[4.0]], [1.0])

    def curve(x, y):
        return x**2 - 0.25, np.diag(2 * x), np.zeros((1, 1))

    *_, found = found_at([x, y], constraints=(row, curve))
    expected = [(abs(y - 2 * x) - 1e-10) / np.sqrt(5), (3 * x + 4 * y - 1) / 5, 0.0]
    if x**2 > 0.25:
        expected.append((x**2 - 0.25) / (2 * abs(x)))
    assert found.violation == pytest.approx(max(expected), abs=1e-12)


def test_a_gap_that_answers_otherwise_is_seen_and_one_that_does_not_is_not():
    assert answers_otherwise(*found_at([0.5, 1.0], lower=Moody))
    assert not answers_otherwise(*found_at([0.5, 1.0]))
