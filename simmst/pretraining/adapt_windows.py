"""Windows that a network is adapted on: those of a city's known days, and a bank of simulated ones by world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from simmst.errors import DataError
from simmst.pretraining.draws import Draw, Draws
from simmst.pretraining.pool import Pool, draw_pool
from simmst.pretraining.reading import DAY, HOURS

#: Known hours before an origin without which a window teaches nothing.
LEAST = 12
_WORLD_DAYS = 42  # four weeks of history, the week that a day is forecast in, and a week to mix with
_REGIMES, _MIXED = 0.25, 0.3  # as in the recipe of the shipped weights
_MOST_SERIES = 2000  # of more, some spread evenly over the nodes


@dataclass(frozen=True, slots=True)
class RealWindows:
    """Windows of known days, cut when they are asked for.

    Attributes
    ----------
    values, known : array [T, R]
        Hourly traffic of R series, and which of it was recorded.
    start_hour : int
        Hour of the week of the first hour.
    ahead : int
        Hours that are forecast: a day, and of less than four days a quarter of the hours.
    places : int64 array [n, 2]
        Origins and series of windows that have `LEAST` known hours before them and all hours after them known.
    """

    values: NDArray[np.float32]
    known: NDArray[np.bool_]
    start_hour: int
    ahead: int
    places: NDArray[np.int64]

    @classmethod
    def of(cls, values: NDArray[np.float32], known: NDArray[np.bool_], start_hour: int) -> Self:
        """Find the windows of traffic `[T, N, S]`.

        Raises
        ------
        DataError
            If there is none.
        """
        hours = len(values)
        flat, seen = values.reshape(hours, -1), known.reshape(hours, -1)
        step = max(1, -(-flat.shape[1] // _MOST_SERIES))
        flat, seen = np.ascontiguousarray(flat[:, ::step]), np.ascontiguousarray(seen[:, ::step])
        ahead = max(1, min(DAY, hours // 4))
        origins = np.arange(LEAST, hours - ahead + 1)
        first, counts, busy = np.maximum(origins - HOURS, 0), _counted(seen), _counted(seen & (flat > 0))
        whole = counts[origins + ahead] - counts[origins] == ahead
        enough = (counts[origins] - counts[first] >= LEAST) & (busy[origins] > busy[first])
        at, series = np.nonzero(enough & whole)
        if not at.size:
            raise DataError(
                f"traffic: no series has {LEAST} known hours and {ahead} recorded ones after them; give more days"
            )
        return cls(flat, seen, start_hour, ahead, np.stack([origins[at], series], axis=1))

    def draw(self, count: int, rng: np.random.Generator) -> Draw:
        """Draw windows, each place as likely."""
        return self.cut(self.places[rng.integers(0, len(self.places), count)])

    def cut(self, places: NDArray[np.int64]) -> Draw:
        """Cut windows with the first day after the origin as truth, `[n, 1, ahead]`."""
        n = len(places)
        history, known = np.zeros((n, HOURS), np.float32), np.zeros((n, HOURS), np.float32)
        truth = np.empty((n, 1, self.ahead), np.float32)
        for row, (at, series) in enumerate(places.tolist()):
            first = max(at - HOURS, 0)
            there = slice(HOURS - (at - first), HOURS)
            known[row, there] = self.known[first:at, series]
            history[row, there] = np.where(self.known[first:at, series], self.values[first:at, series], 0.0)
            truth[row, 0] = self.values[at : at + self.ahead, series]
        # Near 1, so that squares stay in single precision whatever the unit.
        size = np.maximum(history.max(axis=1), np.float32(1e-30))
        hour = (self.start_hour + places[:, 0]) % 168
        return Draw(
            torch.from_numpy(history / size[:, None]), torch.from_numpy(known), torch.from_numpy(hour),
            torch.zeros(n, 1, dtype=torch.int64), torch.from_numpy(truth / size[:, None, None]), torch.ones(n),
        )  # fmt: skip


def _counted(what: NDArray[np.bool_]) -> NDArray[np.int32]:
    """How many hours before each one are so, `[T + 1, R]`."""
    counts = np.zeros((len(what) + 1, what.shape[1]), dtype=np.int32)
    np.cumsum(what, axis=0, out=counts[1:])
    return counts


@dataclass(frozen=True, slots=True)
class Bank:
    """Simulated windows, drawn once, so that each can have a weight.

    Attributes
    ----------
    windows : Draw
        n windows, each with two of its days asked for.
    world : int64 array [n]
        Number of each one's world, 0 .. W - 1.
    """

    windows: Draw
    world: NDArray[np.int64]

    @classmethod
    def simulated(cls, worlds: int, per_world: int, seed: int) -> Self:
        """Draw worlds of the literature prior, and windows of each as they are drawn in pretraining."""
        pool = draw_pool("literature", worlds, _WORLD_DAYS, seed)
        each = len(pool.series) // worlds
        parts = []
        for w in range(worlds):
            own = slice(w * each, (w + 1) * each)
            one = Pool(pool.series[own], pool.hour[own])
            parts.append(Draws(one, per_world, _REGIMES, _MIXED, seed).draw(w))
        columns = (torch.cat(column) for column in zip(*parts, strict=True))
        return cls(Draw(*columns), np.repeat(np.arange(worlds), per_world))

    def take(self, index: NDArray[np.int64]) -> Draw:
        """Return the windows with these numbers."""
        at = torch.from_numpy(index)
        return Draw(*(column[at] for column in self.windows))
