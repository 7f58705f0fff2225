"""The end of a run: the point found is evaluated anew, the optimum bounded, and the reader told what to try.

No word of success is taken over from a method alone: where the problem is declared convex, a gap that is known
must be within the tolerance; where it is not, `optimality` has examined the point.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cutplane._arrays import Array
from cutplane.certificate import FEW, Bound, contradiction, relaxed_bound
from cutplane.cuts import gradient_cut
from cutplane.differences import fault
from cutplane.methods.base import depth
from cutplane.model import Joint, Piece, Reduced, rounding
from cutplane.optimality import Verdict, is_small, lowest_beside, stationarity
from cutplane.polyhedron import Kind, Polyhedron
from cutplane.problem import BilevelProblem
from cutplane.result import Result, Status
from cutplane.state import State

if TYPE_CHECKING:
    from cutplane.solver import BilevelSolver

_FAR, BEYOND = 1e7, 1e15
"""Size of an iterate at which F is suspected to fall without end, and at which a run stops: numbers are a unit
apart there."""
_OTHER = (
    "the state is of another F, or F (in the reduced form also y*(x)) gives another answer when it is asked "
    "again; start anew with x0 and y0"
)
_AGAIN = 100
"""Share of the feasibility by which a point may miss a constraint that is asked again."""
_BESIDE = 1e-3
"""Distance, relative, within which an x with several lower answers is beside the point found."""
_NOISY = (
    "lower.gap gives another answer when it is asked again at the same point: with noise no plane is certain. "
    "Make it repeatable (a fixed seed), or declare stochastic = True and leave convex=True out"
)


@dataclass(frozen=True, slots=True)
class _Found:
    """The point found, evaluated anew. NaN stands for what no oracle answered."""

    z: Array
    x: Array
    y: Array
    fun: float
    gap: float
    pieces: list[Piece] | None
    error: str


def outcome(
    problem: BilevelProblem, options: "BilevelSolver", model: Joint | Reduced, state: State, message: str,
    certify: bool = True,
) -> Result:  # fmt: skip
    """Evaluate the point found anew, and bound the optimum from the planes.

    Parameters
    ----------
    problem : BilevelProblem
    options : BilevelSolver
    model : Joint or Reduced
    state : State
        Where the run stands; its status may change to what the last evaluation says.
    message : str
        Why the run ended; the status's own message where empty.
    certify : bool
        Without it no bound is computed, and no success claimed.
    """
    known = bool(np.isfinite(state.best_fun))
    status, bound = state.status, None
    found = _evaluate(problem, model, state)
    if found.error:
        message = message or found.error
        status = state.status = status if not status.success else Status.ORACLE
    usable = known and not np.isnan(found.fun)
    size = max(1.0, abs(found.fun))
    if usable and status.success and abs(found.fun - state.best_fun) > 100 * options.tolerance * size:
        was = f"F at the point found is {found.fun:.6g} and was {state.best_fun:.6g} when the run met it"
        status, message, usable = Status.ORACLE, f"{was}: {_OTHER}", False
    if certify and problem.convex and usable and found.z.dtype == np.float64:
        bound, against = _bounded(options, model, state, found)
        if against is not None:
            status, message, bound = Status.NOT_CONVEX, f"{Status.NOT_CONVEX.message}: {against}", None
        wrong = fault(model, found.z) if status.success else None
        if wrong is not None:
            status, message, bound = Status.ORACLE, wrong, None
    # what certifying asked of the oracles is no part of the run: a resumed run counts as an unbroken one
    status, more = _judged(problem, options, model, state, found, bound, status)
    message = message or more
    model.nfev, model.njev = state.nfev, state.njev
    if status in (Status.ORACLE, Status.NOT_CONVEX):
        state.status = status  # a state that is not to be gone on with says so itself
    if status.success and not known:
        message = f"{status.message}, but no point with gap ≤ epsilon was found"
    value = None if bound is None else min(bound.value, found.fun)
    return Result(
        x=found.x.copy(), y=found.y.copy(), fun=found.fun, lower_gap=found.gap,
        violation=_violation(model, found), stationarity=_stationarity(options, model, state, found, bound),
        bound=value, gap=None if value is None else found.fun - value,
        bound_radius=np.inf if bound is None else bound.radius, success=status.success and known, status=status,
        message=(message or status.message) + _advice(problem, options, model, state, status),
        nit=state.nit, nfev=state.nfev, njev=state.njev, history=state.history.copy(), state=state,
    )  # fmt: skip


def verdict_of(verdict: Verdict, state: State, options: "BilevelSolver") -> Status:
    """Status of a point at rest, on a problem that is not declared convex.

    Beside an x with several lower answers the best of them may be better than all that is seen from here.
    """
    if _beside_a_tie(state):
        return Status.STALLED
    if is_small(verdict.residual, state.best_fun, options):
        return Status.STATIONARY
    return Status.TESTED if verdict.tested else Status.STALLED


def _beside_a_tie(state: State) -> bool:
    tie = state.memory.get("several_at")
    return tie is not None and bool(np.all(np.abs(tie - state.best) <= _BESIDE * (1.0 + np.abs(state.best))))


def _evaluate(problem: BilevelProblem, model: Joint | Reduced, state: State) -> _Found:
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
    return _Found(z, x, y, fun, gap, pieces, error)


def _judged(
    problem: BilevelProblem, options: "BilevelSolver", model: Joint | Reduced, state: State, found: _Found,
    bound: Bound | None, status: Status,
) -> tuple[Status, str]:  # fmt: skip
    """Take a success back that the point found does not bear out; what to say of it."""
    if status is Status.STALLED and bound is not None and not found.error:
        # whatever kept the method from going on, the planes say how good the point is
        if _closed(bound, found.fun, options):
            return Status.OPTIMAL, ""
        return status, _too_large(found.fun - bound.value)
    if not (status.success and np.isfinite(state.best_fun)) or found.error:
        return status, ""
    if _answers_otherwise(problem, model, state, found):
        return Status.ORACLE, _NOISY
    missed = _violation(model, found)
    if not missed <= _AGAIN * options.feasibility + 2 * rounding(found.z):
        words = f"the point found misses a constraint by {missed:.2g}, and met it during the run"
        return Status.ORACLE, f"{words}: {_OTHER}"
    if problem.convex:
        if bound is None and status is Status.OPTIMAL:
            status = Status.STATIONARY
        if bound is not None and not _closed(bound, found.fun, options):
            return Status.STALLED, _too_large(found.fun - bound.value)
        if bound is None:
            promised = _promise_over_set(options, model, state, found)
            if promised > _largest_promise(found, options):
                return Status.STALLED, (
                    f"at rest, but the planes leave room for F to fall by {promised:.2g} over the sets, and "
                    "nothing is certified: set x_scale and y_scale to the size of a typical change"
                )
        return status, ""
    verdict = state.runtime.get("verdict")
    if status is Status.TESTED and verdict is not None:
        return status, (
            f"{status.message} ({verdict.tested} points; the linearised problem promises {verdict.residual:.2g} "
            "per unit, as at a kink)"
        )
    return status, ""


def _too_large(gap: float) -> str:
    return (
        f"at rest, but the certified gap is {gap:.2g}, more than the tolerance allows: go on with method='level' "
        "and room for planes (max_planes), or set x_scale and y_scale to the size of a typical change"
    )


def _largest_promise(found: _Found, options: "BilevelSolver") -> float:
    tolerance = options.tolerance if found.z.dtype == np.float64 else max(options.tolerance, 1e-5)
    return float(np.sqrt(tolerance)) * max(1.0, abs(found.fun))


def _promise_over_set(options: "BilevelSolver", model: Joint | Reduced, state: State, found: _Found) -> float:
    """Fall of F that the planes of a convex run leave room for: what a bound would say, were it certified."""
    pool = _certificate_pool(model, state, found.z)
    room = relaxed_bound(model, pool, found.z).value
    return found.fun - room if np.isfinite(room) else 0.0


def _answers_otherwise(problem: BilevelProblem, model: Joint | Reduced, state: State, found: _Found) -> bool:
    """Whether the gap at the point found differs from what it was a moment ago."""
    if isinstance(model, Reduced) or getattr(problem.lower, "stochastic", False):
        return False
    again = float(model.ask("lower.gap", problem.lower.gap, found.x, found.y)[0])
    close = (1e-9 if found.z.dtype == np.float64 else 1e-4) * (1.0 + abs(found.gap))
    return abs(again - found.gap) > close


def _closed(bound: Bound | None, fun: float, options: "BilevelSolver") -> bool:
    """Whether nothing certified contradicts a success."""
    return bound is None or fun - bound.value <= 2 * options.tolerance * max(1.0, abs(fun))


def _bounded(
    options: "BilevelSolver", model: Joint | Reduced, state: State, found: _Found
) -> tuple[Bound | None, str | None]:  # fmt: skip
    """The bound, and what contradicts it, in words."""
    pool = _certificate_pool(model, state, found.z)
    bound = relaxed_bound(model, pool, found.z)
    against = contradiction(model, pool, found.z, found.fun)
    if bound.value > found.fun + 10 * options.tolerance * max(1.0, abs(found.fun)):
        against = against or f"the bound {bound.value:.6g} exceeds the value {found.fun:.6g}"
    if against is None and model.n <= FEW and np.isfinite(bound.value):
        with suppress(Exception):  # a look at points where an oracle may have no answer, in any words
            low, where = lowest_beside(model, state, options)
            if low < bound.value - 10 * options.tolerance * max(1.0, abs(low)):
                x = np.array2string(model.split(where)[0], precision=4, threshold=6)
                against = f"the feasible point at x = {x} has F = {low:.6g}, below the bound {bound.value:.6g}"
    return (bound if np.isfinite(bound.value) else None), against


def closed(model: Joint | Reduced, state: State, options: "BilevelSolver") -> bool:
    """Whether the planes certify the best point of a convex run to the tolerance; True where none can certify."""
    if state.best.dtype != np.float64:
        return True
    found = relaxed_bound(model, _certificate_pool(model, state, state.best), state.best)
    return not np.isfinite(found.value) or _closed(found, state.best_fun, options)


def _violation(model: Joint | Reduced, found: _Found) -> float:
    """Largest distance by which the point misses anything, in scaled variables."""
    if found.pieces is None:
        return np.nan
    z, rows = found.z.astype(float), model.rows
    missed = [0.0, float(np.max(model.lower - z)), float(np.max(z - model.upper)), depth(found.pieces)]
    missed += [plane_excess for plane_excess in rows.A_ub @ z - rows.b_ub]
    missed += [abs(miss) for miss in rows.A_eq @ z - rows.b_eq]
    for plane in (*model.linear_planes(), *model.tangents(found.z)):
        missed.append((float(plane.normal @ z) + plane.offset) / float(np.linalg.norm(plane.normal) or 1.0))
    return float(max(missed))


def _stationarity(
    options: "BilevelSolver", model: Joint | Reduced, state: State, found: _Found, bound: Bound | None
) -> float | None:
    """What the examination said; else computed anew where no bound says more."""
    if found.pieces is None or (bound is not None and _closed(bound, found.fun, options)):
        return None
    verdict = state.runtime.get("verdict")
    try:
        promised = stationarity(model, found.z, found.fun, options) if verdict is None else verdict.residual
    except Exception:
        return None
    finally:
        model.nfev, model.njev = state.nfev, state.njev
    return float(promised) if np.isfinite(promised) else None


def _advice(
    problem: BilevelProblem, options: "BilevelSolver", model: Joint | Reduced, state: State, status: Status
) -> str:  # fmt: skip
    """What to try next, where the way that a run took says it."""
    if status not in (Status.MAX_ITERATIONS, Status.EMPTY, Status.STALLED, Status.FAILED):
        return ""
    far = float(np.abs(state.point * model.scale).max(initial=0.0))
    if far > _FAR and not np.isfinite(model.upper - model.lower).all():
        return f"; the iterates went as far as {far:.0e}: F may fall without end there, give x_set or y_set bounds"
    if status is Status.STALLED and "unanswered" in state.runtime:
        return f"; some points tried had no answer ({state.runtime['unanswered']}): keep such x out by x_set"
    whole = all(callable(getattr(problem.lower, name, None)) for name in ("solution", "vjp"))
    if status is Status.MAX_ITERATIONS and options.formulation == "joint" and whole:
        return "; formulation='reduced' with method='linear' often needs far fewer"
    return ""


def _certificate_pool(model: Joint | Reduced, state: State, z: Array) -> Polyhedron:
    """Planes of the run plus those of the returned point and the last iterate."""
    pool = Polyhedron.from_arrays(state.pool.to_arrays())
    pool.cap = 10**9
    for point in (z, state.point):
        with suppress(Exception):  # the last iterate may be where an oracle gave up, in any words
            pool.add(gradient_cut(Kind.OBJECTIVE, point, *model.objective(point)))
    return pool
