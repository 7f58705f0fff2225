"""The columns of a long table, read without guesses: keys, numbers, coordinates."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from simmst.errors import ConfigError, DataError, short
from simmst.io.spreadsheet import unguarded
from simmst.traffic.table.source import need_columns

#: Texts that stand for a missing value, in small letters.
ABSENT = ("", "-", "na", "n/a", "nan", "nil", "null", "none")
_THOUSANDS = (",", ".", "'", " ")
_BLANKS = "[ \u00a0\u2009\u202f]"
_DEGREES = {"longitude": ("longitude", "lon", 180.0), "latitude": ("latitude", "lat", 90.0)}


def keys(table: pl.DataFrame, time: Sequence[str], node: str, dst: str | None = None) -> pl.DataFrame:
    """
    Take the columns of time, node and mark, under these names; names of nodes are without blanks around.

    Parameters
    ----------
    table
        The table.
    time
        The column of the times, or those of date and hour: 2024-03-11 and 13, 13:00 or 24.
    node
        The column of the nodes.
    dst
        The column that says whether daylight saving is on, or None: the mark is empty then.

    Raises
    ------
    DataError
        If a column is missing, the table is empty, or a row has no time or no node.
    """
    need_columns([*time, node, *([dst] if dst else [])], table.columns, "")
    if table.is_empty():
        raise DataError("the table has no rows")
    mark = pl.lit("") if dst is None else pl.col(dst).cast(pl.String).fill_null("").str.strip_chars()
    found = table.select(
        _time(table, time).alias("time"),
        unguarded(pl.col(node).cast(pl.String).str.strip_chars()).alias("node"),
        mark.alias("mark"),
    )
    for name, column in (("time", found["time"]), ("node", found["node"])):
        absent = column.is_null() | (column == "") if column.dtype == pl.String else column.is_null()
        if absent.any():
            raise DataError(
                f"row {_first(absent) + 1}: no {name}; take out rows that are no measurement, such as sums"
            )
    return found


def _time(table: pl.DataFrame, time: Sequence[str]) -> pl.Expr:
    """Take the column of the times, or put the two of date and hour together to one text."""
    if len(time) == 1:
        return pl.col(time[0])
    if len(time) != 2:
        raise ConfigError(f"time: must be one column, or those of date and hour, not {', '.join(time) or 'none'}")
    day, hour = (table[name] for name in time)
    texts = [pl.col(name).cast(pl.String).str.strip_chars() for name in time]
    if day.dtype == pl.Datetime:
        texts[0] = pl.col(time[0]).dt.strftime("%Y-%m-%d")
    if hour.dtype == pl.Time:
        texts[1] = pl.col(time[1]).dt.strftime("%H:%M:%S")
    # An hour alone, 0 to 24, is written as a time.
    alone = texts[1].str.contains(r"^\d{1,2}$")
    hours = pl.when(alone).then(texts[1].str.zfill(2) + pl.lit(":00")).otherwise(texts[1])
    return pl.concat_str(texts[0], pl.lit(" "), hours)


def numbers(
    table: pl.DataFrame, columns: Sequence[str], decimal_comma: bool = False, thousands: str | None = None
) -> pl.DataFrame:
    """
    Take columns as float32 numbers; empty ones and texts such as "N/A" are null.

    Parameters
    ----------
    table
        The table, of numbers or texts.
    columns
        Their names.
    decimal_comma
        Whether texts write numbers with a comma; a point in one is an error then, for it may mark thousands.
    thousands
        The mark between thousands in texts: a comma, a point, an apostrophe or a blank (of any kind).

    Raises
    ------
    DataError
        If a column is missing or holds a text that is no number; the message names the first.
    ConfigError
        If the marks are no marks, or the same.
    """
    if not columns or len(set(columns)) < len(columns):
        raise ConfigError(f"services: must be different names of columns, not {', '.join(columns) or 'none'}")
    if thousands is not None and thousands not in _THOUSANDS:
        raise ConfigError(f"thousands={thousands!r}: must be a comma, a point, an apostrophe or a blank")
    if thousands == ("," if decimal_comma else "."):
        raise ConfigError(f"thousands={thousands!r}: is the decimal point, too; say which with decimal_comma")
    need_columns(columns, table.columns, "")
    found = []
    for name in columns:
        column = table[name]
        if column.dtype == pl.String:
            number = _read(column, decimal_comma, thousands)
        elif column.dtype.is_numeric() or column.dtype == pl.Null:
            number = column.cast(pl.Float64)
        else:
            raise DataError(f"{name}: must hold numbers, not {column.dtype}")
        found.append(number.cast(pl.Float32).alias(name))
    return pl.DataFrame(found)


def _read(column: pl.Series, decimal_comma: bool, thousands: str | None) -> pl.Series:
    """Turn texts into numbers, or refuse the first that is none."""
    text = column.str.strip_chars()
    text = text.set(text.str.to_lowercase().is_in(ABSENT), None)
    point = "," if decimal_comma else "."
    plain = text
    wrong = pl.repeat(False, len(text), eager=True)
    if thousands is not None:
        marks = _BLANKS if thousands == " " else re.escape(thousands)
        grouped = text.str.contains(marks).fill_null(False)
        wrong |= grouped & ~text.str.contains(rf"^-?\d{{1,3}}(?:{marks}\d{{3}})+(?:{re.escape(point)}\d+)?$")
        plain = text.str.replace_all(marks, "")
    if decimal_comma:
        wrong |= plain.str.contains(".", literal=True).fill_null(False)
        plain = plain.str.replace(",", ".", literal=True)
    number = plain.cast(pl.Float64, strict=False)
    wrong |= text.is_not_null() & number.is_null()
    if wrong.any():
        row = _first(wrong)
        raise DataError(
            f"{column.name}: {short(column[row])} in row {row + 1} is no number"
            f"{_mend(text[row], decimal_comma, thousands)}"
        )
    return number


def _mend(text: str, decimal_comma: bool, thousands: str | None) -> str:
    """Say which option may make a number of a text."""
    for mark, group in ((",", ","), (".", r"\."), ("'", "'"), (" ", _BLANKS)):
        point = re.escape("," if mark != "," else ".")
        several = re.fullmatch(rf"-?\d{{1,3}}(?:{group}\d{{3}})+(?:{point}\d+)?", text)
        if several and thousands is None and (mark != "." or decimal_comma or "," in text):
            comma = ", and decimal_comma (--decimal-comma)" if "," in text and mark != "," else ""
            also = "" if mark != "," else ", or if it is the decimal point decimal_comma (--decimal-comma)"
            return f"; if {mark!r} marks thousands say thousands (--thousands {mark!r}){comma}{also}"
    if "," in text and not decimal_comma:
        return "; if the comma is the decimal point say decimal_comma (--decimal-comma), else take it out"
    return ""


def coordinates_of(table: pl.DataFrame, node: str, nodes: Sequence[str]) -> NDArray[np.float64]:
    """
    Longitude and latitude of nodes, float64 `[N, 2]`.

    Parameters
    ----------
    table
        The columns `node`, `longitude` or `lon`, and `latitude` or `lat`, in degrees; a comma may be the point.
    node
        Name of the column of the nodes.
    nodes
        The nodes wanted; others are not looked at.

    Raises
    ------
    DataError
        If a column or a node is missing, a node has two places, or a number is no coordinate.
    """
    need_columns((node,), table.columns, "coordinates: ")
    columns = [unguarded(pl.col(node).cast(pl.String).str.strip_chars()).alias("node")]
    for name, (*spellings, _) in _DEGREES.items():
        found = [column for column in table.columns if column.strip().lower() in spellings]
        if len(found) != 1:
            raise DataError(
                f"coordinates: need one column {' or '.join(spellings)}, have {', '.join(table.columns)}"
            )
        text = pl.col(found[0]).cast(pl.String).str.strip_chars().str.replace(",", ".", literal=True)
        columns.append(text.cast(pl.Float64, strict=False).alias(name))
    places = table.select(columns).unique().filter(pl.col("node").is_in(list(nodes)))
    twice = places.filter(pl.col("node").is_duplicated())
    if len(twice):
        raise DataError(f"coordinates: {twice['node'].min()!r} has two places")
    missing = sorted(set(nodes) - set(places["node"]))
    if missing:
        raise DataError(f"coordinates: {len(missing)} of the {len(nodes)} nodes are missing, first {missing[0]!r}")
    places = pl.DataFrame({"node": list(nodes)}).join(places, on="node", how="left", maintain_order="left")
    for name, (*_, limit) in _DEGREES.items():
        wrong = ~(places[name].abs() <= limit).fill_null(False)
        if wrong.any():
            row = _first(wrong)
            raise DataError(
                f"coordinates: {name} of {places['node'][row]!r} is {places[name][row]}, not in degrees"
            )
    return places.select(*_DEGREES).to_numpy()


def _first(marks: pl.Series) -> int:
    return int(marks.to_numpy().argmax())
