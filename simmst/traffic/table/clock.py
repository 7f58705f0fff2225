"""Local time of a table's moments: offsets, time zones, and the hours that daylight saving skips and repeats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from simmst.errors import ConfigError, DataError, short
from simmst.traffic.table.moments import check_format, is_epoch, read_moment

TimeIs = Literal["begin", "end"]
_MARKS = {**dict.fromkeys(("1", "true", "yes", "y", "summer", "dst"), True),
          **dict.fromkeys(("0", "false", "no", "n", "winter", "std"), False)}  # fmt: skip


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
    known : bool
        Whether `moment` is UTC.
    """

    local: NDArray[np.datetime64]
    moment: NDArray[np.datetime64]
    ambiguous: NDArray[np.bool_]
    zone: ZoneInfo | None
    how: str
    known: bool

    def skipped(self, times: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
        """Local times, of those given, that daylight saving skips."""
        if self.zone is None:
            return np.asarray(times[:0])
        marks = np.fromiter((_shift(time, self.zone) < 0 for time in times.tolist()), dtype=bool, count=len(times))
        return np.asarray(times[marks])

    def begins(self, step: int) -> LocalTimes:
        """Take the times for the ends of steps of so many minutes, and return their begins.

        Where the offset is known, the step is taken from the moment, as clocks may change within it. Else it is
        taken from the local time; where daylight saving skips what that gives, the end is the first time after the
        change, and its step the last before it.

        Raises
        ------
        DataError
            If daylight saving skips an end and its begin.
        """
        length, how = timedelta(minutes=step), f"{self.how}; they are the ENDS of steps, each begins one earlier"
        if self.known and self.zone is not None:
            moment = self.moment - np.timedelta64(step, "m")
            local = [_here(each, self.zone) for each in moment.tolist()]
            return LocalTimes(np.array(local, dtype="datetime64[m]"), moment, self.ambiguous, self.zone, how, True)
        found = [self._begin(end, length) for end in self.local.tolist()]
        local_begins = np.array(found, dtype="datetime64[m]")
        shifts = [0 if self.zone is None else _shift(begin, self.zone) for begin in found]
        return LocalTimes(local_begins, local_begins, np.array(shifts) > 0, self.zone, how, False)

    def _begin(self, end: datetime, length: timedelta) -> datetime:
        begin = end - length
        if self.zone is None or _shift(begin, self.zone) >= 0:
            return begin
        if _shift(end, self.zone) < 0:
            raise _no_such_time(end, self.zone)
        return _here(end.replace(tzinfo=self.zone).astimezone(UTC) - length, self.zone)


def local_times(
    moments: Sequence[Any],
    timezone: str | None = None,
    utc: bool = False,
    time_format: str | None = None,
    time_is: TimeIs = "begin",
    marks: Sequence[str] | None = None,
) -> LocalTimes:
    """Read times of which each is different, and bring them to local time.

    Parameters
    ----------
    moments : sequence of object
        Texts, `datetime`, or numbers, as `simmst.traffic.table.moments.read_moment` reads them; all with an
        offset or all without.
    timezone : str, optional
        Where the local time is of, such as "Europe/Rome". Without it times are taken as they stand.
    utc : bool
        Whether times without an offset are UTC; they are local time else.
    time_format : str, optional
        How texts are written, as `datetime.strptime` reads it ("%d.%m.%Y %H:%M"), or "epoch" or "epoch-ms".
    time_is : TimeIs
        What of its step a time is. These are the times as they stand; `LocalTimes.begins` makes begins of ends.
    marks : sequence of str, optional
        Whether daylight saving is on at each moment, by `1, true, yes, summer, DST` and their opposites or the
        zone's own names, such as CEST and CET. None: not known.

    Raises
    ------
    DataError
        If a time cannot be read, only some have an offset, one has an hour that daylight saving skips, or a mark
        is not as the zone has it.
    ConfigError
        If times with an offset, or UTC, have no `timezone` to be brought to, that is unknown, or an option has no
        meaning.
    """
    if time_is not in get_args(TimeIs):
        raise ConfigError(f"time_is={time_is!r}: must be {' or '.join(get_args(TimeIs))}")
    check_format(time_format)
    zone = None if timezone is None else zone_of(timezone)
    read = [read_moment(moment, time_format) for moment in moments]
    aware = [moment.tzinfo is not None for moment in read]
    if any(aware) and not all(aware):
        lacks, has = moments[aware.index(False)], moments[aware.index(True)]
        raise DataError(f"time: {str(has)!r} has an offset from UTC, {str(lacks)!r} has none: write all alike")
    if marks is not None:
        if zone is None or any(aware) or utc:
            raise ConfigError("dst: marks of daylight saving need timezone, and times without an offset")
        read = [_marked(moment, mark, zone) for moment, mark in zip(read, marks, strict=True)]
    elif not any(aware) and utc:
        read = [moment.replace(tzinfo=UTC) for moment in read]
    known = bool(read) and read[0].tzinfo is not None
    if known:
        if zone is None:
            what = "UTC" if utc or is_epoch(time_format) else "a time with an offset from UTC"
            raise ConfigError(
                f"time: {str(moments[0])!r} is {what}, and people live by local time: give it with timezone "
                f"(--timezone Europe/Rome)"
            )
        local = [moment.astimezone(zone).replace(tzinfo=None) for moment in read]
        what = "since 1970" if is_epoch(time_format) else "UTC" if utc else "with an offset"
        how = f"{what}, brought to the local time of {timezone}"
        if marks is not None:
            how = f"with a mark of daylight saving, local time of {timezone}"
    else:
        local = read
        how = "without an offset, taken as local time" + (f" of {timezone}" if zone else ", no time zone given")
    if time_is == "begin":
        how += ", the BEGIN of each step (else say time_is=end, --time-is end)"
    ambiguous = np.zeros(len(local), dtype=bool)
    for i, moment in enumerate(local):
        if moment.second or moment.microsecond:
            raise DataError(f"time: {str(moments[i])!r} is not on a whole minute: round the times first")
        if zone is not None and not known:
            shift = _shift(moment, zone)
            if shift < 0 and time_is == "begin":
                raise _no_such_time(moment, zone)
            ambiguous[i] = shift > 0
    exact = [moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment for moment in read]
    local_minutes, exact_minutes = (np.array(each, dtype="datetime64[m]") for each in (local, exact))
    return LocalTimes(local_minutes, exact_minutes, ambiguous, zone, how, known)


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
    ConfigError
        If the step that is wanted is no whole number.
    """
    if wanted is not None and (isinstance(wanted, bool) or wanted != int(wanted)):
        raise ConfigError(f"step_minutes={wanted}: must be a whole number of minutes")
    apart = np.diff(times).astype(np.int64)
    if wanted is None and not len(apart):
        raise DataError(f"the table has one time only, {times[0]}: traffic needs many")
    lengths, often = np.unique(apart, return_counts=True)
    step = int(lengths[often.argmax()]) if wanted is None else int(wanted)  # the smallest of the most frequent
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


def zone_of(name: str) -> ZoneInfo:
    """Look up a time zone (ConfigError if there is none of that name)."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        raise ConfigError(f"timezone={short(name)}: no such time zone; write it as Europe/Rome") from None


def _marked(moment: datetime, mark: str, zone: ZoneInfo) -> datetime:
    """Give a local time the offset that its mark says."""
    if _shift(moment, zone) < 0:
        raise _no_such_time(moment, zone)
    either = [moment.replace(tzinfo=zone, fold=fold) for fold in (0, 1)]
    word = mark.strip()
    named = [each for each in either if each.tzname() == word]
    wanted = _MARKS.get(word.lower())
    fits = named or [each for each in either if wanted is not None and bool(each.dst()) == wanted]
    if not fits:
        kind = (
            "" if wanted is not None else ", which is neither 1 or 0, summer or winter, nor a name of the zone's"
        )
        raise DataError(
            f"dst: {moment} has the mark {short(mark)}{kind}, but {zone.key} has {either[0].tzname()} then"
        )
    return fits[0]


def _here(moment: datetime, zone: ZoneInfo) -> datetime:
    """Bring a moment of UTC to the clock of a zone."""
    return moment.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)


def _no_such_time(moment: datetime, zone: ZoneInfo) -> DataError:
    return DataError(
        f"time: {moment} does not exist in {zone.key}, daylight saving skips it: the times are of another zone, "
        f"or utc (--utc)"
    )


def _shift(local: datetime, zone: ZoneInfo) -> int:
    """Return 1 for a local time that daylight saving repeats, -1 for one that it skips, 0 for all others."""
    first, second = (local.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    assert first is not None and second is not None  # a ZoneInfo knows its offset
    return int(first > second) - int(first < second)
