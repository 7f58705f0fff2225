"""The command line's `simmst data table`: a table of one's own as one traffic file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from simmst.cli._console import disk, say
from simmst.errors import ConfigError, DataError


def table(
    export: Annotated[Path, typer.Argument(help="Table (.csv, .csv.gz or .parquet): a row a time and node.")],
    time: Annotated[str, typer.Option(help="Column of the times, or those of date and hour, by a comma.")],
    node: Annotated[str, typer.Option(help="Column of the nodes (cells).")],
    services: Annotated[
        str, typer.Option(help="Columns of traffic, by commas; one that holds a comma in double quotes.")
    ],
    units: Annotated[str, typer.Option(help="What the values are in: MB, or of each service: users=users,dl=MB.")],
    out: Annotated[Path, typer.Option(help="Traffic file (npz) to write; must not exist.")],
    mean: Annotated[
        str | None,
        typer.Option(
            help="Services that are intensities (Erlang, Mbit/s, %), by commas, or none: finer steps are averaged "
            "to hours, not summed. Needed where steps are finer than the hour."
        ),
    ] = None,
    coordinates: Annotated[
        Path | None,
        typer.Option(help="Table of the nodes: the column of the nodes, longitude (or lon), latitude (or lat)."),
    ] = None,
    time_is: Annotated[str, typer.Option(help="What of its step a time is: begin or end.")] = "begin",
    timezone: Annotated[
        str | None,
        typer.Option(help="Where local time is of, such as Europe/Rome; needed for times with an offset."),
    ] = None,
    utc: Annotated[bool, typer.Option("--utc", help="Times without an offset are UTC.")] = False,
    dst: Annotated[
        str | None, typer.Option(help="Column that says whether daylight saving is on: 1 or 0, CEST or CET.")
    ] = None,
    time_format: Annotated[
        str | None,
        typer.Option(help="How times are written: '%d.%m.%Y %H:%M'; epoch: seconds since 1970; epoch-ms."),
    ] = None,
    decimal_comma: Annotated[bool, typer.Option("--decimal-comma", help="Numbers are written 0,55.")] = False,
    thousands: Annotated[
        str | None, typer.Option(help="Mark between thousands: a comma, a point, an apostrophe or a blank.")
    ] = None,
    encoding: Annotated[str, typer.Option(help="How a CSV writes texts: latin-1, utf-16.")] = "utf-8",
    skip_lines: Annotated[int, typer.Option(help="Lines of a CSV before its header.")] = 0,
    rows: Annotated[
        str, typer.Option(help="Rows of one time and node are one, or parts to be added: one or sum.")
    ] = "one",
    step: Annotated[int | None, typer.Option(help="Minutes between two times; default: as the table has.")] = None,
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
    """Turn a table of your own into one traffic file, and say what was missing and what was done."""
    from simmst.traffic.table.build import from_table
    from simmst.traffic.table.limits import parsed_limits
    from simmst.traffic.table.source import listed, open_table, read_table

    if out.exists():
        raise DataError(f"--out {out}: exists already; remove it or choose another name")
    names, times = listed(services), listed(time)
    wanted = (*times, node, *names, *([dst] if dst else []))
    with disk(), open_table(export, wanted, encoding=encoding, skip_lines=skip_lines) as opened:
        data, report = from_table(
            opened,
            times,
            node,
            names,
            _by_service(listed(units)),
            mean=None if mean is None else () if mean == "none" else listed(mean),
            coordinates=None if coordinates is None else read_table(coordinates, (node,), True, encoding),
            timezone=timezone,
            utc=utc,
            time_format=time_format,
            decimal_comma=decimal_comma,
            step_minutes=step,
            max_missing=max_missing,
            gap_share=gap_share,
            time_is=time_is,  # type: ignore[arg-type]
            dst=dst,
            thousands=thousands,
            rows=rows,  # type: ignore[arg-type]
            max_value=None if max_value is None else parsed_limits(listed(max_value)),
        )
        data.save(out)
    console = Console()
    for sentence in report.sentences:
        say(console, sentence)
    say(console, f"{out}: written")


def _by_service(texts: tuple[str, ...]) -> str | dict[str, str]:
    """Read "MB", or "users=users", "dl=MB": names may hold an equals sign, units not."""
    if len(texts) == 1 and "=" not in texts[0]:
        return texts[0]
    found = {}
    for text in texts:
        name, mark, unit = text.rpartition("=")
        if not mark or not unit or name in found:
            raise ConfigError(f"units: {text!r} must be written once a service, as dl=MB; or say one unit for all")
        found[name] = unit
    return found
