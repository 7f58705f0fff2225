"""Solve a test problem with one method in one formulation, and hold the outcome against what is known."""

import time
from dataclasses import dataclass

from cutplane.history import Status
from cutplane.result import Result
from cutplane.solver import BilevelSolver
from cutplane.zoo.base import ZooProblem


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row of the table.

    Attributes
    ----------
    name, method, formulation : str
    known : float
        The known optimum, or the known local solution nearest to what was found.
    result : Result
    seconds : float
    ok : bool
        Ended by itself, F within 1e-4 relative of a known solution, and no certified bound above the optimum.
    """

    name: str
    method: str
    formulation: str
    known: float
    result: Result
    seconds: float
    ok: bool


def solve(entry: ZooProblem, method: str, formulation: str) -> Outcome:
    """Run one problem with the library's defaults and the problem's own `options`."""
    began = time.perf_counter()
    solver = BilevelSolver(method=method, formulation=formulation, **entry.options)
    result = solver.solve(entry.problem, entry.x0, entry.y0)
    seconds = time.perf_counter() - began
    valid = result.bound is None or result.bound <= entry.fun + 1e-6 * max(1.0, abs(entry.fun))
    # STALLED: the method cannot prove what it found; the known solution can
    ended = result.success or result.status is Status.STALLED
    ok = ended and entry.solved(result.fun) and valid
    return Outcome(entry.name, method, formulation, entry.known(result.fun), result, seconds, ok)
