"""The command line's `simmst data pm`: measurement files of 3GPP as one traffic file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, TimeRemainingColumn

from simmst.cli._console import announce, disk, progress, say, stoppable
from simmst.errors import DataError


def pm(
    folder: Annotated[
        Path, typer.Argument(help="Folder of measurement files (TS 32.435, TS 28.532), gzipped or not.")
    ],
    timezone: Annotated[str, typer.Option(help="Where local time is of, such as Europe/Rome.")],
    out: Annotated[Path, typer.Option(help="Traffic file (npz) to write; must not exist.")],
    counter: Annotated[
        list[str] | None,
        typer.Option(
            help="A counter with its unit, and sum or mean: DRB.PdcpSduVolumeDL=Mbit:sum; once for each. Without "
            "one the counters of the first file are listed."
        ),
    ] = None,
    nil: Annotated[str, typer.Option(help="What NIL and NULL are: unknown or zero.")] = "unknown",
    missing: Annotated[
        str, typer.Option(help="What results are that an object leaves out: unknown or zero.")
    ] = "unknown",
    suspect: Annotated[str, typer.Option(help="What suspect results are: unknown, or use them.")] = "unknown",
    utc: Annotated[bool, typer.Option("--utc", help="Times without an offset are UTC.")] = False,
    step: Annotated[int | None, typer.Option(help="Minutes of the periods wanted; default: of most.")] = None,
    max_damaged: Annotated[int, typer.Option(help="Damaged files to leave out before giving up.")] = 0,
    coordinates: Annotated[
        Path | None, typer.Option(help="Table of the nodes: node, longitude (or lon), latitude (or lat).")
    ] = None,
    max_value: Annotated[
        str | None, typer.Option(help="Larger values count as missing: 1e6, or of services: dl=1e6,users=500.")
    ] = None,
    max_missing: Annotated[
        float, typer.Option(help="Nodes that lack more than this share of their values are left out.")
    ] = 0.05,
    gap_share: Annotated[
        float, typer.Option(help="A step that more than this share of the nodes lack is a gap.")
    ] = 0.1,
) -> None:
    """Turn measurement files into one traffic file; call it again to go on after an interruption."""
    from simmst.traffic.pm.counters import parsed
    from simmst.traffic.pm.parts import Parts
    from simmst.traffic.pm.read import from_pm
    from simmst.traffic.table.limits import parsed_limits
    from simmst.traffic.table.source import listed, read_table

    if out.exists():
        raise DataError(f"--out {out}: exists already; remove it or choose another name")
    console = Console()
    parts = out.with_name(f"{out.name}.parts")
    columns = MofNCompleteColumn(), TimeRemainingColumn(), "{task.fields[file]}"
    with disk(), stoppable("the same command goes on"), progress(console, *columns) as bars:
        task = bars.add_task("files", total=None, file="")

        def watch(done: int, total: int, name: str) -> None:
            bars.update(task, completed=done, total=total, file=name)
            announce(console, f"{name}: {done} of {total} files")

        data, report = from_pm(
            folder,
            parsed(counter or ()),
            timezone,
            nil=nil,  # type: ignore[arg-type]
            missing=missing,  # type: ignore[arg-type]
            suspect=suspect,  # type: ignore[arg-type]
            utc=utc,
            step_minutes=step,
            max_damaged=max_damaged,
            coordinates=None if coordinates is None else read_table(coordinates, ("node",), others=True),
            max_missing=max_missing,
            gap_share=gap_share,
            max_value=None if max_value is None else parsed_limits(listed(max_value)),
            parts=parts,
            progress=watch,
        )
        data.save(out)
        Parts.clear(parts)
    for sentence in report.sentences:
        say(console, sentence)
    say(console, f"{out}: written")
