"""The end of a run: the point found is evaluated anew, the optimum bounded, and the reader told what to try.

No word of success is taken over from a method alone: where the problem is declared convex, a gap that is known
must be within the tolerance; where it is not, `optimality` has examined the point.
"""

import numpy as np

from cutplane.core.formulations import Joint, Reduced
from cutplane.core.model import rounding
from cutplane.history import Status
from cutplane.masters.certificate import Bound
from cutplane.masters.tree import NODES
from cutplane.options import Options
from cutplane.problem import BilevelProblem
from cutplane.result import Result
from cutplane.run.certified import bounded, promise_over_set, uncontradicted
from cutplane.run.differences import fault
from cutplane.run.found import Found, answers_otherwise, evaluate_found
from cutplane.run.optimality import Verdict, is_small, stationarity
from cutplane.state import State

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
_CLAIMED = (
    "; the bound is HiGHS's word for an integer programme: computing it again by weak duality takes a tree of "
    "more "
    f"than {NODES} linear programmes"
)
_NOISY = (
    "lower.gap gives another answer when it is asked again at the same point: with noise no plane is certain. "
    "Make it repeatable (a fixed seed), or declare stochastic = True and leave convex=True out"
)


def outcome(
    problem: BilevelProblem, options: Options, model: Joint | Reduced, state: State, message: str,
    certify: bool = True,
) -> Result:  # fmt: skip
    """Evaluate the point found anew, and bound the optimum from the planes.

    Parameters
    ----------
    problem : BilevelProblem
    options : Options
    model : Joint or Reduced
    state : State
        Where the run stands; its status may change to what the last evaluation says.
    message : str
        Why the run ended; the status's own message where empty.
    certify : bool
        Without it no bound is computed, and no success claimed.
    """
    known = bool(np.isfinite(state.best_fun))
    found = evaluate_found(problem, model, state)
    status, message, usable = _taken_over(options, state, found, message)
    bound = None
    if certify and problem.convex and usable and found.z.dtype == np.float64:
        bound, against = bounded(options, model, state, found)
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
    message = (message or status.message) + _advice(problem, options, model, state, status)
    if bound is not None and bound.claimed:
        message += _CLAIMED
    return _result(options, model, state, found, bound, status, message)


def _taken_over(options: Options, state: State, found: Found, message: str) -> tuple[Status, str, bool]:
    """Status and message that the run ended with, where the point found bears them out; whether it can be used."""
    status = state.status
    if found.error:
        message = message or found.error
        status = state.status = status if not status.success else Status.ORACLE
    if not np.isfinite(state.best_fun) or np.isnan(found.fun):
        return status, message, False
    size = max(1.0, abs(found.fun))
    if status.success and abs(found.fun - state.best_fun) > 100 * options.tolerance * size:
        was = f"F at the point found is {found.fun:.6g} and was {state.best_fun:.6g} when the run met it"
        return Status.ORACLE, f"{was}: {_OTHER}", False
    return status, message, True


def _result(
    options: Options, model: Joint | Reduced, state: State, found: Found, bound: Bound | None, status: Status,
    message: str,
) -> Result:  # fmt: skip
    value = None if bound is None else min(bound.value, found.fun)
    return Result(
        x=found.x.copy(), y=found.y.copy(), fun=found.fun, lower_gap=found.gap,
        violation=found.violation, stationarity=_stationarity(options, model, state, found, bound),
        bound=value, gap=None if value is None else found.fun - value,
        bound_radius=np.inf if bound is None else bound.radius,
        success=status.success and bool(np.isfinite(state.best_fun)), status=status, message=message,
        nit=state.nit, nfev=state.nfev, njev=state.njev, history=state.history.copy(), state=state,
    )  # fmt: skip


def verdict_of(verdict: Verdict, state: State, options: Options) -> Status:
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


def _judged(
    problem: BilevelProblem, options: Options, model: Joint | Reduced, state: State, found: Found,
    bound: Bound | None, status: Status,
) -> tuple[Status, str]:  # fmt: skip
    """Take a success back that the point found does not bear out; what to say of it."""
    if status is Status.STALLED and bound is not None and not found.error:
        # whatever kept the method from going on, the planes say how good the point is
        if uncontradicted(bound, found.fun, options):
            return Status.OPTIMAL, ""
        return status, _too_large(found.fun - bound.value)
    if not (status.success and np.isfinite(state.best_fun)) or found.error:
        return status, ""
    if answers_otherwise(problem, model, state, found):
        return Status.ORACLE, _NOISY
    missed = found.violation
    if not missed <= _AGAIN * options.feasibility + 2 * rounding(found.z):
        words = f"the point found misses a constraint by {missed:.2g}, and met it during the run"
        return Status.ORACLE, f"{words}: {_OTHER}"
    if problem.convex:
        if bound is None and status is Status.OPTIMAL:
            status = Status.STATIONARY
        if bound is not None and not uncontradicted(bound, found.fun, options):
            return Status.STALLED, _too_large(found.fun - bound.value)
        if bound is None:
            promised = promise_over_set(options, model, state, found)
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


def _largest_promise(found: Found, options: Options) -> float:
    tolerance = options.tolerance if found.z.dtype == np.float64 else max(options.tolerance, 1e-5)
    return float(np.sqrt(tolerance)) * max(1.0, abs(found.fun))


def _stationarity(
    options: Options, model: Joint | Reduced, state: State, found: Found, bound: Bound | None
) -> float | None:
    """What the examination said; else computed anew where no bound says more."""
    if found.pieces is None or (bound is not None and uncontradicted(bound, found.fun, options)):
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
    problem: BilevelProblem, options: Options, model: Joint | Reduced, state: State, status: Status
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


