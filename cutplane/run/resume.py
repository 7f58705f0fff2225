"""Does a state belong to the problem that it is to go on with?"""

import numpy as np

from cutplane._arrays import Array
from cutplane.core.formulations import Joint, Reduced
from cutplane.errors import InputError
from cutplane.problem import BilevelProblem
from cutplane.state import State


def answers(model: Joint | Reduced, z: Array) -> Array:
    """What the lower level and the constraints say at a point: the gap, in the reduced form y*(x), and values."""
    gap, pieces = model.pieces(z)
    of_y = model.split(z)[1] if isinstance(model, Reduced) else np.zeros(0)
    return np.concatenate([[gap], of_y, [piece.value for piece in pieces]]).astype(float)


def check_same(problem: BilevelProblem, model: Joint | Reduced, state: State) -> None:
    """Refuse to go on with a state of another problem: its planes and its best point mean nothing there."""
    memory = state.memory
    if not np.array_equal(memory.get("sets", model.digest()), model.digest()):
        raise InputError("the state was made with other sets or other linear rows: start anew with x0 and y0")
    other_version = int(getattr(problem.lower, "version", 0)) != state.version
    if "answers" not in memory or other_version or getattr(problem.lower, "stochastic", False):
        return
    then, now = memory["answers"], answers(model, memory["made_at"])
    # an inner solver is accurate to about 1e-7; single precision to less
    close = 1e-5 if state.point.dtype == np.float64 else 1e-2
    if then.shape != now.shape or not np.allclose(then, now, rtol=close, atol=close):
        raise InputError(
            "the state was made with another lower level or other constraints: at the run's start they answered "
            "otherwise. Start anew with x0 and y0, or raise lower.version where a change was meant"
        )
