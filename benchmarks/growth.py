"""Growth: processor time and memory of a whole solve against the number of variables n and the number of planes L.

    python benchmarks/growth.py --out results
    python benchmarks/growth.py --short

The function is the largest of 20 affine pieces + 0.05‖x‖²/n on a box, its optimum in the span of 20 vectors
whatever n is; `primal-dual` has it in the joint form, above the lower level y*(x) = x. Each solve is a process of
its own, ends after 10 iterations (120 against L, at n = 3000, so that the pool is full most of the time), and the
oracle's own seconds are taken off. Exponents are slopes of the logarithms, over n ≥ 1e4: below, the Python around
the arrays is what is seen.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from picture import COLOURS, MARKERS, draw
from side_by_side import machine, print_machine, write

METHODS = ("linear", "level", "proximal", "primal-dual")
PIECES, AGAINST_L = 20, 3_000
Row = dict[str, Any]


def solve(method: str, n: int, planes: int, iterations: int) -> Row:
    """Solve once in this process; seconds outside of the oracle, and MiB above what the data took."""
    from cutplane import BilevelProblem, BilevelSolver, Box, SolutionMap

    rng = np.random.default_rng(n)
    slopes = rng.standard_normal((PIECES, n)) / np.sqrt(n)
    offsets = rng.standard_normal(PIECES)
    asked = 0.0

    def f(v: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal asked
        begun = time.process_time()
        values = slopes @ v + offsets
        k = int(np.argmax(values))
        answer = float(values[k] + 0.05 * v @ v / n), slopes[k] + 0.1 / n * v
        asked += time.process_time() - begun
        return answer

    def reduced(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        value, gradient = f(x)
        return value, gradient, np.zeros(1)

    def joint(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        value, gradient = f(y)
        return value, np.zeros_like(x), gradient

    start, box = np.full(n, 0.9), Box(-1.0, 1.0)
    if method == "primal-dual":
        same = SolutionMap(lambda x: x, lambda x, v: v, norm="plain")
        problem, y = BilevelProblem(joint, same, box), start.copy()
        options: Row = {"formulation": "joint", "cut_every": 2, "epsilon": 1e-6}
    else:
        nothing = SolutionMap(lambda x: np.zeros(1), lambda x, v: np.zeros_like(x))
        problem, y = BilevelProblem(reduced, nothing, box, convex=True), np.zeros(1)
        options = {"formulation": "reduced"}
    solver = BilevelSolver(method=method, max_iterations=iterations, max_planes=planes, tolerance=1e-9, **options)
    solver.step(problem, solver.init(problem, start, y))  # compiled code is in memory, and the data too
    before, asked, begun = _peak(), 0.0, time.process_time()
    state = solver.init(problem, start, y)
    largest = 0
    while state.status.name == "RUNNING":
        solver.step(problem, state)
        largest = max(largest, state.pool.size)
    seconds = time.process_time() - begun
    return {
        "method": method, "n": n, "L": planes, "held": largest, "iterations": state.nit,
        "seconds": seconds - asked, "oracle": asked, "mib": (_peak() - before) / 1024,
        "best": float(min(state.best_fun, 1e300)),
    }  # fmt: skip


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def child(method: str, n: int, planes: int, iterations: int) -> Row:
    """Solve in a process of its own."""
    here = Path(__file__)
    path = os.pathsep.join([str(here.parents[1]), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": path}
    call = [sys.executable, str(here), "--child", method, *map(str, (n, planes, iterations))]
    done = subprocess.run(call, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{method}, n = {n}, L = {planes}: {done.stderr.strip().splitlines()[-1:]}")
    row: Row = json.loads(done.stdout.splitlines()[-1])
    return row


def exponent(x: list[float], y: list[float], least: float) -> float:
    """Slope of log y over log x where x is at least so large; NaN where fewer than two points are."""
    pairs = [(np.log(a), np.log(b)) for a, b in zip(x, y, strict=True) if a >= least and b > 0]
    return float(np.polyfit(*np.array(pairs).T, 1)[0]) if len(pairs) > 1 else float("nan")


def paint(figure: Any, rows: list[Row], slopes: dict[str, list[float]]) -> None:
    """Time and memory against n and against L, with the exponents."""
    panels = (("n", "seconds"), ("n", "mib"), ("L", "seconds"), ("L", "mib"))
    for place, (axis, (x, y)) in enumerate(zip(figure.subplots(2, 2).flat, panels, strict=True)):
        for method, colour, marker in zip(METHODS, COLOURS, MARKERS, strict=False):
            mine = [r for r in rows if r["method"] == method and r["against"] == x and r[y] > 0]
            label = f"{method}: {slopes[method][place]:.2f}" if place < 3 else method
            each = [r[y] / (r["iterations"] if y == "seconds" else 1) for r in mine]
            axis.plot([r[x] for r in mine], each, marker=marker, color=colour, label=label)
        what = "processor seconds an iteration" if y == "seconds" else "MiB above the data"
        named = "variables n" if x == "n" else f"most planes L, at n = {AGAINST_L}"
        axis.set(xscale="log", yscale="log", xlabel=named, ylabel=what)
        if x == "L":
            sizes = sorted({r["L"] for r in rows if r["against"] == "L"})
            axis.set_xticks(sizes, map(str, sizes))
            axis.minorticks_off()
        axis.legend(title="exponent" if place < 3 else None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="n up to 1e5, L up to 32")
    parser.add_argument("--out", type=Path, help="folder for growth.json and growth.png")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(solve(options.child[0], *map(int, options.child[1:]))))
        return
    facts = machine("scipy", "highspy", "numba")
    print_machine(facts)
    sizes = (1_000, 10_000, 100_000) if options.short else (100, 1_000, 10_000, 100_000, 1_000_000)
    planes = (8, 32) if options.short else (5, 10, 20, 40, 80)
    print(f"{'method':<13}{'n':>9}{'L':>5}{'held':>6}{'iterations':>12}{'seconds':>9}{'oracle':>8}{'MiB':>8}")
    rows: list[Row] = []
    runs = [("n", m, n, 64, 10) for n in sizes for m in METHODS]
    runs += [("L", m, AGAINST_L, k, 120) for k in planes for m in METHODS]
    for against, method, n, k, iterations in runs:
        row = child(method, n, k, iterations) | {"against": against}
        rows.append(row)
        print(
            f"{method:<13}{n:>9}{k:>5}{row['held']:>6}{row['iterations']:>12}{row['seconds']:>9.3f}"
            f"{row['oracle']:>8.3f}{row['mib']:>8.1f}", flush=True,
        )  # fmt: skip
    print(f"\n{'exponents':<13}{'time in n':>10}{'memory in n':>13}{'time in L':>11}")
    slopes = {}
    for method in METHODS:
        by = {a: [r for r in rows if r["method"] == method and r["against"] == a] for a in ("n", "L")}
        n, k = [r["n"] for r in by["n"]], [r["L"] for r in by["L"]]
        slopes[method] = [
            exponent(n, [r["seconds"] / r["iterations"] for r in by["n"]], 1e4),
            exponent(n, [r["mib"] for r in by["n"]], 1e4),
            exponent(k, [r["seconds"] / r["iterations"] for r in by["L"]], 1),
        ]
        print(f"{method:<13}" + "".join(f"{s:>{w}.2f}" for s, w in zip(slopes[method], (10, 13, 11), strict=True)))
    write(options.out, "growth", facts, {"rows": rows, "exponents": slopes})
    draw(options.out, "growth", (9, 6.4), lambda figure: paint(figure, rows, slopes))


if __name__ == "__main__":
    main()
