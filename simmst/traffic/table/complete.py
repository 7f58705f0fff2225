"""From values with holes to hourly traffic: nodes left out, gaps declared, holes filled, hours made; and said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simmst.errors import ConfigError, DataError
from simmst.traffic.dataset import TrafficData
from simmst.traffic.gap import Gap
from simmst.traffic.table.clock import LocalTimes
from simmst.traffic.table.filling import fill_by_days
from simmst.traffic.table.oddities import oddities
from simmst.traffic.table.report import TableReport, sentences

#: Longitude and latitude, float64 `[N, 2]`, of the nodes named.
Places = Callable[[tuple[str, ...]], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Grid:
    """Values at regular steps of local time, with holes.

    Parameters
    ----------
    raw : float32 array `[T, N, S]`
        Traffic; NaN where there is none.
    start : datetime64
        Local time of the first step, `datetime64[m]`; a value covers the time up to the next step.
    step : int
        Minutes of a step.
    nodes, services : tuple of str
        Names.
    units : str
        As in `TrafficData`.
    """

    raw: NDArray[np.float32]
    start: np.datetime64
    step: int
    nodes: tuple[str, ...]
    services: tuple[str, ...]
    units: str


def check_shares(max_missing: float, gap_share: float) -> None:
    """Refuse limits that are no shares (ConfigError)."""
    for name, share in (("max_missing", max_missing), ("gap_share", gap_share)):
        if not 0 <= share < 1:
            raise ConfigError(f"{name}={share}: must be a share, from 0 to below 1")


def complete(
    grid: Grid,
    found: TableReport,
    clock: LocalTimes,
    mean: Sequence[str],
    places: Places | None,
    max_missing: float,
    gap_share: float,
) -> tuple[TrafficData, TableReport]:
    """Leave out nodes, find gaps, fill, and make hours, as `simmst.traffic.table.build.from_table` says.

    Parameters
    ----------
    grid : Grid
        The values.
    found : TableReport
        What reading them found; its other fields are added.
    clock : LocalTimes
        How the times were read.
    mean : sequence of str
        Services that are averaged to hours.
    places : Places or None
        Where nodes are, or None.
    max_missing, gap_share : float
        As in `from_table`.

    Raises
    ------
    DataError
        If no node has enough values, or most steps are gaps.
    """
    raw, step, services = grid.raw, grid.step, grid.services
    bad = f"{found.negative} negative and {found.non_finite} infinite or NaN values"
    lacking = _lacking(raw, services, bad)
    begun = _begun(raw, step, max_missing)
    new = (lacking > max_missing) & (begun > 0)
    kept = (lacking <= max_missing) | new
    if not kept.any():
        best = int(lacking.argmin())
        raise DataError(
            f"every node lacks more than max_missing={max_missing:g} of its values, {grid.nodes[best]!r} least "
            f"({lacking[best]:.1%}): give a table with fewer holes, or raise max_missing (--max-missing)"
        )
    if not kept.all():
        raw = raw[:, kept]
    holes = np.isnan(raw)
    before = np.arange(len(raw))[:, None] < np.where(new, begun, 0)[kept]  # [T, N]: where there was no node yet
    late = int(new.sum())
    lacks = (holes & ~before[:, :, None]).sum(axis=1) if late else holes.sum(axis=1)
    gap = lacks / np.maximum((~before).sum(axis=1), 1)[:, None] > gap_share
    within = np.flatnonzero(~gap.all(axis=1))
    part = slice(within[0], within[-1] + 1) if len(within) else slice(0, len(raw))
    often = gap[part].mean(axis=0)
    if often.max() > 0.5:
        raise DataError(
            f"{services[often.argmax()]}: at {often.max():.1%} of the steps of {step} minutes more than "
            f"gap_share={gap_share:g} of the {kept.sum()} nodes lack a value: give a table with fewer holes, say "
            f"the step if it is another (--step), or raise gap_share (--gap-share)"
        )
    start = grid.start + within[0] * np.timedelta64(step, "m")
    nodes = tuple(np.array(grid.nodes)[kept].tolist())
    gaps = _gaps(gap[part], services, start, step)
    single = holes & ~gap[:, None]
    data = TrafficData(
        values=np.ascontiguousarray(fill_by_days(raw, 1440 // step)[part]),
        start=start,
        step_minutes=step,
        services=services,
        node_ids=nodes,
        coordinates=None if places is None else places(nodes),
        units=grid.units,
        gaps=gaps,
        fill="days" if gaps else "none",
        missing=single[part] if single[part].any() else None,
        averaged=tuple(mean),
    )
    if late:
        single = single & ~before[:, :, None]
    by_node = single[part].sum(axis=(0, 2))
    most = np.argsort(-by_node, kind="stable")[:5]
    found = replace(
        found,
        left_out=tuple((grid.nodes[n], float(lacking[n])) for n in np.flatnonzero(~kept)),
        new=tuple((grid.nodes[n], grid.start + begun[n] * np.timedelta64(step, "m")) for n in np.flatnonzero(new)),
        cut=len(raw) - len(data.values),
        gap_steps=int(gap[part].sum()),
        filled=int(by_node.sum()),
        filled_nodes=tuple((nodes[n], int(by_node[n])) for n in most if by_node[n]),
    )
    found = replace(found, oddities=tuple(oddities(grid.raw, grid.start, step, grid.nodes, services)))
    hourly = data.hourly()
    words = tuple(sentences(found, data, hourly, mean, clock, (max_missing, gap_share)))
    return hourly, replace(found, sentences=words)


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


def _begun(raw: NDArray[np.float32], step: int, max_missing: float) -> NDArray[np.int64]:
    """Step at which each node begins, of nodes that begin a day or more late and are there since, else 0, `[N]`.

    They have a day or more, and lack no more than `max_missing` of it of any service, of the steps at which at
    least half of the nodes have a value.
    """
    known = ~np.isnan(raw)
    usual = known.mean(axis=1) >= 0.5  # [T, S]
    begun = np.zeros(raw.shape[1], dtype=np.int64)
    day = 1440 // step
    first = known.any(axis=2).argmax(axis=0)
    for n in np.flatnonzero((first >= day) & (first <= len(raw) - day)):
        since, counted = known[first[n] :, n], usual[first[n] :]
        lacking = (~since & counted).sum(axis=0) / np.maximum(counted.sum(axis=0), 1)
        if lacking.max() <= max_missing and since.any(axis=0).all():
            begun[n] = first[n]
    return begun


def _gaps(gap: NDArray[np.bool_], services: tuple[str, ...], start: np.datetime64, step: int) -> tuple[Gap, ...]:
    """Turn steps that follow each other into one gap each."""
    found = []
    for s, service in enumerate(services):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], gap[:, s], [False]])))
        found += [Gap(service, start + a * step, start + b * step) for a, b in edges.reshape(-1, 2)]
    return tuple(found)
