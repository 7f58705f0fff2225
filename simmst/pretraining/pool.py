"""Series of simulated worlds, as one array from which training windows are cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simmst.io.processes import in_processes
from simmst.pretraining.reading import DAY
from simmst.simulator.city import draw_world
from simmst.simulator.prior.informed import informed_prior
from simmst.simulator.prior.literature import literature_prior
from simmst.simulator.prior.scenario import Prior

PRIORS: dict[str, Callable[[], Prior]] = {"literature": literature_prior, "informed": informed_prior}
_KINDS = ("call", "sms", "internet", "volume")
_PER_CALL = 25  # worlds: half a second of work


@dataclass(frozen=True, slots=True)
class Pool:
    """Series of one length.

    Attributes
    ----------
    series : float32 array [R, T]
        Traffic.
    hour : int64 array [R]
        Hour of the week of each one's first step; 0 is Monday's first.
    """

    series: NDArray[np.float32]
    hour: NDArray[np.int64]


def draw_pool(
    prior: str,
    worlds: int,
    days: int,
    seed: int,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Pool:
    """Simulate worlds and keep the series of their nodes, two services of random kinds each.

    Parameters
    ----------
    prior : str
        "literature" or "informed".
    worlds, days, seed : int
        World `i` depends on the seed and on `i` alone.
    workers : int
        Processes.
    progress : callable, optional
        Called with the number of worlds done and their total.
    """
    firsts = range(0, worlds, _PER_CALL)
    calls = [(prior, days, seed, first, min(first + _PER_CALL, worlds)) for first in firsts]
    parts: dict[int, tuple[NDArray[np.float32], NDArray[np.int64]]] = {}
    done = 0
    for first, series, hour in in_processes(_draw, calls, workers):
        parts[first] = series, hour
        done += min(_PER_CALL, worlds - first)
        progress(done, worlds)
    return Pool(np.concatenate([parts[first][0] for first in firsts]),
                np.concatenate([parts[first][1] for first in firsts]))  # fmt: skip


def _draw(
    prior: str, days: int, seed: int, first: int, stop: int
) -> tuple[int, NDArray[np.float32], NDArray[np.int64]]:
    drawn, series, hours = PRIORS[prior](), [], []
    for number in range(first, stop):
        kinds = np.random.default_rng((seed, number)).choice(_KINDS, 2)
        world = draw_world(drawn, days * DAY, tuple(f"{kind} {k}" for k, kind in enumerate(kinds)), seed, number)
        found = world.traffic().values.transpose(1, 2, 0).reshape(-1, days * DAY)
        series.append(found)
        hours.append(np.full(len(found), world.start_hour, dtype=np.int64))
    return first, np.concatenate(series), np.concatenate(hours)
