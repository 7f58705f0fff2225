"""Which days a run has seen, and what of them is otherwise in a newer file."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from simmst.errors import DataError
from simmst.io.npz import Arrays, check_array
from simmst.traffic.dataset import TrafficData

_DAY = 24


def whole_days(data: TrafficData, name: str) -> TrafficData:
    """Cut hourly traffic to whole days of the calendar.

    Raises
    ------
    DataError
        If it holds none.
    """
    begin = int((-(data.start - data.start.astype("datetime64[D]")) // np.timedelta64(1, "h")) % _DAY)
    days = (len(data.values) - begin) // _DAY
    if days < 1:
        raise DataError(f"{name}: {len(data.values)} hours hold no whole day of the calendar")
    return data.select(start=begin, stop=begin + days * _DAY)


def day_of(data: TrafficData, step: int) -> str:
    """Date of a step, ISO."""
    return str(data.times[step].astype("datetime64[D]"))


@dataclass(frozen=True, slots=True)
class Seen:
    """Check sums of the days of a file, by node.

    Attributes
    ----------
    start : datetime64[D]
        First day.
    node_ids : tuple of str
    sums : uint32 array `[D, N]`
        Of the values of a day, all services, and of which were recorded.
    """

    start: np.datetime64
    node_ids: tuple[str, ...]
    sums: npt.NDArray[np.uint32]

    @classmethod
    def of(cls, data: TrafficData) -> Self:
        """Take them of whole days."""
        days, nodes = len(data.values) // _DAY, len(data.node_ids)
        shape = days, _DAY, nodes, -1
        values = np.ascontiguousarray(data.values.reshape(shape).transpose(0, 2, 1, 3))
        known = np.ascontiguousarray(data.known.reshape(shape).transpose(0, 2, 1, 3))
        sums = [
            [zlib.crc32(known[d, n].tobytes(), zlib.crc32(values[d, n].tobytes())) for n in range(nodes)]
            for d in range(days)
        ]
        return cls(data.start.astype("datetime64[D]"), data.node_ids, np.array(sums, dtype=np.uint32))

    @property
    def last(self) -> str:
        """The last day, ISO."""
        return str(self.start + np.timedelta64(len(self.sums) - 1, "D"))

    def changed(self, newer: Seen) -> list[str]:
        """Days, ISO, that both hold and that differ in a node of both."""
        common = [name for name in self.node_ids if name in set(newer.node_ids)]
        if not common:
            return []
        first, stop = max(self.start, newer.start), min(self._stop, newer._stop)
        if stop <= first:
            return []
        mine, theirs = (one._part(first, stop, common) for one in (self, newer))
        differ = np.any(mine != theirs, axis=1)
        return [str(first + np.timedelta64(int(d), "D")) for d in np.flatnonzero(differ)]

    @property
    def _stop(self) -> np.datetime64:
        return np.datetime64(self.start + np.timedelta64(len(self.sums), "D"))

    def _part(self, first: np.datetime64, stop: np.datetime64, nodes: list[str]) -> npt.NDArray[np.uint32]:
        begin, end = (int((when - self.start).astype(int)) for when in (first, stop))
        place = {name: i for i, name in enumerate(self.node_ids)}
        return self.sums[begin:end][:, [place[name] for name in nodes]]

    def as_arrays(self) -> Arrays:
        """Return it as a file holds it."""
        return {"start": np.array(str(self.start)), "node_ids": np.array(self.node_ids), "sums": self.sums}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> Self:
        """Read what `as_arrays` wrote.

        Raises
        ------
        DataError
            If an array is missing or does not fit the others.
        """
        try:
            check_array("node_ids", arrays["node_ids"], "U", None)
            check_array("sums", arrays["sums"], "u", None, len(arrays["node_ids"]))
            start = np.datetime64(str(arrays["start"]), "D")
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"damaged ({error})") from None
        return cls(start, tuple(map(str, arrays["node_ids"])), np.asarray(arrays["sums"], dtype=np.uint32))
