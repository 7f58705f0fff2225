"""Values of measurement files put in their places: one step of the local clock and one object each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from simmst.errors import DataError
from simmst.traffic.pm.parts import Part
from simmst.traffic.table.clock import LocalTimes, step_of
from simmst.traffic.table.places import folded

# Values that the array may have where the files have so few: objects that come and go would fill the memory.
_ALWAYS_FINE, _MOST_EMPTY = 1 << 27, 50


@dataclass(frozen=True, slots=True)
class Extent:
    """What all parts hold together.

    Parameters
    ----------
    nodes : tuple of str
        Names of objects, sorted.
    begins : datetime64 array
        Begins of the periods of `step` minutes, `datetime64[m]`, UTC, ascending.
    step : int
        Minutes of a step.
    other : dict of int to int
        Numbers of values of periods of other lengths, by minutes.
    """

    nodes: tuple[str, ...]
    begins: NDArray[np.datetime64]
    step: int
    other: dict[int, int]


def extent_of(parts: Iterable[Part], counters: Sequence[str], step_minutes: int | None) -> Extent:
    """Find objects, times and the step: the length of most periods, unless it is given.

    Raises
    ------
    DataError
        If a counter has no period of that length, it does not divide the hour, or the files leave most times out.
    """
    nodes: set[str] = set()
    lengths: list[Counter[int]] = [Counter() for _ in counters]
    begins: dict[int, set[int]] = {}
    rows = 0
    for part in parts:
        nodes.update(part.nodes)
        rows += len(part.value)
        for length, service in np.unique(np.stack([part.minutes, part.service]), axis=1).T.tolist():
            of = (part.minutes == length) & (part.service == service)
            lengths[service][length] += int(of.sum())
            begins.setdefault(length, set()).update(np.unique(part.begin[of]).tolist())
    total: Counter[int] = sum(lengths, Counter())
    step = step_minutes or max(total, key=lambda length: (total[length], -length))
    for name, found in zip(counters, lengths, strict=True):
        if step not in found:
            known = ", ".join(f"{length} minutes" if length else "no whole minutes" for length in sorted(found))
            raise DataError(
                f"counters: {name} has no periods of {step} minutes, but of {known}: import counters of other "
                f"periods by themselves, or say the step with step_minutes (--step)"
            )
    when = np.array(sorted(begins[step]), dtype=np.int64).astype("datetime64[m]")
    step_of(when, step)
    steps = int((when[-1] - when[0]).astype(np.int64)) // step + 1
    size = steps * len(nodes) * len(counters)
    if size > max(_ALWAYS_FINE, _MOST_EMPTY * rows):
        raise DataError(
            f"folder: {len(nodes)} objects at {steps} times have {rows} values, so nearly all are missing: do the "
            f"objects have other names from file to file?"
        )
    other = {length: count for length, count in sorted(total.items()) if length != step}
    return Extent(tuple(sorted(nodes)), when, step, other)


def placed(parts: Iterable[Part], extent: Extent, counters: Sequence[str]) -> tuple[NDArray[np.float32], int]:
    """Put values in their places, float32 `[T, N, S]` at steps of UTC, and count those that only repeat another.

    Raises
    ------
    DataError
        If two files give an object different values of a counter in one period.
    """
    step, first = extent.step, int(extent.begins[0].astype(np.int64))
    steps = (int(extent.begins[-1].astype(np.int64)) - first) // step + 1
    shape = steps, len(extent.nodes), len(counters)
    raw = np.full(shape, np.nan, dtype=np.float32)
    flat = raw.reshape(-1)
    place = {name: n for n, name in enumerate(extent.nodes)}
    repeats = 0
    for part in parts:
        known = (part.minutes == step) & ~np.isnan(part.value)
        node = np.array([place[name] for name in part.nodes], dtype=np.int64)[part.node[known]]
        time = (part.begin[known].astype(np.int64) - first) // step
        at = (time * shape[1] + node) * shape[2] + part.service[known]
        value = part.value[known].astype(np.float32)
        order = np.argsort(at, kind="stable")
        at, value = at[order], value[order]
        new = np.concatenate([[True], at[1:] != at[:-1]]) if len(at) else np.zeros(0, dtype=bool)
        was = flat[at[new]]
        flat[at[new]] = np.where(np.isnan(was), value[new], was)
        wrong = flat[at] != value
        if wrong.any():
            t, n, s = (int(i) for i in np.unravel_index(int(at[wrong.argmax()]), shape))
            raise DataError(
                f"folder: {int(wrong.sum())} results differ from another of the same object and period, first "
                f"{counters[s]} of {extent.nodes[n]!r} in the {step} minutes from "
                f"{extent.begins[0] + t * np.timedelta64(step, 'm')} UTC: remove one of the files, or give "
                f"elements names of their own"
            )
        repeats += len(at) - int(np.isnan(was).sum())
    return raw, repeats


def localised(
    raw: NDArray[np.float32], first: np.datetime64, step: int, zone: ZoneInfo
) -> tuple[NDArray[np.float32], np.datetime64, LocalTimes, int]:
    """Bring steps of UTC to those of the local clock, days of 24 hours.

    Steps that daylight saving skips are missing; those that it repeats hold the mean of both.

    Parameters
    ----------
    raw : float32 array `[T, N, S]`
        Values.
    first : datetime64
        Begin of the first step, UTC.
    step : int
        Minutes of a step.
    zone : ZoneInfo
        Where local time is of.

    Returns
    -------
    tuple
        The values, the local begin of the first, how times were read, and the number of pairs of a time and an
        object that hold a mean of two.
    """
    exact = first + np.arange(len(raw)) * np.timedelta64(step, "m")
    minutes = exact.astype(np.int64)
    local = minutes + np.array([_offset(minute, zone) for minute in minutes.tolist()], dtype=np.int64)
    at, off = np.divmod(local - local[0], step)
    if off.any():
        raise DataError(f"timezone={zone.key}: its clock moves by other than whole steps of {step} minutes")
    clock = LocalTimes(
        local.astype("datetime64[m]"), exact, np.zeros(len(raw), dtype=bool), zone,
        f"the ends of periods with an offset; each begins a period earlier, in the local time of {zone.key}",
        True,
    )  # fmt: skip
    start = local.min().astype("datetime64[m]")
    at -= at.min()
    result, both = folded(raw, at)
    return result, start, clock, both


def _offset(minute: int, zone: ZoneInfo) -> int:
    """Minutes that the local clock is before UTC."""
    moved = datetime.fromtimestamp(minute * 60, UTC).astimezone(zone).utcoffset()
    assert moved is not None  # a ZoneInfo knows its offset
    return int(moved.total_seconds()) // 60
