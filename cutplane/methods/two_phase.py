"""The paper's method: Phase 1 by primal-dual steps, Phase 2 by the penalty, in rounds."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from cutplane.core.formulations import Joint, Reduced
from cutplane.core.pool import Polyhedron
from cutplane.errors import EmptyPolyhedronError, MasterError, NoAnswerError
from cutplane.history import Status
from cutplane.masters.wide import conflict
from cutplane.methods.base import Move, add_cuts, depth, evaluate_feasible, nearest_in
from cutplane.methods.penalty import Penalty
from cutplane.methods.phase1 import Phase1, step_back
from cutplane.options import Options, require, require_count, require_positive
from cutplane.state import State

_NEWTON_STEPS = 6


@dataclass(frozen=True)
class PrimalDual:
    """T₁ iterations of Phase 1, then Phase 2 until it is at rest; a constraint violated then starts a round.

    The paper has one round. On its own Phase 2 cannot mend a gap that the planes do not see, so the point
    where it comes to rest is cut off and Phase 1 goes on from there, with the multipliers ρ [A z + c]₊ that
    the penalty ends with.

    Parameters
    ----------
    cut_every : int
        Iterations between two looks at the pool.
    step_x, step_y, step_dual : float, optional
        Step sizes η_x, η_y, η_λ (scaled variables); found from the problem where not given.
    regularisation : float
        c₁ of the Lagrangian; the penalty phase starts at ρ = 1/c₁.
    phase1_iterations : int
        Iterations T₁ of Phase 1 before the penalty phase; a plane found violated after that starts another
        round.
    penalty_growth : float
        Factor of ρ whenever the penalised objective is at rest.
    """

    convex_only: ClassVar[bool] = False

    cut_every: int = 10
    step_x: float | None = None
    step_y: float | None = None
    step_dual: float | None = None
    regularisation: float = 1e-3
    phase1_iterations: int = 500
    penalty_growth: float = 10.0
    name: str = field(default="primal-dual", init=False, repr=False)

    def __post_init__(self) -> None:
        require_positive(self, "regularisation")
        for step in ("step_x", "step_y", "step_dual"):
            if getattr(self, step) is not None:
                require(self, step, lambda v: v > 0, "must be > 0")
        require(self, "penalty_growth", lambda v: v > 1, "must be > 1")
        for count in ("cut_every", "phase1_iterations"):
            require_count(self, count)

    @property
    def _phase1(self) -> Phase1:
        return Phase1(self.cut_every, self.step_x, self.step_y, self.step_dual, self.regularisation)

    @property
    def _phase2(self) -> Penalty:
        return Penalty(self.regularisation, self.penalty_growth)

    def start(self, model: Joint | Reduced, state: State, options: Options) -> None:
        """Start in Phase 1."""
        self._phase1.start(model, state)
        state.memory["in_phase1"] = np.array(0)

    def move(self, model: Joint | Reduced, state: State, options: Options) -> Move:
        """One iteration of the phase at hand, and the hand-over when it is over."""
        if state.phase == 1:
            move = self._phase1.move(model, state, options)
            state.memory["in_phase1"] += 1
            if int(state.memory["in_phase1"]) >= self.phase1_iterations:
                if move.violation > 1e3 * options.tolerance:
                    _require_a_point(model, state)
                try:
                    self._phase2.start(model, state)
                except NoAnswerError as error:
                    return step_back(model, state, error)
                state.phase = 2  # last: an interruption in between must not leave half a hand-over
            return move
        move = self._phase2.move(model, state, options)
        if not int(state.memory["finished"]):
            return move
        try:
            gap, pieces = model.pieces(state.point)
            evaluate_feasible(model, state, state.point, gap, pieces, options)
        except NoAnswerError as error:
            self._again(state)
            return step_back(model, state, error)
        deepest = max(depth(pieces), move.violation)
        move = replace(move, lower_gap=gap, violation=deepest)
        if deepest <= options.tolerance:
            _settle(model, state, options, move.fun)
            if not _beaten(state, options, move.fun):
                return replace(move, status=Status.STATIONARY)
        added = add_cuts(state, model, pieces, state.point, options)
        if added == 0:
            _require_a_point(model, state)
            return replace(move, status=Status.STALLED)
        self._again(state)
        return move

    @staticmethod
    def _again(state: State) -> None:
        state.phase, state.memory["in_phase1"] = 1, np.array(0)
        state.memory.pop("spread", None)


def _require_a_point(model: Joint | Reduced, state: State) -> None:
    """Raise where the planes contradict each other; steps alone would go on for ever."""
    planes = conflict(model, state.pool)
    if planes:
        raise EmptyPolyhedronError("no point satisfies all planes", planes)


def _beaten(state: State, options: Options, fun: float) -> bool:
    """Whether the best feasible point is worse than `fun`, so that it is not what Phase 2 came to."""
    return bool(np.isfinite(state.best_fun)) and state.best_fun > fun + 10 * options.tolerance * max(1.0, abs(fun))


def _settle(model: Joint | Reduced, state: State, options: Options, fun: float) -> None:
    """Look for a feasible point beside the one where the penalty is at rest, a little outside of the planes.

    Newton's method on the constraints: project on the planes, cut there, and again; the run's own pool
    stays as it is.
    """
    scratch = replace(state, pool=Polyhedron.from_arrays(state.pool.to_arrays()))
    for _ in range(_NEWTON_STEPS):
        if state.best_fun <= fun:
            return
        try:
            scratch.point = nearest_in(model, scratch, scratch.point)
        except (EmptyPolyhedronError, MasterError):
            return
        gap, pieces = model.pieces(scratch.point)
        evaluate_feasible(model, scratch, scratch.point, gap, pieces, options)
        state.best, state.best_fun, state.best_gap = scratch.best, scratch.best_fun, scratch.best_gap
        if add_cuts(scratch, model, pieces, scratch.point, options) == 0:
            return
