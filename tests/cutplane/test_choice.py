"""`minimise`: which formulation and method it takes for what a problem declares, and that the answer is right."""

import numpy as np
import pytest

from cutplane import (
    BilevelProblem,
    BilevelSolver,
    Box,
    InputError,
    NoAnswerError,
    SolutionMap,
    Status,
    ValueFunction,
    minimise,
    zoo,
)  # fmt: skip


def upper(x, y):
    return float((y - 2) @ (y - 2)) / 2, 0 * x, y - 2


class GapOnly:
    """|y − x|: an oracle that has no solution map."""

    def gap(self, x, y):
        return float(np.abs(y - x).sum()), -np.sign(y - x), np.sign(y - x)

    def restore(self, x, y, epsilon):
        return x.copy()


class Refuses(GapOnly):
    """The same with a solution map that has no derivative."""

    def solution(self, x):
        return x.copy()

    def vjp(self, x, v):
        raise NoAnswerError("no derivative here")


def identity():
    return SolutionMap(lambda x: x.copy(), lambda x, v: v)


@pytest.mark.parametrize(
    ("lower", "convex", "n", "choice"),
    [
        (identity(), True, 1, "level, reduced"),
        (identity(), False, 10, "linear, reduced"),
        (identity(), False, 11, "primal-dual, reduced"),
        (GapOnly(), True, 1, "level, joint"),
        (GapOnly(), False, 11, "linear, joint"),
        (Refuses(), True, 1, "level, joint"),
    ],
)
def test_the_message_says_what_was_chosen_and_the_optimum_is_found(lower, convex, n, choice):
    # y = x in [0, 1]ⁿ, nearest to 2: x = 1 and F = n/2
    result = minimise(BilevelProblem(upper, lower, Box(0, 1), convex=convex), np.full(n, 0.5), np.zeros(n))
    assert result.message == f"{choice}: {result.status.message}"
    assert result.success and result.fun == pytest.approx(n / 2, abs=2e-6 * n)
    np.testing.assert_allclose(result.x, 1.0, atol=1e-4)


def test_a_value_function_without_second_derivatives_has_no_reduced_form():
    g = lambda x, y: (float((y - x) @ (y - x)), -2 * (y - x), 2 * (y - x))  # noqa: E731
    problem = BilevelProblem(upper, ValueFunction(g, lambda x: x.copy()), Box(0, 1))
    result = minimise(problem, [0.5], [0.0])
    assert result.message.startswith("linear, joint: ") and result.fun == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize("name", ["coupled-disc", "median", "toll", "mitsos-barton-3.15", "smd1"])
def test_known_solutions_are_found(name):
    entry = zoo.problem(name)
    result = minimise(entry.problem, entry.x0, entry.y0, **entry.options)
    assert result.success and entry.solved(result.fun)


def test_options_reach_the_solver_and_the_run_can_go_on():
    problem, seen = BilevelProblem(upper, identity(), Box(0, 1), convex=True), []
    part = minimise(problem, [0.5], [0.0], max_iterations=2, callback=seen.append)
    assert part.nit == 2 and len(seen) == 2 and part.message.startswith("level, reduced: ")
    whole = BilevelSolver("level", formulation="reduced").solve(problem, state=part.state)
    assert whole.status is Status.OPTIMAL and whole.fun == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        (([0.5], [0.0]), {"method": "level"}, InputError, "minimise chooses the method"),
        (([0.5], [0.0]), {"formulation": "joint"}, InputError, "minimise chooses the formulation"),
        (([0.5], [0.0]), {"tolerance": 0.0}, InputError, "tolerance must be one number > 0"),
        (([0.5], [0.0]), {"epsilom": 1.0}, TypeError, "no option 'epsilom'"),
        (([5.0], [0.0]), {}, InputError, "x0"),
        ((["a"], [0.0]), {}, InputError, "x0 is not an array of numbers"),
        (([0.5], "abc"), {}, InputError, "y0 is not an array of numbers"),
    ],
)
def test_what_cannot_be_is_refused_in_words(arguments, options, error, words):
    with pytest.raises(error, match=words):
        minimise(BilevelProblem(upper, identity(), Box(0, 1)), *arguments, **options)
    with pytest.raises(InputError, match="problem must be a BilevelProblem, not list"):
        minimise([0.5], [0.5], [0.0])
