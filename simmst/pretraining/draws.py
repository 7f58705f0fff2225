"""Training windows as the network will meet histories: of any length, with holes, with changes of regime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simmst.pretraining.pool import Pool
from simmst.pretraining.reading import BLOCKS, DAY, HOURS

_AHEAD = BLOCKS * DAY
_SPAN = HOURS + _AHEAD
_WEEK = 168
_ASKED = 2  # days forecast of each window; the first day in six draws of ten
_LEAST = 12  # known hours without which a window counts for nothing


class Draw(NamedTuple):
    """A batch: what `PretrainedNet.forward` takes, the truth `[B, K, 24]`, how much each window counts `[B]`."""

    traffic: Tensor
    known: Tensor
    hour_of_week: Tensor
    blocks: Tensor
    truth: Tensor
    counts: Tensor


@dataclass(frozen=True, slots=True)
class Draws:
    """Batches of windows of a pool; batch `i` depends on the seed and `i` alone, so that a stop changes nothing.

    Attributes
    ----------
    pool : Pool
    batch : int
        Windows.
    regimes, mixed : float
        Shares of windows with a change of regime, and of mixtures of two series.
    seed : int
    """

    pool: Pool
    batch: int
    regimes: float
    mixed: float
    seed: int

    def draw(self, number: int) -> Draw:
        """Draw batch `number`."""
        rng = np.random.default_rng((self.seed, number))
        at = rng.integers(HOURS, self.pool.series.shape[1] - _AHEAD + 1, self.batch)
        series = rng.integers(0, len(self.pool.series), self.batch)
        span, hour = self._cut(series, at), (self.pool.hour[series] + at) % _WEEK
        self._mix(span, hour, rng)
        self._change(span, hour, rng)
        known = _known(self.batch, rng)
        blocks = np.where(rng.random((self.batch, _ASKED)) < 0.6, 0, rng.integers(1, BLOCKS, (self.batch, _ASKED)))
        truth = span[:, HOURS:].reshape(-1, BLOCKS, DAY)[np.arange(self.batch)[:, None], blocks]
        history = span[:, :HOURS] * known
        counts = (known.sum(1) >= _LEAST) & (history.sum(1) > 0)
        arrays = history, known, hour, blocks.astype(np.int64), truth, counts.astype(np.float32)
        return Draw(*map(torch.from_numpy, arrays))

    def _cut(self, series: NDArray[np.int64], at: NDArray[np.int64]) -> NDArray[np.float32]:
        """Windows `[n, HOURS + AHEAD]` around origins, copied."""
        return np.stack([self.pool.series[i, t - HOURS : t + _AHEAD] for i, t in zip(series, at, strict=True)])

    def _others(
        self, span: NDArray[np.float32], hour: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """Other series at the same hours of the week, brought to the mean of `span`."""
        series = rng.integers(0, len(self.pool.series), len(span))
        first = self.pool.hour[series] + HOURS
        at = HOURS + (hour - first) % _WEEK  # the worlds are a week longer than a window, at least
        other = self._cut(series, at)
        share = span.mean(1, keepdims=True) / np.maximum(other.mean(1, keepdims=True), 1e-12)
        return np.asarray(other * share, dtype=np.float32)

    def _mix(self, span: NDArray[np.float32], hour: NDArray[np.int64], rng: np.random.Generator) -> None:
        chosen = np.flatnonzero(rng.random(len(span)) < self.mixed)
        if chosen.size:
            share = rng.uniform(0.0, 1.0, (chosen.size, 1)).astype(np.float32)
            span[chosen] = (1 - share) * span[chosen] + share * self._others(span[chosen], hour[chosen], rng)

    def _change(self, span: NDArray[np.float32], hour: NDArray[np.int64], rng: np.random.Generator) -> None:
        """From a midnight of the last 12 days on, for good or for 1 to 13 days: another level, another day."""
        chosen = np.flatnonzero(rng.random(len(span)) < self.regimes)
        if not chosen.size:
            return
        n = chosen.size
        begin = HOURS - hour[chosen] % DAY - DAY * rng.integers(0, 13, n)
        end = np.where(rng.random(n) < 0.5, _SPAN, begin + DAY * rng.integers(1, 14, n))
        level = np.exp(rng.normal(0.0, 0.35, (n, 1))).astype(np.float32)
        share = (rng.uniform(0.0, 1.0, (n, 1)) * (rng.random((n, 1)) < 0.5)).astype(np.float32)
        within = (np.arange(_SPAN) >= begin[:, None]) & (np.arange(_SPAN) < end[:, None])
        other = level * ((1 - share) * span[chosen] + share * self._others(span[chosen], hour[chosen], rng))
        span[chosen] = np.where(within, other, span[chosen])


def _known(count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Which hours are known: all; or the last ones, from a day on; in a tenth of the windows with holes."""
    kind = rng.random(count)
    even = rng.integers(DAY, HOURS + 1, count)
    short = np.exp(rng.uniform(np.log(DAY), np.log(400.0), count)).astype(np.int64)
    length = np.where(kind < 0.3, HOURS, np.where(kind < 0.65, even, short))
    hours = np.arange(HOURS)
    known = hours >= HOURS - length[:, None]
    for one in np.flatnonzero(rng.random(count) < 0.1):
        for _ in range(rng.integers(1, 4)):
            first = rng.integers(0, HOURS)
            known[one, first : first + rng.integers(1, 30)] = False
    return known.astype(np.float32)
