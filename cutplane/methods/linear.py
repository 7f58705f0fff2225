"""Linear masters by HiGHS in an ∞-norm trust region around the best feasible point."""

from typing import TYPE_CHECKING

import numpy as np

from cutplane.cuts import separates
from cutplane.errors import EmptyPolyhedronError
from cutplane.lp import master_of
from cutplane.methods.base import Move, approach, drop_contradicted, evaluate
from cutplane.model import Joint, Reduced
from cutplane.result import Status
from cutplane.state import State

if TYPE_CHECKING:
    from cutplane.solver import BilevelSolver

_DESCENT = 0.1
"""Share of the predicted decrease that a serious step must bring."""


class Linear:
    """min t over the planes, Z and ‖z − center‖_∞ ≤ Δ.

    Convex problems keep all planes (a stabilised Kelley method). On others a plane is a local model only:
    those that contradict the center leave, and Δ shrinks after a null step.
    """

    convex_only = False

    def start(self, model: Joint | Reduced, state: State, options: "BilevelSolver") -> None:
        """Evaluate the start and set Δ."""
        evaluate(model, state, state.point, options)
        state.memory["delta"] = np.array(options.trust_radius)

    def move(self, model: Joint | Reduced, state: State, options: "BilevelSolver") -> Move:
        """One linear master and one evaluation."""
        if not np.isfinite(state.best_fun):
            return approach(model, state, options)
        pool, convex = state.pool, model.problem.convex
        delta, center, best = float(state.memory["delta"]), state.best, state.best_fun
        dropped = 0 if convex else drop_contradicted(state, options)
        lower = np.maximum(model.lower, center - delta)
        upper = np.minimum(model.upper, center + delta)
        master = master_of(model, state.runtime)
        for _ in range(30):
            solution = master.solve(pool, lower, upper, state.memory)
            if solution.status != "optimal":
                raise EmptyPolyhedronError(f"the linear master is {solution.status}", solution.conflict)
            pool.multipliers[:] = solution.multipliers
            tangents = [t for t in model.tangents(solution.point) if separates(t, solution.point, 1e-9)]
            if not [t for t in tangents if pool.add(t) >= 0]:
                break
        point = model.project(solution.point.astype(center.dtype))
        step = float(np.abs(point - center).max(initial=0.0))
        predicted = best - solution.height
        scale = max(1.0, abs(best))
        inside = step < delta * (1 - 1e-9)
        if predicted <= 0.1 * options.tolerance * scale and (inside or not convex or predicted <= 0):
            state.point = center.copy()
            return Move(best, state.best_gap, 0.0, 0.0, dropped=dropped, status=Status.STATIONARY)
        pool.note_activity(pool.multipliers > 0)
        dropped += pool.drop_inactive(options.patience, options.max_age)
        state.point = point
        trial = evaluate(model, state, point, options)
        decrease = best - state.best_fun
        if decrease >= _DESCENT * predicted:
            delta *= 2.0 if not inside and decrease >= 0.5 * predicted else 1.0
        elif not convex or trial.feasible_fun > best:
            delta = 0.5 * min(delta, step)
        state.memory["delta"] = np.array(delta)
        small = 1e-12 * (1 + float(np.abs(center).max(initial=0.0)))
        status = Status.RUNNING
        if delta <= small or (trial.added == 0 and decrease <= 0 and convex):
            # the model agrees with the problem at the trial point to rounding
            exact = not convex or predicted <= options.tolerance * scale
            status = Status.STATIONARY if exact else Status.STALLED
        return Move(trial.fun, trial.lower_gap, max(trial.depth, 0.0), step, trial.added, dropped, status)
