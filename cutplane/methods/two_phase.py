"""The paper's method: Phase 1 by primal-dual steps, Phase 2 by the penalty, in rounds."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cutplane.errors import EmptyPolyhedronError, MasterError, NoAnswerError
from cutplane.masters import conflict
from cutplane.methods.base import Move, add_cuts, depth, evaluate_feasible, nearest_in
from cutplane.methods.penalty import Penalty
from cutplane.methods.primal_dual import PrimalDual, step_back
from cutplane.model import Joint, Reduced
from cutplane.polyhedron import Polyhedron
from cutplane.result import Status
from cutplane.state import State

if TYPE_CHECKING:
    from cutplane.solver import BilevelSolver

_NEWTON_STEPS = 6


class TwoPhase:
    """T₁ iterations of Phase 1, then Phase 2 until it is at rest; a constraint violated then starts a round.

    The paper has one round. On its own Phase 2 cannot mend a gap that the planes do not see, so the point
    where it comes to rest is cut off and Phase 1 goes on from there, with the multipliers ρ [A z + c]₊ that
    the penalty ends with.
    """

    convex_only = False

    def __init__(self) -> None:
        self._phase1, self._phase2 = PrimalDual(), Penalty()

    def start(self, model: Joint | Reduced, state: State, options: "BilevelSolver") -> None:
        """Start in Phase 1."""
        self._phase1.start(model, state, options)
        state.memory["in_phase1"] = np.array(0)

    def move(self, model: Joint | Reduced, state: State, options: "BilevelSolver") -> Move:
        """One iteration of the phase at hand, and the hand-over when it is over."""
        if state.phase == 1:
            move = self._phase1.move(model, state, options)
            state.memory["in_phase1"] += 1
            if int(state.memory["in_phase1"]) >= options.phase1_iterations:
                if move.violation > 1e3 * options.tolerance:
                    _require_a_point(model, state)
                try:
                    self._phase2.start(model, state, options)
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


def _beaten(state: State, options: "BilevelSolver", fun: float) -> bool:
    """Whether the best feasible point is worse than `fun`, so that it is not what Phase 2 came to."""
    return bool(np.isfinite(state.best_fun)) and state.best_fun > fun + 10 * options.tolerance * max(1.0, abs(fun))


def _settle(model: Joint | Reduced, state: State, options: "BilevelSolver", fun: float) -> None:
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
