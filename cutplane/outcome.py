"""The end of a run: the point found is evaluated anew, the optimum bounded, and the reader told what to try."""

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from cutplane._arrays import Array
from cutplane.certificate import Bound, contradiction, relaxed_bound
from cutplane.cuts import gradient_cut
from cutplane.model import Joint, Reduced
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
        Without it no bound is computed.
    """
    found = bool(np.isfinite(state.best_fun))
    z = model.project(state.best if found else state.point)
    fun = gap = np.nan
    # what is known of the point even where no oracle answers any more
    x, y = (z * model.scale.astype(z.dtype))[: state.n_x], np.full(state.n_y, np.nan, z.dtype)
    try:
        x, y = model.split(z)
        fun = model.upper_value(x, y)[0]
        gap = float(model.ask("lower.gap", problem.lower.gap, x, y)[0])
    except Exception as error:
        message = message or f"{error} (at the point found)"
        state.status = state.status if not state.status.success else Status.ORACLE
    bound: Bound | None = None
    status = state.status
    if certify and problem.convex and found and not np.isnan(fun) and z.dtype == np.float64:
        pool = _certificate_pool(model, state, z)
        bound = relaxed_bound(model, pool, z)
        against = contradiction(model, pool, z, fun)
        if bound.value > fun + 10 * options.tolerance * max(1.0, abs(fun)):
            against = against or f"the bound {bound.value:.6g} exceeds the value {fun:.6g}"
        if against is not None:
            status, message = Status.NOT_CONVEX, f"{Status.NOT_CONVEX.message}: {against}"
        if against is not None or not np.isfinite(bound.value):
            bound = None
    # what certifying asked of the oracles is no part of the run: a resumed run counts as an unbroken one
    model.nfev, model.njev = state.nfev, state.njev
    value = None if bound is None else min(bound.value, fun)
    reach = 2 * options.tolerance * max(1.0, abs(fun))
    if status is Status.OPTIMAL and (value is None or fun - value > reach):
        status = Status.STATIONARY
    if status.success and found and abs(fun - state.best_fun) > 100 * options.tolerance * max(1.0, abs(fun)):
        status = Status.ORACLE
        message = f"F at the point found is {fun:.6g} and was {state.best_fun:.6g} when the run met it: {_OTHER}"
    if status in (Status.ORACLE, Status.NOT_CONVEX):
        state.status = status  # a state that is not to be gone on with says so itself
    success = status.success and found
    if status.success and not found:
        message = f"{status.message}, but no point with gap ≤ epsilon was found"
    message = (message or status.message) + _advice(problem, options, model, state, status)
    return Result(
        x=x.copy(), y=y.copy(), fun=fun, lower_gap=gap,
        bound=value, gap=None if value is None else fun - value,
        bound_radius=np.inf if bound is None else bound.radius, success=success, status=status,
        message=message, nit=state.nit, nfev=state.nfev, njev=state.njev,
        history=state.history.copy(), state=state,
    )  # fmt: skip


def _advice(
    problem: BilevelProblem, options: "BilevelSolver", model: Joint | Reduced, state: State, status: Status
) -> str:  # fmt: skip
    """What to try next, where the way that a run took says it."""
    if status not in (Status.MAX_ITERATIONS, Status.EMPTY, Status.STALLED, Status.FAILED):
        return ""
    far = float(np.abs(state.point * model.scale).max(initial=0.0))
    if far > _FAR:
        return f"; the iterates went as far as {far:.0e}: F may fall without end there, give x_set or y_set bounds"
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
