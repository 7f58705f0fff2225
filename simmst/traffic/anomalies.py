"""What in a history is unlike the traffic of a run: another city or unit, absurd values, dead nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from simmst.traffic.dataset import TrafficData
from simmst.traffic.scaling import NodeScaler

# Beyond what later days of Jinan and Milano reach, Christmas included, under scales of their first weeks [M]. The
# median |z| of a day or a week: at most 1.7 (a thousand times less: 2.6 or more). The rank correlation of the
# nodes' levels: at least 0.88 (shuffled: at most 0.4). No value with |z| above 5.9 was also a factor of ten away.
# Straight for a day were only nodes that are silent most of the time, with a mean of 0.4 deviations or less; no
# other repeated more than 4 hours of the day before.
_FAR_MEDIAN, _LIKE, _FAR, _FACTOR, _DAY, _QUIET = 2.0, 0.5, 7.0, 10.0, 24, 1.5
_ENOUGH_NODES = 10  # for a rank correlation
_STRAIGHT = 2e-6  # of the value: what float32 leaves of a straight line


def anomalies(data: TrafficData, scaler: NodeScaler, lookback: int) -> list[str]:
    """Say what is odd in the hours that a network reads.

    Parameters
    ----------
    data : TrafficData
        Hourly traffic of the run's nodes and services. Of less than a day only single values are judged.
    scaler : NodeScaler
        Of the run.
    lookback : int
        Hours at the end of the data that the network reads; a day of them is looked at, at least.
    """
    values = data.values[-max(lookback, _DAY) :].astype(np.float64)
    scaled = scaler.transform(values).astype(np.float64)
    other = [*_another_unit(scaled), *_other_nodes(values, scaler)] if len(values) >= _DAY else []
    if other:
        return [
            f"THIS DOES NOT LOOK LIKE THE TRAFFIC OF THE RUN. {' '.join(other)} If so, the forecast means nothing."
        ]
    return [*_absurd(data, values, scaled, scaler), *_filled(data, lookback, scaler)]


def _another_unit(scaled: npt.NDArray[np.float64]) -> Iterator[str]:
    middle = float(np.median(np.abs(scaled)))
    if middle > _FAR_MEDIAN:
        side = "above" if np.median(scaled) > 0 else "below"
        yield (
            f"Half of all values are more than {middle:.1f} standard deviations of the run away, most of them "
            f"{side} (0.7 to 1 is usual): is it another city, or another unit?"
        )


def _other_nodes(values: npt.NDArray[np.float64], scaler: NodeScaler) -> Iterator[str]:
    """Doubt that nodes are the run's where the busy ones are not its busy ones."""
    if values.shape[1] < _ENOUGH_NODES:
        return
    found = []
    levels = np.expm1(np.log1p(values / scaler.unit).mean(axis=0)) * scaler.unit
    usual = np.expm1(scaler.mean) * scaler.unit
    logs = np.log1p(usual / np.median(scaler.unit, axis=0))
    for s, level in enumerate(levels.T):
        # Nodes that are all alike have no order.
        if np.ptp(level) > 0 and logs[:, s].std() > 0.5 * np.median(scaler.scale[:, s]):
            found.append(float(spearmanr(level, usual[:, s]).statistic))
    if found and max(found) < _LIKE:
        yield (
            "The busy nodes are not the run's busy nodes (rank correlation of their levels "
            f"{max(found):.2f}, of the same nodes about 0.95): do the names mean other nodes?"
        )


def _absurd(
    data: TrafficData, values: npt.NDArray[np.float64], scaled: npt.NDArray[np.float64], scaler: NodeScaler
) -> Iterator[str]:
    """Name values that are many deviations and a large factor away from what is usual for their node."""
    away = np.abs(np.log1p(values / scaler.unit) - scaler.mean)
    far = np.where(away > np.log(_FACTOR), np.abs(scaled), 0.0)
    far[far <= _FAR] = 0.0
    cells = far.max(axis=0)
    order = np.argsort(-cells, axis=None, kind="stable")[: np.count_nonzero(cells)]
    if not order.size:
        return
    worst = []
    for n, s in zip(*np.unravel_index(order, cells.shape), strict=True):
        t, hours = int(far[:, n, s].argmax()), np.count_nonzero(far[:, n, s])
        more = f" and {hours - 1} other hours" if hours > 1 else ""
        usual = np.expm1(scaler.mean[n, s]) * scaler.unit[n, s]
        worst.append(
            f"node {data.node_ids[n]}, {data.services[s]}: {values[t, n, s]:.3g} at "
            f"{data.times[len(data.times) - len(values) + t]}{more}, where {usual:.3g} is usual"
        )
    yield (
        f"Values of the last {len(values)} hours are more than {_FAR:g} standard deviations of the run and a "
        f"factor of {_FACTOR:g} away from what is usual: {few(worst, '; ')}. The network takes them for traffic, "
        "to the harm of the forecasts of these nodes and of their neighbours: mend them in the file."
    )


def _filled(data: TrafficData, lookback: int, scaler: NodeScaler) -> Iterator[str]:
    """Name nodes that ran along a straight line for a day, or repeated the day before: dead, and filled."""
    values = data.values[-max(lookback, 2 * _DAY) :].astype(np.float64)
    top = np.maximum(np.maximum(values[:-2], values[1:-1]), values[2:])
    straight = np.abs(np.diff(values, 2, axis=0)) <= _STRAIGHT * top
    known = ~data.filled[-len(values) :, None]  # a declared gap was filled at every node: it says nothing of one
    straight &= known[1:-1]
    hours = np.maximum(_longest(straight) + 2, _longest((values[_DAY:] == values[:-_DAY]) & known[_DAY:]))
    dead = (hours >= _DAY) & (scaler.mean > _QUIET * scaler.scale)
    if dead.any():
        names = [
            f"node {data.node_ids[n]} ({', '.join(data.services[s] for s in np.flatnonzero(dead[n]))}): "
            f"{hours[n][dead[n]].max()} hours"
            for n in np.flatnonzero(dead.any(axis=1))
        ]
        yield (
            f"Of the last {len(values)} hours a day or more is a straight line, or the day before again, at "
            f"{len(names)} of {len(data.node_ids)} nodes, as where a dead node was filled: {few(names, '; ')}. "
            "The network takes it for traffic: do not rely on the forecasts of these nodes, nor quite on their "
            "neighbours'."
        )


def _longest(holds: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Steps that it holds in a row at most, `[N, S]` of `[T, N, S]`."""
    run = longest = np.zeros(holds.shape[1:], dtype=np.int64)
    for now in holds:
        run = np.where(now, run + 1, 0)
        longest = np.maximum(longest, run)
    return longest


def few(names: Sequence[str], between: str = ", ") -> str:
    """Join the first five, and say how many more there are."""
    return between.join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
