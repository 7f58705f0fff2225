"""What the library says of a convex case, held against the reference."""

from __future__ import annotations

import numpy as np

from cutplane import Result

from .convex import Case, library_problem, make_case
from .judge import Report, solve
from .reference import Optimum, optimum
from .terms import Array

VALUE = 1e-4
"""A success whose F is farther from the optimum, relative to max(1, |F|), is wrong: 100 times the tolerance."""
BOUND = 1e-7
"""By how much a bound may exceed the optimum, relative to max(1, |F|), beside the reference's own accuracy."""
MISSED = 3e-8
"""Distance (the solver's scaled variables) by which a success may miss a constraint; it promises 1e-8."""
INACCURATE = 1e-6
"""References less accurate than this (unit scale) are not used."""


def run_convex(seed: int, limit: float = 4.0) -> Report:
    """Solve the case of a seed and judge the answer."""
    case = make_case(seed)
    report = Report("convex" if case.feasible else "convex, infeasible", seed, traits=case.traits())
    start = case.scale_x * case.start[0], case.scale_y * case.start[1]
    result = solve(report, case.solver, library_problem(case), *start, limit)
    if result is not None:
        judge(report, case, result)
    return report


def judge(report: Report, case: Case, result: Result) -> None:
    """Add to the report what is wrong with a result."""
    if not case.feasible:
        if result.success:
            report.fail("success on an infeasible problem", f"F {result.fun:.6g}")
        return
    if result.status.name in ("EMPTY", "NOT_CONVEX", "ORACLE"):
        report.fail(f"{result.status.name} on a feasible convex problem", result.message[:150])
    if result.bound is None and not result.success:
        return
    best = optimum(case, relaxed=False)
    if not best.accuracy <= INACCURATE:
        report.notes.append("reference not accurate")
        return
    if result.bound is not None:
        _judge_bound(report, case, result, best)
    if result.success:
        _judge_success(report, case, result, best)


def _judge_bound(report: Report, case: Case, result: Result, best: Optimum) -> None:
    joint = case.solver.formulation == "joint"
    reach = case.reach / np.linalg.svd(case.metric, compute_uv=False)[-1]
    if joint and reach > 1e-7:  # below that the relaxation's price is lost in the reference's accuracy
        relaxed = optimum(case, relaxed=True)
        if relaxed.accuracy <= INACCURATE and relaxed.value < best.value:
            best = relaxed
    if np.isfinite(result.bound_radius):
        away = np.abs(best.z - case.unit(result.x, result.y))
        away[: case.n_x] *= case.scale_x / case.solver.x_scale
        away[case.n_x :] *= case.scale_y / case.solver.y_scale
        if np.max(away if joint else away[: case.n_x]) > result.bound_radius:
            report.notes.append("optimum outside the bound's radius")
            return
    truth = case.scale_f * best.value
    slack = BOUND * max(1.0, abs(truth)) + 2 * case.scale_f * best.accuracy
    assert result.bound is not None
    if result.bound > truth + slack:
        report.fail("false bound", f"bound {result.bound:.10g}, optimum {truth:.10g}, slack {slack:.1e}")


def _judge_success(report: Report, case: Case, result: Result, best: Optimum) -> None:
    z = case.unit(result.x, result.y)
    fun = case.scale_f * case.fun.value(z)
    truth, scale = case.scale_f * best.value, max(1.0, abs(result.fun))
    accuracy = 2 * case.scale_f * best.accuracy
    if abs(fun - result.fun) > 1e-9 * scale + 1e-12 * case.scale_f:
        report.fail("value", f"F at the point is {fun:.10g}, result.fun {result.fun:.10g}")
    words = missed_by(case, result, z)
    if words:
        report.fail("success at an infeasible point", words)
    excess = (result.fun - truth - accuracy) / scale
    if excess > VALUE:
        report.fail("success off the optimum", f"F {result.fun:.10g}, optimum {truth:.10g}, {result.status.name}")
    elif excess > 1e-5:
        report.notes.append("success off by more than 1e-5")
    # what a point may win by missing constraints, from the multipliers: exact for convex problems
    off = z[case.n_x :] - case.answer(z[: case.n_x])
    coupled = [float(c.term.values(z[None])[0]) - c.right for c in case.curved]
    missed = np.maximum(np.concatenate([np.array(coupled), case.rows @ z - case.right]), 0.0)
    price = float(np.abs(best.pull) @ np.abs(off)) + float(best.prices @ missed)
    if result.fun < truth - case.scale_f * price - accuracy - 1e-5 * scale:
        report.fail("success below the optimum", f"F {result.fun:.10g}, optimum {truth:.10g}")
    elif result.fun < truth - accuracy - VALUE * scale:
        report.notes.append("success below the optimum by the price of epsilon")
    if result.gap is None:
        report.notes.append("success without a bound")
    elif result.status.name == "OPTIMAL" and result.gap > 2.1 * case.solver.tolerance * scale:
        report.fail("OPTIMAL with a wide gap", f"gap {result.gap:.3g}")
    elif result.gap > 1e-3 * scale:
        report.notes.append("success with a gap above 1e-3")


def missed_by(case: Case, result: Result, z: Array) -> str:
    """What the point violates, in words; distances in the solver's scaled variables.

    In the reduced form these are x alone: a constraint that y misses is as far away as the x that mends it.
    """
    n_x, solver = case.n_x, case.solver
    factor = np.concatenate(
        [np.full(n_x, case.scale_x / solver.x_scale), np.full(z.size - n_x, case.scale_y / solver.y_scale)]
    )
    u, v = z[:n_x], z[n_x:]

    def slope(gradient: Array) -> float:
        in_both = float(np.linalg.norm(gradient / factor))
        if solver.formulation == "joint":
            return in_both
        total = gradient[:n_x] + case.reaction.T @ gradient[n_x:]
        return max(in_both, float(np.linalg.norm(total / factor[:n_x])))

    allowed = MISSED * (1 + float(np.abs(z * factor).max()))
    found = {"x_set": case.place_x.violation(u) * factor[0], "y_set": case.place_y.violation(v) * factor[-1]}
    outside = v - case.place_y.library(1.0).project(v)
    length = float(np.linalg.norm(outside))
    if solver.formulation == "reduced" and length > 0:
        found["y_set"] = case.place_y.violation(v) / slope(np.concatenate([np.zeros(n_x), outside / length]))
    for i, c in enumerate(case.curved):
        value = float(c.term.values(z[None])[0]) - c.right
        found[f"constraint {i}"] = value / max(slope(c.term.gradient(z)), 1e-300)
    for i, (row, right) in enumerate(zip(case.rows, case.right, strict=True)):
        found[f"row {i}"] = float(row @ z - right) / slope(row)
    off = case.metric @ (v - case.answer(u))
    length = float(np.linalg.norm(off))
    if length > case.reach:
        direction = np.concatenate([-case.reaction.T, np.eye(v.size)]) @ (case.metric.T @ off / length) / factor
        # the planes of a squared gap promise half the distance each
        half = 1.0 if case.follower == "plain" else 2.0
        found["gap"] = (length - case.reach) / float(np.linalg.norm(direction)) / half
    return ", ".join(f"{name} by {value:.2e}" for name, value in found.items() if value > allowed)
