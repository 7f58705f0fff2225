"""The level method: bound by a linear master, move by a projection onto a level set of the model."""

from typing import TYPE_CHECKING

import numpy as np

from cutplane.certificate import lagrangian_bound, search_box
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
    """ℓ = αU + (1 − α)L; the next point is the one of {model ≤ ℓ} nearest to the last.

    On unbounded sets L is taken over a wide box around the best point (`search_box`).
    """

    convex_only = True

    def start(self, model: Joint | Reduced, state: State, options: "BilevelSolver") -> None:
        """Evaluate the start."""
        evaluate(model, state, state.point, options)

    def move(self, model: Joint | Reduced, state: State, options: "BilevelSolver") -> Move:
        """One linear master (for the bound), one projection, one evaluation."""
        if not np.isfinite(state.best_fun):
            return approach(model, state, options)
        pool = state.pool
        lower, upper, radius = search_box(model, state.best)
        master = master_of(model, state.runtime)
        solution = master.solve(pool, lower, upper, state.memory)
        if solution.status != "optimal":
            raise EmptyPolyhedronError(f"the linear master is {solution.status}", solution.conflict)
        floor = lagrangian_bound(model, pool, solution.multipliers, master.set_multipliers, lower, upper)
        if not np.isfinite(radius):
            state.bound = max(state.bound, floor)
            floor = state.bound
        if state.best_fun - floor <= options.tolerance * max(1.0, abs(state.best_fun)):
            state.point = state.best.copy()
            return Move(state.best_fun, state.best_gap, 0.0, 0.0, status=Status.OPTIMAL)
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
