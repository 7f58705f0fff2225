"""The columns of a long table, read without guesses: keys, numbers, coordinates, and the file they are in."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from simmst.errors import ConfigError, DataError, short

#: Texts that stand for a missing value, in small letters.
ABSENT = ("", "-", "na", "n/a", "nan", "nil", "null", "none")
_SEPARATORS = (",", ";", "\t", "|")
_DEGREES = {"longitude": ("longitude", "lon", 180.0), "latitude": ("latitude", "lat", 90.0)}


def read_table(path: str | os.PathLike[str], columns: Sequence[str], others: bool = False) -> pl.DataFrame:
    """Read a `.csv` or `.parquet` file; of a CSV all columns are texts, for what guesses types may guess wrongly.

    Parameters
    ----------
    path : path-like
        The file. A CSV is separated by comma, semicolon, tab or bar: whichever finds the columns.
    columns : sequence of str
        The columns wanted.
    others : bool
        Whether to read the other columns too.

    Raises
    ------
    DataError
        If the file is missing, is neither, cannot be read, or lacks a column.
    """
    path, columns = Path(path), list(dict.fromkeys(columns))
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        if path.suffix.lower() == ".parquet":
            known = pl.read_parquet_schema(path)
            _has(columns, list(known), f"{path}: ")
            return pl.read_parquet(path, columns=None if others else columns)
        if path.suffix.lower() != ".csv":
            raise DataError(f"{path}: must end in .csv or .parquet")
        headers = {
            mark: pl.read_csv(
                path, separator=mark, infer_schema=False, n_rows=0, truncate_ragged_lines=True
            ).columns
            for mark in _SEPARATORS
        }
        best = max(_SEPARATORS, key=lambda mark: (set(columns) <= set(headers[mark]), len(headers[mark])))
        _has(columns, headers[best], f"{path}: ")
        twice = [name for name in columns if f"{name}_duplicated_0" in headers[best]]  # as polars renames it
        if twice:
            raise DataError(f"{path}: has two columns {twice[0]!r}: rename one")
        return pl.read_csv(path, separator=best, infer_schema=False, columns=None if others else columns)
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None


def keys(table: pl.DataFrame, time: str, node: str) -> pl.DataFrame:
    """Take the columns of time and node, as `time` and `node`; names of nodes are texts without blanks around.

    Raises
    ------
    DataError
        If a column is missing, the table is empty, or a row has no time or no node.
    """
    _has((time, node), table.columns, "")
    if table.is_empty():
        raise DataError("the table has no rows")
    found = table.select(pl.col(time).alias("time"), pl.col(node).cast(pl.String).str.strip_chars().alias("node"))
    for name, column in (("time", found["time"]), ("node", found["node"])):
        absent = column.is_null() | (column == "") if column.dtype == pl.String else column.is_null()
        if absent.any():
            raise DataError(
                f"row {_first(absent) + 1}: no {name}; take out rows that are no measurement, such as sums"
            )
    return found


def numbers(table: pl.DataFrame, columns: Sequence[str], decimal_comma: bool = False) -> pl.DataFrame:
    """Take columns as float32 numbers; empty ones and texts such as "N/A" are null.

    Parameters
    ----------
    table : DataFrame
        The table, of numbers or texts.
    columns : sequence of str
        Their names.
    decimal_comma : bool
        Whether texts write numbers with a comma; a point in one is an error then, for it may mark thousands.

    Raises
    ------
    DataError
        If a column is missing or holds a text that is no number; the message names the first.
    """
    if not columns or len(set(columns)) < len(columns):
        raise ConfigError(f"services: must be different names of columns, not {', '.join(columns) or 'none'}")
    _has(columns, table.columns, "")
    found = []
    for name in columns:
        column = table[name]
        if column.dtype == pl.String:
            text = column.str.strip_chars()
            text = text.set(text.str.to_lowercase().is_in(ABSENT), None)
            number = (text.str.replace(",", ".", literal=True) if decimal_comma else text).cast(
                pl.Float64, strict=False
            )
            wrong = text.is_not_null() & number.is_null()
            if decimal_comma:
                wrong |= text.str.contains(".", literal=True).fill_null(False)
            if wrong.any():
                row = _first(wrong)
                comma = "; if the comma is the decimal point say decimal_comma (--decimal-comma), else take it out"
                mend = comma if not decimal_comma and "," in text[row] else ""
                raise DataError(f"{name}: {short(column[row])} in row {row + 1} is no number{mend}")
        elif column.dtype.is_numeric() or column.dtype == pl.Null:
            number = column.cast(pl.Float64)
        else:
            raise DataError(f"{name}: must hold numbers, not {column.dtype}")
        found.append(number.cast(pl.Float32).alias(name))
    return pl.DataFrame(found)


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
    _has((node,), table.columns, "coordinates: ")
    columns = [pl.col(node).cast(pl.String).str.strip_chars().alias("node")]
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


def _has(wanted: Sequence[str], known: Sequence[str], where: str) -> None:
    missing = [name for name in wanted if name not in known]
    if missing:
        raise DataError(f"{where}no column {missing[0]!r}; the columns are {', '.join(known)}")


def _first(marks: pl.Series) -> int:
    return int(marks.to_numpy().argmax())
