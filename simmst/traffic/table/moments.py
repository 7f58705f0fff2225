"""One time of a table, read as told and never guessed: ISO 8601, a form of one's own, or seconds since 1970."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from simmst.errors import ConfigError, DataError, short

# `fromisoformat` alone takes any mark between date and time, and so milliseconds since 1970 for a day of 1710.
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?")
_ENDS_DAY = re.compile(r"(\d{4}-\d\d-\d\d)[T ]24:00(?::00(?:\.0+)?)?(.*)")
_EPOCHS = {"epoch": 1.0, "epoch-ms": 1e-3}
_NO_TRAFFIC_BEFORE = 1990
_EPOCH_MEND = "; if it counts from 1970 say time_format (--time-format epoch, or epoch-ms for milliseconds)"


def is_epoch(time_format: str | None) -> bool:
    """Whether times are numbers that count from 1970, UTC."""
    return time_format in _EPOCHS


def check_format(time_format: str | None) -> None:
    """Refuse a form without the year, or with the name of a zone (ConfigError)."""
    if time_format is None or is_epoch(time_format):
        return
    if "%Z" in time_format or not re.search("%[Yy]", time_format):
        raise ConfigError(
            f"time_format={time_format!r}: needs the year (%Y), and %Z names a zone without its offset (use %z "
            f"or timezone)"
        )


def read_moment(moment: Any, time_format: str | None) -> datetime:
    """Read a time.

    Parameters
    ----------
    moment : object
        A `datetime`, a text (ISO 8601, or as `time_format` says; 24:00 is the end of its day), or a number that
        `time_format` calls "epoch" (seconds since 1970, UTC) or "epoch-ms" (milliseconds).
    time_format : str or None
        As `datetime.strptime` has it, "epoch", "epoch-ms", or None.

    Raises
    ------
    DataError
        If it cannot be read, or is no time of traffic (before 1970, or from 2100 on).
    """
    read = _parsed(moment, time_format)
    if not 1970 <= read.year < 2100:  # 9999-12-31 and its like stand for "no time"
        raise DataError(f"time: {short(str(moment))} is no time of traffic: mend the table, or leave the row out")
    return read


def _parsed(moment: Any, time_format: str | None) -> datetime:
    if time_format is not None and is_epoch(time_format):
        return _of_epoch(moment, time_format)
    if isinstance(moment, datetime):
        return moment
    if isinstance(moment, date):
        return datetime(moment.year, moment.month, moment.day)
    if not isinstance(moment, str):
        mend = _EPOCH_MEND if isinstance(moment, (int, float)) else ""
        raise DataError(
            f"time: {short(moment)} is neither a text nor a date with a time: cast the column to one of them{mend}"
        )
    text = moment.strip()
    try:
        if time_format is not None:
            return _of_form(text, time_format)
        if not _ISO.fullmatch(text):
            raise ValueError(moment)
        if midnight := _ENDS_DAY.fullmatch(text):
            return datetime.fromisoformat(f"{midnight[1]}T00:00{midnight[2]}") + timedelta(days=1)
        return datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        told = f"is not written as time_format={time_format!r} says"
        mend = "is not written as 2024-03-11 00:00:00: say how with time_format (--time-format '%d.%m.%Y %H:%M')"
        epoch = _EPOCH_MEND if re.fullmatch(r"\d{9,13}(\.\d*)?", text) else ""
        raise DataError(f"time: {short(moment)} {mend + epoch if time_format is None else told}") from None


def _of_epoch(moment: Any, time_format: str) -> datetime:
    try:
        if isinstance(moment, (datetime, date)):
            raise ValueError
        found = datetime.fromtimestamp(float(moment) * _EPOCHS[time_format], UTC)
        if found.year < _NO_TRAFFIC_BEFORE:  # seconds taken for milliseconds are days of January 1970
            raise ValueError
        return found
    except (ValueError, TypeError, OverflowError, OSError):
        other = next(name for name in _EPOCHS if name != time_format)
        raise DataError(
            f"time: {short(moment)} is no number of {time_format} (since 1970); is it {other}?"
        ) from None


def _of_form(text: str, time_format: str) -> datetime:
    """Read a form; an hour of 24 is looked for where the form has the hour, and is the end of the day."""
    try:
        return datetime.strptime(text, time_format)
    except ValueError:
        for found in re.finditer("24", text):
            before, after = text[: found.start()], text[found.end() :]
            try:
                midnight, later = (
                    datetime.strptime(f"{before}{hour}{after}", time_format) for hour in ("00", "01")
                )
            except ValueError:
                continue
            if later - midnight == timedelta(hours=1) and not midnight.minute and not midnight.second:
                return midnight + timedelta(days=1)
        raise
