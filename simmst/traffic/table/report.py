"""What making traffic data of a table found and did, in numbers and in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from simmst.traffic.dataset import TrafficData
from simmst.traffic.table.clock import LocalTimes


@dataclass(frozen=True, slots=True)
class TableReport:
    """What `from_table` found and did.

    Parameters
    ----------
    rows : int
        Rows of the table.
    duplicates : int
        Rows that repeat another one's time, node and values; they count once.
    repeated : int
        Pairs of time and node in the hour that daylight saving repeats that hold the mean of two rows.
    repeated_once : int
        Pairs there of which the table has one row only, without saying which of the two hours it is.
    negative, non_finite : int
        Values below 0, and infinite or NaN ones; they were taken as missing.
    left_out : tuple of tuple of str, float
        Nodes left out, and the share of their values that is missing (of the service that lacks most).
    new : tuple of tuple of str, datetime64
        Nodes kept that begin a day or more late, and when; what came before is marked as missing.
    cut : int
        Steps left out at the ends, because they were gaps of every service.
    gap_steps : int
        Steps of a service that are a gap.
    filled : int
        Missing values outside the gaps; they were filled, and the file marks them as missing.
    filled_nodes : tuple of tuple of str, int
        The nodes with most of these, and how many.
    summed : int
        Rows that were added to another of the same time and node.
    too_large : int
        Values above `max_value`; they were taken as missing.
    oddities : tuple of str
        What is to be looked at, see `simmst.traffic.table.oddities.oddities`; nothing was changed.
    sentences : tuple of str
        All of it in words, a line each.
    """

    rows: int
    duplicates: int
    repeated: int
    repeated_once: int
    negative: int
    non_finite: int
    left_out: tuple[tuple[str, float], ...] = ()
    new: tuple[tuple[str, np.datetime64], ...] = ()
    cut: int = 0
    gap_steps: int = 0
    filled: int = 0
    filled_nodes: tuple[tuple[str, int], ...] = ()
    summed: int = 0
    too_large: int = 0
    oddities: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()


def sentences(
    found: TableReport,
    data: TrafficData,
    hourly: TrafficData,
    mean: Sequence[str],
    clock: LocalTimes,
    limits: tuple[float, float],
) -> Iterator[str]:
    """Say a report in words, a line each.

    Parameters
    ----------
    found : TableReport
        What was found.
    data : TrafficData
        The data at the table's own steps.
    hourly : TrafficData
        The same in hours.
    mean : sequence of str
        Services that were averaged to hours.
    clock : LocalTimes
        How the times were read.
    limits : tuple of 2 float
        `max_missing` and `gap_share`.
    """
    max_missing, gap_share = limits
    step = np.timedelta64(data.step_minutes, "m")
    yield f"{found.rows} rows; times {clock.how}, in steps of {data.step_minutes} minutes"
    skipped = clock.skipped(data.times)
    if len(skipped):
        yield f"daylight saving skips {skipped[0]}: {len(skipped)} steps that are a gap"
    if found.repeated:
        yield f"daylight saving repeats an hour: {found.repeated} pairs of time and node hold the mean of two rows"
    if found.repeated_once:
        yield (
            f"daylight saving repeats an hour: {found.repeated_once} pairs of time and node there have one row, "
            f"which was taken as it is (if it is the sum of both hours it is twice too large)"
        )
    if found.duplicates:
        yield f"{found.duplicates} rows repeat another and count once"
    if found.summed:
        yield f"{found.summed} rows were added to another of their time and node (averaged where to hours, too)"
    if found.negative or found.non_finite:
        yield f"{found.negative} negative and {found.non_finite} infinite or NaN values were taken as missing"
    if found.too_large:
        yield f"{found.too_large} values above max_value were taken as missing"
    if found.left_out:
        yield (
            f"left out: {len(found.left_out)} nodes that lack more than {max_missing:.3g} of their values: "
            + few([f"{name} ({share:.1%})" for name, share in found.left_out])
        )
    if found.new:
        yield (
            f"new: {len(found.new)} nodes begin a day or more after the file; they are kept, and what came before "
            f"is marked as missing: {few([f'{name} from {begin}' for name, begin in found.new])}"
        )
    if found.cut:
        yield f"left out: {found.cut} steps at the ends, which more than {gap_share:.3g} of the nodes lack"
    if data.gaps:
        yield (
            f"gaps: {found.gap_steps} steps of a service that more than {gap_share:.3g} of the nodes lack, filled "
            f"by the days before and declared: {few(_spans(data))}"
        )
    if found.filled:
        share = found.filled / data.values.size
        most = ", ".join(f"{name} ({count})" for name, count in found.filled_nodes)
        yield (
            f"filled: {found.filled} single values ({share:.2%}) outside gaps, by the same time of the days "
            f"before; the file marks them as missing; most in {most}"
        )
    else:
        yield "no value outside gaps was missing"
    for s, service in enumerate(data.services):
        t, n = np.unravel_index(int(data.values[..., s].argmax()), data.values.shape[:2])
        yield (
            f"{service}: median {np.median(data.values[..., s]):.4g}, largest {data.values[t, n, s]:.4g} "
            f"({data.node_ids[n]}, {data.start + t * step})"
        )

    if data.step_minutes < 60:
        summed = ", ".join(name for name in data.services if name not in mean) or "none"
        yield f"to hours: summed {summed}; averaged {', '.join(mean) or 'none'}"
    steps, nodes, services = hourly.values.shape
    yield (
        f"made: {steps} hours from {hourly.times[0]} to {hourly.times[-1]} ({steps / 24:.4g} days) x {nodes} "
        f"nodes x {services} services, in {hourly.units}"
    )
    yield from (f"look at this: {odd}" for odd in found.oddities)


def _spans(data: TrafficData) -> list[str]:
    """Name each time that is a gap once, with the services it is one of."""
    services: dict[str, list[str]] = {}
    for gap in sorted(data.gaps, key=lambda gap: (gap.start, gap.stop)):
        services.setdefault(f"{gap.start} to {gap.stop}", []).append(gap.service)
    everything = len(data.services)
    return [
        f"{span} ({'all services' if len(names) == everything else ', '.join(names)})"
        for span, names in services.items()
    ]


def few(texts: Sequence[str]) -> str:
    """Join the first six, and say how many more there are."""
    return "; ".join(texts[:6]) + (f" and {len(texts) - 6} more" if len(texts) > 6 else "")
