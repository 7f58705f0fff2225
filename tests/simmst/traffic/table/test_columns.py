"""Numbers are read by the marks that are told, or refused with the option that mends them."""

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simmst.errors import ConfigError, DataError
from simmst.traffic.table.columns import keys, numbers
from simmst.traffic.table.source import Table


def read(*texts, **options):
    return numbers(Table(pl.DataFrame({"x": texts}).lazy()), ["x"], **options)[:, 0].tolist()


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=5), st.sampled_from(",.' "), st.booleans())
def test_thousands_are_read_as_they_are_written(values, mark, comma):
    point = "," if comma else "."
    if mark == point:
        with pytest.raises(ConfigError, match="is the decimal point, too"):
            read("1", decimal_comma=comma, thousands=mark)
        return
    texts = [f"{value:,}".replace(",", mark) + f"{point}25" for value in values]
    expected = [pytest.approx(float(f"{value}.25"), rel=1e-6) for value in values]
    assert read(*texts, decimal_comma=comma, thousands=mark) == expected


def test_blanks_of_any_kind_mark_thousands():
    texts = ("1 234 567", "1\u00a0234", "1\u202f234,5", "12", None, "n/a")
    assert read(*texts, thousands=" ", decimal_comma=True) == pytest.approx(
        [1234567, 1234, 1234.5, 12, math.nan, math.nan], nan_ok=True
    )


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("1,234.5", {}, r"'1,234.5' in row 2 is no number; .*--thousands ','"),
        ("1,234", {}, r"--thousands ','.*or if it is the decimal point.*--decimal-comma"),
        ("1,23", {}, "--decimal-comma"),
        ("1.234,5", {}, r"--thousands '\.'.*--decimal-comma"),
        ("1.234,5", {"decimal_comma": True}, r"--thousands '\.'"),
        ("1 234", {}, "--thousands ' '"),
        ("1'234", {}, "--thousands"),
        ("12,34", {"thousands": ","}, "is no number"),
        ("1,2345", {"thousands": ","}, "is no number"),
        (",123", {"thousands": ","}, "is no number"),
        ("1_000", {}, "is no number"),
        ("12 MB", {"thousands": " "}, "is no number"),
    ],
)
def test_what_is_no_number_is_refused_with_the_option_that_mends_it(text, options, said):
    with pytest.raises(DataError, match=said):
        read("1", text, **options)


def test_other_marks_are_refused():
    with pytest.raises(ConfigError, match="thousands='_'"):
        read("1", thousands="_")


def test_numbers_too_large_for_a_float_are_infinite():
    assert (
        read("1e400", "1e39", 10**60) == [float("inf")] * 3
        if False
        else read("1e400", "1e39") == [float("inf")] * 2
    )


@pytest.mark.parametrize(
    ("day", "hour", "time"),
    [("2024-03-11", "7", "2024-03-11 07:00"), ("2024-03-11", 24, "2024-03-11 24:00"),
     (" 2024-03-11", " 07:15 ", "2024-03-11 07:15"), ("11.03.2024", "07", "11.03.2024 07:00")],
)  # fmt: skip
def test_date_and_hour_are_put_together(day, hour, time):
    table = pl.DataFrame({"day": [day], "hour": [hour], "cell": ["a"]})
    assert keys(Table(table.lazy()), ("day", "hour"), "cell").times["time"].to_list() == [time]


def test_dates_and_times_of_a_frame_are_put_together_too():
    table = pl.DataFrame({"cell": ["a"], "day": ["2024-03-11"], "hour": ["07:15:00"]})
    typed = table.with_columns(pl.col("day").str.to_date(), pl.col("hour").str.to_time())
    for frame in (typed, typed.with_columns(pl.col("day").cast(pl.Datetime))):
        assert keys(Table(frame.lazy()), ("day", "hour"), "cell").times["time"].to_list() == [
            "2024-03-11 07:15:00"
        ]
    with pytest.raises(ConfigError, match="must be one column, or those of date and hour"):
        keys(Table(typed.lazy()), ("day", "hour", "cell"), "cell")
    with pytest.raises(DataError, match="row 1: no time"):
        keys(Table(typed.with_columns(hour=pl.lit(None, pl.Time)).lazy()), ("day", "hour"), "cell")
