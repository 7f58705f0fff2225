"""What simple rows read: the last four weeks before an origin, by day and hour, and scales of each series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from simmst.errors import DataError
from simmst.traffic.dataset import TrafficData

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
DAY, WEEK = 24, 168
_D = TypeVar("_D", bound=np.generic)
#: Hours that are read, of more the last ones.
HOURS = 4 * WEEK
# As the pretrained network reads traffic (`simmst.pretraining.reading`): log(0.05 + traffic / mean), whose
# deviation counts as a tenth at least.
_FLOOR, _LEAST_SPREAD, _LARGEST = 0.05, 0.1, 12.0


@dataclass(frozen=True, slots=True)
class Past:
    """Traffic before an origin.

    Attributes
    ----------
    values : float64 array [24 D, N, S]
        Whole days counted back from the origin; what is unknown is 0.
    known : bool array [24 D, N, S]
        Which hours are known; those before the first one are not.
    hour : int
        Hour of the week of the origin; 0 is Monday's first.
    """

    values: Array
    known: Flags
    hour: int

    @classmethod
    def of(cls, data: TrafficData, known: Flags, nodes: slice | NDArray[np.int64] = slice(None)) -> Self:
        """Read the end of hourly traffic, of some nodes.

        Raises
        ------
        DataError
            If there is less than a day of it.
        """
        hours = len(data.values)
        if hours < DAY:
            raise DataError(f"traffic: {hours} hours; a day of history is needed")
        last = min(HOURS, hours)
        read, seen = data.values[-last:, nodes], known[-last:, nodes]
        front = ((-last) % DAY, *read.shape[1:])
        seen = np.concatenate([np.zeros(front, dtype=bool), seen])
        values = np.concatenate([np.zeros(front), read])
        return cls(np.where(seen, values, 0.0), seen, (data.start_hour + hours) % WEEK)

    @property
    def days(self) -> int:
        """Days D, the first of which may be known in part."""
        return len(self.values) // DAY

    def by_day(self, values: NDArray[_D]) -> NDArray[_D]:
        """View hours `[24 D, N, S]` as `[D, 24, N, S]`; hour j of a day is as late as the j-th from the origin."""
        return values.reshape(self.days, DAY, *values.shape[1:])

    def level(self) -> Array:
        """Mean of each series over its known hours `[N, S]`; the least float where there is no traffic."""
        mean = self.values.sum(axis=0) / np.maximum(self.known.sum(axis=0), 1)
        return np.asarray(np.maximum(mean, 1e-30))

    def logs(self) -> Array:
        """log(0.05 + traffic / level) `[24 D, N, S]`, 0 where unknown."""
        return np.where(self.known, self.to_logs(self.values), 0.0)

    def to_logs(self, traffic: Array) -> Array:
        """Logarithms `[..., N, S]` of any traffic of these series, as in `logs`."""
        return np.asarray(np.log(_FLOOR + traffic / self.level()))

    def from_logs(self, logs: Array) -> Array:
        """Traffic `[..., N, S]` of such logarithms, 0 at least."""
        return np.maximum(np.exp(np.minimum(logs, _LARGEST)) - _FLOOR, 0.0) * self.level()

    def filled(self, days: int) -> Array:
        """The last days `[days, 24, N, S]`; an unknown hour is that hour's mean on other days, or the level."""
        values, known = self.by_day(self.values), self.by_day(self.known)
        of_hour = mean_known(values, known)
        alive = self.known.any(axis=0)
        plain = np.where(known.any(axis=0), of_hour, np.where(alive, self.level(), 0.0))
        return np.where(known[-days:], values[-days:], plain)

    def weekend(self, hours: int) -> Flags:
        """Whether each hour `[24 D + hours]`, on beyond the origin, is on a Saturday or Sunday."""
        steps = np.arange(-len(self.values), hours)
        found: Flags = (self.hour + steps) % WEEK // DAY >= 5
        return found


def mean_known(values: Array, known: Flags) -> Array:
    """Mean over the first axis of what is known, 0 where nothing is."""
    count = known.sum(axis=0)
    return np.asarray((values * known).sum(axis=0) / np.maximum(count, 1), dtype=np.float64)


def spread_of(away: Array, known: Flags) -> Array:
    """Root of the mean square `[N, S]` of logarithms `[T, N, S]` less their centres, a tenth at least."""
    return np.maximum(np.sqrt(mean_known(away**2, known)), _LEAST_SPREAD)
