"""``python -m cutplane zoo``: solve the test problems and print what was found against what is known."""

import argparse
import sys
from collections.abc import Sequence
from fnmatch import fnmatch

from cutplane.methods import METHODS
from cutplane.zoo import Outcome, problems, skipped, solve
from cutplane.zoo.base import LEFT_OUT

_HEADER = (
    f"{'problem':<24}{'method':<13}{'form':<9}{'F found':>15}{'F known':>15}{'gap':>10}{'lower gap':>11}"
    f"{'iter':>7}{'time/s':>8}  {'status':<16}"
)


def _row(outcome: Outcome) -> str:
    r = outcome.result
    gap = "-" if r.gap is None else f"{r.gap:.1e}"
    return (
        f"{outcome.name:<24}{outcome.method:<13}{outcome.formulation:<9}{r.fun:>15.8g}{outcome.known:>15.8g}"
        f"{gap:>10}{r.lower_gap:>11.1e}{r.nit:>7}{outcome.seconds:>8.2f}  {r.status.name.lower():<16}"
        f"{'ok' if outcome.ok else 'MISS'}"
    )


def _zoo(method: str | None, pattern: str) -> int:
    chosen = [p for p in problems() if fnmatch(p.name, pattern)]
    if not chosen:
        print(f"no problem matches {pattern!r}; names: {', '.join(p.name for p in problems())}", file=sys.stderr)
        return 2
    print(_HEADER)
    missed, runs, seconds, done = 0, 0, 0.0, set()
    for entry in chosen:
        for name, formulation in entry.runs:
            if method in (None, name):
                outcome = solve(entry, name, formulation)
                print(_row(outcome), flush=True)
                runs, seconds = runs + 1, seconds + outcome.seconds
                missed += not outcome.ok
                done.add(entry.name)
    for entry in chosen:
        for name, formulation in entry.left_out:
            if method in (None, name):
                print(f"{entry.name:<24}{name:<13}{formulation:<9}left out: {LEFT_OUT}")
    for name, reason in skipped().items():
        if fnmatch(name, pattern):
            print(f"{name:<24}skipped: {reason}")
    print(f"{len(done)} problems, {runs} runs, {missed} missed, {seconds:.1f} s")
    return int(missed > 0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and return the exit code: 1 if a problem was missed."""
    parser = argparse.ArgumentParser(prog="python -m cutplane", description=__doc__)
    commands = parser.add_subparsers(dest="command", title="commands")
    zoo = commands.add_parser("zoo", help="solve the test problems", description="Solve the test problems.")
    zoo.add_argument("--method", choices=sorted(METHODS), help="this method only")
    zoo.add_argument("--name", default="*", help="problems whose name matches this pattern, such as 'bard*'")
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    return _zoo(options.method, options.name)


if __name__ == "__main__":
    sys.exit(main())
