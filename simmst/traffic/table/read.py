"""One's own table as traffic data, in one call."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from simmst.errors import ConfigError
from simmst.traffic.dataset import TrafficData
from simmst.traffic.table import columns
from simmst.traffic.table.build import from_table


def read_table(
    source: str | os.PathLike[str] | pl.DataFrame,
    time: str,
    node: str,
    services: Mapping[str, str] | Sequence[str],
    units: str | None = None,
    **options: Any,
) -> TrafficData:
    """Read a long table: a row a time and node, a column a service.

    What the table lacked and what was done about it is said in the report of
    `simmst.traffic.table.build.from_table`, which this calls.

    Parameters
    ----------
    source : path-like or DataFrame
        A `.csv` or `.parquet` file, or a frame of polars or pandas.
    time, node : str
        Names of the columns of time and node.
    services : mapping of str to str or sequence of str
        Names of the columns of traffic; or a mapping of them to their units, which must be the same for all.
    units : str, optional
        What the values are in, such as "MB", where `services` does not say.
    **options
        As in `from_table`: `timezone`, `mean`, `coordinates`, `step_minutes`, `max_missing` and so on.

    Raises
    ------
    SimmstError
        If the table cannot be used; the message names the argument.
    """
    names = tuple(services)
    if isinstance(services, Mapping):
        found = set(services.values()) | ({units} if units is not None else set())
        if len(found) != 1:
            raise ConfigError(f"services: have the units {', '.join(sorted(found))}; give them one for all")
        units = found.pop()
    elif isinstance(services, str):
        raise ConfigError("services: must be a list of columns, not one text")
    if units is None:
        raise ConfigError("units: say what the values are in, such as 'MB' or 'calls'")
    if isinstance(source, (str, os.PathLike)):
        table = columns.read_table(source, (time, node, *names))
    else:
        table = source if isinstance(source, pl.DataFrame) else _of_pandas(source)
    return from_table(table, time, node, names, units, **options)[0]


def _of_pandas(source: Any) -> pl.DataFrame:
    """Take a frame of pandas column by column, so that pyarrow is not needed."""
    if not hasattr(source, "columns") or not hasattr(source, "to_numpy"):
        raise ConfigError(f"source: must be a file or a frame, not {type(source).__name__}")
    found = {}
    for name in source.columns:
        column = source[name].to_numpy()
        found[str(name)] = pl.Series(column.tolist()) if column.dtype.kind == "O" else pl.Series(column)
    return pl.DataFrame(found)
