"""Times are read as told, and never guessed."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simmst.errors import DataError
from simmst.traffic.table.moments import read_moment

TIMES = st.datetimes(datetime(1990, 1, 2), datetime(2099, 1, 1)).map(lambda moment: moment.replace(microsecond=0))


@given(TIMES)
def test_numbers_since_1970_are_utc(moment):
    seconds = int(moment.replace(tzinfo=UTC).timestamp())
    for told, number in (("epoch", seconds), ("epoch-ms", seconds * 1000)):
        for written in (number, float(number), str(number)):
            assert read_moment(written, told) == moment.replace(tzinfo=UTC)


def test_seconds_and_milliseconds_are_not_taken_for_each_other():
    for number, told, other in ((1710111600, "epoch-ms", "epoch"), (1710111600000, "epoch", "epoch-ms")):
        with pytest.raises(DataError, match=f"no number of {told} .*is it {other}?"):
            read_moment(number, told)
    for number in (1710111600, "1710111600000", 1710111600.0):
        with pytest.raises(DataError, match="--time-format epoch, or epoch-ms"):
            read_moment(number, None)
    for wrong in ("x", None, datetime(2024, 1, 1), "nan", "inf", 1e300):
        with pytest.raises(DataError, match="no number of epoch"):
            read_moment(wrong, "epoch")


@pytest.mark.parametrize(
    ("text", "form", "day"),
    [
        ("2024-03-10 24:00", None, "2024-03-11"), ("2024-03-10T24:00:00", None, "2024-03-11"),
        ("10.03.2024 24:00", "%d.%m.%Y %H:%M", "2024-03-11"), ("24.03.2024 24:00", "%d.%m.%Y %H:%M", "2024-03-25"),
        ("24/12/24 24", "%d/%m/%y %H", "2024-12-25"), ("2024122424", "%Y%m%d%H", "2024-12-25"),
    ],
)  # fmt: skip
def test_24_is_the_end_of_its_day(text, form, day):
    assert read_moment(text, form) == datetime.fromisoformat(day)


def test_24_with_an_offset_keeps_it():
    assert read_moment("2024-03-10 24:00+01:00", None) == datetime.fromisoformat("2024-03-11T00:00+01:00")


@pytest.mark.parametrize(
    ("text", "form"),
    [("2024-03-10 24:15", None), ("2024-03-10 25:00", None), ("10.03.2024 24:15", "%d.%m.%Y %H:%M"),
     ("32.03.2024 24:00", "%d.%m.%Y %H:%M"), ("10.24.2024 10:00", "%d.%m.%Y %H:%M"),
     ("9999-12-31 24:00", None), ("0001-01-01 00:00", None)],
)  # fmt: skip
def test_no_other_hour_is_mended(text, form):
    with pytest.raises(DataError):
        read_moment(text, form)


@given(TIMES, st.sampled_from(["%d.%m.%Y %H:%M:%S", "%Y%m%d%H%M%S", "%m/%d/%y %H.%M.%S", "%d %b %Y %I:%M:%S %p"]))
def test_what_a_form_writes_it_reads(moment, form):
    if "%y" in form and not 1970 <= moment.year < 2069:  # two digits say no century beyond
        moment = moment.replace(year=2024, day=min(moment.day, 28))
    assert read_moment(moment.strftime(form), form) == moment
    assert read_moment(moment.isoformat(" "), None) == moment
    assert read_moment((moment + timedelta(0)).isoformat() + "+02:00", None).utcoffset() == timedelta(hours=2)
