"""What a short script pays before its first answer: import and first solve in fresh processes, against numpy's.

    python benchmarks/start_up.py [--rounds 15] [--before PATH]

Processor seconds, medians over rounds that alternate: `import numpy`, `import numpy, scipy.optimize` (what a
script of one's own would take), `import cutplane`, and a first solve of a small problem (max of 40 planes in 10
variables) with everything that it imports. `--before` is a checkout of another version, run in the same rounds.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from statistics import median

SOLVE = """
import numpy as np
import cutplane
rng = np.random.default_rng(0)
A, b = rng.standard_normal((40, 10)), rng.standard_normal(40)
def upper(x, y):
    values = A @ x + b
    top = values.argmax()
    return values[top], A[top], np.zeros(1)
lower = cutplane.SolutionMap(lambda x: np.zeros(1), lambda x, v: np.zeros(10))
problem = cutplane.BilevelProblem(upper, lower, cutplane.Box(-np.ones(10), np.ones(10)), convex=True)
assert cutplane.minimise(problem, np.zeros(10), np.zeros(1), tolerance=1e-3).success
"""
SCRIPTS = {
    "import numpy": "import numpy",
    "import numpy, scipy.optimize": "import numpy, scipy.optimize",
    "import cutplane": "import cutplane",
    "import and first solve": SOLVE,
}


def seconds(script: str, folder: str | None) -> float:
    """Processor time of a fresh interpreter, less that of an empty one."""
    path = os.pathsep.join(one for one in (folder, os.environ.get("PYTHONPATH")) if one)
    script = f"{script}\nimport time; print(time.process_time())"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd="/",
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    return float(done.stdout.splitlines()[-1])


def main() -> None:
    """Print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--before", help="folder of another checkout")
    given = parser.parse_args()
    builds = {"now": None, **({"before": given.before} if given.before else {})}
    found: dict[tuple[str, str], list[float]] = {}
    for _ in range(given.rounds):
        for build, folder in builds.items():
            empty = seconds("pass", folder)
            for name, script in SCRIPTS.items():
                found.setdefault((name, build), []).append(seconds(script, folder) - empty)
    for name in SCRIPTS:
        times = {build: median(found[name, build]) for build in builds}
        ratio = f", ratio {times['now'] / times['before']:.2f}" if "before" in times else ""
        print(f"{name:30} " + "  ".join(f"{build} {one:.3f} s" for build, one in times.items()) + ratio)


if __name__ == "__main__":
    main()
