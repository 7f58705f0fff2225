"""Does a state belong to the problem that it is to go on with?"""

import numpy as np

from cutplane._arrays import Array
from cutplane.core.formulations import Joint, Reduced
from cutplane.errors import InputError
from cutplane.problem import BilevelProblem
from cutplane.state import State


def answers(model: Joint | Reduced, z: Array) -> Array:
    """What all oracles say at a point: the gap, F, in the reduced form y*(x), and the constraints' values."""
    gap, pieces = model.pieces(z)
    x, y = model.split(z)
    of_y = y if isinstance(model, Reduced) else np.zeros(0)
    fun = model.upper_value(x, y)[0]
    return np.concatenate([[gap, fun], of_y, [piece.value for piece in pieces]]).astype(float)


def check_same(problem: BilevelProblem, model: Joint | Reduced, state: State) -> None:
    """Refuse to go on with a state of another problem: its planes and its best point mean nothing there."""
    memory = state.memory
    if not np.array_equal(memory.get("sets", model.digest()), model.digest()):
        raise InputError("the state was made with other sets or other linear rows: start anew with x0 and y0")
    other_version = int(getattr(problem.lower, "version", 0)) != state.version
    if "answers" not in memory or other_version or getattr(problem.lower, "stochastic", False):
        return
    # an inner solver is accurate to about 1e-7; single precision to less
    close = 1e-5 if state.point.dtype == np.float64 else 1e-2
    now = answers(model, memory["made_at"])
    if memory["answers"].size == now.size - 1:
        now = np.delete(now, 1)  # a state of before F was asked, too
    pairs = [(memory["answers"], now)]
    if np.isfinite(state.best_fun):
        pairs.append((np.array([state.best_gap, state.best_fun]), answers(model, state.best)[:2]))
    if not all(a.shape == b.shape and np.allclose(a, b, rtol=close, atol=close) for a, b in pairs):
        raise InputError(
            "the state was made with another lower level, another F or other constraints: at its start or at its "
            "best point they answered otherwise. Start anew with x0 and y0, or raise lower.version where the "
            "lower level was meant to change"
        )
