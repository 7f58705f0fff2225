"""What a short script pays for: neither Numba nor SciPy's larger parts, until a problem asks for them."""

import subprocess
import sys

import pytest

import cutplane

HEAVY = ("numba", "scipy.optimize", "scipy.sparse", "scipy.linalg", "cvxpy", "importlib.metadata", "highspy")
SOLVE = """
import numpy as np
rng = np.random.default_rng(0)
A, b = rng.standard_normal((40, 5)), rng.standard_normal(40)
def upper(x, y):
    values = A @ x + b
    top = values.argmax()
    return values[top], A[top], np.zeros(1)
lower = cutplane.SolutionMap(lambda x: np.zeros(1), lambda x, v: np.zeros(5))
problem = cutplane.BilevelProblem(upper, lower, cutplane.Box(-np.ones(5), np.ones(5)), convex=True)
solver = cutplane.BilevelSolver(cutplane.Linear(), formulation="reduced", tolerance=1e-3)
result = solver.solve(problem, np.zeros(5), np.zeros(1))
assert result.success, result
"""


def loaded(code: str) -> set[str]:
    script = f"import cutplane\n{code}\nimport sys\nprint('loaded', *[n for n in {HEAVY} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_importing_reads_almost_nothing():
    assert loaded("") == set()


def test_a_small_problem_is_solved_without_numba():
    assert loaded(SOLVE) <= {"highspy"}


def test_every_public_name_is_there_and_no_other():
    assert {name for name in cutplane.__all__ if not hasattr(cutplane, name)} == set()
    assert set(cutplane._HOMES) == set(cutplane.__all__) <= set(dir(cutplane))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        cutplane.nothing  # noqa: B018
