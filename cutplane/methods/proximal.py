"""The proximal bundle method: minimise the model plus ‖z − center‖²/(2μ), serious and null steps."""


from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from cutplane._arrays import Array
from cutplane.core.formulations import Joint, Reduced
from cutplane.history import Status
from cutplane.methods.base import Move, approach, evaluate, nearest_in
from cutplane.options import Options
from cutplane.state import State

_DESCENT = 0.1
"""Share of the predicted decrease that a serious step must bring."""


@dataclass(frozen=True)
class Proximal:
    """The center is the best feasible point; μ grows after good serious steps and falls after null ones."""

    convex_only: ClassVar[bool] = True

    name: str = field(default="proximal", init=False, repr=False)

    def start(self, model: Joint | Reduced, state: State, options: Options) -> None:
        """Evaluate the start; μ such that the first step is of the order of the point."""
        trial = evaluate(model, state, state.point, options)
        length = float(np.linalg.norm(trial.gradient))
        if length <= 1e-8 * (1.0 + abs(trial.fun)):
            length = 1.0  # the start is F's own minimum: its slope says nothing of the way
        weight = (1.0 + float(np.linalg.norm(state.point))) / length
        state.memory |= {"weight": np.array(weight), "nulls": np.array(0)}

    def move(self, model: Joint | Reduced, state: State, options: Options) -> Move:
        """One quadratic master and one evaluation."""
        if not np.isfinite(state.best_fun):
            return approach(model, state, options)
        pool, weight = state.pool, float(state.memory["weight"])
        center, best = state.best, state.best_fun
        point = nearest_in(model, state, center, weight=weight)
        objective = ~pool.bounding
        height = float(np.max(pool.residuals(point)[objective]))
        step = float(np.linalg.norm(point - center))
        predicted = best - height
        scale = max(1.0, abs(best))
        if predicted <= 0.1 * options.tolerance * scale:
            if 0.5 * step**2 / weight > max(predicted, 0.0) + options.tolerance * scale:
                # the center itself would be a better answer: the master is not exact at this spread of slopes
                return Move(best, state.best_gap, 0.0, step, status=Status.STALLED)
            if _promise(model, center, point, weight) <= np.sqrt(options.tolerance) * scale:
                state.point = center.copy()
                return Move(best, state.best_gap, 0.0, 0.0, status=Status.STATIONARY)
            # little is promised because μ is small: the slope of the model is not
            weight *= 4.0
        pool.note_activity(pool.multipliers > 0)
        pool.drop_inactive(options.patience, options.max_age)
        state.point = point
        trial = evaluate(model, state, point, options, center)
        if trial.stuck:
            return Move(best, state.best_gap, 0.0, 0.0, status=Status.STALLED)
        decrease = best - state.best_fun
        if decrease >= _DESCENT * predicted:
            if decrease >= 0.5 * predicted:
                weight *= 2.0
            state.memory["nulls"] = np.array(0)
        else:
            nulls = int(state.memory["nulls"]) + 1
            # the new plane lies far below the center's value: the model is poor at this distance
            error = best - trial.fun - float(trial.gradient @ (center - point))
            if nulls % 10 == 0 and error > predicted:
                weight *= 0.5
            state.memory["nulls"] = np.array(nulls)
        state.memory["weight"] = np.array(weight)
        if trial.added == 0 and decrease <= 0:
            return Move(trial.fun, trial.lower_gap, max(trial.depth, 0.0), step, status=Status.STALLED)
        return Move(trial.fun, trial.lower_gap, max(trial.depth, 0.0), step)


def _promise(model: Joint | Reduced, center: Array, point: Array, weight: float) -> float:
    """Most that the slope (center − point)/μ of the model promises below `point`: over the bounds of Z.

    Where Z has none, over the distance ‖center‖ + 1: there the set does not say how far the optimum may be.
    """
    slope = (center - point) / weight
    far = 1.0 + float(np.linalg.norm(center))
    down = np.where(np.isfinite(model.upper), model.upper - point, far)
    up = np.where(np.isfinite(model.lower), point - model.lower, far)
    return float(np.sum(np.abs(slope) * np.where(slope > 0, up, down)))
