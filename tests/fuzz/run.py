"""
How far the library's word can be trusted: random problems with known answers, failures counted by kind.

    export OPENBLAS_NUM_THREADS=1 PYTHONPATH=.
    python tests/fuzz/run.py                                                     # 5,000 / 2,000 / 1,000 cases
    python tests/fuzz/run.py --convex 200 --misdeclared 0 --undeclared 0 --seed 7
    python tests/fuzz/run.py --one convex 4711                                   # one case alone
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for `trust`, whatever directory this is run from

from trust.table import RUNNERS, print_table, run_many

import cutplane


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--convex", type=int, default=5000, help="convex problems against Clarabel")
    parser.add_argument("--misdeclared", type=int, default=2000, help="problems wrongly declared convex")
    parser.add_argument("--undeclared", type=int, default=1000, help="problems not declared")
    parser.add_argument("--seed", type=int, default=0, help="first seed of each kind")
    parser.add_argument("--one", nargs=2, metavar=("KIND", "SEED"), help="one case alone")
    options = parser.parse_args()
    print(f"cutplane of {Path(cutplane.__file__).parent}")
    if options.one:
        kind, seed = options.one
        print(RUNNERS[kind](int(seed)))
        return 0
    reports = []
    for kind in RUNNERS:
        count = getattr(options, kind)
        reports += run_many(kind, options.seed, count, verbose=True)
    print_table(reports)
    return 1 if any(r.failures for r in reports) else 0


if __name__ == "__main__":
    raise SystemExit(main())
