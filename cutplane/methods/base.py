"""What a method is, and the evaluation of a point that all master-based methods share."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from cutplane._arrays import Array
from cutplane.core.cuts import gradient_cut, separates
from cutplane.core.formulations import Joint, Reduced
from cutplane.core.model import Piece, rounding
from cutplane.core.pool import Kind, Plane
from cutplane.errors import EmptyPolyhedronError, MasterError, NoAnswerError, SeveralAnswersError
from cutplane.history import Status
from cutplane.masters.linear import SCALE
from cutplane.masters.wide import conflict
from cutplane.options import Options
from cutplane.programs.nearest_point import nearest_point
from cutplane.state import State

_FLAT = 1e-12
"""Slope below which a plane of the objective is constant."""
_UNANSWERED, HALVINGS = 60, 50
"""Trial points in a row that may be without an answer, and halvings of the way back to one that has it."""


@dataclass(frozen=True, slots=True)
class Move:
    """What one iteration did, for the history.

    Attributes
    ----------
    fun, lower_gap, violation, step : float
        As in `Record`.
    status : Status
        RUNNING to go on.
    """

    fun: float
    lower_gap: float
    violation: float
    step: float
    status: Status = Status.RUNNING


@runtime_checkable
class Method(Protocol):
    """One way to move on a polyhedron, with its own options; any object of this shape is one.

    Attributes
    ----------
    name : str
        Stands in the states that it made; a state goes on with a method of the same name alone.
    convex_only : bool
        Whether it needs a problem declared convex, which is checked before the run.
    """

    @property
    def name(self) -> str:
        """One word."""

    @property
    def convex_only(self) -> bool:
        """Checked before the run."""

    def start(self, model: Joint | Reduced, state: State, options: Options) -> None:
        """Prepare `state.memory` at the state's point.

        Parameters
        ----------
        model : Joint or Reduced
            Answers for values, gradients and the set, in scaled variables.
        state : State
            Changed in place.
        options : Options
        """

    def move(self, model: Joint | Reduced, state: State, options: Options) -> Move:
        """Advance `state` by one iteration.

        Parameters
        ----------
        model : Joint or Reduced
        state : State
            Changed in place.
        options : Options

        Returns
        -------
        Move
            What the iteration did, and whether the method is at rest.
        """


def cut(piece: Piece, z: Array, options: Options, tolerance: float = 0.0) -> Plane | None:
    """Return the plane of a constraint at z under the solver's cut rule; None where it does not separate z."""
    rule = options.cut if options.cut is not None and piece.kind == Kind.GAP else gradient_cut
    plane = rule(piece.kind, z, piece.value, piece.gradient)
    return plane if separates(plane, z, tolerance) else None


def add_cuts(state: State, model: Joint | Reduced, pieces: list[Piece], z: Array, options: Options) -> int:
    """Add the planes of all violated constraints at z; return how many came into the pool.

    Older planes that a new one implies on the bounds leave.
    """
    added = 0
    for piece in pieces:
        if piece.value > 0:
            if model.problem.convex and not piece.gradient.any():
                raise EmptyPolyhedronError(
                    f"the {piece.kind.name.lower()} is {piece.value:.3g} above 0 where its gradient is 0: "
                    "convex as it is declared, it is met nowhere"
                )
            plane = cut(piece, z, options)
            if plane is not None and state.pool.add(plane) >= 0:
                added += 1
                state.pool.drop_implied_by_last(model.lower, model.upper)
    return added


def depth(pieces: list[Piece]) -> float:
    """Largest distance from the point to a linearised constraint; negative inside all of them."""
    return max((p.depth for p in pieces), default=-np.inf)


def offer(state: State, z: Array, fun: float, gap: float) -> bool:
    """Record z, known to be feasible, if it is the best so far."""
    if fun < state.best_fun:
        state.best, state.best_fun, state.best_gap = z.copy(), fun, gap
        return True
    return False


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A trial point, evaluated: `fun` and `gradient` of the objective there, and what it brought."""

    fun: float
    gradient: Array
    lower_gap: float
    depth: float
    added: int
    feasible_fun: float
    """Objective at the feasible point nearest to the trial; infinite where there is none."""
    stuck: bool = False
    """No point on the way from the center has an answer: it is at the rim of where there are answers."""


def evaluate(
    model: Joint | Reduced, state: State, z: Array, options: Options, near: Array | None = None
) -> Trial:  # fmt: skip
    """Evaluate everything at z, add the planes it gives, and look for a better feasible point near it.

    Where an oracle has no answer at z, that is a null step: a plane cuts z off, or, of a convex problem, whose
    planes must stay valid, the way back to `near` (a point with an answer) is halved until there is one.
    """
    try:
        trial = _evaluate(model, state, z, options)
        state.memory["unanswered"] = np.array(0)
        return trial
    except NoAnswerError as error:
        if near is None:
            raise
        return _without_answer(model, state, z, options, near, error)


def _without_answer(
    model: Joint | Reduced, state: State, z: Array, options: Options, near: Array, error: NoAnswerError
) -> Trial:  # fmt: skip
    count_unanswered(state, z, error)
    plane = domain_plane(model, z, error)
    if plane is None and not model.problem.convex:
        away = z - near
        length = float(np.linalg.norm(away))
        if length > 0:  # half-way: with the trust region, a search for the rim of where there are answers
            plane = Plane(Kind.CONSTRAINT, away / length, -float(away @ (0.5 * (z + near))) / length)
    if plane is not None:
        added = int(state.pool.add(plane) >= 0)
        return Trial(np.inf, np.zeros_like(z), np.nan, float(plane.normal @ z) + plane.offset, added, np.inf)
    for _ in range(HALVINGS):
        z = model.project(0.5 * (z + near))
        try:
            return _evaluate(model, state, z, options)
        except NoAnswerError:
            continue
    _evaluate(model, state, near, options)  # an oracle that has no answer there any more is broken
    return Trial(np.inf, np.zeros_like(z), np.nan, 0.0, 0, np.inf, stuck=True)


def count_unanswered(state: State, z: Array, error: NoAnswerError) -> None:
    """Count a point z without an answer; raise where there were too many in a row."""
    count = int(state.memory.get("unanswered", 0)) + 1
    state.memory["unanswered"] = np.array(count)
    state.runtime["unanswered"] = str(error)
    if isinstance(error, SeveralAnswersError):
        state.memory["several_at"] = z.copy()
    if count > _UNANSWERED:
        raise error


def domain_plane(model: Joint | Reduced, z: Array, error: NoAnswerError) -> Plane | None:
    """Plane that keeps off x for which the lower level's rows have no y, from their least violation."""
    if error.violation is None or error.gradient is None or not np.any(error.gradient):
        return None
    normal = np.zeros(model.n)
    normal[: model.n_x] = np.asarray(error.gradient, dtype=float) * model.scale[: model.n_x]
    return gradient_cut(Kind.CONSTRAINT, z, float(error.violation), normal)


def _evaluate(model: Joint | Reduced, state: State, z: Array, options: Options) -> Trial:
    fun, gradient = model.objective(z)
    gap, pieces = model.pieces(z)
    added = int(state.pool.add(gradient_cut(Kind.OBJECTIVE, z, fun, gradient)) >= 0)
    added += add_cuts(state, model, pieces, z, options)
    feasible_fun, more = evaluate_feasible(model, state, z, gap, pieces, options, fun, planes=True)
    return Trial(fun, gradient, gap, depth(pieces), added + more, feasible_fun)


def evaluate_feasible(
    model: Joint | Reduced, state: State, z: Array, gap: float, pieces: list[Piece], options: Options,
    fun: float | None = None, planes: bool = False,
) -> tuple[float, int]:  # fmt: skip
    """Offer z, or the feasible point that the oracle restores near it, as the best so far.

    Returns the objective there (infinite if neither is feasible) and how many objective planes the
    evaluation added (with `planes`).
    """
    if depth(pieces) <= options.feasibility and on_rows(state, z, options):
        value = model.objective(z)[0] if fun is None else fun
        offer(state, z, value, gap)
        return value, 0
    restored = model.restore(z)
    if restored is None or depth(restored[1]) > options.feasibility or not on_rows(state, restored[0], options):
        return np.inf, 0
    point = restored[0]
    value, gradient = model.objective(point)
    if value >= state.best_fun:
        return value, 0
    gap, pieces = model.pieces(point)  # an oracle that could not restore the point may have said nothing
    if depth(pieces) > options.feasibility:
        return np.inf, 0
    offer(state, point, value, gap)
    if not planes:
        return value, 0
    return value, int(state.pool.add(gradient_cut(Kind.OBJECTIVE, point, value, gradient)) >= 0)


def on_rows(state: State, z: Array, options: Options) -> bool:
    """Whether z meets the exact rows of the pool."""
    linear = state.pool.kinds == Kind.LINEAR
    forgiven = options.feasibility + rounding(z)
    return bool(np.all(state.pool.residuals(z)[linear] <= forgiven)) if linear.any() else True


def drop_contradicted(state: State, options: Options) -> int:
    """Drop planes that cut off the best feasible point, or lie above its value: they are not valid there."""
    if not np.isfinite(state.best_fun):
        return 0
    residual = state.pool.residuals(state.best)
    limit = np.where(state.pool.bounding, 0.0, state.best_fun)
    slack = np.where(state.pool.bounding, 2 * options.feasibility, 1e-13 * (1 + np.abs(limit)))
    wrong = np.flatnonzero((residual > limit + slack) & (state.pool.kinds != Kind.LINEAR))
    state.pool.drop(wrong)
    return int(wrong.size)


def nearest_in(
    model: Joint | Reduced, state: State, center: Array, level: float | None = None,
    weight: float | None = None, guess: Array | None = None,
) -> Array:  # fmt: skip
    """Point of Z and the pool nearest to `center`; its multipliers go into the pool.

    With a `level` also below it in every objective plane; with a `weight` the proximal point of
    weight·max(objective planes). Curved sets are learnt by their tangents. The multipliers that the pool
    holds are where the search for them starts, unless there is a better `guess` of shape (L,).
    """
    pool, rows = state.pool, model.rows
    m, p = rows.b_ub.size, rows.b_eq.size
    for _ in range(50):
        objective = ~pool.bounding
        use = ~objective | (level is not None or weight is not None)
        if level is not None:
            # a plane without slope (F's own minimum) lies below the level
            use &= np.einsum("ij,ij->i", pool.normals, pool.normals) > _FLAT**2
        normals = pool.normals if use.all() else pool.normals[use]
        rhs = (np.where(objective, level or 0.0, 0.0) - pool.offsets)[use]
        epigraph = None if weight is None else np.concatenate([np.zeros(m), objective[use], np.zeros(p)])
        start = np.concatenate([np.zeros(m), (pool.multipliers if guess is None else guess)[use], np.zeros(p)])
        solution = nearest_point(
            center.astype(float), (rows.A_ub, normals, rows.A_eq), np.concatenate([rows.b_ub, rhs, rows.b_eq]),
            model.lower, model.upper, p, epigraph, weight or 0.0, start,
        )  # fmt: skip
        if not solution.residual <= 1e-8:
            planes = conflict(model, pool)
            missed = f"(residual {solution.residual:.1e})"
            if planes:
                raise EmptyPolyhedronError(f"no point satisfies all planes {missed}", planes)
            raise MasterError(f"the quadratic master failed {missed}; {SCALE}")
        found = np.zeros(pool.size)
        found[use] = solution.multipliers[m : m + len(normals)]
        point = solution.point.astype(center.dtype)
        tangents = [t for t in model.tangents(point) if separates(t, point, 1e-12)]
        # multipliers first, so that a full pool knows which planes are quiet
        pool.multipliers[:] = np.where(found > 1e-12 * max(found.max(initial=0.0), 1e-300), found, 0.0)
        if not [t for t in tangents if pool.add(t) >= 0]:
            break
        guess = None
    return model.project(point)


def keep_exact_rows(model: Joint | Reduced, state: State, words: str) -> None:
    """Drop all other planes; raise `words` where the exact rows alone leave no point."""
    state.pool.clear()
    planes = conflict(model, state.pool)
    if planes:
        raise EmptyPolyhedronError(words, planes)


def _downhill(model: Joint | Reduced, state: State, z: Array) -> Array:
    """Step towards the deepest linearised constraint alone, where all of them together leave nothing.

    Of a problem that is not declared convex the planes are local models: they go.
    """
    keep_exact_rows(model, state, "no point satisfies all exact rows")
    deepest = max(model.pieces(z)[1], key=lambda piece: piece.depth, default=None)
    if deepest is None or not 0.0 < deepest.depth < np.inf:
        return z
    length = min(deepest.depth, 1.0 + float(np.abs(z).max(initial=0.0)))
    return model.project((z - length * deepest.gradient / np.linalg.norm(deepest.gradient)).astype(z.dtype))


def approach(model: Joint | Reduced, state: State, options: Options) -> Move:
    """Move towards feasibility while no feasible point is known: project onto the planes, cut again."""
    before = state.point
    try:
        state.point = nearest_in(model, state, before)
    except EmptyPolyhedronError:
        if model.problem.convex:
            raise
        state.point = _downhill(model, state, before)
    state.pool.note_activity(state.pool.multipliers > 0)
    trial = evaluate(model, state, state.point, options, before)
    step = float(np.linalg.norm(state.point - before))
    stuck = trial.stuck or (trial.added == 0 and step == 0.0 and not np.isfinite(state.best_fun))
    return Move(
        trial.fun, trial.lower_gap, max(trial.depth, 0.0), step,
        status=Status.STALLED if stuck else Status.RUNNING,
    )  # fmt: skip
