"""Problems not declared convex, some with wrong gradients: is every success feasible and stationary?"""

from __future__ import annotations

import numpy as np

from cutplane import Result

from .descent import way_down
from .judge import Report, solve
from .small import Small, library_problem, make_small, missed_by


def run_undeclared(seed: int, limit: float = 4.0) -> Report:
    """Solve the case of a seed and judge the answer."""
    case = make_small(seed, False, ("primal-dual", "linear"), stream=3, largest=4)
    report = Report("undeclared, wrong gradient" if case.wrong else "undeclared", seed, traits=case.traits())
    start = case.scale_x * case.start[0], case.scale_y * case.start[1]
    result = solve(report, case.solver, library_problem(case), *start, limit, case.follower.ties > 0)
    if result is not None:
        judge(report, case, result)
    return report


def judge(report: Report, case: Small, result: Result) -> None:
    """Add to the report what is wrong with a result."""
    if result.bound is not None or result.gap is not None:
        report.fail("a bound without a declaration", f"{result.bound}")
    if not result.success:
        return
    u, v = case.unit(result.x, result.y)
    fun = case.scale_f * case.fun.value(np.concatenate([u, v]))
    if abs(fun - result.fun) > 1e-9 * max(1.0, abs(fun)):
        report.fail("value", f"F at the point is {fun:.10g}, result.fun {result.fun:.10g}")
    words = missed_by(case, u, v)
    if words:
        report.fail("success at an infeasible point", words)
    words = way_down(case, u, v)
    if words:
        report.fail("success at a point that is not stationary", words)
