"""Exactly k of 250 groups of samples, half of which have all labels moved: whole weights 0 and 1, with the gap.

    python benchmarks/exactly_k.py                         # scikit-learn's digits, k = 125, half a minute
    python benchmarks/exactly_k.py --data optdigits --k 100

The lower level is trained by one long gradient step from zero, which is linear in the weights, so that the upper
objective is convex in them and its bound certified; and exactly, where it is not convex and no bound is to be had.
Beside each stand the best k groups of the relaxation, rounded, and the groups whose labels are right.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from bilevel.oracle import Oracle, Trace
from bilevel.tasks import cleaning
from side_by_side import machine, print_machine, write

from cutplane import BilevelProblem, BilevelSolver, Polytope, SolutionMap

STRIDE = 30.0
"""Length of the one step, in units of 1/L: a shorter one hardly moves the coefficients."""


def run(
    data: str, groups: int, k: int, steps: int | None, tolerance: float, seconds: float
) -> list[dict[str, object]]:
    """Rows of one lower level: outer approximation, the relaxation and its rounding, the right groups."""
    task = cleaning("exactly k", data=data, groups=groups, steps=steps)
    trace = Trace(10**9, np.inf, strict=False)
    oracle = Oracle(task, trace)
    if steps is not None:
        oracle.level.length *= STRIDE
    start = np.zeros(groups)
    start[:k] = 1.0
    rows: list[dict[str, object]] = []
    held = np.zeros(groups)

    def solve(name: str, integer: bool, method: str) -> np.ndarray:
        x_set = Polytope(A_eq=np.ones((1, groups)), b_eq=[k], lower=0, upper=1, integer=integer)
        lower = SolutionMap(oracle.forward, oracle.vjp)
        problem = BilevelProblem(oracle.upper, lower, x_set, convex=steps is not None)
        trace.start()
        begun = time.perf_counter()
        solver = BilevelSolver(
            method, formulation="reduced", tolerance=tolerance, time_limit=seconds, max_planes=5000
        )
        found = solver.solve(problem, start if integer else np.full(groups, k / groups), oracle.forward(start))
        rows.append(
            {
                "row": name, "upper": found.fun, "bound": found.bound, "gap": found.gap,
                "calls": len(trace.points),
                "iterations": found.nit, "seconds": time.perf_counter() - begun, "status": found.status.name,
                "right": float(found.x @ task.good) / k, "message": found.message,
            }
        )  # fmt: skip
        return found.x

    solve("outer", True, "outer")
    held = solve("relaxation", False, "level" if steps is not None else "primal-dual")
    rounded = np.zeros(groups)
    rounded[np.argsort(-held, kind="stable")[:k]] = 1.0
    truth = np.zeros(groups)
    truth[np.flatnonzero(task.good)[:k]] = 1.0
    for name, x in (("relaxation, rounded", rounded), ("first k right groups", truth)):
        value = oracle.hypergradient(x)[0]
        rows.append({"row": name, "upper": value, "right": float(x @ task.good) / k})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=("digits", "optdigits"), default="digits", help="which samples")
    parser.add_argument("--groups", type=int, default=250, help="how many groups of samples")
    parser.add_argument("--k", type=int, default=125, help="how many of them to choose")
    parser.add_argument("--tolerance", type=float, default=1e-4, help="relative gap to stop at")
    parser.add_argument("--seconds", type=float, default=60.0, help="time limit of a row")
    parser.add_argument("--out", type=Path, help="folder for exactly_k.json")
    options = parser.parse_args()
    facts = machine("scipy", "highspy", "cutplane")
    print_machine(facts)
    results = {}
    for name, steps in (("one step (convex)", 1), ("exact (not convex)", None)):
        rows = run(options.data, options.groups, options.k, steps, options.tolerance, options.seconds)
        results[name] = rows
        print(f"{name}: exactly {options.k} of {options.groups} groups of {options.data}")
        print(f"{'row':<22}{'upper':>10}{'bound':>10}{'gap':>9}{'right':>7}{'calls':>7}{'it.':>6}{'s':>8}  status")
        for r in rows:
            bound, gap = (f"{r[key]:.6f}" if r.get(key) is not None else "–" for key in ("bound", "gap"))
            more = (
                f"{r['calls']:>7}{r['iterations']:>6}{r['seconds']:>8.1f}  {r['status']}" if "calls" in r else ""
            )
            print(f"{r['row']:<22}{r['upper']:>10.6f}{bound:>10}{gap:>9}{r['right']:>7.0%}{more}", flush=True)
            if r.get("message"):
                print(f"{'':<22}{r['message']}")
        print()
    write(options.out, "exactly_k", facts, results)


if __name__ == "__main__":
    main()
