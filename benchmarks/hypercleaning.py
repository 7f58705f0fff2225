"""The bi-level task beside its peers: weights of samples under noise and budgets, and penalties by feature.

    python benchmarks/hypercleaning.py --out results                    # every task, about an hour
    python benchmarks/hypercleaning.py --short                          # scikit-learn's digits alone
    python benchmarks/hypercleaning.py --python peers/bin/python        # peers live in another environment

Each row runs in a process of its own, on one thread, under the same budget of oracle calls and processor seconds;
what is not installed is left out by name. One referee solves the lower level to 1e-10 at whatever x a row returns
or passes through, and says who is first within 1 % of the best upper objective that anyone found. An oracle call
is one hypergradient. Results are kept in the folder `--out`, and a run that was stopped goes on from them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from bilevel.data import Missing
from bilevel.rows import ROWS, run_row
from bilevel.tasks import TASKS, Referee, make
from picture import COLOURS, MUTED, draw
from side_by_side import machine, print_machine, write

SMALL = ("digits", "digits penalties")
NEAR = 0.01


def child(python: str, task: str, row: str, settings: list[dict[str, Any]], budget: list[float], out: Path) -> str:
    """Run a row in a new process; return what went wrong, if anything."""
    one = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    one["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    call = [python, "-W", "ignore", __file__, "--child", json.dumps([task, row, settings, budget, str(out)])]
    try:
        done = subprocess.run(
            call,
            env={**os.environ, **one, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "no answer within 15 minutes"
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["failed"])[-1][:100]


class Judged:
    """A trace under the referee's eyes, evaluated only where it is asked."""

    def __init__(self, referee: Referee, held: Any, k: int) -> None:
        self.referee, self.values = referee, {}
        self.x, self.points, self.seconds = held[f"x{k}"], held[f"points{k}"], held[f"seconds{k}"]
        self.count = len(self.seconds)

    def value(self, i: int) -> float:
        """Upper objective at the i-th point; infinite where the constraint is missed."""
        if i not in self.values:
            feasible = self.referee.task.violation(self.points[i]) <= 1e-9
            self.values[i] = self.referee.value(self.points[i]) if feasible else np.inf
        return self.values[i]

    def look(self) -> float:
        """Evaluate some points, ever further apart, and the last; return the least value."""
        places = {int(i) for i in np.geomspace(1, max(self.count, 1), 12)} | {2, 3, 4, 5}
        return min((self.value(i - 1) for i in sorted(places) if i <= self.count), default=np.inf)

    def first(self, target: float) -> int | None:
        """Call after which the target is reached, by bisection between the points looked at."""
        good = [i for i in sorted(self.values) if self.values[i] <= target]
        if not good:
            return None
        high = good[0]
        low = max((i for i in self.values if i < high), default=-1)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.value(middle) <= target else (middle, high)
        return high + 1

    def seconds_to(self, target: float) -> float:
        """Processor seconds to the target; infinite where it is not reached."""
        hit = self.first(target)
        return np.inf if hit is None else float(self.seconds[hit - 1])


def run_task(
    name: str, python: str, budget: list[float], folder: Path, short: bool = False
) -> list[dict[str, Any]]:
    """Run all rows of a task, judge them, and return the lines of its table."""
    referee = Referee(make(name))
    lines: list[dict[str, Any]] = []
    judged: dict[str, list[Judged]] = {}
    chosen: dict[str, dict[str, Any]] = {}
    for row_name, row in ROWS.items():
        settings = [chosen[row.as_in]] if row.as_in in chosen else list(row.settings)
        settings = settings[-1:] if short else settings
        out = folder / f"{name}-{row_name}.npz".replace(" ", "_")
        trouble = (
            ""
            if out.is_file()
            else child(python if row.peer else sys.executable, name, row_name, settings, budget, out)
        )
        if trouble:
            lines.append({"row": row_name, "left_out": trouble})
            continue
        with np.load(out, allow_pickle=False) as held:
            facts = json.loads(str(held["facts"]))
            if "left_out" in facts:
                lines.append({"row": row_name, "left_out": facts["left_out"]})
                continue
            judged[row_name] = [Judged(referee, held, k) for k in range(len(facts["notes"]))]
        near = (1 + NEAR) * min(run.look() for run in judged[row_name])
        best = int(np.argmin([run.seconds_to(near) for run in judged[row_name]]))
        chosen[row_name] = facts["notes"][best]["setting"]
        lines.append({"row": row_name, **facts})
        print(f"  {name}: {row_name} ran", file=sys.stderr, flush=True)
    target = _best(referee, judged)
    for line in lines:
        if "notes" in line:
            _judge(line, judged[line["row"]], referee, target)
    return lines


def _best(referee: Referee, judged: dict[str, list[Judged]]) -> float:
    """Least value of all returned and passed points that meet the constraints."""
    found = [np.inf]
    for runs in judged.values():
        for run in runs:
            if referee.task.violation(run.x) <= 1e-9:
                found.append(referee.value(run.x))
            found.extend(run.values.values())
    return min(found)


def _judge(line: dict[str, Any], runs: list[Judged], referee: Referee, best: float) -> None:
    """Choose the setting that is first within 1 % (else the lowest), and write the columns of the table."""
    target = best + NEAR * abs(best)
    hits = [run.first(target) for run in runs]
    ends = [min([referee.value(run.x), *run.values.values()]) for run in runs]
    order = [
        (np.inf if h is None else run.seconds[h - 1], end) for h, run, end in zip(hits, runs, ends, strict=True)
    ]
    k = min(range(len(runs)), key=order.__getitem__)
    run, note = runs[k], line.pop("notes")[k]
    line |= referee.report(run.x) | note
    line["violation"] = float(line["violation"])
    line["excess"] = line["upper"] / best - 1
    line |= {"calls": run.count, "seconds": float(run.seconds[-1]) if run.count else 0.0}
    line |= {"calls_near": hits[k], "seconds_near": None if hits[k] is None else float(run.seconds[hits[k] - 1])}
    if run.count == 0 and line["excess"] <= NEAR:
        line |= {"calls_near": 0, "seconds_near": 0.0}
    line["path"] = [[i + 1, float(run.seconds[i]), v] for i, v in sorted(run.values.items()) if np.isfinite(v)]


def print_table(name: str, lines: list[dict[str, Any]]) -> None:
    """Print one task's rows."""
    task = make(name)
    budget = "" if task.cost is None else f", budget {task.budget:.4g}"
    print(f"\n{name}: {task.start.size} upper variables{budget}, {task.parts['train'][1].size} training samples")
    print(
        f"{'row':<29}{'upper':>9}{'above':>8}{'violation':>10}{'test':>7}{'F1':>6}"
        f"{'calls':>7}{'to 1 %':>7}{'s':>8}{'to 1 %':>8}{'MiB':>6}  setting or status"
    )
    for line in lines:
        if "left_out" in line:
            print(f"{line['row']:<29} left out: {line['left_out']}")
            continue
        f1 = "–" if line["f1"] is None else f"{line['f1']:.2f}"
        near = (
            ("–", "–") if line["calls_near"] is None else (str(line["calls_near"]), f"{line['seconds_near']:.2f}")
        )
        said = line.get("status") or ", ".join(f"{key} {v}" for key, v in line["setting"].items())
        print(
            f"{line['row']:<29}{line['upper']:>9.4f}{line['excess']:>8.1%}{line['violation']:>10.0e}"
            f"{line['accuracy']:>7.3f}{f1:>6}{line['calls']:>7}{near[0]:>7}{line['seconds']:>8.2f}{near[1]:>8}"
            f"{line['mib']:>6.0f}  {said}"
        )


def looks() -> dict[str, dict[str, Any]]:
    """Line of each row in the picture: thick ones are cutplane's, the others have a colour a library."""
    names = [n for n in ROWS if n not in ("equal", "truth", "one LP") and not n.endswith("joint")]
    ours = [name for name in names if name.startswith("cutplane")]
    library = {"projected": COLOURS[6], "SciPy": COLOURS[6], "JAXopt": COLOURS[4], "BOAT": COLOURS[5]}
    found: dict[str, dict[str, Any]] = {}
    for name in (name for name in names if name not in ours):
        colour = library.get(name.split()[0], MUTED)
        dash = ("-", "--", ":", "-.")[sum(line["color"] == colour for line in found.values())]
        found[name] = {"color": colour, "ls": dash, "lw": 1.0}
    return found | {name: {"color": colour, "lw": 2.4} for name, colour in zip(ours, COLOURS, strict=False)}


def paint(figure: Any, results: dict[str, list[dict[str, Any]]]) -> None:
    """One panel a task: share above the best value against processor seconds."""
    columns = min(4, len(results))
    axes = figure.subplots(-(-len(results) // columns), columns, squeeze=False, sharey=True)
    for axis in axes.flat[len(results) :]:
        axis.axis("off")
    shown = looks()
    for axis, (task, lines) in zip(axes.flat, results.items(), strict=False):
        best = min(p[2] for line in lines for p in line.get("path", []))
        for line in lines:
            if line["row"] in shown and line.get("path"):
                _, seconds, values = np.array(line["path"]).T
                excess = np.maximum(np.minimum.accumulate(values) / best - 1, 1e-5)
                axis.step(seconds, excess, where="post", label=line["row"], **shown[line["row"]])
        axis.axhline(NEAR, color=MUTED, lw=0.7)
        axis.set(title=task, xscale="log", yscale="log", xlabel="processor seconds")
        if axis.get_subplotspec().is_first_col():
            axis.set(ylabel="share above the best")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--short", action="store_true", help="one task on scikit-learn's digits, one setting a row, 1 s each"
    )
    parser.add_argument("--tasks", nargs="+", choices=TASKS, help="these tasks alone")
    parser.add_argument("--calls", type=int, default=100, help="oracle calls a row may make")
    parser.add_argument("--seconds", type=float, default=10.0, help="processor seconds a row may take")
    parser.add_argument(
        "--python", default=sys.executable, help="interpreter of the environment that has the peers"
    )
    parser.add_argument("--out", type=Path, help="folder for hypercleaning.json, hypercleaning.png and the traces")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        task, row, settings, (calls, seconds), out = json.loads(options.child)
        run_row(task, row, settings, (int(calls), seconds), Path(out))
        return
    facts = machine("scipy", "highspy", "cutplane")
    print_machine(facts)
    names = SMALL[:1] if options.short else options.tasks or [n for n in TASKS if n not in SMALL]
    budget = [options.calls, 1.0 if options.short else options.seconds]
    results: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) if options.out is None else options.out / "traces"
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            try:
                results[name] = run_task(name, options.python, budget, folder, options.short)
            except Missing as missing:
                print(f"\n{name}: left out: {missing}")
                continue
            print_table(name, results[name])
            write(options.out, "hypercleaning", {**facts, "budget": budget}, results)
    if results:
        size = (3.0 * min(4, len(results)), 1.2 + 2.3 * -(-len(results) // 4))
        draw(options.out, "hypercleaning", size, lambda figure: paint(figure, results))


if __name__ == "__main__":
    main()
