"""Several runs: the same answer from any number of workers, the best said as what it is, nothing lost."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cutplane import (
    BilevelProblem,
    BilevelSolver,
    Box,
    CutplaneError,
    InputError,
    NoAnswerError,
    SolutionMap,
    solve_many,
)

MODULE = """
import os
import numpy as np
from cutplane import BilevelProblem, Box, SolutionMap

def waves(x, y):
    return float(np.cos(3 * y).sum() + y.sum() / 5), 0 * x, 0.2 - 3 * np.sin(3 * y)

def same(x):
    return x.copy()

def pull(x, v):
    return v.copy()

def make():
    return BilevelProblem(waves, SolutionMap(same, pull), x_set=Box(-3, 3))

def ends_its_process(x):
    if x[0] == 200.0:
        os._exit(1)
    return x.copy()

def make_deadly():
    return BilevelProblem(waves, SolutionMap(ends_its_process, pull), x_set=Box(-3, 300))
"""


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    """A module that processes find, as a user's."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "waves_of_a_user.py").write_text(MODULE)
    sys.path.insert(0, str(folder))
    try:
        import waves_of_a_user

        yield waves_of_a_user
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("waves_of_a_user", None)


def least():
    """Of each entry: cos 3y + y/5 on [−3, 3] by a grid."""
    grid = np.linspace(-3, 3, 200_001)
    return 2 * float(np.min(np.cos(3 * grid) + grid / 5))


def points(many):
    return [
        (run.index, run.start, run.seed, run.solver, run.result.x.tolist(), run.result.fun) for run in many.runs
    ]


def test_the_best_of_several_starts_is_lower_than_the_first(module):
    many = solve_many(module.make(), [2.9, 2.9], [0.0, 0.0], starts=12)
    assert many.best.fun == pytest.approx(least(), abs=1e-5) and many.runs[0].result.fun > least() + 0.5
    assert many.best is many.runs[many.index].result
    assert many.message.startswith("best of 12; ") and "no proof" in many.message
    assert [run.seed for run in many.runs] == [(), *((0, i) for i in range(1, 12))]
    again = np.random.default_rng((0, 5)).uniform([-3, -3], [3, 3])
    alone = solve_many(module.make(), [2.9, 2.9], [0.0, 0.0], starts=[(again, again)])
    assert alone.runs[1].result.x.tolist() == many.runs[5].result.x.tolist()
    assert points(solve_many(module.make(), [2.9, 2.9], [0.0, 0.0], starts=4, seed=1)) != points(many)[:4]


def test_processes_and_pools_give_the_same(module):
    arguments = {
        "starts": 3,
        "solvers": ["linear", BilevelSolver("linear", formulation="reduced", tolerance=1e-8)],
    }
    here = solve_many(module.make, [2.9, 2.9], [0.0, 0.0], **arguments)
    seen = []
    there = solve_many(module.make, [2.9, 2.9], [0.0, 0.0], workers=2, callback=seen.append, **arguments)
    assert points(here) == points(there) and here.index == there.index and here.message == there.message
    assert sorted(run.index for run in seen) == list(range(6))
    with ThreadPoolExecutor(2) as pool:
        by_map = solve_many(module.make, [2.9, 2.9], [0.0, 0.0], map=pool.map, **arguments)
    assert points(by_map) == points(here)


def test_a_process_that_dies_loses_its_own_run_alone(module):
    # none but the last one evaluates just there
    starts = [([-3.0], [0.0]), ([200.0], [0.0])]
    many = solve_many(module.make_deadly, [2.0], [0.0], starts=starts, workers=2, solvers=["linear"])
    assert [run.error[:30] for run in many.runs] == ["", "", "its process was ended from out"]
    assert many.message.startswith("best of 3") and many.index < 2


def test_a_callback_stops_the_others_and_ctrl_c_keeps_what_is_finished(module):
    many = solve_many(module.make(), [2.9, 2.9], [0.0, 0.0], starts=9, callback=lambda run: run.index == 2)
    assert len(many.runs) == 3 and many.message.startswith("best of 3 runs of 9 (a callback stopped the others)")

    def interrupt(run):
        if run.index == 1:
            raise KeyboardInterrupt

    many = solve_many(module.make(), [2.9, 2.9], [0.0, 0.0], starts=9, callback=interrupt)
    assert len(many.runs) == 2 and "(interrupted)" in many.message


def test_a_start_without_an_answer_is_one_run_lost():
    def forward(x):
        if x[0] > 0:
            raise NoAnswerError("none there")
        return x.copy()

    problem = BilevelProblem(
        lambda x, y: (float(y @ y), 0 * x, 2 * y), SolutionMap(forward, lambda x, v: v), x_set=Box(-1, 1)
    )
    linear = [BilevelSolver("linear", formulation="reduced")]
    many = solve_many(problem, [-0.5], [0.0], starts=[([0.5], [0.0])], solvers=linear)
    assert many.index == 0 and "none there" in many.runs[1].error and "ended without success" in many.message
    with pytest.raises(CutplaneError, match="all 2 runs failed"):
        solve_many(problem, [0.7], [0.0], starts=[([0.5], [0.0])], solvers=linear)


def test_a_bound_is_said():
    problem = BilevelProblem(
        lambda x, y: (float((y - 2) @ (y - 2)), 0 * x, 2 * (y - 2)),
        SolutionMap(lambda x: x, lambda x, v: v), x_set=Box(0, 1), convex=True,
    )  # fmt: skip
    many = solve_many(problem, [0.5], [0.0], starts=3)
    assert "3 came to its value" in many.message and "nothing is below 1" in many.message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"workers": 2}, "function of a module that makes"),
        ({"workers": 0}, "workers must be a whole number"),
        ({"workers": 2, "map": map}, "leave them out"),
        ({"map": 3}, "map must be callable"),
        ({"starts": 0}, "starts must be at least 1"),
        ({"starts": [3]}, "pairs"),
        ({"starts": [([9.0], [0.0])]}, "outside x_set"),
        ({"solvers": "linear"}, "must be a list"),
        ({"solvers": ["fast"]}, "method must be one of"),
    ],
)
def test_what_cannot_be_is_refused(arguments, words):
    problem = BilevelProblem(
        lambda x, y: (float(y @ y), 0 * x, 2 * y), SolutionMap(lambda x: x, lambda x, v: v), x_set=Box(-1, 1)
    )
    with pytest.raises(InputError, match=words):
        solve_many(problem, [0.5], [0.0], **arguments)
