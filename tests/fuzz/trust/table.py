"""Many cases, one after the other, and their table."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

from .judge import Report
from .judge_convex import run_convex
from .misdeclared import run_misdeclared
from .undeclared import run_undeclared

RUNNERS: dict[str, Callable[[int], Report]] = {
    "convex": run_convex, "misdeclared": run_misdeclared, "undeclared": run_undeclared
}


def run_many(kind: str, first: int, count: int, verbose: bool = False) -> list[Report]:
    """Run the cases of seeds first … first + count − 1; with `verbose` print what is found as it comes."""
    reports = []
    for seed in range(first, first + count):
        report = RUNNERS[kind](seed)
        reports.append(report)
        if verbose:
            for name, words in report.failures + [(note, "") for note in report.notes]:
                print(
                    f"{kind} {seed} {report.method}/{report.formulation} {report.status}: {name}: {words} "
                    f"[{report.traits}]", flush=True,
                )  # fmt: skip
    return reports


def print_table(reports: Iterable[Report]) -> None:
    """Print a line for each kind, method and formulation, then failures and notes by kind."""
    groups: dict[tuple[str, str, str], list[Report]] = defaultdict(list)
    for r in reports:
        groups[r.kind, r.method, r.formulation].append(r)
    print(f"\n{'kind':26} {'method':12} {'form':8} {'cases':>6} {'success':>7} {'failed':>6} {'ms':>6}  statuses")
    for (kind, method, formulation), part in sorted(groups.items()):
        statuses = ", ".join(f"{n} {s}" for s, n in Counter(r.status for r in part).most_common())
        failed, good = sum(bool(r.failures) for r in part), sum(r.success for r in part)
        median = 1e3 * statistics.median(r.seconds for r in part)
        print(
            f"{kind:26} {method:12} {formulation:8} {len(part):6} {good:7} {failed:6} {median:6.0f}  {statuses}"
        )
    everything = [r for part in groups.values() for r in part]
    for title, names in (
        ("failures", Counter((r.kind, name) for r in everything for name, _ in r.failures)),
        ("counted, no failures", Counter((r.kind, name) for r in everything for name in r.notes)),
    ):
        print(f"\n{title}: {sum(names.values())}")
        for (kind, name), count in sorted(names.items()):
            print(f"{count:6} {kind}: {name}")
