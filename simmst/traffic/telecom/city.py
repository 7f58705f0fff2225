"""The days of the Telecom Italia data put together: gaps found, filled, and summed to the resolution."""

from __future__ import annotations

import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from simmst.errors import DataError
from simmst.io.atomic import atomic_file
from simmst.traffic.gap import Gap
from simmst.traffic.telecom.day import SERVICES, STEP_MINUTES, STEPS
from simmst.traffic.telecom.parts import DayParts, DaySummary

Fill = Literal["none", "zero", "linear"]
_MILANO = "sms-call-internet-mi"


class City:
    """The days put together.

    Parameters
    ----------
    days : list of datetime64
        The days that were read, ascending.
    parts : DayParts
        Where their values are.
    summaries : list of DaySummary
        What is known of each.
    fill : Fill
        What to do with gaps.
    out : Path
        The traffic file, for messages.

    Raises
    ------
    DataError
        If there are gaps that `fill` cannot fill.
    """

    def __init__(
        self, days: list[np.datetime64], parts: DayParts, summaries: list[DaySummary], fill: Fill, out: Path
    ) -> None:
        self.first = days[0]
        self.n_days = int((days[-1] - days[0]).astype(int)) + 1
        self.squares = np.unique(np.concatenate([summary.squares for summary in summaries]))
        #: Ten-minute steps with a record, bool `[144 days, 3]`.
        self.recorded = np.zeros((self.n_days * STEPS, len(SERVICES)), dtype=bool)
        self._places: dict[int, NDArray[np.int64]] = {}
        for day, summary in zip(days, summaries, strict=True):
            index = int((day - days[0]).astype(int))
            self.recorded[index * STEPS : (index + 1) * STEPS] = summary.recorded
            self._places[index] = np.searchsorted(self.squares, summary.squares)
        self._parts, self._fill = parts, fill
        # Three days: the one being written, and those on both sides of a gap.
        self._load = lru_cache(maxsize=3)(self._read)
        self.gaps = self._find_gaps()
        self._check_gaps(out)

    def _find_gaps(self) -> list[Gap]:
        found = []
        start = self.first.astype("datetime64[m]")
        for s, service in enumerate(SERVICES):
            edges = np.flatnonzero(np.diff(np.concatenate([[True], self.recorded[:, s], [True]])))
            for a, b in edges.reshape(-1, 2):
                found.append(Gap(service, start + a * STEP_MINUTES, start + b * STEP_MINUTES))
        return found

    def _check_gaps(self, out: Path) -> None:
        if self.gaps and self._fill == "none":
            gap = self.gaps[0]
            raise DataError(
                f"{len(self.gaps)} gaps, first {gap.service} from {gap.start} to {gap.stop}: choose fill=zero or "
                f"fill=linear (the days already read are kept beside {out}, so this is quick)"
            )
        empty = [service for s, service in enumerate(SERVICES) if not self.recorded[:, s].any()]
        if empty and self._fill == "linear":
            raise DataError(f"fill=linear: no file holds any record of {', '.join(empty)}; choose fill=zero")

    def _read(self, index: int) -> NDArray[np.float32]:
        places = self._places.get(index)
        if places is not None and len(places) == len(self.squares):
            return self._parts.values(self.first + index)
        values = np.zeros((len(self.squares), STEPS, len(SERVICES)), dtype=np.float32)
        if places is not None:
            values[places] = self._parts.values(self.first + index)
        return values

    def _filled_day(self, index: int) -> NDArray[np.float32]:
        values = self._load(index)
        gaps = np.argwhere(~self.recorded[index * STEPS : (index + 1) * STEPS])
        if self._fill == "linear" and len(gaps):
            values = values.copy()
            for step, s in gaps:
                values[:, step, s] = self._between(index * STEPS + step, s)
        return values

    def _between(self, step: int, s: int) -> NDArray[np.float32]:
        """Interpolate between the nearest recorded steps; before the first and after the last, hold."""
        known = np.flatnonzero(self.recorded[:, s])
        after = int(np.searchsorted(known, step))
        low, high = known[max(after - 1, 0)], known[min(after, len(known) - 1)]
        weight = np.float32(0 if low == high else (step - low) / (high - low))
        a, b = (self._load(int(k) // STEPS)[:, int(k) % STEPS, s] for k in (low, high))
        return np.asarray((1 - weight) * a + weight * b)

    def save(self, out: Path, resolution: int, set_name: str) -> None:
        """Write the traffic file, one day in memory at a time."""
        # Ids of Milano's squares imply coordinates; Trentino's must not be taken for them.
        names = {"square_ids": self.squares} if set_name == _MILANO else {"node_ids": self.squares.astype(str)}
        small = {
            "start": np.array(f"{self.first}T00:00"),
            "step_minutes": np.array(resolution),
            "services": np.array(SERVICES),
            "units": np.array("activity"),
            **names,
        }
        if self.gaps:
            small["gaps"], small["fill"] = np.array(self.gaps, dtype=str), np.array(self._fill)
        steps = resolution // STEP_MINUTES
        per_day = (len(self.squares), STEPS // steps, steps, len(SERVICES))
        with (
            atomic_file(out) as stream,
            # Not compressed: deflating the digits of floats takes longer than all the rest, and saves a tenth.
            zipfile.ZipFile(stream, "w") as npz,
        ):
            for name, array in small.items():
                with npz.open(f"{name}.npy", "w") as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
            with npz.open("values.npy", "w", force_zip64=True) as member:
                shape = (self.n_days * (STEPS // steps), len(self.squares), len(SERVICES))
                header = {"descr": "<f4", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(member, header)
                for index in range(self.n_days):
                    values = self._filled_day(index).reshape(per_day)
                    summed = values[:, :, 0].astype(np.float64)
                    for step in range(1, steps):
                        summed += values[:, :, step]
                    member.write(np.ascontiguousarray(summed.swapaxes(0, 1), dtype="<f4").data)
