"""A run that stopped and went on is, to the bit, the run that never stopped."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from cutplane import Ball, BilevelSolver, Polytope, State, Status
from cutplane.methods import METHODS

CONTINUOUS = tuple(name for name in METHODS if name != "outer")  # which is for whole numbers

SETS = {
    "free": {},
    "budget and ball": {"x_set": Polytope(np.ones((1, 3)), [1.0], lower=-1, upper=1), "y_set": Ball(5.0)},
}


def same(first, second):
    a, b = first.to_arrays(), second.to_arrays()
    assert a.keys() == b.keys()
    for name, value in a.items():
        np.testing.assert_array_equal(value, b[name], strict=True, err_msg=name)


@pytest.mark.parametrize("sets", SETS)
@pytest.mark.parametrize("formulation", ["joint", "reduced"])
@pytest.mark.parametrize("method", CONTINUOUS)
def test_resume_equals_no_stop(quadratic_bilevel, method, formulation, sets, tmp_path):
    solver = BilevelSolver(
        method=method, formulation=formulation, epsilon=1e-8, max_planes=30, patience=3, max_age=9,
        **({"phase1_iterations": 40, "cut_every": 3} if method == "primal-dual" else {}),
    )  # fmt: skip
    straight = quadratic_bilevel(7, **SETS[sets]).problem
    kept = solver.init(straight, np.zeros(3), np.zeros(4))
    while kept.status is Status.RUNNING and kept.nit < 160:
        solver.step(straight, kept)
    stops = {1, 2, kept.nit // 2, kept.nit - 1} | ({41, 43, 57} if method == "primal-dual" else {9})
    problem = quadratic_bilevel(7, **SETS[sets]).problem
    state = solver.init(problem, np.zeros(3), np.zeros(4))
    while state.status is Status.RUNNING and state.nit < kept.nit:
        solver.step(problem, state)
        if state.nit in stops:
            state.save(tmp_path / "run.npz")
            state = State.load(tmp_path / "run.npz")
            problem = quadratic_bilevel(7, **SETS[sets]).problem
    same(kept, state)


PROGRAM = """
    import sys
    import numpy as np
    from cutplane import BilevelProblem, BilevelSolver, Box, SolutionMap, State

    M = np.array([[1.0, 0.3], [-0.2, 0.7], [0.5, 0.5]])
    wanted = np.array([1.0, -2.0, 0.3])
    problem = BilevelProblem(
        lambda x, y: (float((y - wanted) @ (y - wanted)) / 2, 0 * x, y - wanted),
        SolutionMap(lambda x: M @ x, lambda x, v: M.T @ v), Box(-1, 1), convex=True)
    own = {"phase1_iterations": 30} if sys.argv[1] == "primal-dual" else {}
    solver = BilevelSolver(method=sys.argv[1], epsilon=1e-8, **own)
    path, first, last = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    state = solver.init(problem, np.zeros(2), np.zeros(3)) if first == 0 else State.load(path)
    for _ in range(first, last):
        solver.step(problem, state)
    state.save(path)
"""


@pytest.mark.parametrize("method", ["primal-dual", "level"])
def test_resume_across_processes(method, tmp_path):
    def run(path, first, last):
        command = [sys.executable, "-c", textwrap.dedent(PROGRAM), method, str(path), str(first), str(last)]
        subprocess.run(command, check=True, timeout=120)

    run(tmp_path / "straight.npz", 0, 40)
    run(tmp_path / "stopped.npz", 0, 17)
    run(tmp_path / "stopped.npz", 17, 40)
    same(State.load(tmp_path / "straight.npz"), State.load(tmp_path / "stopped.npz"))
