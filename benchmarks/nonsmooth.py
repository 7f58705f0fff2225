"""Cutting planes alone: convex nonsmooth functions on boxes, no lower level to speak of.

    OPENBLAS_NUM_THREADS=1 python benchmarks/nonsmooth.py            # d up to 200, some minutes
    OPENBLAS_NUM_THREADS=1 python benchmarks/nonsmooth.py --short

Functions: the largest of 40 affine pieces + 0.05‖x‖² on [−1, 1]^d; MAXQUAD (Lemaréchal), Shor's piecewise
quadratic (Shor 1985) and Chained LQ (Lukšan and Vlček), on boxes around their solutions. Rows: cutplane's methods
in the reduced formulation, Kelley's method in a few lines of highspy, a textbook level method (level in the
middle, all planes kept; linear programmes by HiGHS, quadratic ones by Clarabel), and halfspace-optimizer where it
is installed. Each row is stopped at an absolute gap of 1e-3 between its upper and lower bound; `linear` and
`proximal` stop by a test of their own at the same tolerance. Seconds are processor time.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import clarabel
import highspy
import numpy as np
from picture import COLOURS, MARKERS, draw
from scipy import sparse
from side_by_side import machine, print_machine, write

from cutplane import BilevelProblem, BilevelSolver, Box, SolutionMap

GAP = 1e-3
LIMIT = 2000
Function = Callable[[np.ndarray], tuple[float, np.ndarray]]
Answer = tuple[float, int, str]
Row = Callable[[Function, np.ndarray, np.ndarray, float], Answer]


def pieces(d: int) -> tuple[Function, np.ndarray, np.ndarray]:
    """Largest of 40 affine pieces + 0.05‖x‖²."""
    rng = np.random.default_rng(d)
    slopes, offsets = rng.standard_normal((40, d)), rng.standard_normal(40)

    def f(x: np.ndarray) -> tuple[float, np.ndarray]:
        values = slopes @ x + offsets
        k = int(np.argmax(values))
        return float(values[k] + 0.05 * x @ x), slopes[k] + 0.1 * x

    return f, np.full(d, -1.0), np.full(d, 1.0)


def maxquad() -> tuple[Function, np.ndarray, np.ndarray]:
    """MAXQUAD in ten variables; optimum −0.8414083."""
    i = np.arange(1, 11)
    matrices, vectors = [], []
    for k in range(1, 6):
        low, high = np.minimum.outer(i, i), np.maximum.outer(i, i)
        A = np.exp(low / high) * np.cos(np.outer(i, i)) * np.sin(k)
        np.fill_diagonal(A, 0.0)
        np.fill_diagonal(A, i / 10 * abs(np.sin(k)) + np.abs(A).sum(axis=1))
        matrices.append(A)
        vectors.append(np.exp(i / k) * np.sin(i * k))

    def f(x: np.ndarray) -> tuple[float, np.ndarray]:
        values = [float(x @ A @ x - b @ x) for A, b in zip(matrices, vectors, strict=True)]
        k = int(np.argmax(values))
        return values[k], 2 * matrices[k] @ x - vectors[k]

    return f, np.full(10, -1.0), np.full(10, 1.0)


SHOR_CENTERS = np.array([
    [0, 0, 0, 0, 0], [2, 1, 1, 1, 3], [1, 2, 1, 1, 2], [1, 4, 1, 2, 2], [3, 2, 1, 0, 1],
    [0, 2, 1, 0, 1], [1, 1, 1, 1, 1], [1, 0, 1, 2, 1], [0, 0, 2, 1, 0], [1, 1, 2, 0, 0],
], dtype=float)  # fmt: skip
SHOR_WEIGHTS = np.array([1, 5, 10, 2, 4, 3, 1.7, 2.5, 6, 3.5])


def shor() -> tuple[Function, np.ndarray, np.ndarray]:
    """Shor's largest of ten spheres in five variables; optimum 22.60016."""

    def f(x: np.ndarray) -> tuple[float, np.ndarray]:
        values = SHOR_WEIGHTS * ((x - SHOR_CENTERS) ** 2).sum(axis=1)
        k = int(np.argmax(values))
        return float(values[k]), 2 * SHOR_WEIGHTS[k] * (x - SHOR_CENTERS[k])

    return f, np.full(5, -5.0), np.full(5, 5.0)


def chained_lq(d: int = 20) -> tuple[Function, np.ndarray, np.ndarray]:
    """Chained LQ; optimum −(d − 1)√2."""

    def f(x: np.ndarray) -> tuple[float, np.ndarray]:
        line = -x[:-1] - x[1:]
        bent = line + x[:-1] ** 2 + x[1:] ** 2 - 1
        curved = bent > line
        slope = np.zeros(d)
        slope[:-1] += -1 + np.where(curved, 2 * x[:-1], 0.0)
        slope[1:] += -1 + np.where(curved, 2 * x[1:], 0.0)
        return float(np.maximum(line, bent).sum()), slope

    return f, np.full(d, -2.0), np.full(d, 2.0)


def by_cutplane(method: str, **options: Any) -> Row:
    """One of the library's methods; the lower level is a constant."""

    def run(f: Function, low: np.ndarray, up: np.ndarray, size: float) -> Answer:
        def upper(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
            value, slope = f(x)
            return value, slope, np.zeros(1)

        nothing = SolutionMap(lambda x: np.zeros(1), lambda x, v: np.zeros_like(x))
        problem = BilevelProblem(upper, nothing, Box(low, up), convex=True)
        start = 0.9 * up
        tolerance = GAP / max(1.0, size)  # the solver's is relative
        solver = BilevelSolver(
            method=method, formulation="reduced", tolerance=tolerance, max_iterations=LIMIT, **options
        )
        result = solver.solve(problem, start, np.zeros(1))
        return result.fun, result.nfev, result.status.name.lower()

    return run


def master(low: np.ndarray, up: np.ndarray) -> Any:
    """Return a HiGHS model over (x, t) with the box and the cost t."""
    h, n = highspy.Highs(), low.size
    h.setOptionValue("output_flag", False)
    h.setOptionValue("threads", 1)
    h.addVars(n + 1, np.append(low, -1e9), np.append(up, 1e9))
    h.changeColCost(n, 1.0)
    return h


def add(h: Any, x: np.ndarray, value: float, slope: np.ndarray) -> None:
    """Add the plane at x to a model of `master`."""
    n = x.size
    row = np.append(slope, -1.0)
    h.addRow(-h.getInfinity(), float(slope @ x) - value, n + 1, np.arange(n + 1, dtype=np.int32), row)


def kelley(f: Function, low: np.ndarray, up: np.ndarray, size: float = 1.0) -> Answer:
    """Kelley's method on one warm HiGHS model."""
    h, x, best = master(low, up), 0.9 * up, np.inf
    for k in range(1, LIMIT + 1):
        value, slope = f(x)
        best = min(best, value)
        add(h, x, value, slope)
        h.run()
        solution = np.asarray(h.getSolution().col_value)
        if best - solution[-1] <= GAP:
            return best, k, "optimal"
        x = solution[:-1]
    return best, LIMIT, "limit"


def textbook_level(f: Function, low: np.ndarray, up: np.ndarray, size: float = 1.0) -> Answer:
    """Lemaréchal, Nemirovskii and Nesterov's level method with the level in the middle, all planes kept."""
    h, x, best, n = master(low, up), 0.9 * up, np.inf, low.size
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    slopes, constants = np.vstack([np.eye(n), -np.eye(n)]), np.concatenate([up, -low])
    planes = 0
    for k in range(1, LIMIT + 1):
        value, slope = f(x)
        best = min(best, value)
        add(h, x, value, slope)
        h.run()
        floor = float(np.asarray(h.getSolution().col_value)[-1])
        if best - floor <= GAP:
            return best, k, "optimal"
        slopes, constants = np.vstack([slopes, slope]), np.append(constants, slope @ x - value)
        planes += 1
        rhs = constants + np.concatenate([np.zeros(2 * n), np.full(planes, 0.5 * (best + floor))])
        cone = [clarabel.NonnegativeConeT(rhs.size)]
        answer = clarabel.DefaultSolver(sparse.identity(n, format="csc"), -x, sparse.csc_matrix(slopes), rhs, cone,
                                        settings).solve()  # fmt: skip
        if str(answer.status) not in ("Solved", "AlmostSolved"):
            return best, k, f"QP {answer.status}"
        x = np.clip(np.asarray(answer.x), low, up)
    return best, LIMIT, "limit"


@contextmanager
def silent() -> Iterator[None]:
    """Keep what a compiled solver prints off the table."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def halfspace(f: Function, low: np.ndarray, up: np.ndarray, size: float = 1.0) -> Answer:
    """halfspace-optimizer with its own defaults but the gap."""
    try:
        from halfspace import Model
    except ImportError:
        return np.nan, 0, "not installed"
    calls = 0

    def value(x: np.ndarray) -> float:
        nonlocal calls
        calls += 1
        return f(np.asarray(x))[0]

    model = Model(max_gap_abs=GAP, max_gap=1e-9, log_freq=None)
    x = model.add_var_tensor(shape=(low.size,), lb=float(low[0]), ub=float(up[0]), name="x")
    model.add_objective_term(var=x, func=value, grad=lambda v: f(np.asarray(v))[1])
    model.start = [(v, float(s)) for v, s in zip(np.ravel(x), 0.9 * up, strict=True)]
    with silent():
        status = model.optimize(max_iters=LIMIT)
    return float(model.objective_value), calls, str(getattr(status, "name", status)).lower()


ROWS: dict[str, Row] = {
    "level": by_cutplane("level"),
    "linear": by_cutplane("linear"),
    "proximal": by_cutplane("proximal"),
    "proximal, 20 planes": by_cutplane("proximal", max_planes=20),
    "Kelley on highspy": kelley,
    "textbook level": textbook_level,
    "halfspace-optimizer": halfspace,
}


def paint(figure: Any, rows: list[dict[str, Any]]) -> None:
    """Evaluations and seconds of each row on each function; a hollow mark did not get there."""
    functions = list(dict.fromkeys(row["function"] for row in rows))
    methods = [name for name in ROWS if any(row["row"] == name for row in rows)]
    axes = figure.subplots(1, 2, sharey=True)
    for axis in axes:
        axis.grid(visible=False, axis="y")
        for place in range(0, len(functions), 2):
            axis.axhspan(place - 0.5, place + 0.5, color="#F3F3F0", zorder=0)
    for k, (method, colour, marker) in enumerate(zip(methods, COLOURS, MARKERS, strict=False)):
        mine = [row for row in rows if row["row"] == method and row["evaluations"] > 0]
        below = 0.1 * (k - (len(methods) - 1) / 2)  # side by side, so that no mark hides another
        places = [functions.index(row["function"]) + below for row in mine]
        for axis, column in zip(axes, ("evaluations", "seconds"), strict=True):
            values = [row[column] for row in mine]
            axis.plot(values, places, color=colour, marker=marker, ls="", label=method)
            late = [(v, p) for v, p, row in zip(values, places, mine, strict=True) if row["evaluations"] >= LIMIT]
            if late:
                axis.plot(*zip(*late, strict=True), color=colour, marker=marker, ls="", mfc="white")
    axes[0].set_yticks(range(len(functions)), functions)
    axes[0].set(xscale="log", xlabel=f"evaluations to a gap of {GAP:g} (hollow: not in {LIMIT})")
    axes[1].set(xscale="log", xlabel="processor seconds")
    axes[0].set_ylim(len(functions) - 0.5, -0.5)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)


def main() -> None:
    """Run all rows on all functions and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="d = 10 and the three standard functions")
    parser.add_argument("--without", nargs="+", default=[], choices=list(ROWS), metavar="ROW", help="skip")
    parser.add_argument("--out", type=Path, help="folder for nonsmooth.json and nonsmooth.png")
    options = parser.parse_args()
    facts = machine("scipy", "highspy", "clarabel", "halfspace-optimizer")
    print_machine(facts)
    sizes = (10,) if options.short else (5, 10, 20, 40, 100, 200)
    functions = {f"pieces, d = {d}": pieces(d) for d in sizes}
    functions |= {"MAXQUAD": maxquad(), "Shor": shor(), "Chained LQ, d = 20": chained_lq()}
    print(f"{'function':<20}{'row':<22}{'best value':>14}{'evaluations':>13}{'seconds':>9}  status")
    rows = []
    for name, (f, low, up) in functions.items():
        size = abs(kelley(f, low, up)[0])
        for row, run in ROWS.items():
            if row in options.without:
                continue
            if run is halfspace and low.size > 100:
                print(f"{name:<20}{row:<22}left out: a quarter of an hour and more", flush=True)
                continue
            begun = time.process_time()
            best, count, status = run(f, low, up, size)
            seconds = time.process_time() - begun
            rows.append({"function": name, "row": row, "best": best, "evaluations": count, "seconds": seconds,
                         "status": status})  # fmt: skip
            print(f"{name:<20}{row:<22}{best:>14.6f}{count:>13}{seconds:>9.3f}  {status}", flush=True)
    draw(options.out, "nonsmooth", (8.4, 5.6), lambda figure: paint(figure, rows))
    write(options.out, "nonsmooth", facts, rows)


if __name__ == "__main__":
    main()
