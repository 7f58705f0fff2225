"""Ends of steps become their begins, and marks of daylight saving tell its two hours apart."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simmst.errors import ConfigError, DataError
from simmst.traffic.table.clock import local_times, step_of

ROME = ZoneInfo("Europe/Rome")
SPRING, AUTUMN = datetime(2024, 3, 31, 1, tzinfo=UTC), datetime(2024, 10, 27, 1, tzinfo=UTC)  # the changes
MIDSUMMER = datetime(2024, 7, 1, tzinfo=UTC)


def moments(middle, step, count=12):
    """Begins and ends of steps around a moment, UTC."""
    begins = [middle + timedelta(minutes=step * (k - count // 2)) for k in range(count)]
    return begins, [begin + timedelta(minutes=step) for begin in begins]


def walls(times):
    return [time.astimezone(ROME).replace(tzinfo=None) for time in times]


def local(times):
    return np.array(walls(times), dtype="datetime64[m]").tolist()


@pytest.mark.parametrize("middle", [SPRING, AUTUMN, MIDSUMMER])
@pytest.mark.parametrize("step", [15, 30, 60])
def test_ends_with_an_offset_become_their_begins_across_both_changes_of_the_clock(middle, step):
    begins, ends = moments(middle, step)
    texts = [end.astimezone(ROME).isoformat() for end in ends]
    clock = local_times(texts, "Europe/Rome", time_is="end").begins(step)
    assert clock.local.tolist() == local(begins) and "ENDS" in clock.how
    assert clock.moment.tolist() == [begin.replace(tzinfo=None) for begin in begins]


@pytest.mark.parametrize("step", [15, 60])
def test_ends_of_local_time_without_an_offset_in_spring(step):
    begins, ends = moments(SPRING, step)
    clock = local_times(walls(ends), "Europe/Rome", time_is="end").begins(step)
    assert clock.local.tolist() == local(begins)
    # Some write the end as the begin and a quarter more, whatever the clock does: 02:00, which there is not.
    naive = [begin + timedelta(minutes=step) for begin in walls(begins)]
    assert local_times(naive, "Europe/Rome", time_is="end").begins(step).local.tolist() == local(begins)
    with pytest.raises(DataError, match="does not exist in Europe/Rome"):
        local_times([datetime(2024, 3, 31, 2, 30)], "Europe/Rome", time_is="end").begins(15)


def test_ends_of_local_time_in_autumn_need_a_mark_only_where_the_clock_changes():
    begins, ends = moments(AUTUMN, 60, 6)
    marks = [end.astimezone(ROME).tzname() for end in ends]
    clock = local_times(walls(ends), "Europe/Rome", time_is="end", marks=marks).begins(60)
    assert clock.moment.tolist() == [begin.replace(tzinfo=None) for begin in begins] and not clock.ambiguous.any()
    naive = local_times([begin + timedelta(hours=1) for begin in walls(begins)], "Europe/Rome", time_is="end")
    assert naive.begins(60).local.tolist() == local(begins)
    assert naive.begins(60).ambiguous.sum() == 2


def test_without_a_zone_an_end_is_a_step_before():
    clock = local_times(["2024-03-11 08:15"], time_is="end").begins(15)
    assert str(clock.local[0]) == "2024-03-11T08:00"


@given(
    st.datetimes(datetime(2024, 1, 1), datetime(2025, 12, 31), timezones=st.just(UTC)),
    st.sampled_from([("1", "0"), ("true", "FALSE"), ("summer", "winter"), ("CEST", "CET"), ("DST", "std")]),
)
def test_a_mark_tells_every_moment(moment, words):
    moment = moment.replace(second=0, microsecond=0)
    there = moment.astimezone(ROME)
    word = words[0] if there.dst() else words[1]
    clock = local_times([there.replace(tzinfo=None, fold=0)], "Europe/Rome", marks=[word])
    assert clock.moment[0] == np.datetime64(moment.replace(tzinfo=None), "m") and clock.known


def test_marks_that_are_not_as_the_zone_has_it_are_refused():
    for mark, said in (("1", "Europe/Rome has CET then"), ("S", "neither 1 or 0"), ("", "neither 1 or 0")):
        with pytest.raises(DataError, match=said):
            local_times(["2024-01-01 00:00"], "Europe/Rome", marks=[mark])
    for options in ({}, {"timezone": "Europe/Rome", "utc": True}):
        with pytest.raises(ConfigError, match="dst: marks of daylight saving need timezone"):
            local_times(["2024-01-01 00:00"], marks=["1"], **options)
    with pytest.raises(DataError, match="does not exist"):
        local_times(["2024-03-31 02:30"], "Europe/Rome", marks=["1"])
    with pytest.raises(ConfigError, match="time_is='middle'"):
        local_times(["2024-01-01 00:00"], time_is="middle")


def test_numbers_since_1970_need_a_zone():
    with pytest.raises(ConfigError, match="is UTC, and people live by local time"):
        local_times([1710111600], time_format="epoch")
    clock = local_times([1710111600], "Europe/Rome", time_format="epoch")
    assert str(clock.local[0]) == "2024-03-11T00:00" and "since 1970" in clock.how


@pytest.mark.parametrize("step", [15.5, True, 0.5])
def test_a_step_that_is_not_whole_is_refused(step):
    with pytest.raises(ConfigError, match="must be a whole number of minutes"):
        step_of(np.array(["2024-03-11T00:00", "2024-03-11T00:15"], dtype="datetime64[m]"), step)
