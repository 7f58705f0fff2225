"""The one driver: init / step / solve, the two phases, when to cut and when to drop."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cutplane._arrays import Array, vector
from cutplane.core.cuts import CutRule
from cutplane.core.formulations import Joint, Reduced, build_model
from cutplane.core.pool import Kind, Polyhedron
from cutplane.errors import (
    CutplaneError,
    EmptyPolyhedronError,
    InputError,
    MasterError,
    OracleError,
    OutOfTimeError,
    ProjectionError,
)  # fmt: skip
from cutplane.history import Record, Status
from cutplane.methods import Method, as_method
from cutplane.options import Options
from cutplane.problem import BilevelProblem, start_point
from cutplane.result import Result
from cutplane.run.finish import BEYOND, outcome
from cutplane.run.rest import judged, next_move
from cutplane.run.resume import answers, check_same
from cutplane.state import State

Callback = Callable[[Record], Any]
_ENDINGS = {OracleError: Status.ORACLE, MasterError: Status.FAILED, ProjectionError: Status.STALLED}
"""Status of a run that an error of this kind ended."""


@dataclass(frozen=True, init=False)
class BilevelSolver(Options):
    """Bi-level optimisation by cutting planes. A solver holds options only; a `State` holds the run.

    Parameters
    ----------
    method : Method or {"primal-dual", "linear", "level", "proximal"}
        `PrimalDual`, the paper's primal-dual steps followed by a penalty phase; `Linear`, linear masters in a
        trust region; `Level` or `Proximal`, bundle methods, which need ``convex=True``; or an object of your own.
        A name stands for a method with its defaults.
    formulation, epsilon, tolerance, feasibility, max_iterations, time_limit, x_scale, y_scale : Any
        As of `Options`, whatever the method.
    cut, max_planes, patience, max_age : Any
        Of the pool; as of `Options`.
    **own : Any
        Beside a name, options of the method that it stands for: ``BilevelSolver("linear", trust_radius=0.5)`` is
        ``BilevelSolver(Linear(trust_radius=0.5))``.

    Examples
    --------
    >>> import numpy as np
    >>> from cutplane import BilevelProblem, BilevelSolver, Box, SolutionMap
    >>> problem = BilevelProblem(
    ...     upper=lambda x, y: (float((y - 2) @ (y - 2)) / 2, 0 * x, y - 2),
    ...     lower=SolutionMap(forward=lambda x: x, vjp=lambda x, v: v),
    ...     x_set=Box(0, 1), convex=True)
    >>> result = BilevelSolver().solve(problem, x0=[0.5], y0=[0.0])
    >>> bool(abs(result.x[0] - 1) < 1e-4)
    True
    """

    method: Method

    def __init__(
        self, method: Method | str = "primal-dual", *, formulation: str = Options.formulation,
        epsilon: float = Options.epsilon, tolerance: float = Options.tolerance,
        feasibility: float = Options.feasibility, max_iterations: int = Options.max_iterations,
        time_limit: float | None = Options.time_limit, x_scale: float = Options.x_scale,
        y_scale: float = Options.y_scale, cut: CutRule | None = Options.cut, max_planes: int = Options.max_planes,
        patience: int = Options.patience, max_age: int | None = Options.max_age, **own: Any,
    ) -> None:  # fmt: skip
        object.__setattr__(self, "method", as_method(method, own))
        super().__init__(
            formulation=formulation, epsilon=epsilon, tolerance=tolerance, feasibility=feasibility,
            max_iterations=max_iterations, time_limit=time_limit, x_scale=x_scale, y_scale=y_scale, cut=cut,
            max_planes=max_planes, patience=patience, max_age=max_age,
        )  # fmt: skip

    def init(self, problem: BilevelProblem, x0: Any, y0: Any) -> State:
        """Check the problem at its start and return the state before the first iteration.

        Parameters
        ----------
        problem : BilevelProblem
        x0 : array_like of shape (n_x,)
        y0 : array_like of shape (n_y,)
            In "reduced" only its length counts.

        Raises
        ------
        InputError
            For a start outside the sets, wrong shapes, or a method that needs what the problem lacks.
        OracleError
            If an oracle's answer at the start is non-finite or has the wrong shape.
        """
        self._check_requirements(problem)
        x = start_point(x0, "x0", problem.x_set)
        if self.formulation == "joint":
            y = start_point(y0, "y0", problem.y_set)
        else:
            y = vector(y0, "y0", finite=False).astype(x.dtype)
        if not x.size:
            raise InputError("x0 is empty: there is nothing to choose")
        wanted = getattr(problem.lower, "n_x", None)
        if wanted is not None and wanted != x.size:
            raise InputError(f"x0 has {x.size} entries, the lower level takes {wanted}")
        model = build_model(problem, self.formulation, x.size, y.size, (self.x_scale, self.y_scale), self.epsilon)
        self._check_widths(model)
        point = model.join(x, y)
        pool = Polyhedron(model.n, point.dtype, self.max_planes)
        for plane in model.linear_planes():
            pool.add(plane)
        state = State(point, x.size, y.size, pool, point.copy())
        state.memory |= self._made_with()
        state.runtime = {"model": model, "problem": problem, "solver": self}
        state.version = int(getattr(problem.lower, "version", 0))
        try:
            # a wrong gap shows at the door, not at the first check; on resume this tells another problem apart
            state.memory |= {"made_at": point.copy(), "answers": answers(model, point), "sets": model.digest()}
            self.method.start(model, state, self)
        except CutplaneError:
            raise
        except Exception as error:  # the user's own code
            raise OracleError(
                f"{type(error).__name__} at the start: {error}. x0 has {x.size} entries and y0 {y.size}: are "
                "these the lengths that your functions expect?"
            ) from error
        state.nfev, state.njev = model.nfev, model.njev
        return state

    def step(self, problem: BilevelProblem, state: State) -> State:
        """Advance `state` by one iteration, in place, and return it."""
        if state.status is not Status.RUNNING:
            return state
        model = self._model(problem, state)
        cleared = self._clear_if_changed(problem, model, state)
        phase, pool = state.phase, state.pool
        size, serial, merged = pool.size, pool.next_serial, pool.aggregated
        try:
            move = next_move(self.method, model, state, self)
            status = judged(self.method, model, state, self, move.status)
        finally:
            state.nfev, state.njev = model.nfev, model.njev
        state.nit += 1
        state.status = status if np.abs(state.point).max(initial=0.0) <= BEYOND else Status.STALLED
        added = pool.next_serial - serial
        state.history.append(
            Record(
                iteration=state.nit,
                phase=phase,
                fun=move.fun,
                lower_gap=move.lower_gap,
                violation=move.violation,
                planes=pool.size,
                added=added,
                dropped=size + added - pool.size,
                aggregated=pool.aggregated - merged,
                cleared=cleared,
                best=state.best_fun,
                bound=state.bound,
                step=move.step,
            )
        )
        if state.status is Status.RUNNING and state.nit >= self.max_iterations:
            state.status = Status.MAX_ITERATIONS
        return state

    def solve(
        self, problem: BilevelProblem, x0: Any = None, y0: Any = None, *,
        callback: Callback | Sequence[Callback] | None = None, state: State | None = None,
    ) -> Result:  # fmt: skip
        """Run to the end and return what came out.

        Parameters
        ----------
        problem : BilevelProblem
        x0, y0 : array_like
            The start; not used when `state` is given.
        callback : callable or sequence of callables, optional
            Called with each iteration's `Record`; returning True stops the run.
        state : State, optional
            Go on from here: a loaded state, or ``result.state`` with a larger `max_iterations`, a tighter
            `tolerance` or a mended oracle. It is advanced in place.
        """
        if callback is not None and not callable(callback) and not isinstance(callback, Sequence):
            raise InputError(f"callback must be a function of a Record, or a list of such, not {callback!r}")
        if state is not None and not isinstance(state, State):
            raise InputError(f"state must be a State, such as State.load(path) gives, not {state!r}")
        if state is None:
            if x0 is None or y0 is None:
                raise InputError("solve needs x0 and y0, or a state to go on from")
            state = self.init(problem, x0, y0)
        elif state.status not in (Status.EMPTY, Status.NOT_CONVEX):
            state.status = Status.RUNNING if state.nit < self.max_iterations else Status.MAX_ITERATIONS
        callbacks = [callback] if callable(callback) else list(callback or ())
        message = self._to_the_end(problem, state, callbacks)
        state.runtime.pop("end", None)
        try:
            return outcome(problem, self, self._model(problem, state), state, message)
        except KeyboardInterrupt:  # while certifying
            state.status = Status.INTERRUPTED
            return outcome(problem, self, self._model(problem, state), state, message, certify=False)

    def _to_the_end(self, problem: BilevelProblem, state: State, callbacks: Sequence[Callback]) -> str:
        """Iterate until something ends the run; what to say of it beyond its status."""
        end = np.inf if self.time_limit is None else time.monotonic() + self.time_limit
        try:
            while state.status is Status.RUNNING:
                if time.monotonic() > end:
                    state.status = Status.TIME_LIMIT
                    break
                state.runtime["end"] = end
                self.step(problem, state)
                if _stops(callbacks, state.history[-1]) and state.status is Status.RUNNING:
                    state.status = Status.CALLBACK
        except KeyboardInterrupt:
            state.status = Status.INTERRUPTED
        except OutOfTimeError:
            state.status = Status.TIME_LIMIT
        except Exception as error:
            state.status, message = _ending(error, state)
            return message
        return ""

    def _check_requirements(self, problem: BilevelProblem) -> None:
        if not isinstance(problem, BilevelProblem):
            kind = type(problem).__name__
            raise InputError(f"problem must be a BilevelProblem, not {kind}; then come x0 and y0")
        if self.method.convex_only and not problem.convex:
            raise InputError(
                f"method={self.method.name!r} needs a problem declared convex=True; for others use 'primal-dual' "
                "or 'linear'"
            )
        whole = bool(np.any(getattr(problem.x_set, "integer", False)))
        if whole and not getattr(self.method, "for_integers", False):
            raise InputError(
                f"x_set has whole numbers (integer=...), between which method={self.method.name!r} would move: "
                "use method='outer'"
            )
        if not whole and getattr(self.method, "for_integers", False):
            raise InputError(
                f"method={self.method.name!r} is for whole numbers, and x_set has none: give Box or Polytope "
                "integer=..., or take another method"
            )
        if self.cut is not None and problem.convex:
            raise InputError("cut=MuCut(...) is for weakly convex gaps; with convex=True leave it out")

    def _check_widths(self, model: Joint | Reduced) -> None:
        """Refuse a set that is hardly wider than the distance by which a point may miss a constraint."""
        width = model.upper - model.lower
        for name, part in (("x", width[: model.n_x]), ("y", width[model.n_x :])):
            widest = float(part.max(initial=0.0))
            if 0 < widest < 1e2 * self.feasibility:
                raise InputError(
                    f"{name}_set is {widest:.1e} wide (scaled variables), and feasibility={self.feasibility:.0e} "
                    f"would leave hardly any of it: set {name}_scale to that width, or feasibility far below it"
                )

    def _model(self, problem: BilevelProblem, state: State) -> Joint | Reduced:
        runtime = state.runtime
        if runtime.get("problem") is not problem or runtime.get("solver") is not self:
            self._check_requirements(problem)
            for name, value in self._made_with().items():
                made = state.memory.get(name)
                if made is None or not np.array_equal(made, value):
                    raise InputError(f"the state was made with {name} = {made}, the solver has {value}")
            scales = (self.x_scale, self.y_scale)
            model = build_model(problem, self.formulation, state.n_x, state.n_y, scales, self.epsilon)
            if runtime.get("problem") is not problem:
                check_same(problem, model, state)
            model.nfev, model.njev = state.nfev, state.njev
            state.runtime = {"model": model, "problem": problem, "solver": self}
            state.pool.cap = int(self.max_planes)
        found: Joint | Reduced = state.runtime["model"]
        return found

    def _made_with(self) -> dict[str, Array]:
        """Options that a state depends on: planes and memory mean something under these alone."""
        return {
            "method and formulation": np.array([self.method.name, self.formulation]),
            "x_scale, y_scale and epsilon": np.array([self.x_scale, self.y_scale, self.epsilon]),
        }

    def _clear_if_changed(self, problem: BilevelProblem, model: Joint | Reduced, state: State) -> int:
        """The fixed-anchor rule: planes are valid for one gap function only; the method starts anew."""
        version = int(getattr(problem.lower, "version", 0))
        if version == state.version:
            return 0
        state.version = version
        state.best_fun, state.best_gap, state.bound = np.inf, np.inf, -np.inf
        cleared, state.phase = state.pool.clear(), 1
        state.memory |= {"made_at": state.point.copy(), "answers": answers(model, state.point)}
        self.method.start(model, state, self)
        return cleared


def _stops(callbacks: Sequence[Callback], record: Record) -> bool:
    """Call all of them; whether one wants the run to stop."""
    try:
        return any([bool(call(record)) for call in callbacks])
    except Exception as error:
        raise OracleError(f"a callback raised {type(error).__name__}: {error}") from error


def _ending(error: Exception, state: State) -> tuple[Status, str]:
    """Status of a run that an error ended, and its message; errors that are the caller's are raised again."""
    where = f"(iteration {state.nit + 1})"
    if isinstance(error, EmptyPolyhedronError):
        return Status.EMPTY, f"{error}; planes in conflict: {_name_planes(state, error.planes)}"
    for kind, status in _ENDINGS.items():
        if isinstance(error, kind):
            return status, f"{error} {where}"
    if isinstance(error, CutplaneError):
        raise error
    # the user's own code: what was reached is worth more than a traceback
    return Status.ORACLE, f"{type(error).__name__} in iteration {state.nit + 1}: {error}"


def _name_planes(state: State, serials: tuple[int, ...]) -> str:
    kinds = {int(s): Kind(k).name.lower() for s, k in zip(state.pool.serials, state.pool.kinds, strict=True)}
    return ", ".join(f"{s} ({kinds.get(s, 'gone')})" for s in serials[:10]) or "unknown"
