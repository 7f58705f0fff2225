"""What is odd in traffic as it was measured, by node and time: for people to look at, and nothing is changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# A value is absurd beyond so many times what its node exceeds in one of a hundred steps, and what half of the
# nodes exceed so. The most was 2.4 times on Jinan and 4.2 on the extracts of Milano [M].
_FACTOR, _OFTEN = 10.0, 0.99
_DAY = 1440
# A running total falls only where it is reset; traffic falls about every second step.
_RISING = 0.95
_ALIKE = 2.0  # factor between the levels of a node and of what it may be called now
_SHOWN = 5


class Life(NamedTuple):
    """First step of a node with traffic, the one after its last, and the means of its services between, `[S]`."""

    first: int
    last: int
    level: NDArray[np.float64]


def oddities(
    raw: NDArray[np.float32],
    start: np.datetime64,
    step: int,
    nodes: Sequence[str],
    services: Sequence[str],
) -> Iterator[str]:
    """Say what is odd, a line each kind.

    Parameters
    ----------
    raw : float32 array `[T, N, S]`
        Traffic, NaN where it is unknown.
    start : datetime64
        Local time of the first step.
    step : int
        Minutes of a step.
    nodes, services : sequence of str
        Names.
    """
    times = start + np.arange(len(raw)) * np.timedelta64(step, "m")
    for s, service in enumerate(services):
        yield from _absurd(raw[..., s], times, nodes, service)
        yield from _totals(raw[..., s], times, nodes, service, step)
        yield from _silent(raw[..., s], times, service)
    if len(raw) * step >= 2 * _DAY:
        yield from _lives(raw, times, nodes, _DAY // step)
    yield from _twins(raw, nodes)


def _absurd(
    values: NDArray[np.float32], times: NDArray[np.datetime64], nodes: Sequence[str], service: str
) -> Iterator[str]:
    """Name values far beyond what is usual for their node, as where a counter wraps."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    at = np.maximum((_OFTEN * (count - 1)).astype(np.int64), 0)
    often = np.take_along_axis(np.sort(values, axis=0), at[None], axis=0)[0]  # NaN come last
    often = np.where(count > 0, often, 0)
    usual = float(np.median(often[count > 0])) if count.any() else 0.0
    far = values > _FACTOR * np.maximum(often, usual)
    if not far.any() or not usual:
        return
    found = []
    for n in np.argsort(-np.where(far, values, 0).max(axis=0), kind="stable")[: far.any(axis=0).sum()]:
        t = int(np.argmax(np.where(far[:, n], values[:, n], 0)))
        more = f" and {far[:, n].sum() - 1} other times" if far[:, n].sum() > 1 else ""
        middle = float(np.median(values[known[:, n], n]))
        what = f"{values[t, n]:.10g} at {times[t]}{more}, where {middle:.4g} is usual{_width(values[t, n])}"
        found.append(f"{nodes[n]}: {what}")
    yield (
        f"{service} has {int(far.sum())} values more than {_FACTOR:g} times what else is large; were they "
        f"measured? max_value (--max-value) takes larger ones as missing: {_few(found)}"
    )


def _width(value: float) -> str:
    """Say if a value is the largest that a counter of so many bits holds, perhaps in thousandths."""
    for bits in (15, 16, 31, 32, 63, 64):
        for part in (1, 1e3, 1e6):
            if abs(value * part / (2.0**bits - 1) - 1) < 2e-7:
                return f" (2^{bits} - 1{f' in parts of {part:g}' if part > 1 else ''}: a counter that wrapped)"
    return ""


def _totals(
    values: NDArray[np.float32], times: NDArray[np.datetime64], nodes: Sequence[str], service: str, step: int
) -> Iterator[str]:
    """Name nodes whose values hardly ever fall: running totals, where what came in each step is wanted."""
    change = np.diff(values, axis=0)
    known = ~np.isnan(change)
    count = np.maximum(known.sum(axis=0), 1)
    with np.errstate(invalid="ignore"):
        rises, falls = (change > 0).sum(axis=0), (change < 0)
    total = (count * step >= _DAY) & (falls.sum(axis=0) <= (1 - _RISING) * count) & (rises > 0.5 * count)
    found = []
    for n in np.flatnonzero(total).tolist():
        at = np.flatnonzero(falls[:, n])
        more = f" and {len(at) - 1} other times" if len(at) > 1 else ""
        found.append(f"{nodes[n]}{f' (falls at {times[at[0] + 1]}{more})' if len(at) else ''}")
    if found:
        yield (
            f"{service} rises nearly always at {len(found)} nodes, as a running total does that wraps or is reset "
            f"where it falls; give what came in each step: {_few(found)}"
        )


def _silent(values: NDArray[np.float32], times: NDArray[np.datetime64], service: str) -> Iterator[str]:
    """Name times at which all nodes are 0."""
    known = ~np.isnan(values)
    silent = known.any(axis=1) & ~(values > 0).any(axis=1)
    if not silent.any() or silent.sum() * 2 > known.any(axis=1).sum():
        return
    edges = np.flatnonzero(np.diff(np.concatenate([[False], silent, [False]])))
    spans = [f"{times[a]} to {times[b - 1]}" if b - a > 1 else f"{times[a]}" for a, b in edges.reshape(-1, 2)]
    yield f"{service} is 0 at all nodes at {int(silent.sum())} steps; was it measured? {_few(spans)}"


def _lives(
    raw: NDArray[np.float32], times: NDArray[np.datetime64], nodes: Sequence[str], day: int
) -> Iterator[str]:
    """Name nodes that are silent or missing for a day or more at either end, and what may be one of two names."""
    alive = np.asarray((raw > 0).any(axis=2))
    lives = {}
    for n in np.flatnonzero(alive.any(axis=0)).tolist():
        first, last = int(alive[:, n].argmax()), len(raw) - int(alive[::-1, n].argmax())
        if first >= day or len(raw) - last >= day:
            part = raw[first:last, n]
            count = np.maximum((~np.isnan(part)).sum(axis=0), 1)
            lives[n] = Life(first, last, np.nansum(part, axis=0, dtype=np.float64) / count)
    if never := [nodes[n] for n in np.flatnonzero(~alive.any(axis=0)).tolist()]:
        yield f"{len(never)} nodes have no traffic at all: {_few(never)}"
    dead = {n: life for n, life in lives.items() if len(raw) - life.last >= day}
    born = {n: life for n, life in lives.items() if life.first >= day}
    renamed = [
        f"{nodes[old]} ends and {nodes[new]} begins at {times[born[new].first]}"
        for new in born
        for old in dead
        if abs(born[new].first - dead[old].last) * 24 <= 2 * day and _alike(born[new].level, dead[old].level)
    ]
    if dead:
        found = [f"{nodes[n]} from {times[life.last]}" for n, life in dead.items()]
        yield f"{len(dead)} nodes are dead for a day or more up to the end: {_few(found)}"
    if born:
        found = [f"{nodes[n]} at {times[life.first]}" for n, life in born.items()]
        yield f"{len(born)} nodes begin a day or more after the others: {_few(found)}"
    if renamed:
        yield f"one under two names? {_few(renamed)}"


def _alike(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    return bool((np.maximum(one, other) <= _ALIKE * np.minimum(one, other)).all())


def _twins(raw: NDArray[np.float32], nodes: Sequence[str]) -> Iterator[str]:
    """Name nodes whose values are all the same."""
    same: dict[bytes, list[int]] = defaultdict(list)
    for n in range(raw.shape[1]):
        column = raw[:, n]
        if np.unique(column[~np.isnan(column)]).size > 2:
            same[column.tobytes()].append(n)
    found = [" = ".join(nodes[n] for n in group[:_SHOWN]) for group in same.values() if len(group) > 1]
    if found:
        yield f"nodes with the same values at all times: {_few(found)}"


def _few(texts: Sequence[str]) -> str:
    return "; ".join(texts[:_SHOWN]) + (f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else "")
