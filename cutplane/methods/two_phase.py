"""The paper's method: Phase 1 by primal-dual steps, Phase 2 by the penalty, in rounds."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cutplane.cuts import gradient_cut
from cutplane.methods.base import Move, depth, evaluate_feasible
from cutplane.methods.penalty import Penalty
from cutplane.methods.primal_dual import PrimalDual
from cutplane.model import Joint, Reduced
from cutplane.result import Status
from cutplane.state import State

if TYPE_CHECKING:
    from cutplane.solver import BilevelSolver


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
                state.phase = 2
                self._phase2.start(model, state, options)
            return move
        move = self._phase2.move(model, state, options)
        if not int(state.memory["finished"]):
            return move
        gap, pieces = model.pieces(state.point)
        evaluate_feasible(model, state, state.point, gap, pieces, options)
        deepest = max(depth(pieces), move.violation)
        move = replace(move, lower_gap=gap, violation=deepest)
        if deepest <= options.tolerance:
            return replace(move, status=Status.STATIONARY)
        violated = [gradient_cut(p.kind, state.point, p.value, p.gradient) for p in pieces if p.value > 0]
        state.phase, state.memory["in_phase1"] = 1, np.array(0)
        return replace(move, added=sum(state.pool.add(plane) >= 0 for plane in violated))
