"""The level method: bound by a linear master, move by a projection onto a level set of the model."""

from typing import TYPE_CHECKING

import numpy as np

from cutplane.certificate import lagrangian_bound
from cutplane.errors import EmptyPolyhedronError
from cutplane.lp import master_of
from cutplane.methods.base import Move, approach, evaluate, nearest_in
from cutplane.model import Joint, Reduced
from cutplane.result import Status
from cutplane.state import State

if TYPE_CHECKING:
    from cutplane.solver import BilevelSolver

ALPHA = 1.0 / (2.0 + np.sqrt(2.0))
"""Level fraction whose complexity bound holds in any dimension (Lemaréchal, Nemirovskii, Nesterov 1995)."""


class Level:
    """ℓ = αU + (1 − α)L; the next point is the one of {model ≤ ℓ} nearest to the last."""

    convex_only = True

    def start(self, model: Joint | Reduced, state: State, options: "BilevelSolver") -> None:
        """Evaluate the start; on unbounded sets the search begins in a box around it."""
        evaluate(model, state, state.point, options)
        state.memory["radius"] = np.array(10.0 * (1.0 + float(np.abs(state.point).max(initial=0.0))))

    def move(self, model: Joint | Reduced, state: State, options: "BilevelSolver") -> Move:
        """One linear master (for the bound), one projection, one evaluation."""
        if not np.isfinite(state.best_fun):
            return approach(model, state, options)
        pool, radius = state.pool, float(state.memory["radius"])
        lower = np.where(np.isfinite(model.lower), model.lower, state.best - radius)
        upper = np.where(np.isfinite(model.upper), model.upper, state.best + radius)
        master = master_of(model, state.runtime)
        solution = master.solve(pool, lower, upper, state.memory)
        if solution.status != "optimal":
            raise EmptyPolyhedronError(f"the linear master is {solution.status}", solution.conflict)
        artificial = ((solution.point <= lower) & ~np.isfinite(model.lower)) | (
            (solution.point >= upper) & ~np.isfinite(model.upper)
        )
        floor = solution.height
        if not artificial.any():
            bound = lagrangian_bound(model, pool, solution.multipliers, master.set_multipliers, state.best)
            state.bound = max(state.bound, bound.value)
            floor = max(floor, state.bound)
        gap = state.best_fun - floor
        if gap <= options.tolerance * max(1.0, abs(state.best_fun)):
            if not artificial.any():
                return Move(state.best_fun, state.best_gap, 0.0, 0.0, status=Status.OPTIMAL)
            # nothing better within the box: for a convex problem nothing better outside
            return Move(state.best_fun, state.best_gap, 0.0, 0.0, status=Status.STATIONARY)
        working = pool.serials[solution.multipliers > 0].copy()
        level = ALPHA * state.best_fun + (1 - ALPHA) * floor
        before = state.point
        state.point = nearest_in(model, state, state.point, level=level)
        pool.note_activity((pool.multipliers > 0) | np.isin(pool.serials, working))
        dropped = pool.drop_inactive(options.patience, options.max_age)
        trial = evaluate(model, state, state.point, options)
        step = float(np.linalg.norm(state.point - before))
        if trial.added == 0 and step <= 1e-15 * (1 + float(np.linalg.norm(before))):
            return Move(trial.fun, trial.lower_gap, max(trial.depth, 0.0), step, status=Status.STALLED)
        return Move(trial.fun, trial.lower_gap, max(trial.depth, 0.0), step, trial.added, dropped)
