"""When a measurement began: the end that the file states, less its duration, on the grid of the period."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from simmst.traffic.pm.document import DamagedError

_DURATION = re.compile(r"P(?:(\d{1,4})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,8})(?:\.0*)?S)?)?")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d(?::\d\d)?)(?:\.\d+)? ?(Z|[+-]\d\d(?::?\d\d)?)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Period:
    """A measurement's period.

    Parameters
    ----------
    begin : int
        Minutes since 1970 in UTC, on the grid.
    minutes : int
        Its length; 0 where that is no whole number of minutes, or no grid of a day.
    moved : int
        Seconds by which the file's own begin was moved to the grid.
    """

    begin: int
    minutes: int
    moved: int


def seconds_of(duration: str) -> int:
    """Read an xs:duration of days, hours, minutes and whole seconds: PT900S, PT15M, PT1H.

    Raises
    ------
    DamagedError
        If it is none, or nothing.
    """
    match = _DURATION.fullmatch(duration.strip())
    parts = [int(part or 0) for part in match.groups()] if match else [0]
    seconds = sum(part * size for part, size in zip(parts, (86400, 3600, 60, 1), strict=False))
    if not match or seconds == 0:
        raise DamagedError(f"duration={duration!r} is no length such as PT900S")
    return seconds


def moment_of(text: str, utc: bool) -> datetime:
    """Read an xs:dateTime with an offset: +02:00, Z, and +0200, as some write it; 24:00:00 is the day's end.

    Raises
    ------
    DamagedError
        If it is no time, or has no offset and `utc` is not said.
    """
    match = _MOMENT.fullmatch(text.strip())
    if not match:
        raise DamagedError(f"endTime={text!r} is no time such as 2024-03-11T14:15:00+01:00")
    day, clock, offset = match.groups()
    if offset is None and not utc:
        raise DamagedError(f"endTime={text!r} has no offset from UTC; if such times are UTC, say utc (--utc)")
    ends_day = clock in ("24:00", "24:00:00")
    try:
        moment = datetime.fromisoformat(f"{day}T{'00:00' if ends_day else clock}{offset or 'Z'}")
        moment += timedelta(days=ends_day)
        if not 1970 < moment.year < 2100:
            raise ValueError
    except (ValueError, OverflowError):
        raise DamagedError(f"endTime={text!r} is no time of traffic") from None
    return moment


def period_of(duration: str, end: str, zone: ZoneInfo, utc: bool) -> Period:
    """Find when a period began, and put it on the grid.

    Clocks of elements stop a period some seconds early or late (the example in TS 32.435 ends at 14:14:30), so the
    begin is rounded to a multiple of the length, counted from the local midnight, or from UTC's where hours of a
    zone at half past are meant.

    Parameters
    ----------
    duration, end : str
        As `granPeriod` has them.
    zone : ZoneInfo
        Where local time is of.
    utc : bool
        Whether an end without an offset is UTC.

    Raises
    ------
    DamagedError
        If they cannot be read, or the begin is more than a quarter of the period away from either grid.
    """
    length, moment = seconds_of(duration), moment_of(end, utc)
    begin = int((moment - _EPOCH).total_seconds()) - length
    if length % 60 or 86400 % length:
        return Period(begin // 60, 0, 0)
    here = int((moment.astimezone(zone).utcoffset() or timedelta()).total_seconds())
    for offset in (here, 0):
        rounded = (begin + offset + length // 2) // length * length - offset
        if abs(rounded - begin) * 4 <= length:
            return Period(rounded // 60, length // 60, rounded - begin)
    raise DamagedError(
        f"the period of {duration} that ends at {end} lies between two periods of the clock; was it cut short?"
    )
