"""The columns of a long table, read without guesses: keys, numbers, coordinates."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from simmst.errors import ConfigError, DataError, short
from simmst.io.spreadsheet import unguarded
from simmst.traffic.table.source import Table, need_columns

#: Texts that stand for a missing value, in small letters.
ABSENT = ("", "-", "na", "n/a", "nan", "nil", "null", "none")
_THOUSANDS = (",", ".", "'", " ")
_BLANKS = "[ \u00a0\u2009\u202f]"
_DEGREES = {"longitude": ("longitude", "lon", 180.0), "latitude": ("latitude", "lat", 90.0)}


@dataclass(frozen=True, slots=True)
class Keys:
    """Times and nodes of the rows of a table, each different one once.

    Parameters
    ----------
    times : DataFrame
        The times, texts or `datetime` or numbers, and the marks of daylight saving: columns `time` and `mark`.
    at : int32 array
        Which of them each row has, int32 `[R]`.
    nodes : tuple of str
        Names of the nodes, sorted.
    node : uint32 array
        Which of them each row has, uint32 `[R]`.
    """

    times: pl.DataFrame
    at: NDArray[np.int32]
    nodes: tuple[str, ...]
    node: NDArray[np.uint32]


def keys(table: Table, time: Sequence[str], node: str, dst: str | None = None) -> Keys:
    """Take the columns of time, node and mark; names of nodes are without blanks around.

    Parameters
    ----------
    table : Table
        The table.
    time : sequence of str
        The column of the times, or those of date and hour: 2024-03-11 and 13, 13:00 or 24.
    node : str
        The column of the nodes.
    dst : str, optional
        The column that says whether daylight saving is on, or None: the mark is empty then.

    Raises
    ------
    DataError
        If a column is missing, the table is empty, or a row has no time or no node.
    """
    need_columns([*time, node, *([dst] if dst else [])], list(table.schema), "")
    mark = pl.lit("") if dst is None else pl.col(dst).cast(pl.String).fill_null("").str.strip_chars()
    when = table.take(_time(table, time).alias("time"), mark.alias("mark"))
    if when.is_empty():
        raise DataError("the table has no rows")
    _check_present(when["time"], "time")
    times = when.unique(maintain_order=True)
    columns = ["time"] if dst is None else ["time", "mark"]
    # Not by hashing into categories: those are shared by all of a process, and grow.
    found = when.join(times.with_row_index("at"), on=columns, how="left", maintain_order="left")["at"]
    at = found.to_numpy().astype(np.int32)
    del when, found
    named = table.take(unguarded(pl.col(node).cast(pl.String).str.strip_chars()).alias("node"))["node"]
    _check_present(named, "node")
    names = named.unique().sort()
    return Keys(times, at, tuple(names.to_list()), named.cast(pl.Enum(names)).to_physical().to_numpy())


def _check_present(column: pl.Series, name: str) -> None:
    absent = column.is_null() | (column == "") if column.dtype == pl.String else column.is_null()
    if absent.any():
        raise DataError(
            f"row {_first(absent) + 1}: no {name}; take out rows that are no measurement, such as sums"
        )


def _time(table: Table, time: Sequence[str]) -> pl.Expr:
    """Take the column of the times, or put the two of date and hour together to one text."""
    if len(time) == 1:
        return pl.col(time[0])
    if len(time) != 2:
        raise ConfigError(f"time: must be one column, or those of date and hour, not {', '.join(time) or 'none'}")
    day, hour = (table.schema[name] for name in time)
    texts = [pl.col(name).cast(pl.String).str.strip_chars() for name in time]
    if day == pl.Datetime:
        texts[0] = pl.col(time[0]).dt.strftime("%Y-%m-%d")
    if hour == pl.Time:
        texts[1] = pl.col(time[1]).dt.strftime("%H:%M:%S")
    # An hour alone, 0 to 24, is written as a time.
    alone = texts[1].str.contains(r"^\d{1,2}$")
    hours = pl.when(alone).then(texts[1].str.zfill(2) + pl.lit(":00")).otherwise(texts[1])
    return pl.concat_str(texts[0], pl.lit(" "), hours)


def numbers(
    table: Table, columns: Sequence[str], decimal_comma: bool = False, thousands: str | None = None
) -> NDArray[np.float32]:
    """Take columns as numbers, float32 `[R, S]`; empty ones and texts such as "N/A" are NaN, NaN of numbers
    infinite.

    Parameters
    ----------
    table : Table
        The table, of numbers or texts.
    columns : sequence of str
        Their names.
    decimal_comma : bool
        Whether texts write numbers with a comma; a point in one is an error then, for it may mark thousands.
    thousands : str, optional
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
    need_columns(columns, list(table.schema), "")
    found = []
    for name in columns:
        column = table.take(pl.col(name)).to_series()
        if column.dtype == pl.String:
            number = _read(column, decimal_comma, thousands)
        elif column.dtype.is_numeric() or column.dtype == pl.Null:
            number = column.cast(pl.Float64).fill_nan(np.inf)  # a NaN is no missing value, and is counted apart
        else:
            raise DataError(f"{name}: must hold numbers, not {column.dtype}")
        found.append(number.cast(pl.Float32).to_numpy())
    return np.stack(found, axis=1)


def _read(column: pl.Series, decimal_comma: bool, thousands: str | None) -> pl.Series:
    """Turn texts into numbers, or refuse the first that is none."""
    if not decimal_comma and thousands is None:
        plain = column.cast(pl.Float64, strict=False)
        if plain.null_count() == column.null_count() and not plain.is_nan().any():
            return plain  # as most columns are
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
    """Longitude and latitude of nodes, float64 `[N, 2]`.

    Parameters
    ----------
    table : DataFrame
        The columns `node`, `longitude` or `lon`, and `latitude` or `lat`, in degrees; a comma may be the point.
    node : str
        Name of the column of the nodes.
    nodes : sequence of str
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
