"""From a long table (time, node, a column a service) to traffic data: checked, completed, and said how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

import numpy as np
import polars as pl

from simmst.errors import ConfigError
from simmst.traffic.dataset import TrafficData
from simmst.traffic.table.clock import TimeIs, local_times, step_of
from simmst.traffic.table.columns import coordinates_of, keys, numbers
from simmst.traffic.table.complete import Grid, check_shares, complete
from simmst.traffic.table.limits import MaxValue, drop_above, limits_of
from simmst.traffic.table.places import Rows, folded, places_of
from simmst.traffic.table.report import TableReport
from simmst.traffic.table.source import Table
from simmst.traffic.units import joined_units


def from_table(
    table: pl.DataFrame | Table,
    time: str | Sequence[str],
    node: str,
    services: Sequence[str],
    units: str | Mapping[str, str],
    mean: Sequence[str] | None = None,
    coordinates: pl.DataFrame | None = None,
    timezone: str | None = None,
    utc: bool = False,
    time_format: str | None = None,
    decimal_comma: bool = False,
    step_minutes: int | None = None,
    max_missing: float = 0.05,
    gap_share: float = 0.1,
    *,
    time_is: TimeIs = "begin",
    dst: str | None = None,
    thousands: str | None = None,
    rows: Rows = "one",
    max_value: MaxValue = None,
) -> tuple[TrafficData, TableReport]:
    """Turn a long table, its rows in any order, into hourly traffic data.

    Every pair of a time and a node gets the value of its row. What the table lacks is treated in this order:
    a node that lacks more than `max_missing` of its values of any service is left out (steps that most nodes lack
    are not counted); a step at which more than `gap_share` of the other nodes lack a service is a gap of that
    service, declared in `gaps`; all else is a single hole. Gaps and holes are filled node by node with the
    same time of the nearest day before that has it (see `simmst.traffic.table.filling.fill_by_days`). Steps at
    the ends that are gaps of every service are cut off. Steps finer than the hour become hours.

    Parameters
    ----------
    table : DataFrame or Table
        One row a time and node; other columns are not looked at. A frame, or an opened file, see
        `simmst.traffic.table.source.open_table`.
    time : str or sequence of str
        Name of the column of the times, or of those of date and hour.
    node : str
        Name of the column of the nodes.
    services : sequence of str
        Names of the columns of traffic. Negative, infinite and empty values count as missing.
    units : str or mapping of str to str
        What the values are in, such as "MB"; or a mapping of services to their units.
    mean : sequence of str, optional
        The services that are intensities (Erlang, Mbit/s, %): finer steps are averaged to hours, while those of
        all others are summed. Needed where steps are finer than the hour; `()` says that there are none.
    coordinates : DataFrame, optional
        A table of the nodes' places, see `simmst.traffic.table.columns.coordinates_of`; its column of the nodes is
        called `node` too.
    timezone, utc, time_format : str, optional, bool, str, optional
        How times are read, see `simmst.traffic.table.clock.local_times`.
    decimal_comma : bool
        Whether texts write numbers with a comma: "0,55".
    step_minutes : int, optional
        Minutes between two times; by default what most times that follow each other differ by.
    max_missing : float
        Largest share of missing values of a node that is kept, 0 to below 1, of the steps at which at least half
        of the nodes have a value.
    gap_share : float
        Largest share of the nodes that may lack a service at a step without its being a gap, 0 to below 1.
    time_is : TimeIs
        Whether a time is the "begin" of its step or the "end", as in measurement files and copies of them.
    dst : str, optional
        A column that says whether daylight saving is on, see `simmst.traffic.table.clock.local_times`.
    thousands : str, optional
        The mark between thousands in texts: ",", ".", "'" or " ".
    rows : Rows
        What several rows of one time and node are: "one", or parts to be added ("sum"), see
        `simmst.traffic.table.places.places_of`.
    max_value : MaxValue
        Larger values count as missing; one limit for all services, or a mapping of services to theirs. None: what
        is absurd is only said.

    Returns
    -------
    tuple
        The data in hours, and what was found and done.

    Raises
    ------
    DataError
        If two rows of one time and node differ, a time lies between two steps, a value is no number, no node has
        enough values, or coordinates are missing.
    ConfigError
        If an option has no meaning, or the table needs one that is not given.
    """
    services = tuple(services)
    check_shares(max_missing, gap_share)
    if rows not in get_args(Rows):
        raise ConfigError(f"rows={rows!r}: must be {' or '.join(get_args(Rows))}")
    unknown = [name for name in mean or () if name not in services]
    if unknown:
        raise ConfigError(f"mean: {unknown[0]!r} is none of the services {', '.join(services)}")
    together, limits = _units(units, services), limits_of(max_value, services)
    if isinstance(table, pl.DataFrame):
        table = Table(table.lazy())
    read = keys(table, (time,) if isinstance(time, str) else tuple(time), node, dst)
    marks = None if dst is None else read.times["mark"].to_list()
    clock = local_times(read.times["time"].to_list(), timezone, utc, time_format, time_is, marks)
    step = step_of(np.unique(clock.local), step_minutes)
    if time_is == "end":
        clock = clock.begins(step)
    if step < 60 and mean is None:
        raise ConfigError(
            f"steps of {step} minutes become hours: volumes are summed, intensities (Erlang, Mbit/s, %) must be "
            f"averaged; name those with mean (--mean), or say that there are none (--mean none)"
        )
    values = numbers(table, services, decimal_comma, thousands)
    odd, negative = int(np.isinf(values).sum()), int((values < 0).sum() - np.isneginf(values).sum())
    values[(values < 0) | np.isinf(values)] = np.nan
    too_large = drop_above(values, limits)
    averaged = np.array([name in (mean or ()) for name in services])
    placed = places_of(read.at, read.node, read.nodes, values, clock, averaged, rows)
    count = len(values)
    del values, read
    position = (placed.local - placed.local.min()).astype("timedelta64[m]").astype(np.int64) // step
    raw, both = folded(placed.raw, position)
    found = TableReport(
        rows=count,
        duplicates=placed.duplicates,
        repeated=placed.repeated + both,
        repeated_once=placed.once,
        negative=negative,
        non_finite=odd,
        summed=placed.summed,
        too_large=too_large,
    )
    places = None if coordinates is None else lambda nodes: coordinates_of(coordinates, node, nodes)
    start = placed.local.min().astype("datetime64[m]")
    grid = Grid(raw, start, step, placed.nodes, services, together)
    return complete(grid, found, clock, mean or (), places, max_missing, gap_share)


def _units(units: str | Mapping[str, str], services: tuple[str, ...]) -> str:
    """Take one unit for all, or one for each service."""
    if isinstance(units, str):
        return units
    for name in units:
        if name not in services:
            raise ConfigError(f"units: {name!r} is none of the services {', '.join(services)}")
    for name in services:
        if not units.get(name):
            raise ConfigError(f"units: {name} has none; say one for each, {name}=MB, or one for all")
    return joined_units({name: units[name] for name in services})
