"""Linear masters by HiGHS in an ∞-norm trust region around the best feasible point."""


from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from cutplane._arrays import Array
from cutplane.core.cuts import gradient_cut, separates
from cutplane.core.formulations import Joint, Reduced
from cutplane.core.pool import Kind
from cutplane.history import Status
from cutplane.masters.linear import LinearSolution
from cutplane.masters.wide import master_of
from cutplane.methods.base import Move, approach, drop_contradicted, evaluate
from cutplane.options import Options, require_positive
from cutplane.state import State

_DESCENT = 0.1
"""Share of the predicted decrease that a serious step must bring."""
_RESOLUTION = 1e-9
"""Relative decrease below which a linear master's answer is rounding."""


@dataclass(frozen=True)
class Linear:
    """min t over the planes, Z and ‖z − center‖_∞ ≤ Δ.

    Convex problems keep all planes (a stabilised Kelley method). On others a plane is a local model only:
    those that contradict the center leave, Δ shrinks after a null step, and before a point is called
    stationary the planes made before it became the center are thrown away.

    Parameters
    ----------
    trust_radius : float
        First Δ (scaled variables).
    """

    convex_only: ClassVar[bool] = False

    trust_radius: float = 1.0
    name: str = field(default="linear", init=False, repr=False)

    def __post_init__(self) -> None:
        require_positive(self, "trust_radius")

    def start(self, model: Joint | Reduced, state: State, options: Options) -> None:
        """Evaluate the start and set Δ."""
        evaluate(model, state, state.point, options)
        state.memory |= {"delta": np.array(self.trust_radius), "since": np.array(0), "nulls": np.array(0)}

    def move(self, model: Joint | Reduced, state: State, options: Options) -> Move:
        """One linear master and one evaluation."""
        if not np.isfinite(state.best_fun):
            return approach(model, state, options)
        pool, convex = state.pool, model.problem.convex
        delta, center, best = float(state.memory["delta"]), state.best, state.best_fun
        if not convex:
            drop_contradicted(state, options)
        lower = np.maximum(model.lower, center - delta)
        upper = np.minimum(model.upper, center + delta)
        solution = self._master(model, state, lower, upper)
        if solution.status != "optimal":
            if convex:
                if np.max(pool.residuals(center)[pool.bounding], initial=0.0) <= 2 * options.feasibility:
                    # the center meets all planes to rounding: it is Δ that no longer stands out from it
                    return Move(best, state.best_gap, 0.0, 0.0, status=Status.STALLED)
                solution.refuse()
            # the center is feasible: planes that leave nothing around it are wrong there
            state.memory["delta"] = np.array(0.5 * delta)
            state.pool.clear()
            _renew(model, state)
            return Move(best, state.best_gap, 0.0, 0.0)
        point = model.project(solution.point.astype(center.dtype))
        step = float(np.abs(point - center).max(initial=0.0))
        predicted = best - solution.height
        scale = max(1.0, abs(best))
        inside = step < delta * (1 - 1e-9)
        if convex:
            rest = predicted <= 0.9 * options.tolerance * scale and (inside or predicted <= 0)
        else:
            # a small Δ predicts little anywhere: the slope counts, and what the master can resolve
            rest = predicted <= 0.1 * options.tolerance * scale * min(1.0, delta)
            rest |= predicted <= _RESOLUTION * scale and predicted <= 1e-3 * scale * delta
        if rest:
            state.point = center.copy()
            since = int(state.memory["since"])
            old = np.flatnonzero((pool.serials < since) & (pool.kinds != Kind.LINEAR))
            if convex or not old.size:
                status = _verdict(model)
                return Move(best, state.best_gap, 0.0, 0.0, status=status)
            pool.drop(old)
            _renew(model, state)
            return Move(best, state.best_gap, 0.0, 0.0)
        pool.note_activity(pool.multipliers > 0)
        pool.drop_inactive(options.patience, options.max_age)
        state.point = point
        trial = evaluate(model, state, point, options, center)
        if trial.stuck:
            return Move(best, state.best_gap, 0.0, 0.0, status=Status.STALLED)
        decrease = best - state.best_fun
        if decrease > 0:
            state.memory["since"] = np.array(state.pool.next_serial - trial.added)
        if decrease >= _DESCENT * predicted:
            delta *= 2.0 if not inside and decrease >= 0.5 * predicted else 1.0
            state.memory["nulls"] = np.array(0)
        elif convex:
            delta = _after_null(state, delta, trial.feasible_fun - best, predicted)
        else:
            delta = 0.5 * min(delta, step)
        state.memory["delta"] = np.array(delta)
        small = 1e-12 * (1 + float(np.abs(center).max(initial=0.0)))
        status = Status.RUNNING
        if delta <= small or (trial.added == 0 and decrease <= 0 and convex):
            # the model agrees with the problem at the trial point to rounding: is what is left to gain small?
            exact = convex and predicted <= options.tolerance * scale
            status = Status.STATIONARY if exact else Status.STALLED
        return Move(trial.fun, trial.lower_gap, max(trial.depth, 0.0), step, status)

    def _master(self, model: Joint | Reduced, state: State, lower: Array, upper: Array) -> LinearSolution:
        """Solve the linear master, learning curved sets by their tangents."""
        master = master_of(model, state.runtime)
        for _ in range(30):
            solution = master.solve(state.pool, lower, upper, state.memory)
            if solution.status != "optimal":
                break
            state.pool.multipliers[:] = solution.multipliers
            tangents = [t for t in model.tangents(solution.point) if separates(t, solution.point, 1e-9)]
            if not [t for t in tangents if state.pool.add(t) >= 0]:
                break
        return solution


def _after_null(state: State, delta: float, increase: float, predicted: float) -> float:
    """Δ after a null step of a convex problem: the new plane is worth more than a shorter step.

    Δ shrinks where the model was wrong by far, or three times in a row by more than it promised (Linderoth and
    Wright, Computational Optimization and Applications 2003); and where the pool is full, so that a plane more was
    a plane less.
    """
    if int(np.sum(state.pool.kinds != Kind.LINEAR)) >= state.pool.cap:
        return 0.5 * delta
    if not 0 < increase < np.inf:  # an infeasible point brought planes of its own
        return delta
    nulls = int(state.memory["nulls"]) + 1
    wrong = min(1.0, delta) * increase / predicted
    shrink = wrong > 3 or (nulls >= 3 and wrong > 1)
    state.memory["nulls"] = np.array(0 if shrink else nulls)
    return delta / min(wrong, 4.0) if shrink else delta


def _renew(model: Joint | Reduced, state: State) -> None:
    """Linearise the objective at the center again."""
    fun, gradient = model.objective(state.best)
    plane = gradient_cut(Kind.OBJECTIVE, state.best, fun, gradient)
    state.pool.add(plane)


def _verdict(model: Joint | Reduced) -> Status:
    """What a linear master at rest proves.

    The gap of a constrained lower level has kinks that no plane made nearby shows, unless it is convex: there
    the master comes to rest at points that are not stationary.
    """
    kinked = isinstance(model, Joint) and callable(getattr(model.problem.lower, "constraints", None))
    return Status.STALLED if kinked and not model.problem.convex else Status.STATIONARY
