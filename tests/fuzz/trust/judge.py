"""One case: a solve under a clock, and what was found wrong with its answer."""

from __future__ import annotations

import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cutplane import BilevelProblem, BilevelSolver, OracleError, Result


@dataclass
class Report:
    """What one case came to.

    Attributes
    ----------
    kind, seed : str and int
        Make the case again: ``run_case(kind, seed)``.
    method, formulation, traits : str
    status : str
        The library's word; TIMEOUT, an exception's name, or SKIPPED where the reference is not accurate.
    failures : list of (str, str)
        Name of the failure, and figures.
    notes : list of str
        What is counted and is no failure.
    """

    kind: str
    seed: int
    method: str = ""
    formulation: str = ""
    traits: str = ""
    status: str = ""
    success: bool = False
    seconds: float = 0.0
    failures: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def fail(self, name: str, words: str = "") -> None:
        """Record a failure."""
        self.failures.append((name, words))


class CaseTimeout(BaseException):
    """The clock of a case ran out; no handler of the library's catches it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `CaseTimeout` in the block after so many seconds of processor time (main thread, POSIX)."""

    def ring(signum: int, frame: Any) -> None:
        while frame is not None:
            if "llvmlite" in frame.f_code.co_filename:
                return  # its callbacks swallow what is raised in them: the next ring will do
            frame = frame.f_back
        raise CaseTimeout

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds, 0.1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


def solve(
    report: Report, solver: BilevelSolver, problem: BilevelProblem, x0: np.ndarray, y0: np.ndarray, limit: float,
    several: bool = False,
) -> Result | None:  # fmt: skip
    """Run the solver and fill the report's status; None where there is no result.

    An `OracleError` is a failure, unless the follower has `several` answers: the reduced form has to refuse those.
    """
    report.method, report.formulation = solver.method.name, solver.formulation
    begun = time.process_time()
    result = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with time_limit(limit):
                result = solver.solve(problem, x0, y0)
            report.status, report.success = result.status.name, result.success
        except CaseTimeout:
            report.status = "TIMEOUT"
            report.notes.append(f"longer than {limit:g} s")
        except Exception as error:
            report.status = type(error).__name__
            if several and solver.formulation == "reduced" and isinstance(error, OracleError):
                report.notes.append("several answers refused")
            else:
                report.fail("exception", f"{type(error).__name__}: {error}")
    report.seconds = time.process_time() - begun
    for warning in caught:
        if "cutplane" in warning.filename:
            report.fail("warning", f"{warning.message} ({warning.filename}:{warning.lineno})")
            break
    if result is not None:
        if result.success and not np.isfinite(result.fun):
            report.fail("value", f"success with F = {result.fun}")
        if result.success and result.bound is not None and result.bound > result.fun:
            report.fail("value", f"bound {result.bound} above F {result.fun}")
    return result
