"""One daily file of the Telecom Italia data: its lines checked and summed to ten-minute traffic of local time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from io import FileIO
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from simmst.errors import DataError
from simmst.traffic.telecom._kernels import add_lines
from simmst.traffic.telecom._words import MARGIN, separators

#: The services, in the order of the result.
SERVICES = ("call", "sms", "internet")
_VALUES = ("sms_in", "sms_out", "call_in", "call_out", "internet")
STEP_MINUTES = 10
STEPS = 1440 // STEP_MINUTES
_ZONE = ZoneInfo("Europe/Rome")
# The larger of the two grids, Trentino's; Milano's has 10,000 squares [K].
_MAX_SQUARE = 11_466
# Bytes read at a time: what bounds the memory.
_BLOCK = 1 << 19
# A number of a line; longer ones are none that a daily file holds.
_MAX_DIGITS = 16


@dataclass(frozen=True, slots=True)
class DayTraffic:
    """Traffic of one local day, and what its file was like.

    Parameters
    ----------
    squares : int64 array `[N]`
        Ids of the squares that the file names, ascending.
    values : float32 array `[N, 144, 3]`
        Traffic; 0 where a square has no record.
    recorded : bool array `[144, 3]`
        Whether any square has a record of the service at the step.
    silent : int
        Number of values that are 0 because the square has no record at a recorded step.
    repeated : int
        Number of local steps that occurred twice (the end of daylight saving); they hold the mean of both.
    lines : int
        Number of lines of the file.
    malformed : tuple of str
        File, line and reason of the lines left out.
    """

    squares: NDArray[np.int64]
    values: NDArray[np.float32]
    recorded: NDArray[np.bool_]
    silent: int
    repeated: int
    lines: int
    malformed: tuple[str, ...]


def read_day(path: Path, day: np.datetime64, max_malformed: int) -> DayTraffic:
    """Read one daily file in blocks, so that its size does not matter.

    A line holds, tab separated, square id, time (ms, UTC), country code, SMS-in, SMS-out, call-in, call-out and
    internet; the five values may be empty. Country codes are summed, and so are in and out.

    Parameters
    ----------
    path : Path
        The file.
    day : datetime64
        The local day that it is of; a record of another day is malformed.
    max_malformed : int
        Malformed lines to accept.

    Raises
    ------
    DataError
        If more lines are malformed, or none holds a record.
    """
    file = _DayFile(path, _Clock(day), max_malformed)
    with path.open("rb", buffering=0) as stream:
        for buffer, length in _blocks(stream, path):
            file.add(buffer, length)
    return file.result()


class _Clock:
    """The ten-minute steps of a local day: 138, 144 or 150 of them in UTC."""

    def __init__(self, day: np.datetime64) -> None:
        step = np.timedelta64(STEP_MINUTES, "m")
        utc = np.arange(day - np.timedelta64(12, "h"), day + np.timedelta64(36, "h"), step)
        aware = (moment.replace(tzinfo=UTC).astimezone(_ZONE) for moment in utc.astype("datetime64[us]").tolist())
        local = np.array([moment.replace(tzinfo=None) for moment in aware], dtype="datetime64[m]")
        today = local.astype("datetime64[D]") == day
        self.day = day
        self.first_ms = int(utc[today][0].astype("datetime64[ms]").astype(np.int64))
        #: Local step 0..143 of each UTC step.
        self.slot = ((local[today] - day) // step).astype(np.int64)


class _DayFile:
    """Running sums over the records of a file."""

    def __init__(self, path: Path, clock: _Clock, max_malformed: int) -> None:
        self._path, self._clock, self._max_malformed = path, clock, max_malformed
        self._lines = 0
        self._malformed: list[str] = []
        # Squares first: the files are sorted by square, so a line's sums lie near those of the line before.
        shape = (_MAX_SQUARE + 1, len(clock.slot), len(SERVICES))
        self._sums = np.zeros(shape)
        self._seen = np.zeros(shape, dtype=bool)
        self._named = np.zeros(_MAX_SQUARE + 1, dtype=bool)
        self._places = np.zeros(_BLOCK + 1 + MARGIN, dtype=np.int32)

    def add(self, buffer: bytearray, length: int) -> None:
        """Add the records of the whole lines in the first `length` bytes."""
        text = np.frombuffer(buffer, dtype=np.uint8)
        places = self._places[: separators(text, length, self._places)]
        first = start = 0
        while start < length:
            end, lines = add_lines(
                text, places, first, start, self._clock.first_ms, self._sums, self._seen, self._named
            )
            self._lines += lines
            start = end
            if end < length:
                start = buffer.index(b"\n", end) + 1
                first = int(np.searchsorted(places, start))
                self._lines += 1
                self._refuse(bytes(buffer[end:start]))

    def _refuse(self, line: bytes) -> None:
        self._malformed.append(f"{self._path.name}:{self._lines}: {_reason(line, self._clock)}")
        if len(self._malformed) > self._max_malformed:
            raise DataError(
                f"{self._malformed[0]}; {len(self._malformed)} malformed lines up to line {self._lines} of this "
                f"file, more than max_malformed={self._max_malformed}"
            )

    def result(self) -> DayTraffic:
        """Put the sums on the local clock."""
        if not self._seen.any():
            raise DataError(f"{self._path}: holds no record of {self._clock.day}")
        squares = np.flatnonzero(self._named)
        # As a rule all squares of the grid, one after the other: then nothing is copied.
        first, last = squares[0], squares[-1]
        rows = slice(first, last + 1) if last - first + 1 == len(squares) else squares
        sums, seen = self._sums[rows], self._seen[rows]
        live = np.asarray(seen.any(axis=0))
        # The hour that daylight saving repeats is recorded twice: its steps hold the mean of what was recorded.
        slot = self._clock.slot
        times = np.zeros((STEPS, len(SERVICES)))
        np.add.at(times, slot, live)
        if len(slot) == STEPS:
            values = sums.astype(np.float32)
        else:
            values = np.zeros((len(squares), STEPS, len(SERVICES)), dtype=np.float32)
            for step, at in enumerate(slot):
                values[:, at] += sums[:, step] / np.maximum(times[at], 1)
        return DayTraffic(
            squares=squares,
            values=values,
            recorded=times > 0,
            silent=int(live.sum()) * len(squares) - int(np.count_nonzero(seen)),
            repeated=len(slot) - len(np.unique(slot)),
            lines=self._lines,
            malformed=tuple(self._malformed),
        )


def _blocks(stream: FileIO, path: Path) -> Iterator[tuple[bytearray, int]]:
    """Read a file into one buffer, again and again; yield it with the length of the whole lines in it."""
    buffer = bytearray(_BLOCK + 1 + MARGIN)
    kept = 0
    while read := stream.readinto(memoryview(buffer)[kept:_BLOCK]):
        end = buffer.rfind(b"\n", 0, kept + read) + 1
        if not end and kept + read == _BLOCK:
            raise DataError(f"{path}: a line of more than {_BLOCK} bytes; not a daily file of the data set")
        if end:
            yield buffer, end
        kept += read - end
        buffer[:kept] = buffer[end : end + kept]
    if kept:
        buffer[kept] = ord("\n")
        yield buffer, kept + 1


def _reason(line: bytes, clock: _Clock) -> str:
    """Say what is wrong with a line that `add_lines` did not take."""
    fields = line.rstrip(b"\r\n").decode("utf-8", "replace").split("\t")
    if len(fields) != 3 + len(_VALUES):
        return f"{len(fields)} fields in place of {3 + len(_VALUES)}"
    square, time, country = fields[:3]
    if not (_is_number(square) and 1 <= int(square) <= _MAX_SQUARE):
        return f"{_short(square)} is not a square id from 1 to {_MAX_SQUARE}"
    if not _is_number(time):
        return f"{_short(time)} is not a time in ms"
    step, between = divmod(int(time) - clock.first_ms, STEP_MINUTES * 60_000)
    if between or not 0 <= step < len(clock.slot):
        return f"{_short(time)} is not a ten-minute step of {clock.day}, local time"
    if country and not _is_number(country):
        return f"{_short(country)} is not a country code"
    for name, amount in zip(_VALUES, fields[3:], strict=True):
        if not re.fullmatch(r"((\d+\.?\d*|\.\d+)([eE][-+]?\d+)?)?", amount, re.ASCII) or float(amount or 0) > 1e12:
            return f"{name} {_short(amount)} is not a number from 0 to 1e12"
    return "not readable"


def _short(field: str) -> str:
    return ascii(field if len(field) <= 40 else f"{field[:40]}...")


def _is_number(field: str) -> bool:
    return field.isascii() and field.isdigit() and len(field) <= _MAX_DIGITS
