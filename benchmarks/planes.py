"""One primal-dual iteration on the planes against the two BLAS products that it replaces.

    OPENBLAS_NUM_THREADS=1 python benchmarks/planes.py            # the whole grid, a few minutes
    OPENBLAS_NUM_THREADS=1 python benchmarks/planes.py --short

Combine Aᵀλ, step and project, then A z: the sweep reads the planes once, BLAS twice. "of read" is the share of
the speed at which numpy sums the same planes, counting the planes and the six vectors that the step reads or
writes. Then: what adding and dropping a plane costs in units of copying one plane, whole iterations of the solver
in units of the sweep, and the start-up of the library with a warm cache.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from picture import COLOURS, MARKERS, MUTED, draw
from side_by_side import machine, print_machine, take_turns, write

from cutplane import BilevelProblem, BilevelSolver, Box, Polyhedron, SolutionMap
from cutplane import _kernels as kernels
from cutplane.core.pool import Kind, Plane

VECTORS = 6


def sweep(planes: int, n: int, dtype: Any, rounds: int) -> dict[str, Any]:
    """One row of the grid."""
    rng = np.random.default_rng(0)
    A = np.empty((planes, n), dtype=dtype)
    for row in A:
        row[:] = rng.standard_normal(n)
    weights, gradient = rng.random(planes).astype(dtype), rng.standard_normal(n).astype(dtype)
    steps, low, up = (np.full(n, value, dtype) for value in (1e-3, -1.0, 1.0))
    point, activity, pull = np.zeros(n, dtype), np.zeros(planes), np.empty(n, dtype)

    def blas() -> None:
        np.dot(weights, A, out=pull)
        np.add(pull, gradient, out=pull)
        np.multiply(pull, steps, out=pull)
        np.subtract(point, pull, out=pull)
        np.clip(pull, low, up, out=pull)
        A.dot(pull)

    runs = {
        "sweep": lambda: kernels.primal_dual_sweep(A, weights, gradient, steps, low, up, point, activity),
        "blas": blas,
        "read": lambda: A.sum(),
    }
    seconds = take_turns(runs, rounds)
    moved = A.nbytes + VECTORS * gradient.nbytes
    return {
        "planes": planes, "n": n, "dtype": np.dtype(dtype).name, "seconds": seconds,
        "ratio": seconds["blas"] / seconds["sweep"],
        "of_read": (moved / seconds["sweep"]) / (A.nbytes / max(seconds["read"], 1e-9)),
    }  # fmt: skip


def bookkeeping(n: int, planes: int, rounds: int) -> dict[str, float]:
    """Adding one plane to a pool and dropping one, in units of copying one plane."""
    rng = np.random.default_rng(0)
    fresh = rng.standard_normal((rounds + 1, n))
    pool, source = Polyhedron(n), iter(fresh)
    for _ in range(planes):
        pool.add(Plane(Kind.GAP, rng.standard_normal(n), -1.0))

    def copy() -> None:
        fresh[0].copy()

    def add() -> None:
        pool.add(Plane(Kind.GAP, next(source), -1.0))

    def drop() -> None:
        pool.drop(np.array([0]))

    seconds = take_turns({"copy": copy, "add": add, "drop": drop}, rounds)
    return {name: seconds[name] / max(seconds["copy"], 1e-9) for name in ("add", "drop")}


def iterations(n: int) -> dict[str, float]:
    """Processor seconds of an iteration of the solver, and of the sweep alone with as many planes."""
    target = np.random.default_rng(0).standard_normal(n // 2)
    problem = BilevelProblem(
        lambda x, y: (0.5 * float((y - target) @ (y - target)), np.zeros_like(x), y - target),
        SolutionMap(lambda x: x, lambda x, v: v), Box(-1, 1),
    )  # fmt: skip
    solver = BilevelSolver(cut_every=5)
    state = solver.init(problem, np.zeros(n // 2), np.zeros(n // 2))
    seconds = []
    for _ in range(40):
        begun = time.process_time()
        solver.step(problem, state)
        seconds.append(time.process_time() - begun)
    alone = sweep(state.pool.size, n, np.float64, 5)["seconds"]["sweep"]
    return {"n": n, "planes": state.pool.size, "iteration": statistics.mean(seconds[20:]), "sweep": alone}


START = """
import time
begun = time.process_time()
import cutplane
imported = time.process_time()
from cutplane import BilevelProblem, BilevelSolver, Box, SolutionMap
import numpy as np
lower = SolutionMap(lambda x: x, lambda x, v: v)
problem = BilevelProblem(lambda x, y: (float(y @ y), 0 * x, 2 * y), lower, Box(-1, 1))
BilevelSolver(max_iterations=30).solve(problem, np.zeros(3), np.ones(3))
print(imported - begun, time.process_time() - imported)
"""


def start_up() -> tuple[float, float]:
    """Processor seconds of the import and of a first short solve, in a fresh process with a warm cache."""
    answers = [subprocess.run([sys.executable, "-c", START], check=True, capture_output=True, text=True).stdout
               for _ in range(4)]  # fmt: skip
    imports, solves = zip(*(map(float, answer.split()) for answer in answers[1:]), strict=True)
    return min(imports), min(solves)


def paint(figure: Any, rows: list[dict[str, Any]]) -> None:
    """Ratio and share of the read bandwidth against n, a line a number of planes."""
    axes = figure.subplots(2, 2, sharex=True, sharey="row")
    kinds = list(dict.fromkeys(row["dtype"] for row in rows))
    for column, dtype in zip(axes.T, kinds, strict=False):
        for planes, colour, marker in zip((8, 32, 64), COLOURS, MARKERS, strict=False):
            mine = [row for row in rows if (row["dtype"], row["planes"]) == (dtype, planes)]
            for axis, share in zip(column, ("ratio", "of_read"), strict=True):
                values = [row[share] for row in mine]
                axis.plot(
                    [row["n"] for row in mine], values, marker=marker, color=colour, label=f"{planes} planes"
                )
        for axis, floor in zip(column, ("as fast as BLAS", "as fast as a plain read"), strict=True):
            axis.axhline(1.0, color=MUTED, ls=":", lw=1.0)
            axis.annotate(floor, (0.99, 1.0), xycoords=axis.get_yaxis_transform(), ha="right", va="bottom",
                          color=MUTED, fontsize=8)  # fmt: skip
        column[0].set(title=dtype, xscale="log")
        column[1].set(xlabel="variables n")
    axes[0, 0].set(ylabel="times as fast as two BLAS products", ylim=(0, None))
    axes[1, 0].set(ylabel="share of the read bandwidth", ylim=(0, None))
    axes[1, 0].yaxis.set_major_formatter("{x:.0%}")
    axes[1, 0].legend(loc="lower left")


def main() -> None:
    """Run the grid and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="three cells, few rounds")
    parser.add_argument("--out", type=Path, help="folder for planes.json and planes.png")
    options = parser.parse_args()
    facts = machine("numba", "scipy")
    print_machine(facts)
    cells = [(L, n) for n in (10**4, 10**5, 10**6, 10**7) for L in (8, 32, 64) if L * n <= 32 * 10**7]
    if options.short:
        cells = [(8, 10**4), (32, 10**5), (32, 10**6)]
    print(f"{'planes':>7}{'n':>10}  {'dtype':<9}{'sweep/ms':>10}{'BLAS/ms':>10}{'ratio':>8}{'of read':>9}")
    rows = []
    for dtype in (np.float64, np.float32):
        for planes, n in cells:
            row = sweep(planes, n, dtype, 5 if options.short or n >= 10**7 else 15)
            rows.append(row)
            s = row["seconds"]
            print(f"{planes:>7}{n:>10}  {row['dtype']:<9}{1e3 * s['sweep']:>10.2f}{1e3 * s['blas']:>10.2f}"
                  f"{row['ratio']:>8.2f}{row['of_read']:>9.0%}", flush=True)  # fmt: skip
    pool = {planes: bookkeeping(10**5 if options.short else 10**6, planes, 15) for planes in (8, 64)}
    print("\ncost in copies of one plane, of a pool of")
    for planes, cost in pool.items():
        print(f"{planes:>7}: add {cost['add']:.1f}, drop {cost['drop']:.1f}")
    whole = iterations(10**5 if options.short else 10**6)
    print(f"an iteration at n = {whole['n']} with {whole['planes']} planes: {1e3 * whole['iteration']:.1f} ms, "
          f"{whole['iteration'] / whole['sweep']:.1f} sweeps, its oracle and the pool included")  # fmt: skip
    began = start_up()
    print(f"with a warm cache, processor seconds: import {began[0]:.2f} s, first solve {began[1]:.2f} s")
    draw(options.out, "planes", (8, 5.6), lambda figure: paint(figure, rows))
    write(options.out, "planes", facts, {"sweep": rows, "pool": pool, "iteration": whole, "start": began})


if __name__ == "__main__":
    main()
