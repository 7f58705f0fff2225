"""The wide linear master against HiGHS on the whole programme.

    OPENBLAS_NUM_THREADS=1 python benchmarks/wide_lp.py           # up to 1e6 columns, about 5 minutes
    OPENBLAS_NUM_THREADS=1 python benchmarks/wide_lp.py --short

min g·d over A d ≤ r and ‖d‖_∞ ≤ 0.1 with L dense rows. "random" rows are independent; "parallel" ones share a
direction, as the planes of a convex function near its minimum do. The last columns add one violated row and solve
again, cold and from the last multipliers. HiGHS is not asked beyond 1e5 columns, where it takes minutes.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import highspy
import numpy as np
from picture import COLOURS, MARKERS, draw
from side_by_side import machine, print_machine, take_turns, write

from cutplane.programs.wide_lp import solve_wide

RADIUS = 0.1


def programme(kind: str, n: int, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (g, A, r) with unit rows, some of which bind at the optimum."""
    rng = np.random.default_rng(1)
    A = rng.standard_normal((rows, n))
    if kind == "parallel":
        A *= 0.05
        A += rng.standard_normal(n)
    A /= np.linalg.norm(A, axis=1)[:, None]
    g = rng.standard_normal(n) / np.sqrt(n)
    inside = 0.5 * np.clip(-0.7 * RADIUS * np.sign(g) + 0.5 * RADIUS * rng.standard_normal(n), -RADIUS, RADIUS)
    return g, A, A @ inside + 0.01 * RADIUS * rng.random(rows)


def whole(g: np.ndarray, A: np.ndarray, r: np.ndarray) -> float:
    """Optimum by HiGHS with its defaults, on one thread."""
    h = highspy.Highs()
    h.setOptionValue("output_flag", False)
    h.setOptionValue("threads", 1)
    rows, n = A.shape
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = n, rows
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = g, np.full(n, -RADIUS), np.full(n, RADIUS)
    lp.row_lower_, lp.row_upper_ = np.full(rows, -h.getInfinity()), r
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = np.arange(0, n * rows + 1, rows, dtype=np.int32)
    lp.a_matrix_.index_ = np.tile(np.arange(rows, dtype=np.int32), n)
    lp.a_matrix_.value_ = A.T.ravel()
    h.passModel(lp)
    h.run()
    return float(h.getObjectiveValue())


def measure(kind: str, n: int, rows: int, rounds: int) -> dict[str, Any]:
    """One row of the table."""
    g, A, r = programme(kind, n, rows)
    low, up = np.full(n, -RADIUS), np.full(n, RADIUS)
    solution = solve_wide(g, A, r, low, up)
    rng = np.random.default_rng(2)
    extra = A[-1] + 0.3 * rng.standard_normal(n) / np.sqrt(n)
    extra /= np.linalg.norm(extra)
    more, rhs = np.vstack([A, extra]), np.append(r, extra @ solution.point - 1e-3)
    warm = (np.append(solution.multipliers, 0.0), solution.width)
    seconds = take_turns({
        "wide": lambda: solve_wide(g, A, r, low, up),
        "cold": lambda: solve_wide(g, more, rhs, low, up),
        "warm": lambda: solve_wide(g, more, rhs, low, up, warm=warm),
    }, rounds)  # fmt: skip
    row = {"kind": kind, "n": n, "rows": rows, "seconds": seconds, "columns": solution.columns,
           "violation": float(np.max(A @ solution.point - r))}  # fmt: skip
    if n <= 10**5:
        known: list[float] = []
        seconds |= take_turns({"highs": lambda: known.append(whole(g, A, r))}, 1)
        row["error"] = abs(float(g @ solution.point) - known[0]) / abs(known[0])
    return row


def paint(figure: Any, rows: list[dict[str, Any]]) -> None:
    """Seconds here and by HiGHS against columns, a panel a kind of rows, a colour a number of rows."""
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    for axis, kind in zip(figure.subplots(1, len(kinds), sharey=True, squeeze=False).flat, kinds, strict=True):
        for count, colour, marker in zip((8, 16, 64), COLOURS, MARKERS, strict=False):
            for name, who, style in (("wide", "here", {}), ("highs", "HiGHS", {"ls": "--", "mfc": "white"})):
                mine = [r for r in rows if (r["kind"], r["rows"]) == (kind, count) and name in r["seconds"]]
                columns, seconds = [r["n"] for r in mine], [r["seconds"][name] for r in mine]
                axis.plot(columns, seconds, color=colour, marker=marker, label=f"{who}, {count} rows", **style)
        axis.set(title=f"{kind} rows", xscale="log", yscale="log", xlabel="columns")
        if axis.get_subplotspec().is_first_col():
            axis.set(ylabel="processor seconds")
            axis.legend(loc="upper left")


def main() -> None:
    """Run the table and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="1e5 columns x 16 rows only")
    parser.add_argument("--out", type=Path, help="folder for wide_lp.json and wide_lp.png")
    options = parser.parse_args()
    facts = machine("scipy", "highspy")
    print_machine(facts)
    cells = [(10**3, 8), (10**4, 16), (10**5, 8), (10**5, 16), (10**5, 64), (10**6, 16), (10**6, 64)]
    print(f"{'rows':<10}{'n':>9}{'L':>4}{'wide/s':>9}{'HiGHS/s':>9}{'ratio':>7}{'error':>9}{'violation':>11}"
          f"{'cold/s':>9}{'warm/s':>9}{'ratio':>7}")  # fmt: skip
    rows = []
    for kind in ("random", "parallel"):
        for n, count in [(10**5, 16)] if options.short else cells:
            row = measure(kind, n, count, 3)
            rows.append(row)
            s = row["seconds"]
            peer = " " * 25
            if "highs" in s:
                peer = f"{s['highs']:>9.3f}{s['highs'] / s['wide']:>7.1f}{row['error']:>9.0e}"
            print(f"{kind:<10}{n:>9}{count:>4}{s['wide']:>9.3f}{peer}{row['violation']:>11.0e}"
                  f"{s['cold']:>9.3f}{s['warm']:>9.3f}{s['cold'] / s['warm']:>7.1f}", flush=True)  # fmt: skip
    draw(options.out, "wide_lp", (8, 3.8), lambda figure: paint(figure, rows))
    write(options.out, "wide_lp", facts, rows)


if __name__ == "__main__":
    main()
