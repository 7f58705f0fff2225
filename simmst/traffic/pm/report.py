"""What an import of measurement files found and did, in numbers and in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simmst.traffic.pm.build import Extent
from simmst.traffic.pm.measurements import Rules
from simmst.traffic.table.report import TableReport, few


@dataclass(frozen=True, slots=True)
class PmReport:
    """What `from_pm` found and did.

    Parameters
    ----------
    files, kept : int
        Measurement files read, and how many of these an earlier, interrupted call had read.
    links : int
        Links in the folder; they were not followed.
    damaged, others : tuple of str
        Files that could not be taken, and files of another kind, with the reason.
    values : int
        Values of the wanted counters, known or not.
    nil, missing, suspect : int
        Results that say NIL or NULL, that are not there, and that are marked suspect.
    other_periods : dict of int to int
        Numbers of values of periods of another length, by minutes (0: no whole minutes); they were left out.
    moved, most_moved : int
        Periods that did not begin on the grid, and the most seconds that one was moved there.
    table : TableReport
        What completing the data found and did, as of a table.
    sentences : tuple of str
        All of it in words, a line each.
    """

    files: int
    kept: int
    links: int
    damaged: tuple[str, ...]
    others: tuple[str, ...]
    values: int
    nil: int
    missing: int
    suspect: int
    other_periods: dict[int, int]
    moved: int
    most_moved: int
    table: TableReport
    sentences: tuple[str, ...] = ()


def sentences(found: PmReport, extent: Extent, rules: Rules) -> Iterator[str]:
    """Say a report in words, a line each; those of the table come last.

    Parameters
    ----------
    found : PmReport
        What was found.
    extent : Extent
        Objects and times of the files.
    rules : Rules
        What the user said of values.
    """
    last = extent.begins[-1]
    yield (
        f"{found.files} measurement files, {len(extent.nodes)} objects, periods of {extent.step} minutes that "
        f"begin from {extent.begins[0]} to {last} UTC: begin is endTime less duration"
    )
    if found.kept:
        yield f"{found.kept} files were read by an earlier call"
    for what, names in (("left out as damaged", found.damaged), ("no measurement files", found.others)):
        if names:
            yield f"{what}: {len(names)}: {few(names)}"
    if found.links:
        yield f"{found.links} links in the folder were not followed"
    if found.moved:
        yield (
            f"{found.moved} times a period ended off the clock's grid, by {found.most_moved} seconds at most, and "
            f"was put on it"
        )
    for length, count in found.other_periods.items():
        other = f"{length} minutes" if length else "no whole minutes"
        yield f"left out: {count} values of periods of {other} beside those of {extent.step}"
    for count, what, done in (
        (found.nil, "are NIL, NULL or empty", rules.nil),
        (found.missing, "are missing in their object's results", rules.missing),
        (found.suspect, "are marked suspect", "as they stand" if rules.suspect == "use" else "unknown"),
    ):
        if count:
            yield f"{count} of {found.values} results {what}: taken as {done}"
    yield from found.table.sentences
