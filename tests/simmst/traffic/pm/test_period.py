"""Periods begin where the standard says, on the grid of the clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simmst.traffic.pm.document import DamagedError
from simmst.traffic.pm.period import moment_of, period_of, seconds_of

ROME, KOLKATA, EPOCH = ZoneInfo("Europe/Rome"), ZoneInfo("Asia/Kolkata"), datetime(1970, 1, 1, tzinfo=UTC)


def begin(duration, end, zone=ROME, utc=False):
    return (EPOCH + timedelta(minutes=period_of(duration, end, zone, utc).begin)).isoformat()[:16]


def test_the_example_of_the_standard_begins_at_two():
    # TS 32.435: duration PT900S, endTime 2000-03-01T14:14:30+02:00
    assert begin("PT900S", "2000-03-01T14:14:30+02:00") == "2000-03-01T12:00"


@given(
    minute=st.integers(24 * 365 * 31 * 60, 24 * 365 * 60 * 60),
    length=st.sampled_from([5, 10, 15, 30, 60]),
    off=st.floats(-0.2, 0.2),
    hours=st.integers(-12, 14),
)
def test_an_end_somewhat_off_the_grid_in_any_offset_finds_its_period(minute, length, off, hours):
    minute -= minute % length
    end = EPOCH + timedelta(minutes=minute + length, seconds=round(off * length * 60))
    text = (end + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%S") + f"{hours:+03}:00"
    found = period_of(f"PT{length * 60}S", text, ROME, False)
    assert found.begin == minute and found.minutes == length and found.moved == -round(off * length * 60)


def test_hours_of_a_zone_at_half_past_keep_either_grid():
    # 10:00 to 11:00 in Kolkata, and 10:00 to 11:00 UTC.
    assert begin("PT1H", "2024-03-11T11:00:00+05:30", KOLKATA) == "2024-03-11T04:30"
    assert begin("PT1H", "2024-03-11T05:30:00Z", KOLKATA) == "2024-03-11T04:30"
    assert begin("PT1H", "2024-03-11T11:00:00Z", KOLKATA) == "2024-03-11T10:00"
    with pytest.raises(DamagedError, match="lies between two periods"):
        begin("PT1H", "2024-03-11T11:15:01Z", ROME)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT900S", 900), ("PT15M", 900), ("PT1H", 3600), ("P1D", 86400), ("PT0.5H", 0), ("PT900.000S", 900),
     ("P", 0), ("PT", 0), ("PT0S", 0), ("900", 0), ("P1M", 0), ("-PT900S", 0), ("", 0), ("PT1H15M30S", 4530)],
)  # fmt: skip
def test_lengths(text, seconds):
    if seconds:
        assert seconds_of(text) == seconds
    else:
        with pytest.raises(DamagedError, match="is no length such as PT900S"):
            seconds_of(text)


@pytest.mark.parametrize(
    ("text", "utc"),
    [("2024-03-11T14:15:00+01:00", "13:15"), ("2024-03-11T14:15:00+0100", "13:15"), ("2024-03-11T14:15Z", "14:15"),
     ("2024-03-11T14:15:00.000+01", "13:15"), ("2024-03-10T24:00:00+01:00", "23:00"),
     ("2024-03-11T14:15:00 Z", "14:15"), ("2024-03-11 14:15:00Z", None),
     ("0001-01-01T00:00:00+10:00", None), ("9999-12-31T24:00:00Z", None),
     ("2024-02-30T00:00:00Z", None), ("", None), ("2024-03-11T14:15:00", None), ("1710166500", None)],
)  # fmt: skip
def test_moments(text, utc):
    if utc:
        assert f"{moment_of(text, False).astimezone(UTC):%H:%M}" == utc
    else:
        with pytest.raises(DamagedError, match="endTime="):
            moment_of(text, False)


def test_a_moment_without_an_offset_needs_the_word():
    assert begin("PT15M", "2024-03-11T14:15:00", utc=True) == "2024-03-11T14:00"


def test_lengths_without_a_place_on_the_clock_are_marked():
    for duration in ("PT7S", "PT7M", "P2D"):
        assert period_of(duration, "2024-03-11T14:15:00Z", ROME, False).minutes == 0
