"""Kelley's method is unstable as the dimension grows; the level method is not (method page, section 5)."""

import numpy as np

from cutplane import BilevelProblem, BilevelSolver, Box, SolutionMap, Status

GOAL = 1e-2


def iterations(n, method):
    """Masters until max{|y|, ‖x‖²} ≤ GOAL on the box [−1, 1]^(n+1), from (1, 0)."""

    def upper(v, _):
        y, x = v[0], v[1:]
        if abs(y) >= x @ x:
            return abs(y), np.sign(y) * np.eye(n + 1)[0], np.zeros(1)
        return float(x @ x), 2 * np.r_[0.0, x], np.zeros(1)

    # the lower level plays no part: the reduced objective is the function itself
    lower = SolutionMap(lambda x: np.zeros(1), lambda x, v: np.zeros_like(x))
    problem = BilevelProblem(upper, lower, Box(-1, 1), convex=True)
    solver = BilevelSolver(method=method, formulation="reduced", patience=10**6, max_planes=10**5)
    state = solver.init(problem, np.eye(n + 1)[0], np.zeros(1))
    while state.status is Status.RUNNING and state.best_fun > GOAL:
        if method == "linear":  # without its trust region the linear method is Kelley's
            state.memory["delta"] = np.array(1e6)
        solver.step(problem, state)
    assert state.best_fun <= GOAL
    return state.nit


def test_kelley_needs_many_more_masters_as_the_dimension_grows_and_level_does_not():
    dimensions = np.array([2, 4, 8, 12])
    kelley = np.array([iterations(n, "linear") for n in dimensions])
    level = np.array([iterations(n, "level") for n in dimensions])
    assert level.max() <= level.min() + 3
    assert np.all(kelley[1:] >= 1.5 * kelley[:-1]) and kelley[-1] >= 20 * level[-1]
    assert np.all(kelley >= np.log(1 / GOAL) / (2 * np.log(2)) * (2 / np.sqrt(3)) ** (dimensions - 1))
