"""`solve_many`: the best of several runs, over starts and solvers, in processes or through any map."""

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cutplane._arrays import Array
from cutplane._processes import in_processes
from cutplane.choice import minimise
from cutplane.errors import CutplaneError, InputError
from cutplane.methods import Method
from cutplane.options import require_count
from cutplane.problem import BilevelProblem, start_point
from cutplane.result import Result
from cutplane.solver import BilevelSolver

Make = Callable[[], BilevelProblem]
_LOST = "its process was ended from outside (out of memory?)"


@dataclass(frozen=True)
class Run:
    """One of the runs.

    Attributes
    ----------
    index : int
        Its place in the order of the runs: all solvers from the first start, then all from the second.
    start : int
        Which start; 0 is (x0, y0).
    seed : tuple of int
        What `numpy.random.default_rng` made the start of; empty for (x0, y0) and for starts that were given.
    solver : str
        The method and the formulation, or "minimise".
    result : Result or None
        None where the run failed.
    error : str
        Why it failed.
    """

    index: int
    start: int
    seed: tuple[int, ...]
    solver: str
    result: Result | None
    error: str = ""


@dataclass(frozen=True)
class ManyResult:
    """What came out of `solve_many`.

    Attributes
    ----------
    best : Result
        The lowest F of the runs that ended in success; where none did, of those that found a feasible point; the
        first of equals.
    runs : tuple of Run
        All that were finished, in their order.
    index : int
        Place of the best one.
    message : str
        "best of k", how many came to the same value, how many failed, and what a bound says.
    """

    best: Result
    runs: tuple[Run, ...]
    index: int
    message: str


def solve_many(
    problem: BilevelProblem | Make, x0: Any, y0: Any, *, starts: int | Sequence[tuple[Any, Any]] = 8,
    seed: int = 0,
    solvers: Sequence[BilevelSolver | Method | str] | None = None, workers: int = 1,
    map: Callable[..., Iterable[Any]] | None = None, callback: Callable[[Run], Any] | None = None,
) -> ManyResult:  # fmt: skip
    """Solve a problem from several starts and by several solvers; the best of them, which is no global optimum.

    The answer does not depend on the number of workers: starts follow from the seed alone, and of equal values the
    first in order is taken. (Where processes use another number of threads for linear algebra, last digits may.)

    Parameters
    ----------
    problem : BilevelProblem or callable
        For processes a function of a module that makes the problem, or a problem that pickles.
    x0, y0 : array_like
        The first start.
    starts : int or sequence of (x0, y0)
        How many starts, (x0, y0) among them: the others are uniform in the bounds of x_set, and within
        10 (1 + max |x0|) of x0 where it has none, projected; y is the lower level's answer where it gives one,
        else y0. Or the other starts themselves.
    seed : int
        Of the starts.
    solvers : sequence of BilevelSolver, Method or str, optional
        Each runs from each start; a method or a name stands for a `BilevelSolver` of it in the formulation that
        `minimise` would take. Without it `minimise` chooses.
    workers : int
        Processes; 1 runs here.
    map : callable, optional
        In place of processes of its own, ``map(function, arguments)`` of any pool: of
        `concurrent.futures`, of `mpi4py.futures`, of Ray (``ray.util.multiprocessing.Pool().imap``).
    callback : callable, optional
        Called with each `Run` as it is finished; returning True stops all others.

    Raises
    ------
    InputError
        For an argument that cannot be, and for a problem that does not pickle where it has to.
    CutplaneError
        Where every run failed.

    Examples
    --------
    >>> import numpy as np
    >>> from cutplane import BilevelProblem, Box, SolutionMap, solve_many
    >>> problem = BilevelProblem(
    ...     upper=lambda x, y: (float(np.cos(3 * y[0]) + y[0] / 5), 0 * x, np.array([0.2 - 3 * np.sin(3 * y[0])])),
    ...     lower=SolutionMap(forward=lambda x: x, vjp=lambda x, v: v), x_set=Box(-3, 3))
    >>> many = solve_many(problem, [2.9], [0.0], starts=6)
    >>> bool(many.best.fun < many.runs[0].result.fun - 0.5)
    True
    """
    made = problem() if callable(problem) else problem
    if not isinstance(made, BilevelProblem):
        raise InputError(f"problem must be a BilevelProblem, or a function that makes one, not {made!r}")
    jobs = _jobs(made, x0, y0, starts, seed, _solvers(solvers))
    _require_workers(workers, map, callback)
    if map is not None or (workers > 1 and len(jobs) > 1):
        _require_pickle(problem)
    runs: dict[int, Run] = {}
    stopped = ""
    try:
        for run in _finished(problem, jobs, workers, map):
            runs[run.index] = run
            if callback is not None and callback(run) is True:
                stopped = "a callback stopped the others"
                break
    except KeyboardInterrupt:
        stopped = "interrupted"
        if not runs:
            raise
    return _best([runs[i] for i in sorted(runs)], len(jobs), stopped)


@dataclass(frozen=True)
class _Job:
    index: int
    start: int
    seed: tuple[int, ...]
    x0: Array
    y0: Array
    solver: BilevelSolver | Method | str | None


def _solvers(given: Any) -> list[BilevelSolver | Method | str | None]:
    if given is None:
        return [None]
    if isinstance(given, str) or not isinstance(given, Sequence) or not given:
        raise InputError(f"solvers must be a list of BilevelSolver, methods or their names, not {given!r}")
    for each in given:
        if not isinstance(each, BilevelSolver):
            BilevelSolver(each)  # refuses what is no method, by name
    return list(given)


def _require_workers(workers: Any, given: Any, callback: Any) -> None:
    require_count(_Count(workers), "workers")
    for name, value in (("map", given), ("callback", callback)):
        if value is not None and not callable(value):
            raise InputError(f"{name} must be callable, not {value!r}")
    if given is not None and workers != 1:
        raise InputError("workers are processes of solve_many's own: with map=... leave them out")


@dataclass(frozen=True)
class _Count:
    workers: Any


def _require_pickle(problem: Any) -> None:
    """See that other processes can have the problem; say what to do where they cannot."""
    try:
        pickle.dumps(problem)
    except Exception as error:
        raise InputError(
            f"problem cannot be sent to other processes ({str(error)[:200]}): give a function of a module that "
            "makes it, def make(): return BilevelProblem(...), as solve_many(make, x0, y0, workers=...); or leave "
            "workers out"
        ) from None


def _jobs(
    problem: BilevelProblem, x0: Any, y0: Any, starts: Any, seed: int, solvers: list[Any]
) -> list[_Job]:  # fmt: skip
    first = start_point(x0, "x0", problem.x_set)
    points: list[tuple[tuple[int, ...], Array, Array]] = [((), first, np.asarray(y0))]
    if isinstance(starts, int | np.integer) and not isinstance(starts, bool):
        if starts < 1:
            raise InputError(f"starts must be at least 1, or a list of (x0, y0), not {starts}")
        points += [_drawn(problem, first, np.asarray(y0), (int(seed), i)) for i in range(1, int(starts))]
    else:
        try:
            pairs = [(start_point(x, "x0", problem.x_set), np.asarray(y)) for x, y in starts]
        except TypeError:
            raise InputError(
                f"starts must be a whole number or a list of pairs (x0, y0), not {starts!r}"
            ) from None
        points += [((), x, y) for x, y in pairs]
    every = [(i, *point, solver) for i, point in enumerate(points) for solver in solvers]
    return [_Job(k, *job) for k, job in enumerate(every)]


def _drawn(
    problem: BilevelProblem, x0: Array, y0: Array, seed: tuple[int, int]
) -> tuple[tuple[int, ...], Array, Array]:
    """A start uniform in the bounds, projected, and what the lower level answers there."""
    rng = np.random.default_rng(seed)
    lower, upper = problem.x_set.bounds(x0.size)
    reach = 10.0 * (1.0 + float(np.abs(x0).max(initial=0.0)))
    lower, upper = (np.where(np.isfinite(b), b, x0 + side) for b, side in ((lower, -reach), (upper, reach)))
    x = problem.x_set.project(rng.uniform(lower, upper).astype(x0.dtype))
    solution = getattr(problem.lower, "solution", None)
    y = y0
    if callable(solution):
        try:
            y = problem.y_set.project(np.asarray(solution(x.copy())))
        except Exception:  # no answer here, in whatever words: the run says so, or does without
            y = y0
    return seed, x, y


def _solve(argument: tuple[Any, _Job]) -> Run:
    """One run, in whatever process; what the problem brings upon itself is part of the answer."""
    given, job = argument
    problem = given() if callable(given) else given
    name, result, error = "minimise", None, ""
    try:
        if job.solver is None:
            result = minimise(problem, job.x0, job.y0)
        else:
            whole = all(callable(getattr(problem.lower, part, None)) for part in ("solution", "vjp"))
            solver = job.solver
            if not isinstance(solver, BilevelSolver):
                solver = BilevelSolver(solver, formulation="reduced" if whole else "joint")
            name = f"{solver.method.name}, {solver.formulation}"
            result = solver.solve(problem, job.x0, job.y0)
        result.state.runtime = {}  # the problem itself does not go back
    except InputError:
        raise
    except CutplaneError as raised:
        error = str(raised)
    return Run(job.index, job.start, job.seed, name, result, error)


def _finished(problem: Any, jobs: list[_Job], workers: int, given: Any) -> Iterator[Run]:
    """Runs as they are finished."""
    arguments = [(problem, job) for job in jobs]
    if given is not None:
        yield from given(_solve, arguments)
    elif workers == 1 or len(jobs) == 1:
        yield from (_solve(argument) for argument in arguments)
    else:
        for argument, run in in_processes(_solve, arguments, workers):
            job = argument[1]
            yield run or Run(job.index, job.start, job.seed, "", None, _LOST)


def _best(runs: list[Run], asked: int, stopped: str) -> ManyResult:
    """The best of the runs that are there, and what may be said of it."""
    found = [run for run in runs if run.result is not None]
    if not found:
        lost = any(run.error == _LOST for run in runs)
        more = (
            "; a script that calls solve_many with workers stands below if __name__ == '__main__':, and the "
            "function that makes the problem in a module" if lost else ""
        )  # fmt: skip
        raise CutplaneError(f"all {len(runs)} runs failed; the first one: {runs[0].error}{more}")
    key = {run.index: _order(run) for run in found}
    best = min(found, key=lambda run: key[run.index])
    assert best.result is not None
    same = sum(_is_same(run, best) for run in found)
    words = [
        f"best of {len(runs)}" + (f" runs of {asked} ({stopped})" if stopped else ""),
        f"{same} came to its value",
    ]
    failed = len(runs) - sum(run.result.success for run in found if run.result is not None)
    if failed:
        words.append(f"{failed} ended without success")
    bound = best.result.bound
    words.append("no proof that nothing is lower" if bound is None else f"nothing is below {bound:.6g}")
    return ManyResult(best.result, tuple(runs), best.index, "; ".join(words) + f". {best.result.message}")


def _order(run: Run) -> tuple[bool, bool, float, int]:
    result = run.result
    assert result is not None
    known = bool(np.isfinite(result.fun)) and bool(np.isfinite(result.state.best_fun))
    return not result.success, not known, result.fun if known else np.inf, run.index


def _is_same(run: Run, best: Run) -> bool:
    assert run.result is not None and best.result is not None
    away = abs(run.result.fun - best.result.fun)
    return run.result.success == best.result.success and away <= 1e-5 * max(1.0, abs(best.result.fun))
