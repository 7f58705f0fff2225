"""From a long table (time, node, a column a service) to traffic data: checked, completed, and said how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from simmst.errors import ConfigError, DataError
from simmst.traffic.dataset import TrafficData
from simmst.traffic.gap import Gap
from simmst.traffic.table.clock import LocalTimes, local_times, step_of
from simmst.traffic.table.columns import coordinates_of, keys, numbers
from simmst.traffic.table.filling import fill_by_days
from simmst.traffic.table.report import TableReport, sentences


def from_table(
    table: pl.DataFrame,
    time: str,
    node: str,
    services: Sequence[str],
    units: str,
    mean: Sequence[str] | None = None,
    coordinates: pl.DataFrame | None = None,
    timezone: str | None = None,
    utc: bool = False,
    time_format: str | None = None,
    decimal_comma: bool = False,
    step_minutes: int | None = None,
    max_missing: float = 0.05,
    gap_share: float = 0.1,
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
    table : DataFrame
        One row a time and node; other columns are not looked at.
    time, node : str
        Names of the columns of time and node.
    services : sequence of str
        Names of the columns of traffic. Negative, infinite and empty values count as missing.
    units : str
        What the values are in, such as "MB".
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
    for name, share in (("max_missing", max_missing), ("gap_share", gap_share)):
        if not 0 <= share < 1:
            raise ConfigError(f"{name}={share}: must be a share, from 0 to below 1")
    unknown = [name for name in mean or () if name not in services]
    if unknown:
        raise ConfigError(f"mean: {unknown[0]!r} is none of the services {', '.join(services)}")
    read, values = keys(table, time, node), numbers(table, services, decimal_comma)
    texts = read["time"].unique(maintain_order=True)
    clock = local_times(texts.to_list(), timezone, utc, time_format)
    step = step_of(np.unique(clock.local), step_minutes)
    if step < 60 and mean is None:
        raise ConfigError(
            f"steps of {step} minutes become hours: volumes are summed, intensities (Erlang, Mbit/s, %) must be "
            f"averaged; name those with mean (--mean), or say that there are none (--mean none)"
        )
    negative = sum(int((values[name] < 0).sum()) for name in services)
    odd = sum(int((~values[name].is_finite()).sum()) for name in services)
    pairs, duplicates = _pairs(read, values, texts, clock)
    raw, names = _array(pairs, len(services), step)
    lacking = _lacking(raw, services, f"{negative} negative and {odd} infinite or NaN values")
    kept = lacking <= max_missing
    if not kept.any():
        best = int(lacking.argmin())
        raise DataError(
            f"every node lacks more than max_missing={max_missing:g} of its values, {names[best]!r} least "
            f"({lacking[best]:.1%}): give a table with fewer holes, or raise max_missing (--max-missing)"
        )
    holes = np.isnan(raw[:, kept])
    gap = holes.mean(axis=1) > gap_share
    within = np.flatnonzero(~gap.all(axis=1))
    part = slice(within[0], within[-1] + 1) if len(within) else slice(0, len(raw))
    often = gap[part].mean(axis=0)
    if often.max() > 0.5:
        raise DataError(
            f"{services[often.argmax()]}: at {often.max():.1%} of the steps of {step} minutes more than "
            f"gap_share={gap_share:g} of the {kept.sum()} nodes lack a value: give a table with fewer holes, say "
            f"the step if it is another (--step), or raise gap_share (--gap-share)"
        )
    start = pairs["local"].to_numpy().min().astype("datetime64[m]") + within[0] * np.timedelta64(step, "m")
    nodes = tuple(np.array(names)[kept].tolist())
    gaps = _gaps(gap[part], services, start, step)
    data = TrafficData(
        values=np.ascontiguousarray(fill_by_days(raw[:, kept], 1440 // step)[part]),
        start=start,
        step_minutes=step,
        services=services,
        node_ids=nodes,
        coordinates=None if coordinates is None else coordinates_of(coordinates, node, nodes),
        units=units,
        gaps=gaps,
        fill="days" if gaps else "none",
    )
    single = (holes & ~gap[:, None])[part].sum(axis=(0, 2))
    most = np.argsort(-single, kind="stable")[:5]
    found = TableReport(
        rows=len(table),
        duplicates=duplicates,
        repeated=len(pairs.filter(pl.col("different") > 1)),
        repeated_once=len(pairs.filter(pl.col("ambiguous") & (pl.col("rows") == 1))),
        negative=negative,
        non_finite=odd,
        left_out=tuple(
            (name, share) for name, share in zip(names, lacking.tolist(), strict=True) if share > max_missing
        ),
        cut=len(raw) - len(data.values),
        gap_steps=int(gap[part].sum()),
        filled=int(single.sum()),
        filled_nodes=tuple((nodes[n], int(single[n])) for n in most if single[n]),
    )
    hourly = _hours(data, mean or ())
    words = tuple(sentences(found, data, hourly, mean or (), clock, (max_missing, gap_share)))
    return hourly, replace(found, sentences=words)


def _pairs(
    read: pl.DataFrame, values: pl.DataFrame, texts: pl.Series, clock: LocalTimes
) -> tuple[pl.DataFrame, int]:
    """Bring the rows to one a local time and node, and count the rows that only repeat another."""
    columns = [f"value {s}" for s in range(values.width)]
    good = [
        pl.when(pl.col(name).is_finite() & (pl.col(name) >= 0)).then(pl.col(name)).alias(column)
        for name, column in zip(values.columns, columns, strict=True)
    ]
    when = pl.DataFrame({"time": texts, "moment": clock.moment.astype("datetime64[us]")}).with_columns(
        pl.Series("local", clock.local.astype("datetime64[us]")), pl.Series("ambiguous", clock.ambiguous)
    )
    rows = pl.concat([read, values.select(good)], how="horizontal").join(when, on="time", how="left")
    different = rows.group_by("moment", "node", "local", "ambiguous", *columns).agg(pl.len().alias("rows"))
    counted = different.group_by("moment", "node", "local", "ambiguous").agg(
        pl.col(columns).mean(), pl.len().alias("different"), pl.col("rows").sum()
    )
    # Local times of a repeated hour may have two rows; elsewhere two rows that differ contradict each other.
    wrong = counted.filter(pl.col("different") > 1 + pl.col("ambiguous").cast(pl.UInt32)).sort("local", "node")
    if len(wrong):
        first = wrong.row(0, named=True)
        mend = (
            "mend the table"
            if clock.zone
            else "mend the table, or, if daylight saving repeats it, say timezone (--timezone)"
        )
        raise DataError(
            f"{len(wrong)} pairs of time and node have rows with different values, first {first['local']}, "
            f"{first['node']!r}: {mend}"
        )
    duplicates = int(counted.select((pl.col("rows") - pl.col("different")).sum()).item())
    # Moments of the repeated hour that are known apart meet here.
    pairs = counted.group_by("local", "node").agg(
        pl.col(columns).mean(), pl.col("different").sum(), pl.col("rows").sum(), pl.col("ambiguous").any()
    )
    return pairs, duplicates


def _array(pairs: pl.DataFrame, services: int, step: int) -> tuple[NDArray[np.float32], list[str]]:
    """Put the values in their places, float32 `[T, N, S]`; NaN where there is none."""
    names = pairs["node"].unique().sort()
    local = pairs["local"].to_numpy()
    at = (local - local.min()) // np.timedelta64(step, "m")
    node = pairs["node"].cast(pl.Enum(names)).to_physical().to_numpy()
    raw = np.full((int(at.max()) + 1, len(names), services), np.nan, dtype=np.float32)
    for s in range(services):
        raw[at, node, s] = pairs[f"value {s}"].fill_null(np.nan).to_numpy()
    return raw, names.to_list()


def _lacking(raw: NDArray[np.float32], services: tuple[str, ...], bad: str) -> NDArray[np.float64]:
    """Share of its values that each node lacks, of the service that lacks most, `[N]`; outages do not count."""
    known = ~np.isnan(raw)
    lacking = []
    for s, service in enumerate(services):
        usual = known[..., s].mean(axis=1) >= 0.5  # else the collector is at fault, or the nodes came later
        if not usual.any():
            raise DataError(
                f"{service}: at no step half of the {raw.shape[1]} nodes have a value ({bad} count as missing): "
                f"give the nodes that have it alone, or leave the service out"
            )
        # Of what lacks, not 1 less what is there: a share that is exactly the limit stays it, 1 / 20 is 0.05.
        lacking.append((~known[usual, :, s]).mean(axis=0))
    return np.asarray(np.max(lacking, axis=0))


def _gaps(gap: NDArray[np.bool_], services: tuple[str, ...], start: np.datetime64, step: int) -> tuple[Gap, ...]:
    """Turn steps that follow each other into one gap each."""
    found = []
    for s, service in enumerate(services):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], gap[:, s], [False]])))
        found += [Gap(service, start + a * step, start + b * step) for a, b in edges.reshape(-1, 2)]
    return tuple(found)


def _hours(data: TrafficData, mean: Sequence[str]) -> TrafficData:
    """Bring finer steps to hours: intensities averaged, the others summed."""
    hourly = data.hourly()
    steps = 60 // data.step_minutes
    values = hourly.values.copy()
    values[..., [data.services.index(name) for name in mean]] /= steps
    return replace(hourly, values=values)
