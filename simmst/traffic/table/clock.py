"""Local time of a table's moments: offsets, time zones, and the hours that daylight saving skips and repeats."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from simmst.errors import ConfigError, DataError, short

# `fromisoformat` alone takes any mark between date and time, and so milliseconds since 1970 for a day of 1710.
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?")


@dataclass(frozen=True, slots=True)
class LocalTimes:
    """What the moments of a table are on the local clock.

    Parameters
    ----------
    local : datetime64 array `[M]`
        Local time of each moment; two moments of the hour that daylight saving repeats have the same.
    moment : datetime64 array `[M]`
        What tells two moments apart: UTC where it is known, the local time else.
    ambiguous : bool array `[M]`
        Whether the local time alone does not tell the moment: the times had no offset, and daylight saving repeats
        this one.
    zone : ZoneInfo or None
        The time zone, or None where the times are taken as they stand.
    how : str
        What was done, in words.
    """

    local: NDArray[np.datetime64]
    moment: NDArray[np.datetime64]
    ambiguous: NDArray[np.bool_]
    zone: ZoneInfo | None
    how: str

    def skipped(self, times: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
        """Local times, of those given, that daylight saving skips."""
        if self.zone is None:
            return np.asarray(times[:0])
        marks = np.fromiter((_shift(time, self.zone) < 0 for time in times.tolist()), dtype=bool, count=len(times))
        return np.asarray(times[marks])


def local_times(
    moments: Sequence[Any], timezone: str | None = None, utc: bool = False, time_format: str | None = None
) -> LocalTimes:
    """Read times of which each is different, and bring them to local time.

    Parameters
    ----------
    moments : sequence of object
        Texts (ISO 8601, or as `time_format` says) or `datetime`, all with an offset or all without.
    timezone : str, optional
        Where the local time is of, such as "Europe/Rome". Without it times are taken as they stand.
    utc : bool
        Whether times without an offset are UTC; they are local time else.
    time_format : str, optional
        How texts are written, as `datetime.strptime` reads it: "%d.%m.%Y %H:%M".

    Raises
    ------
    DataError
        If a time cannot be read, only some have an offset, or one has an hour that daylight saving skips.
    ConfigError
        If times with an offset, or UTC, have no `timezone` to be brought to, that is unknown, or `time_format` has
        no year.
    """
    if time_format is not None and ("%Z" in time_format or not re.search("%[Yy]", time_format)):
        raise ConfigError(
            f"time_format={time_format!r}: needs the year (%Y), and %Z names a zone without its offset (use %z "
            f"or timezone)"
        )
    zone = _zone(timezone)
    read = [_read(moment, time_format) for moment in moments]
    aware = [moment.tzinfo is not None for moment in read]
    if any(aware) and not all(aware):
        lacks, has = moments[aware.index(False)], moments[aware.index(True)]
        raise DataError(f"time: {str(has)!r} has an offset from UTC, {str(lacks)!r} has none: write all alike")
    if not any(aware) and utc:
        read, aware = [moment.replace(tzinfo=UTC) for moment in read], [True] * len(read)
    if read and all(aware):
        if zone is None:
            raise ConfigError(
                f"time: {str(moments[0])!r} is "
                f"{'UTC' if utc else 'a time with an offset from UTC'}, and people live by local time: give it "
                f"with timezone (--timezone Europe/Rome)"
            )
        local = [moment.astimezone(zone).replace(tzinfo=None) for moment in read]
        how = f"{'UTC' if utc else 'with an offset'}, brought to the local time of {timezone}"
    else:
        local = read
        how = "without an offset, taken as local time" + (f" of {timezone}" if zone else ", no time zone given")
    ambiguous = np.zeros(len(local), dtype=bool)
    for i, moment in enumerate(local):
        if moment.second or moment.microsecond:
            raise DataError(f"time: {str(moments[i])!r} is not on a whole minute: round the times first")
        if zone is not None and not aware[i]:
            shift = _shift(moment, zone)
            if shift < 0:
                raise DataError(
                    f"time: {moment} does not exist in {timezone}, daylight saving skips it: the times are of "
                    f"another zone, or utc (--utc)"
                )
            ambiguous[i] = shift > 0
    exact = [moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment for moment in read]
    local_minutes, exact_minutes = (np.array(each, dtype="datetime64[m]") for each in (local, exact))
    return LocalTimes(local_minutes, exact_minutes, ambiguous, zone, how)


def step_of(times: NDArray[np.datetime64], wanted: int | None) -> int:
    """Find the step of times, in minutes, and check that each lies on it.

    Parameters
    ----------
    times : datetime64 array `[M]`
        Different local times, ascending.
    wanted : int or None
        The step, if it is known; by default what most times that follow each other differ by.

    Raises
    ------
    DataError
        If the step does not divide the hour, a time lies between two steps, or most steps have no time.
    """
    apart = np.diff(times).astype(np.int64)
    if wanted is None and not len(apart):
        raise DataError(f"the table has one time only, {times[0]}: traffic needs many")
    lengths, often = np.unique(apart, return_counts=True)
    step = int(lengths[often.argmax()]) if wanted is None else wanted  # the smallest of the most frequent
    if step < 1 or 60 % step:
        raise DataError(
            f"step_minutes={step}{'' if wanted else ', by which most times follow each other'}: must divide the "
            f"hour; say the step with step_minutes (--step), or give hours"
        )
    between = np.flatnonzero((times - times[0]).astype(np.int64) % step)
    if len(between):
        raise DataError(
            f"time: {times[between[0]]} lies between two steps of {step} minutes from {times[0]} on; say the step "
            f"with step_minutes (--step), or mend the times"
        )
    if step * len(times) * 2 <= int((times[-1] - times[0]).astype(np.int64)):
        raise DataError(
            f"time: {len(times)} times from {times[0]} to {times[-1]} leave most steps of {step} minutes without "
            f"any row: is one of them a stray, or the step another: step_minutes (--step)?"
        )
    return step


def _zone(name: str | None) -> ZoneInfo | None:
    try:
        return None if name is None else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(f"timezone={short(name)}: no such time zone; write it as Europe/Rome") from None


def _read(moment: Any, time_format: str | None) -> datetime:
    read = _parsed(moment, time_format)
    if not 1970 <= read.year < 2100:  # 9999-12-31 and its like stand for "no time"
        raise DataError(f"time: {short(str(moment))} is no time of traffic: mend the table, or leave the row out")
    return read


def _parsed(moment: Any, time_format: str | None) -> datetime:
    if isinstance(moment, datetime):
        return moment
    if not isinstance(moment, str):
        raise DataError(
            f"time: {short(moment)} is neither a text nor a date with a time: cast the column to one of them"
        )
    try:
        if time_format is not None:
            return datetime.strptime(moment.strip(), time_format)
        if not _ISO.fullmatch(moment.strip()):
            raise ValueError(moment)
        return datetime.fromisoformat(moment.strip())
    except ValueError:
        told = f"is not written as time_format={time_format!r} says"
        mend = "is not written as 2024-03-11 00:00:00: say how with time_format (--time-format '%d.%m.%Y %H:%M')"
        raise DataError(f"time: {moment!r} {mend if time_format is None else told}") from None


def _shift(local: datetime, zone: ZoneInfo) -> int:
    """Return 1 for a local time that daylight saving repeats, -1 for one that it skips, 0 for all others."""
    first, second = (local.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    assert first is not None and second is not None  # a ZoneInfo knows its offset
    return int(first > second) - int(first < second)
