"""The one driver: init / step / solve, the two phases, when to cut and when to drop."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from cutplane._arrays import Array, vector
from cutplane.cuts import CutRule
from cutplane.errors import (
    CutplaneError,
    EmptyPolyhedronError,
    InputError,
    MasterError,
    OracleError,
    OutOfTimeError,
    ProjectionError,
)  # fmt: skip
from cutplane.methods import METHODS, OWN_OPTIONS
from cutplane.model import Joint, Reduced, build_model
from cutplane.outcome import BEYOND, outcome
from cutplane.polyhedron import Kind, Polyhedron
from cutplane.problem import BilevelProblem, start_point
from cutplane.rest import judged, next_move
from cutplane.result import Record, Result, Status
from cutplane.resume import answers, check_same
from cutplane.state import State

Callback = Callable[[Record], Any]


@dataclass(frozen=True)
class BilevelSolver:
    """Bi-level optimisation by cutting planes. A solver holds options only; a `State` holds the run.

    Parameters
    ----------
    method : {"primal-dual", "linear", "level", "proximal"}
        The paper's primal-dual steps followed by a penalty phase; linear masters in a trust region; the
        level or the proximal bundle method. The last two need ``convex=True``.
    formulation : {"joint", "reduced"}
        Cuts in (x, y) for the gap, or in x for F(x, y*(x)).
    epsilon : float
        The lower level counts as solved where its gap is at most this.
    tolerance : float
        Accuracy of the optimum F, relative to max(1, abs(F)); for "level" the certified gap. Multiply an
        objective whose values are far below 1.
    feasibility : float
        Distance (scaled variables) by which a point may miss a linearised constraint and still count as
        feasible.
    max_iterations : int
    time_limit : float, optional
        Seconds (of the wall clock) after which `solve` stops; each call has the whole of it.
    x_scale, y_scale : float
        Typical size of a change of x and of y: the methods work in x/x_scale, y/y_scale. Give x a larger
        scale where its gradient is small for trivial reasons, such as a weight's 1/n.
    cut : CutRule, optional
        Cut rule for a gap that is not convex, such as `MuCut`; the default is the gradient cut.
    cut_every : int
        Primal-dual: iterations between two looks at the pool. An option of one method given to another is refused.
    max_planes : int
        Hard cap of the pool.
    patience : int
        Checks in a row at which a plane must be inactive before it is dropped.
    max_age : int, optional
        Planes older than this many checks are dropped as soon as they are inactive.
    step_x, step_y, step_dual : float, optional
        Primal-dual step sizes η_x, η_y, η_λ (scaled variables); found from the problem where not given.
    regularisation : float
        c₁ of the Lagrangian; the penalty phase starts at ρ = 1/c₁.
    phase1_iterations : int
        Iterations T₁ of Phase 1 before the penalty phase; a plane found violated after that starts another
        round.
    penalty_growth : float
        Factor of ρ whenever the penalised objective is at rest.
    trust_radius : float
        First Δ of "linear" (scaled variables).

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

    method: str = "primal-dual"
    formulation: str = "joint"
    epsilon: float = 1e-10
    tolerance: float = 1e-6
    feasibility: float = 1e-8
    max_iterations: int = 20_000
    time_limit: float | None = None
    x_scale: float = 1.0
    y_scale: float = 1.0
    cut: CutRule | None = None
    cut_every: int = 10
    max_planes: int = 1000
    patience: int = 20
    max_age: int | None = None
    step_x: float | None = None
    step_y: float | None = None
    step_dual: float | None = None
    regularisation: float = 1e-3
    phase1_iterations: int = 500
    penalty_growth: float = 10.0
    trust_radius: float = 1.0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"method must be one of {', '.join(METHODS)}; not {self.method!r}")
        if self.formulation not in ("joint", "reduced"):
            raise InputError(f"formulation must be 'joint' or 'reduced', not {self.formulation!r}")
        for name in ("epsilon", "feasibility"):
            _require(self, name, lambda v: v >= 0, "must be ≥ 0")
        for name in ("tolerance", "x_scale", "y_scale", "regularisation", "trust_radius"):
            _require(self, name, lambda v: v > 0, "must be one number > 0")
        for name in ("step_x", "step_y", "step_dual"):
            if getattr(self, name) is not None:
                _require(self, name, lambda v: v > 0, "must be > 0")
        if self.cut is not None and not callable(self.cut):
            raise InputError(f"cut must be a cut rule such as MuCut(mu, radius), not {self.cut!r}")
        _require(self, "penalty_growth", lambda v: v > 1, "must be > 1")
        for name in ("max_iterations", "cut_every", "patience", "phase1_iterations"):
            _require(self, name, lambda v: v >= 1 and v == int(v), "must be a whole number ≥ 1")
        if self.max_age is not None:
            _require(self, "max_age", lambda v: v >= 1 and v == int(v), "must be a whole number ≥ 1")
        _require(self, "max_planes", lambda v: v >= 2 and v == int(v), "must be a whole number ≥ 2")
        if self.time_limit is not None:
            _require(self, "time_limit", lambda v: v > 0, "must be a number of seconds > 0")
        self._refuse_options_of_others()

    def _refuse_options_of_others(self) -> None:
        for field in fields(self):
            owners = [name for name, own in OWN_OPTIONS.items() if field.name in own]
            if owners and self.method not in owners and getattr(self, field.name) != field.default:
                raise InputError(
                    f"{field.name} is an option of method={owners[0]!r}; with method={self.method!r} leave it out"
                )

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
            METHODS[self.method].start(model, state, self)
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
            move = next_move(model, state, self)
            status = judged(model, state, self, move.status)
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
        message = ""
        end = np.inf if self.time_limit is None else time.monotonic() + self.time_limit
        try:
            while state.status is Status.RUNNING:
                if time.monotonic() > end:
                    state.status = Status.TIME_LIMIT
                    break
                state.runtime["end"] = end
                self.step(problem, state)
                record = state.history[-1]
                try:
                    stop = any([bool(call(record)) for call in callbacks])
                except Exception as error:
                    raise OracleError(f"a callback raised {type(error).__name__}: {error}") from error
                if stop and state.status is Status.RUNNING:
                    state.status = Status.CALLBACK
        except OracleError as error:
            state.status, message = Status.ORACLE, f"{error} (iteration {state.nit + 1})"
        except EmptyPolyhedronError as error:
            state.status = Status.EMPTY
            message = f"{error}; planes in conflict: {_name_planes(state, error.planes)}"
        except OutOfTimeError:
            state.status = Status.TIME_LIMIT
        except MasterError as error:
            state.status, message = Status.FAILED, f"{error} (iteration {state.nit + 1})"
        except ProjectionError as error:
            state.status, message = Status.STALLED, f"{error} (iteration {state.nit + 1})"
        except KeyboardInterrupt:
            state.status = Status.INTERRUPTED
        except CutplaneError:
            raise
        except Exception as error:  # the user's own code: what was reached is worth more than a traceback
            state.status = Status.ORACLE
            message = f"{type(error).__name__} in iteration {state.nit + 1}: {error}"
        try:
            state.runtime.pop("end", None)
            return outcome(problem, self, self._model(problem, state), state, message)
        except KeyboardInterrupt:  # while certifying
            state.status = Status.INTERRUPTED
            return outcome(problem, self, self._model(problem, state), state, message, certify=False)

    def _check_requirements(self, problem: BilevelProblem) -> None:
        if not isinstance(problem, BilevelProblem):
            kind = type(problem).__name__
            raise InputError(f"problem must be a BilevelProblem, not {kind}; then come x0 and y0")
        if METHODS[self.method].convex_only and not problem.convex:
            raise InputError(
                f"method={self.method!r} needs a problem declared convex=True; for others use 'primal-dual' "
                "or 'linear'"
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
            "method and formulation": np.array([self.method, self.formulation]),
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
        METHODS[self.method].start(model, state, self)
        return cleared


def _name_planes(state: State, serials: tuple[int, ...]) -> str:
    kinds = {int(s): Kind(k).name.lower() for s, k in zip(state.pool.serials, state.pool.kinds, strict=True)}
    return ", ".join(f"{s} ({kinds.get(s, 'gone')})" for s in serials[:10]) or "unknown"


def _require(options: BilevelSolver, name: str, test: Callable[[Any], bool], words: str) -> None:
    value = getattr(options, name)
    try:
        good = bool(np.isfinite(value)) and test(value)
    except (TypeError, ValueError):
        good = False
    if not good:
        raise InputError(f"{name} {words}, not {value!r}")
