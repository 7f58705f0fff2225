"""The point that a run found, evaluated anew."""

from dataclasses import dataclass

import numpy as np

from cutplane._arrays import Array
from cutplane.core.formulations import Joint, Reduced
from cutplane.core.model import Piece
from cutplane.methods.base import depth
from cutplane.problem import BilevelProblem
from cutplane.state import State


@dataclass(frozen=True, slots=True)
class Found:
    """The point found, evaluated anew. NaN stands for what no oracle answered.

    `violation` is the largest distance, in scaled variables, by which the point misses anything.
    """

    z: Array
    x: Array
    y: Array
    fun: float
    gap: float
    pieces: list[Piece] | None
    violation: float
    error: str


def evaluate_found(problem: BilevelProblem, model: Joint | Reduced, state: State) -> Found:
    """Ask all oracles once more at the best point, at the last iterate where there is none."""
    z = model.project(state.best if np.isfinite(state.best_fun) else state.point)
    # what is known of the point even where no oracle answers any more
    x, y = (z * model.scale.astype(z.dtype))[: state.n_x], np.full(state.n_y, np.nan, z.dtype)
    fun, gap, pieces, error = np.nan, np.nan, None, ""
    try:
        x, y = model.split(z)
        fun = model.upper_value(x, y)[0]
        gap = float(model.ask("lower.gap", problem.lower.gap, x, y)[0])
        pieces = model.pieces(z)[1]
    except Exception as raised:
        error = f"{raised} (at the point found)"
    return Found(z, x, y, fun, gap, pieces, np.nan if pieces is None else _violation(model, z, pieces), error)


def answers_otherwise(problem: BilevelProblem, model: Joint | Reduced, state: State, found: Found) -> bool:
    """Whether the gap at the point found differs from what it was a moment ago."""
    if isinstance(model, Reduced) or getattr(problem.lower, "stochastic", False):
        return False
    again = float(model.ask("lower.gap", problem.lower.gap, found.x, found.y)[0])
    close = (1e-9 if found.z.dtype == np.float64 else 1e-4) * (1.0 + abs(found.gap))
    return abs(again - found.gap) > close


def _violation(model: Joint | Reduced, z: Array, pieces: list[Piece]) -> float:
    at, rows = z.astype(float), model.rows
    missed = [0.0, float(np.max(model.lower - at)), float(np.max(at - model.upper)), depth(pieces)]
    missed += [plane_excess for plane_excess in rows.A_ub @ at - rows.b_ub]
    missed += [abs(miss) for miss in rows.A_eq @ at - rows.b_eq]
    for plane in (*model.linear_planes(), *model.tangents(z)):
        missed.append((float(plane.normal @ at) + plane.offset) / float(np.linalg.norm(plane.normal) or 1.0))
    return float(max(missed))
