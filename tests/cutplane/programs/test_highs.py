"""HiGHS by one door: whatever else in the process used it first, runs that are refused, a quiet stdout."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from importlib.util import find_spec

import highspy
import numpy as np
import pytest
from scipy import optimize

from cutplane import BilevelProblem, BilevelSolver, Box, SolutionMap, Status
from cutplane.errors import MasterError, OutOfTimeError
from cutplane.programs import highs
from cutplane.programs.milp import minimise_milp

FIRST = {
    # the scheduler of a process starts with its first run: a machine of many cores has another number than 1
    "highspy": """
        import highspy
        h = highspy.Highs()
        h.setOptionValue("output_flag", False)
        h.setOptionValue("threads", 2)
        h.addVars(1, np.zeros(1), np.ones(1))
        assert h.run() == highspy.HighsStatus.kOk
    """,
    "cvxpy": """
        import cvxpy as cp
        v = cp.Variable()
        cp.Problem(cp.Minimize(v), [v >= 1]).solve(solver=cp.HIGHS, threads=2)
        assert abs(v.value - 1) < 1e-9
    """,
}
PROGRAM = """
    from cutplane import BilevelProblem, BilevelSolver, Box, SolutionMap
    from cutplane.oracles import QuadraticLevel
    from cutplane.programs.wide_lp import solve_wide

    S = np.array([[1.0, 0.5, 0.0], [0.0, 1.0, 2.0]])
    target = np.array([1.0, 2.0])
    problem = BilevelProblem(
        upper=lambda x, y: (0.5 * (y - target) @ (y - target) + 0.05 * x @ x, 0.1 * x, y - target),
        lower=SolutionMap(forward=lambda x: S @ x, vjp=lambda x, v: S.T @ v),
        x_set=Box(0.0, 1.0), convex=True)
    found = {}
    for method in ("level", "linear", "primal-dual", "proximal"):
        result = BilevelSolver(method=method).solve(problem, x0=np.zeros(3), y0=np.zeros(2))
        found[method] = [result.status.name, result.fun, result.bound]
    follower = QuadraticLevel(c=[-1, 1], A=[[1, -1]], B=[[-1]], b=[0], lower=0, upper=9)
    found["follower"] = follower.solution([2.0]).tolist()
    one = np.ones(2000)
    wide = solve_wide(-one, one[None], np.array([7.0]), 0 * one, one)
    found["wide"] = [wide.status, float(wide.point.sum()), float(wide.multipliers[0])]
    print(json.dumps(found))
"""


@pytest.mark.parametrize("first", FIRST)
def test_another_use_of_highs_before_ours_changes_no_answer(first):
    if find_spec(first) is None:
        pytest.skip(f"{first} is not installed")
    words = "import json\nimport numpy as np\n" + textwrap.dedent(FIRST[first]) + textwrap.dedent(PROGRAM)
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])  # HiGHS 1.16 greets where it is used first
    # min ½‖Sx − (1, 2)‖² + 0.05‖x‖² over the box, as least squares by SciPy
    rows = np.vstack([[[1.0, 0.5, 0.0], [0.0, 1.0, 2.0]], np.sqrt(0.1) * np.eye(3)])
    known = optimize.lsq_linear(rows, [1.0, 2.0, 0, 0, 0], (0, 1), tol=1e-12).cost
    assert known == pytest.approx(0.0640542, abs=1e-6)  # what the documentation prints
    for method in ("level", "linear", "primal-dual", "proximal"):
        status, fun, bound = found[method]
        assert status in ("OPTIMAL", "STATIONARY") and fun == pytest.approx(known, abs=2e-6), method
        assert known - 1e-5 <= bound <= known + 1e-7, method
    # min −y₁ + y₂ over y₁ − y₂ ≤ 2, 0 ≤ y ≤ 9: −2 wherever y₁ = y₂ + 2
    assert found["follower"][0] - found["follower"][1] == pytest.approx(2.0)
    # min −Σd over Σd ≤ 7: the row's price is 1
    assert found["wide"] == ["optimal", pytest.approx(7.0), pytest.approx(1.0)]


def test_a_model_is_made_without_a_word_on_stdout():
    words = "from cutplane.programs import highs\nhighs.open_simplex(1e-9)\n"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def refuse(monkeypatch):
    """HiGHS as it is where another object has fixed the threads: no run, no status, zeros."""
    monkeypatch.setattr(highspy.Highs, "run", lambda h: highspy.HighsStatus.kError)


def test_a_refused_run_is_named(monkeypatch):
    h = highs.open_simplex(1e-9)
    h.addVars(1, np.zeros(1), np.ones(1))
    refuse(monkeypatch)
    with pytest.raises(MasterError, match="HiGHS refused to run"):
        highs.run(h)
    lower = SolutionMap(lambda x: x, lambda x, v: v)
    problem = BilevelProblem(lambda x, y: (float(x @ x), 2 * x, 0 * y), lower, Box(-1, 1), convex=True)
    result = BilevelSolver(method="level").solve(problem, [0.5], [0.5])
    assert result.status is Status.FAILED and "HiGHS refused to run" in result.message and not result.success


def test_the_real_refusal_is_seen():
    # the number of threads of a process is fixed by its first run: the second object is refused by HiGHS itself
    words = """
        import highspy
        import numpy as np
        from cutplane.programs import highs
        from cutplane.errors import MasterError

        for threads in (2, 3):
            h = highs.open_simplex(1e-9)
            h.setOptionValue("threads", threads)
            h.addVars(1, np.zeros(1), np.ones(1))
            try:
                print(highs.run(h))
            except MasterError as error:
                print(error)
        print(highs.run(highs.open_simplex(1e-9)))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(words)], capture_output=True, text=True, timeout=60, check=False
    )
    first, second, third = done.stdout.splitlines()
    assert first == "optimal" and "HiGHS refused to run" in second and third == "failed", done.stdout + done.stderr


def test_a_warning_of_a_run_is_no_success(monkeypatch):
    h = highs.open_simplex(1e-9)
    h.addVars(1, np.zeros(1), np.ones(1))
    original = highspy.Highs.run

    def warn(h):
        assert original(h) == highspy.HighsStatus.kOk
        return highspy.HighsStatus.kWarning

    monkeypatch.setattr(highspy.Highs, "run", warn)
    assert highs.run(h) == "failed"


def test_what_is_refused_or_changed_on_the_way_in_is_known():
    h = highs.open_simplex(1e-9)
    h.addVars(2, np.zeros(2), np.ones(2))
    index = np.arange(2, dtype=np.int32)
    assert highs.taken(h.addRow(0.0, 1.0, 2, index, np.array([1.0, 1e-9])), "a row")
    assert not highs.taken(h.addRow(0.0, 1.0, 2, index, np.array([1.0, 1e-13])), "a row")
    with pytest.raises(MasterError, match="HiGHS refused a row"):
        highs.taken(h.addRow(0.0, 1.0, 2, index, np.array([1.0, 1e15])), "a row")
    with pytest.raises(MasterError, match="the option"):
        highs.open_simplex(0.0)  # HiGHS: from 1e-10 on


@pytest.mark.parametrize(("size", "power"), [(1.0, 1.0), (3.0, 4.0), (0.3, 0.25), (1e-300, 2.0**-997)])
def test_powers_of_two_are_the_nearest(size, power):
    assert highs.power(size) == power


def test_ctrl_c_ends_an_integer_programme_and_not_the_process():
    # Cornuéjols and Dawande's market split: 30 of these columns take branch and cut minutes
    rng = np.random.default_rng(0)
    A = rng.integers(0, 100, size=(5, 40)).astype(float)
    half = np.floor(A.sum(axis=1) / 2)
    timer = threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGINT))
    before, begun = signal.getsignal(signal.SIGINT), time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        minimise_milp(np.zeros(40), A, half, half, np.zeros(40), np.ones(40), np.ones(40, dtype=bool))
    assert time.monotonic() - begun < 20 and signal.getsignal(signal.SIGINT) is before


def test_the_time_limit_ends_an_integer_programme():
    rng = np.random.default_rng(0)
    A = rng.integers(0, 100, size=(5, 40)).astype(float)
    half = np.floor(A.sum(axis=1) / 2)
    with pytest.raises(OutOfTimeError):
        minimise_milp(
            np.zeros(40), A, half, half, np.zeros(40), np.ones(40), np.ones(40, dtype=bool), time.monotonic() + 0.5
        )
