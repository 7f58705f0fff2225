"""States of runs that were stopped before methods were objects load, and go on to what the old code came to.

`cutplane_0_1_0.json` holds the arrays of four states as version 0.1.0 of that day saved them, in text: name,
dtype, shape, entries.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from cutplane import BilevelProblem, BilevelSolver, Box, InputError, SolutionMap, State

STATES = json.loads((Path(__file__).parent / "cutplane_0_1_0.json").read_text("utf-8"))
# status, iterations and F of `solve(problem, state=...)` by the code that wrote the states; another processor
# rounds otherwise, and the slow method then needs more or fewer iterations (1012 on one, 1076 and 713 on others)
WENT_ON = {
    "primal-dual": ("STATIONARY", 1012, 0.06405425771733704), "linear": ("STATIONARY", 41, 0.06405436636357432),
    "level": ("OPTIMAL", 14, 0.06405425892763765), "proximal": ("STATIONARY", 16, 0.06405426844124675),
}  # fmt: skip


def problem():
    """The problem of README's ten lines."""
    S, target = np.array([[1.0, 0.5, 0.0], [0.0, 1.0, 2.0]]), np.array([1.0, 2.0])
    return BilevelProblem(
        lambda x, y: (0.5 * float((y - target) @ (y - target)) + 0.05 * float(x @ x), 0.1 * x, y - target),
        SolutionMap(lambda x: S @ x, lambda x, v: S.T @ v), Box(0.0, 1.0), convex=True,
    )  # fmt: skip


def saved(method: str, path: Path) -> Path:
    """The old file, written anew from its text."""
    arrays = {
        name: np.array([float(v) if isinstance(v, str) and dtype[1] == "f" else v for v in entries], dtype=dtype)
        .reshape(shape)
        for name, (dtype, shape, entries) in STATES[method].items()
    }  # fmt: skip
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("method", WENT_ON)
def test_an_old_state_goes_on_as_it_did(method, tmp_path):
    state = State.load(saved(method, tmp_path / "old.npz"))
    result = BilevelSolver(method).solve(problem(), state=state)
    status, nit, fun = WENT_ON[method]
    assert result.status.name == status and result.nit == pytest.approx(nit, rel=0.5 if nit > 100 else 0.15, abs=1)
    assert result.fun == pytest.approx(fun, rel=1e-9)


def test_an_old_state_is_refused_in_words_by_another_method(tmp_path):
    state = State.load(saved("level", tmp_path / "old.npz"))
    with pytest.raises(InputError, match="the state was made with method and formulation"):
        BilevelSolver("proximal").solve(problem(), state=state)
