"""One iteration, and what it is worth where a method comes to rest.

A method's own rest is no success yet. Of a problem declared convex the gap is looked at, and closed by the level
method where it is too large. Of others the point is examined by `optimality`, and the method starts anew from any
lower point found beside it.
"""

from dataclasses import replace

import numpy as np

from cutplane.core.formulations import Joint, Reduced
from cutplane.errors import EmptyPolyhedronError, OracleError, ProjectionError
from cutplane.history import Status
from cutplane.masters.certificate import relaxed_bound
from cutplane.methods.base import Method, Move, keep_exact_rows
from cutplane.methods.level import Level
from cutplane.options import Options
from cutplane.run.certified import closed
from cutplane.run.differences import fault
from cutplane.run.finish import verdict_of
from cutplane.run.optimality import examine
from cutplane.state import State

_ROUNDS, _TRUSTED, _MOVES = 20, 4, 30
"""Times that a run may start anew from a lower point found beside its rest; how often it does so at once, and how
many such points the examination goes through by itself after that."""
_CLOSING, _LEVELS = 3, 60
"""Phase in which the gap of a convex problem is closed by the level method, and how many steps may halve it."""
_LOOSENED = 10
"""Times that planes in conflict are thrown away, where no declaration makes them valid."""


def next_move(method: Method, model: Joint | Reduced, state: State, options: Options) -> Move:
    """One iteration of the method.

    Of a problem that is not declared convex, planes that contradict each other prove nothing: they go, and the
    method starts anew, a few times.
    """
    if state.phase == _CLOSING:
        return _close(model, state, options)
    try:
        return method.move(model, state, options)
    except EmptyPolyhedronError as error:
        loosened = int(state.memory.get("loosened", 0)) + 1
        if model.problem.convex:
            raise
        if loosened > _LOOSENED:
            raise ProjectionError(
                "planes made at different points contradict each other again and again; where convex=True is not "
                "declared they prove nothing: start nearer to a feasible point, or add constraints one by one"
            ) from None
        keep_exact_rows(model, state, str(error))
        if not error.planes:
            raise
        _start_anew(method, model, state, options)
        state.memory["loosened"] = np.array(loosened)
        return Move(state.best_fun, state.best_gap, 0.0, 0.0)


def _close(model: Joint | Reduced, state: State, options: Options) -> Move:
    """One step of the level method towards the certificate; the end where many of them brought little."""
    move, memory = Level().move(model, state, options), state.memory
    memory["closing"] = memory["closing"] + 1
    if int(memory["closing"]) % _LEVELS == 0 and move.status is Status.RUNNING:
        bound = relaxed_bound(model, state.pool, state.best).value
        if not state.best_fun - bound <= 0.5 * float(memory["gap_before"]):
            return replace(move, status=Status.STALLED)
        memory["gap_before"] = np.array(state.best_fun - bound)
    return move


def judged(
    method: Method, model: Joint | Reduced, state: State, options: Options, status: Status
) -> Status:  # fmt: skip
    """What a method's rest is worth.

    Of a problem declared convex the gap is looked at, and closed by the level method where it is too large. Of
    others the point is examined; from a feasible point of lower F the method starts anew.
    """
    state.runtime.pop("verdict", None)
    at_rest = status in (Status.STATIONARY, Status.STALLED) and np.isfinite(state.best_fun)
    if not at_rest or getattr(model.problem.lower, "stochastic", False):
        return status
    if model.problem.convex:
        if status is Status.STATIONARY and not closed(model, state, options):
            state.point, state.phase = state.best.copy(), _CLOSING
            state.memory["closing"], state.memory["gap_before"] = np.array(0), np.array(np.inf)
            Level().start(model, state, options)
            return Status.RUNNING
        return status
    wrong = fault(model, state.best)
    if wrong is not None:
        raise OracleError(wrong)
    rounds = int(state.memory.get("rounds", 0))
    # a method that comes to rest beside a way down again and again is led on by the examination itself
    for _ in range(1 if rounds < _TRUSTED else _MOVES):
        verdict = examine(model, state, options)
        if verdict.better is None:
            state.runtime["verdict"] = verdict
            return verdict_of(verdict, state, options)
        gap, _ = model.pieces(verdict.better)
        state.best, state.best_fun, state.best_gap = verdict.better.copy(), verdict.fun, gap
    if rounds >= _ROUNDS:
        return Status.STALLED
    _start_anew(method, model, state, options)
    state.memory["rounds"] = np.array(rounds + 1)
    return Status.RUNNING


def _start_anew(method: Method, model: Joint | Reduced, state: State, options: Options) -> None:
    """Start the method at the best point (at the present one while none is known), without planes."""
    state.pool.clear()
    state.phase = 1
    if np.isfinite(state.best_fun):
        state.point = state.best.copy()
    method.start(model, state, options)
