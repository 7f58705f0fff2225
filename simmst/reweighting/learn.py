"""Learns sample weights with `cutplane.BilevelSolver`, step by step; can be stopped and resumed."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cutplane import BilevelSolver, InputError, Record, Result, State, Status
from simmst.errors import ConfigError, DataError, SimmstError
from simmst.reweighting.diagnostics import WeightDiagnostics, diagnose
from simmst.reweighting.fingerprint import check, fingerprint, keep
from simmst.reweighting.problems import Sim2Real
from simmst.reweighting.unrolled import UnrolledOracle
from simmst.training.interrupt import DeferredInterrupt


@dataclass(frozen=True, slots=True)
class Reweighting:
    """Learned weights s `[n]`, what they look like, and the solver's result they come from."""

    weights: NDArray[np.float64]
    diagnostics: WeightDiagnostics
    result: Result


def default_solver(task: Sim2Real, iterations: int = 60, method: str = "primal-dual") -> BilevelSolver:
    """Options that move the weights: the reduced formulation, and x scaled by the number of weights.

    The upper gradient in one of n weights carries 1/n. Without the scale the weights hardly move, while in
    the joint formulation φ fits the real windows directly and the accuracy looks fine.

    Parameters
    ----------
    task : Sim2Real
        Whose weights are counted.
    iterations : int
        Largest number of iterations.
    method : str
        How `BilevelSolver` moves: the paper's "primal-dual", or "linear", with which the main job learns.
    """
    return BilevelSolver(
        method=method, formulation="reduced", x_scale=float(len(task.x0)), max_iterations=iterations
    )


def reweight(
    task: Sim2Real,
    solver: BilevelSolver,
    *,
    world: NDArray[np.integer] | None = None,
    bad: NDArray[np.bool_] | None = None,
    restart_every: int | None = None,
    state_path: str | os.PathLike[str] | None = None,
    resume: bool = False,
    callback: Callable[[Record], None] | None = None,
) -> Reweighting:
    """Run the solver to its end and return the weights.

    Judge them by the loss of a model retrained from them, and by their diagnostics: in the joint formulation
    the upper value alone can fall with weights that never moved.

    Parameters
    ----------
    task : Sim2Real
        From `proxy_problem`, `last_layer_problem`, `network_problem` or `Sim2Real.of`.
    solver : BilevelSolver
        `default_solver(task)`, or options of your own.
    world : int array of shape (n,), optional
        World of each sample, for the diagnostics only.
    bad : bool array of shape (W,), optional
        Which worlds are known to be bad, for the diagnostics only.
    restart_every : int, optional
        The anchor's policy of a K-step lower level. By default it is fixed; else it moves every so many
        iterations to φ^K at the present weights, and the planes, which are of another function, are cleared.
        Not together with `state_path`.
    state_path : path-like, optional
        Where the solver's state is written, every ten iterations and on Ctrl-C. What the problem answers at its
        start is written beside it (``state.problem.npz``).
    resume : bool
        Continue from `state_path` if it exists. The task and the solver must be the same, but for the options
        that say when to stop.
    callback : callable, optional
        Called with each iteration's record.

    Raises
    ------
    SimmstError
        Where the solver fails: an oracle's answer that is not finite, or planes in conflict. Where the state is
        of another problem.
    """
    if resume and state_path is None:
        raise ConfigError("resume=True needs state_path")
    lower = task.problem.lower
    if restart_every is not None and not isinstance(lower, UnrolledOracle):
        raise ConfigError("restart_every is for K steps of a network: this lower level has no anchor")
    if restart_every is not None and state_path is not None:
        raise ConfigError("restart_every and state_path exclude each other: a state does not hold the anchor")
    path = None if state_path is None else Path(state_path)
    if resume and path is not None and path.is_file():
        state = _loaded(path, task)
        check(path, fingerprint(task, solver))
    else:
        state = solver.init(task.problem, task.x0, task.y0)
        if path is not None:
            answers = fingerprint(task, solver)
            path.unlink(missing_ok=True)  # an older state never stands beside this problem's answers
            keep(path, answers)
    with DeferredInterrupt() as interrupt:

        def watch(record: Record) -> bool:
            if callback is not None:
                callback(record)
            if isinstance(lower, UnrolledOracle) and restart_every and record.iteration % restart_every == 0:
                lower.restart(lower.solution(solver.x_scale * state.point[: state.n_x]))
            if path is not None and record.iteration % 10 == 0:
                state.save(path)
            return interrupt.pending

        result = solver.solve(task.problem, state=state, callback=watch)
        if interrupt.forced:  # perhaps in the middle of a step: the last file stays
            raise KeyboardInterrupt
        if path is not None:
            state.save(path)
        if interrupt.pending or result.status is Status.INTERRUPTED:
            raise KeyboardInterrupt
    if result.status in (Status.ORACLE, Status.EMPTY, Status.FAILED):
        raise SimmstError(f"re-weighting stopped: {result.message}")
    weights = task.weights.of(result.x)
    return Reweighting(weights, diagnose(weights, world, bad), result)


def _loaded(path: Path, task: Sim2Real) -> State:
    """Read a state and check that it fits the task in size."""
    try:
        state = State.load(path)
    except InputError as error:
        raise DataError(f"state {path} cannot be read: {error}") from error
    if (state.n_x, state.n_y) != (len(task.x0), len(task.y0)):
        raise ConfigError(
            f"state {path} has {state.n_x} weights and {state.n_y} parameters, the task {len(task.x0)} and "
            f"{len(task.y0)}: resume with the settings it was started with"
        )
    return state
