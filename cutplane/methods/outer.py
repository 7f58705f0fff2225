"""Outer approximation: integer programmes over the planes, for x with whole numbers."""

import time
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from typing import ClassVar

import numpy as np

from cutplane._arrays import Array
from cutplane.core.formulations import Joint, Reduced, relaxed_model
from cutplane.core.pool import Kind
from cutplane.errors import EmptyPolyhedronError, MasterError, NoAnswerError, OutOfTimeError, ProjectionError
from cutplane.history import Status
from cutplane.masters.certificate import search_box
from cutplane.masters.milp import IntegerSolution, refuse_empty, solve_integer
from cutplane.masters.tree import learn_tangents
from cutplane.methods.base import Move, drop_contradicted, evaluate, evaluate_feasible
from cutplane.methods.level import Level
from cutplane.methods.neighbours import neighbours
from cutplane.options import Options
from cutplane.state import State

_RELAXED, _WHOLE = 1, 2
"""Phases: the relaxation by the level method, and integer programmes."""
_COARSE = 1e-4
"""Relative gap of the relaxation at which integer programmes begin."""
_PART = 0.2
"""Share of the gap that is left to which an integer programme is solved, unless that brings nothing new."""
_SHARE = 0.5
"""Share of the tolerance that the bound of the integer programme must be within."""
_TANGENTS, _STEPS = 30, 200
"""Rounds of learning a curved set, and level steps with the whole numbers held."""


@dataclass(frozen=True)
class OuterApproximation:
    """min t over the planes and the whole numbers of X; evaluate there, add planes, till bound meets value.

    Duran and Grossmann (Mathematical Programming 1986), Fletcher and Leyffer (1994). Of a convex problem the
    planes begin with those of the level method on the relaxation, which are valid for whole numbers too; where x
    or y has other entries beside, level steps with the whole numbers held find the best of them. On others planes
    are local models: integer programmes look among the whole numbers near the best point, nearer after each that
    brought nothing, and nothing is proved.
    """

    convex_only: ClassVar[bool] = False
    for_integers: ClassVar[bool] = True

    name: str = field(default="outer", init=False, repr=False)

    def start(self, model: Joint | Reduced, state: State, options: Options) -> None:
        """Evaluate the start."""
        for name in ("relaxed_best", "relaxed_fun", "radius", "exact"):
            state.memory.pop(name, None)
        state.phase = _RELAXED if model.problem.convex else _WHOLE
        if not model.problem.convex:
            state.memory["radius"] = np.array(max(2, int(model.integer.sum())))
        evaluate(model, state, state.point, options)

    def move(self, model: Joint | Reduced, state: State, options: Options) -> Move:
        """One level step of the relaxation, or one integer programme and what its point brings."""
        if state.phase == _RELAXED:
            return _relax(model, state, options)
        return _approximate(model, state, options) if model.problem.convex else _look_near(model, state, options)


def _relax(model: Joint | Reduced, state: State, options: Options) -> Move:
    """One level step without whole numbers, on the pool of the run."""
    whole = _sub_model(model, state, None)
    shadow, memory = _shadow(state, whole), state.memory
    shadow.memory, shadow.runtime = memory, state.runtime.setdefault("relaxed run", {})
    if "relaxed_fun" in memory:
        shadow.best, shadow.best_fun = memory["relaxed_best"], float(memory["relaxed_fun"])
    try:
        coarse = replace(_plain(options), tolerance=max(options.tolerance, _COARSE))
        move = Level().move(whole, shadow, coarse)
    finally:
        _take_counts(model, whole)
    state.bound = max(state.bound, shadow.bound)
    if np.isfinite(shadow.best_fun):
        memory |= {"relaxed_best": shadow.best, "relaxed_fun": np.array(shadow.best_fun)}
    if move.status is Status.RUNNING:
        state.point = shadow.point
        return move
    state.phase = _WHOLE
    if np.isfinite(shadow.best_fun):  # rounded, it is a first value to stop at
        with suppress(NoAnswerError, ProjectionError):
            evaluate(model, state, model.project(shadow.best), _keeping(options))
    return replace(move, status=Status.RUNNING)


def _approximate(model: Joint | Reduced, state: State, options: Options) -> Move:
    """One integer programme, its point evaluated, and what is not whole made the best of."""
    before, keeping = state.point, _keeping(options)
    _require_room(state, options)
    known = "exact" not in state.memory and np.isfinite(state.best_fun - state.bound)
    solution = _master(model, state, gap=_PART * (state.best_fun - state.bound) if known else 0.0)
    if solution is None:
        refuse_empty(state.pool)
    assert solution is not None
    state.memory.pop("exact", None)
    state.bound = max(state.bound, solution.bound)
    if _is_closed(state, options):
        state.point = state.best.copy()
        return Move(state.best_fun, state.best_gap, 0.0, 0.0, status=Status.OPTIMAL)
    state.point = _on_set(model, solution.point.astype(before.dtype))
    serial = state.pool.next_serial
    near = state.best if np.isfinite(state.best_fun) else None
    try:
        trial = evaluate(model, state, state.point, keeping)
    except NoAnswerError:
        if near is None:
            raise
        trial = evaluate(model, state, state.point, keeping, near)
    if not bool(model.integer.all()):
        _with_whole_held(model, state, keeping)
    step = float(np.linalg.norm(state.point - before))
    stuck = state.pool.next_serial == serial and not _is_closed(state, options)
    if stuck and known:
        state.memory["exact"] = np.array(1)
        stuck = False
    return Move(
        trial.fun, trial.lower_gap, max(trial.depth, 0.0), step,
        status=Status.STALLED if stuck else Status.RUNNING,
    )  # fmt: skip


def _look_near(model: Joint | Reduced, state: State, options: Options) -> Move:
    """One integer programme near the best point of a problem that is not declared convex."""
    if not np.isfinite(state.best_fun):
        return _approximate(model, state, options)
    drop_contradicted(state, options)
    radius, best = int(state.memory["radius"]), state.best_fun
    solution = _master(model, state, (state.best, radius))
    nothing = Move(best, state.best_gap, 0.0, 0.0)
    promised = -np.inf if solution is None else best - solution.bound
    if solution is not None and promised > options.tolerance * max(1.0, abs(best)):
        center, state.point = state.best, _on_set(model, solution.point.astype(state.best.dtype))
        step = float(np.linalg.norm(state.point - center))
        if step > 0:
            trial = evaluate(model, state, state.point, _keeping(options), center)
            nothing = Move(trial.fun, trial.lower_gap, max(trial.depth, 0.0), step)
    if state.best_fun < best - 0.1 * max(promised, 0.0):
        state.memory["radius"] = np.array(min(2 * radius, max(2, int(model.integer.sum()))))
        return nothing
    if radius <= 2 and state.best_fun == best:
        state.point = state.best.copy()
        for beside in neighbours(model, state.best):
            with suppress(NoAnswerError):
                evaluate_feasible(model, state, beside, *model.pieces(beside), options)
        lower = state.best_fun < best - options.tolerance * max(1.0, abs(best))
        if lower:  # from there anew, with its plane
            evaluate(model, state, state.best, _keeping(options))
        status = Status.RUNNING if lower else Status.TESTED
        return Move(state.best_fun, state.best_gap, 0.0, 0.0, status=status)
    state.memory["radius"] = np.array(max(2, radius // 2))
    return nothing


def _master(
    model: Joint | Reduced, state: State, near: tuple[Array, int] | None = None, gap: float = 0.0
) -> IntegerSolution | None:  # fmt: skip
    reference = state.best if np.isfinite(state.best_fun) else state.point
    lower, upper, radius = search_box(model, reference)
    end = float(state.runtime.get("end", np.inf))
    solution = solve_integer(model, state.pool, lower, upper, end, near, gap)
    for _ in range(_TANGENTS):
        if solution is None or not learn_tangents(model, state.pool, solution.point):
            break
        solution = solve_integer(model, state.pool, lower, upper, end, near, gap)
    if solution is not None and np.isfinite(radius):  # over all of an open set nothing is claimed
        state.bound = -np.inf
    return solution


def _with_whole_held(model: Joint | Reduced, state: State, options: Options) -> None:
    """Level steps in what is not whole, until nothing below the best value is left beside these whole numbers."""
    try:
        part = _sub_model(model, state, state.point)
    except ValueError:  # the integer programme was off by its tolerances: nothing is beside these whole numbers
        return
    shadow = _shadow(state, part)
    try:
        shadow.point = part.project(state.point)
        evaluate(part, shadow, shadow.point, options)
        for _ in range(_STEPS):
            if time.monotonic() > float(state.runtime.get("end", np.inf)):
                raise OutOfTimeError("the time limit was reached")
            move = Level().move(part, shadow, options)
            if move.status is not Status.RUNNING:
                break
            if shadow.bound >= state.best_fun - _SHARE * options.tolerance * max(1.0, abs(state.best_fun)):
                break
    except (EmptyPolyhedronError, NoAnswerError, MasterError):  # the planes that say so stay, and the run goes on
        pass
    finally:
        _take_counts(model, part)
    if shadow.best_fun < state.best_fun:
        state.best, state.best_fun, state.best_gap = shadow.best, shadow.best_fun, shadow.best_gap


def _sub_model(model: Joint | Reduced, state: State, at: Array | None) -> Joint | Reduced:
    """Model of the problem without whole numbers, or with those of a point held."""
    known = state.runtime.get("relaxed")
    if at is None and known is not None:
        found: Joint | Reduced = known
    else:
        found = relaxed_model(model, at)
        if at is None:
            state.runtime["relaxed"] = found
    found.nfev, found.njev = model.nfev, model.njev
    return found


def _shadow(state: State, model: Joint | Reduced) -> State:
    """A state of a sub-problem: the planes are the run's, the best point and the bound are its own."""
    shadow = State(state.point.copy(), state.n_x, state.n_y, state.pool, state.point.copy())
    shadow.runtime = {"model": model}
    return shadow


def _take_counts(model: Joint | Reduced, part: Joint | Reduced) -> None:
    model.nfev, model.njev = part.nfev, part.njev


def _on_set(model: Joint | Reduced, z: Array) -> Array:
    """Nearest point of Z: the integer programme's own, but for rounding."""
    return model.project(z)


def _is_closed(state: State, options: Options) -> bool:
    gap = state.best_fun - state.bound
    return bool(np.isfinite(state.best_fun) and gap <= _SHARE * options.tolerance * max(1.0, abs(state.best_fun)))


def _require_room(state: State, options: Options) -> None:
    """Raise where the next planes would push others out: without them the same points would come again."""
    if int(np.sum(state.pool.kinds != Kind.LINEAR)) + 4 > options.max_planes:
        raise MasterError(f"outer approximation needs all its planes: raise max_planes above {options.max_planes}")


def _plain(options: Options) -> Options:
    """The options that belong to no method."""
    return Options(**{f.name: getattr(options, f.name) for f in fields(Options)})


def _keeping(options: Options) -> Options:
    """The options under which no plane leaves for being at rest."""
    return replace(_plain(options), patience=10**9, max_age=None)
