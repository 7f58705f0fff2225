"""The proximal bundle method: serious and null steps, and what makes it stop."""

import numpy as np
import pytest

from cutplane import BilevelProblem, BilevelSolver, Box, SolutionMap, Status
from cutplane.methods import proximal


def identity():
    return SolutionMap(lambda x: x.copy(), lambda x, v: v)


def test_only_a_sufficient_decrease_moves_the_center(quadratic_bilevel):
    case = quadratic_bilevel(4)
    solver = BilevelSolver(method="proximal", epsilon=1e-8)
    state = solver.init(case.problem, np.zeros(3), np.zeros(4))
    values = [state.best_fun]
    while state.status is Status.RUNNING:
        solver.step(case.problem, state)
        values.append(state.best_fun)
    assert np.all(np.diff(values) <= 0) and state.status is Status.STATIONARY
    assert values[-1] == pytest.approx(case.fun, abs=1e-6)


def test_a_nonsmooth_objective():
    def largest(x, y):
        away = np.abs(y - 0.3)
        return float(away.max()), 0 * x, np.sign(y - 0.3) * (np.arange(y.size) == away.argmax())

    problem = BilevelProblem(largest, identity(), Box(-1, 2), convex=True)
    result = BilevelSolver(method="proximal", epsilon=1e-9).solve(problem, np.array([2.0, -1.0]), np.zeros(2))
    assert result.success and result.fun <= 1e-6 and result.gap <= 1e-5


def test_a_start_far_from_feasible_is_brought_in_first():
    class GapOnly:
        def gap(self, x, y):
            return float((y - x) @ (y - x)), -2 * (y - x), 2 * (y - x)

    problem = BilevelProblem(
        lambda x, y: (float((y - 3) @ (y - 3)) / 2, 0 * x, y - 3), GapOnly(), Box(0, 1), convex=True
    )
    for method in ("proximal", "level", "linear"):
        result = BilevelSolver(method=method, epsilon=1e-4).solve(problem, [0.0], [100.0])
        first = int(np.argmax(np.isfinite(result.history.to_dict()["best"])))
        assert first > 0 and result.success
        assert result.fun == pytest.approx((3 - 1.01) ** 2 / 2, abs=1e-5)


def test_on_a_wide_set_it_does_not_rest_before_the_slope_has_nothing_left_to_give():
    """F falls slowly along a side of 20000: only its whole length tells how much is left."""
    scale = 1e4
    problem = BilevelProblem(
        lambda x, y: (float(1e-4 * x[0] + y @ y), np.array([1e-4]), 2 * y),
        SolutionMap(lambda x: 0 * x, lambda x, v: 0 * v), Box(-scale, scale), convex=True,
    )  # fmt: skip
    result = BilevelSolver(method="proximal").solve(problem, [0.0], [0.0])
    assert result.success and result.fun == pytest.approx(-1.0, abs=1e-5)


def test_an_inexact_master_is_no_ground_for_rest(quadratic_bilevel, monkeypatch):
    case = quadratic_bilevel(4)
    monkeypatch.setattr(proximal, "nearest_in", lambda model, state, center, weight: center + 1e3)
    result = BilevelSolver(method="proximal", max_iterations=50).solve(case.problem, np.zeros(3), np.zeros(4))
    assert not result.success
