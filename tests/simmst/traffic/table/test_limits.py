"""Values above a limit are unknown, and counted."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simmst.errors import ConfigError
from simmst.traffic.table.build import from_table
from simmst.traffic.table.limits import drop_above, limits_of, parsed_limits


@given(st.lists(st.floats(0, 100, width=32), min_size=1), st.floats(1, 100, width=32))
def test_what_is_above_goes_and_nothing_else(values, limit):
    array = np.array(values, dtype=np.float32)[:, None]
    count = drop_above(array, limits_of(limit, ("dl",)))
    assert count == sum(value > limit for value in values) == np.isnan(array).sum()
    assert [value for value in array[:, 0] if value == value] == [value for value in values if value <= limit]


def test_limits_are_of_all_services_or_of_each():
    assert limits_of(None, ("dl", "up")).tolist() == [np.inf] * 2
    assert limits_of(5, ("dl", "up")).tolist() == [5, 5]
    assert limits_of(parsed_limits(["up=2e3"]), ("dl", "up")).tolist() == [np.inf, 2000]
    assert parsed_limits(["1e6"]) == 1e6


@pytest.mark.parametrize("texts", [["x"], ["dl="], ["dl=1", "dl=2"], ["1", "2"], ["dl=1", "3"], ["dl=nan"]])
def test_limits_written_otherwise_are_refused(texts):
    with pytest.raises(ConfigError, match="must be a number, or once a service"):
        parsed_limits(texts)


@pytest.mark.parametrize("limit", [0, -1, {"dl": 0}, {"x": 1}, float("nan")])
def test_limits_without_a_meaning_are_refused(limit):
    with pytest.raises(ConfigError, match="max_value: "):
        limits_of(limit, ("dl",))


def test_a_table_says_what_it_took_as_missing():
    times = np.datetime64("2024-03-11", "us") + np.arange(48) * np.timedelta64(60, "m")
    table = pl.DataFrame(
        {"time": np.repeat(times, 10), "cell": list("abcdefghij") * 48, "dl": [50.0] * 479 + [4294967.295]}
    )
    _, report = from_table(table, "time", "cell", ["dl"], "MB")
    assert report.too_large == 0 and "4294967.5 at 2024-03-12T23:00, where 50 is usual" in report.oddities[0]
    data, report = from_table(table, "time", "cell", ["dl"], "MB", max_value={"dl": 1000})
    assert (data.values == 50).all() and report.too_large == report.filled == 1 and not report.oddities
    assert "1 values above max_value were taken as missing" in report.sentences
