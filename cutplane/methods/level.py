"""The level method: bound by a linear master, move by a projection onto a level set of the model."""


from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from cutplane._arrays import Array
from cutplane.core.cuts import separates
from cutplane.core.formulations import Joint, Reduced
from cutplane.errors import EmptyPolyhedronError, MasterError
from cutplane.history import Status
from cutplane.masters.certificate import lagrangian_bound, search_box
from cutplane.masters.linear import LinearSolution
from cutplane.masters.wide import master_of
from cutplane.methods.base import Move, approach, evaluate, nearest_in
from cutplane.options import Options
from cutplane.state import State

ALPHA = 0.5
"""Where the level stands between the floor and the best value."""

_ATTEMPTS = 50
"""Rounds of learning a curved set before the linear master's point is taken."""


@dataclass(frozen=True)
class Level:
    """ℓ = αU + (1 − α)L; the next point is the one of {model ≤ ℓ} nearest to the best point.

    Lemaréchal, Nemirovskii and Nesterov (Mathematical Programming 1995) project the last point; the best one, as
    in Kiwiel's proximal level methods (SIAM Journal on Control and Optimization 1996), takes fewer evaluations.

    On unbounded sets L is taken over a wide box around the best point (`search_box`).
    """

    convex_only: ClassVar[bool] = True

    name: str = field(default="level", init=False, repr=False)

    def start(self, model: Joint | Reduced, state: State, options: Options) -> None:
        """Evaluate the start."""
        evaluate(model, state, state.point, options)

    def move(self, model: Joint | Reduced, state: State, options: Options) -> Move:
        """One linear master (for the bound), one projection, one evaluation."""
        if not np.isfinite(state.best_fun):
            return approach(model, state, options)
        pool, before = state.pool, state.point
        for _ in range(_ATTEMPTS):
            floor, solution = self._floor(model, state)
            if state.best_fun - floor <= options.tolerance * max(1.0, abs(state.best_fun)):
                state.point = state.best.copy()
                return Move(state.best_fun, state.best_gap, 0.0, 0.0, status=Status.OPTIMAL)
            working = pool.serials[solution.multipliers > 0].copy()
            # the linear master's own point serves where the projection does not come off
            state.point = model.project(solution.point.astype(before.dtype))
            tangents = [t for t in model.tangents(solution.point) if separates(t, solution.point, 1e-12)]
            learnt = [t for t in tangents if pool.add(t) >= 0]
            try:
                level = ALPHA * state.best_fun + (1 - ALPHA) * floor
                guess = _last_projection(state)
                state.point = nearest_in(model, state, state.best, level=level, guess=guess)
                state.memory |= {"near_serials": pool.serials.copy(), "near_multipliers": pool.multipliers.copy()}
                break
            except (EmptyPolyhedronError, MasterError):
                # the level lies below all of a curved set whose tangents the floor did not know
                if not learnt:
                    break
        pool.note_activity((pool.multipliers > 0) | np.isin(pool.serials, working))
        pool.drop_inactive(options.patience, options.max_age)
        trial = evaluate(model, state, state.point, options, state.best)
        if trial.stuck:
            return Move(state.best_fun, state.best_gap, 0.0, 0.0, status=Status.STALLED)
        step = float(np.linalg.norm(state.point - before))
        if trial.added == 0 and step <= 1e-15 * (1 + float(np.linalg.norm(before))):
            return Move(trial.fun, trial.lower_gap, max(trial.depth, 0.0), step, status=Status.STALLED)
        return Move(trial.fun, trial.lower_gap, max(trial.depth, 0.0), step)

    def _floor(self, model: Joint | Reduced, state: State) -> tuple[float, LinearSolution]:
        """Lower bound of the relaxed master, and its solution."""
        lower, upper, radius = search_box(model, state.best)
        master = master_of(model, state.runtime)
        solution = master.solve(state.pool, lower, upper, state.memory)
        if solution.status != "optimal":
            solution.refuse()
        state.pool.multipliers[:] = solution.multipliers
        floor = lagrangian_bound(model, state.pool, solution.multipliers, master.set_multipliers, lower, upper)
        if not np.isfinite(radius):
            state.bound = max(state.bound, floor)
            floor = state.bound
        return floor, solution


def _last_projection(state: State) -> Array:
    """Multipliers [L] of the last projection; those of the pool are by now the linear master's."""
    found = np.zeros(state.pool.size)
    if "near_serials" in state.memory:
        _, now, then = np.intersect1d(state.pool.serials, state.memory["near_serials"], return_indices=True)
        found[now] = state.memory["near_multipliers"][then]
    return found
