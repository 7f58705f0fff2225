"""One's own table as traffic data, in one call."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import polars as pl

from simmst.errors import ConfigError, DataError
from simmst.traffic.dataset import TrafficData
from simmst.traffic.table import source as files
from simmst.traffic.table.build import from_table
from simmst.traffic.units import joined_units

#: The columns of a long form, as Nixtla's libraries name them: series, time, value.
LONG_FORM = ("unique_id", "ds", "y")


def read_table(
    source: str | os.PathLike[str] | pl.DataFrame,
    time: str | Sequence[str] | None = None,
    node: str | None = None,
    services: Mapping[str, str] | Sequence[str] = (),
    units: str | None = None,
    *,
    encoding: str = "utf-8",
    skip_lines: int = 0,
    **options: Any,
) -> TrafficData:
    """Read a long table: a row a time and node, a column a service; or Nixtla's long form, a row a time and
    series.

    What the table lacked and what was done about it is said in the report of
    `simmst.traffic.table.build.from_table`, which this calls.

    Parameters
    ----------
    source : path-like or DataFrame
        A `.csv`, `.csv.gz` or `.parquet` file, or a frame of polars or pandas.
    time, node : str or sequence of str, optional, str, optional
        Names of the columns of time (or of date and hour) and node. Without both the table must have the columns
        `unique_id`, `ds` and `y`: a series is then "node/service", of the services named; without services it is a
        node, and its one service is called `y`.
    services : mapping of str to str or sequence of str
        Names of the columns of traffic; or a mapping of them to their units.
    units : str, optional
        What the values are in, such as "MB", where `services` does not say.
    encoding, skip_lines : str, int
        How a file is read, see `simmst.traffic.table.source.open_table`.
    **options
        As in `from_table`: `timezone`, `time_is`, `mean`, `coordinates`, `step_minutes`, `max_missing` and so on.

    Raises
    ------
    SimmstError
        If the table cannot be used; the message names the argument.
    """
    names = tuple(services)
    if isinstance(services, Mapping):
        if units is not None and services:
            raise ConfigError("units: the services say theirs; leave it out")
        units = joined_units(services) if services else units
    elif isinstance(services, str):
        raise ConfigError("services: must be a list of columns, not one text")
    if units is None:
        raise ConfigError("units: say what the values are in, such as 'MB' or 'calls'")
    if (time is None) != (node is None):
        raise ConfigError("time, node: name both columns, or neither for the long form unique_id, ds, y")
    times = () if time is None else (time,) if isinstance(time, str) else tuple(time)
    wanted = LONG_FORM if node is None else (*times, node, *names, *filter(None, [options.get("dst")]))
    with ExitStack() as stack:
        if isinstance(source, (str, os.PathLike)):
            opened = files.open_table(source, wanted, encoding=encoding, skip_lines=skip_lines)
            table = stack.enter_context(opened)
        else:
            table = files.Table((source if isinstance(source, pl.DataFrame) else _of_pandas(source)).lazy())
        if node is not None:
            return from_table(table, times, node, names, units, **options)[0]
        wide, names = _wide(table, names, options)
        return from_table(wide, "ds", "unique_id", names, units, **options)[0]


def _wide(
    opened: files.Table, services: tuple[str, ...], options: dict[str, Any]
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Give each service of a long form a column of its own."""
    files.need_columns(LONG_FORM, list(opened.schema), "the long form: ", "; or name time and node")
    table = opened.take(*map(pl.col, LONG_FORM))
    if not services:
        return table, ("y",)
    if options.get("rows", "one") != "one":
        raise ConfigError("rows: series of a long form have one row a time")
    series = pl.col("unique_id").cast(pl.String)
    service = pl.coalesce(pl.when(series.str.ends_with(f"/{name}")).then(pl.lit(name)) for name in services)
    rows = table.select(series, "ds", "y", service.alias("service"))
    other = rows.filter(pl.col("service").is_null())
    lacking = sorted(set(services) - set(rows["service"]))
    if len(other) or lacking:
        what = f"{other['unique_id'][0]!r} is of none of them" if len(other) else f"none is of {lacking[0]!r}"
        raise DataError(f"services: a unique_id must end in a slash and a service, but {what}")
    node = series.str.strip_suffix(pl.concat_str(pl.lit("/"), "service"))
    values = [pl.col("y").filter(pl.col("service") == name).drop_nulls().unique().alias(name) for name in services]
    wide = rows.with_columns(node).group_by("unique_id", "ds", maintain_order=True).agg(values)
    for name in services:
        twice = wide.filter(pl.col(name).list.len() > 1)
        if len(twice):
            which = f"'{twice['unique_id'][0]}/{name}' has different values at {twice['ds'][0]}"
            raise DataError(f"y: series {which}: mend the table")
    return wide.with_columns(pl.col(name).list.first() for name in services), services


def _of_pandas(source: Any) -> pl.DataFrame:
    """Take a frame of pandas column by column, so that pyarrow is not needed."""
    if not hasattr(source, "columns") or not hasattr(source, "to_numpy"):
        raise ConfigError(f"source: must be a file or a frame, not {type(source).__name__}")
    found = {}
    for name in source.columns:
        column = source[name].to_numpy()
        found[str(name)] = pl.Series(column.tolist()) if column.dtype.kind == "O" else pl.Series(column)
    return pl.DataFrame(found)
