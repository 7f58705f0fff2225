"""Tables in their several forms give the one traffic."""

import numpy as np
import polars as pl
import pytest

import simmst as sm
from simmst.traffic.table.build import from_table

HOURS = np.datetime64("2024-03-11T00:00", "us") + np.arange(30) * np.timedelta64(60, "m")


@pytest.fixture
def frame():
    values = np.arange(60.0)
    return pl.DataFrame({"time": np.repeat(HOURS, 2), "cell": ["s/1", "s/2"] * 30, "dl": values, "up": values / 7})


def test_the_long_form_of_nixtla_is_read(frame, tmp_path):
    wide = sm.read_table(frame, "time", "cell", ["dl", "up"], "MB")
    long = pl.concat(
        frame.select((pl.col("cell") + f"/{name}").alias("unique_id"), ds="time", y=name) for name in ("dl", "up")
    )
    long.sample(fraction=1, shuffle=True, seed=0).write_csv(tmp_path / "long.csv")
    for source in (long, tmp_path / "long.csv"):
        data = sm.read_table(source, services=["dl", "up"], units="MB")
        assert data.node_ids == wide.node_ids and data.services == wide.services and data.start == wide.start
        np.testing.assert_allclose(data.values, wide.values, rtol=1e-6)
    one = sm.read_table(long.filter(pl.col("unique_id").str.ends_with("dl")), units="MB")
    assert one.services == ("y",) and one.node_ids == ("s/1/dl", "s/2/dl")


def test_a_long_form_that_is_none_is_refused(frame):
    long = frame.select(
        (pl.col("cell") + "/dl").alias("unique_id"), pl.col("time").alias("ds"), pl.col("dl").alias("y")
    )
    for source, options, said in (
        (frame, {}, "the long form: no column 'unique_id'.*or name time and node"),
        (long, {"services": ["up"]}, "'s/1/dl' is of none of them"),
        (long, {"services": ["dl", "up"]}, "none is of 'up'"),
        (long, {"services": ["dl"], "rows": "sum"}, "one row a time"),
        (long, {"time": "ds"}, "name both columns"),
        (pl.concat([long, long[:1].with_columns(y=-5.0)]), {"services": ["dl"]}, "different values at 2024-03-11"),
    ):
        with pytest.raises(sm.SimmstError, match=said):
            sm.read_table(source, **{"units": "MB"} | options)


def test_ends_of_steps_are_told_and_said(frame):
    ends = frame.with_columns(pl.col("time").dt.offset_by("1h"))
    begin = sm.read_table(frame, "time", "cell", ["dl"], "MB")
    end = sm.read_table(ends, "time", "cell", ["dl"], "MB", time_is="end")
    assert end.start == begin.start and (end.values == begin.values).all()
    assert sm.read_table(ends, "time", "cell", ["dl"], "MB").start == begin.start + np.timedelta64(60, "m")


def test_quarters_that_end_at_the_hour_are_of_the_hour_before():
    # As measurement files have it: the first quarter ends at 08:15, the last at 09:00, 400 in all.
    times = np.datetime64("2024-03-11T08:15", "us") + np.arange(8) * np.timedelta64(15, "m")
    table = pl.DataFrame({"time": times, "cell": "a", "dl": [1, 99, 100, 200, 1, 1, 1, 1]})
    data = sm.read_table(table, "time", "cell", ["dl"], "MB", mean=(), time_is="end")
    assert str(data.start) == "2024-03-11T08:00" and data.values.ravel().tolist() == [400, 4]


def test_date_and_hour_in_two_columns_and_hours_from_1_to_24(frame, tmp_path):
    table = pl.DataFrame({
        "day": ["2024-03-11"] * 24 + ["2024-03-12"] * 24, "hour": list(range(1, 25)) * 2, "cell": "a",
        "dl": range(48),
    })  # fmt: skip
    table.write_csv(tmp_path / "t.csv")
    for source in (table, tmp_path / "t.csv"):
        data = sm.read_table(source, ["day", "hour"], "cell", {"dl": "MB"}, time_is="end")
        assert str(data.start) == "2024-03-11T00:00" and data.values.ravel().tolist() == list(range(48))


def test_units_of_each_service(frame):
    data = sm.read_table(frame, "time", "cell", {"dl": "MB", "up": "GB"})
    assert data.unit_of("up") == "GB" and data.units == "dl=MB, up=GB"
    for units, said in (
        ({"dl": "MB"}, "units: up has none"),
        ({"dl": "MB", "up": "GB", "x": "B"}, "'x' is none of"),
    ):
        with pytest.raises(sm.ConfigError, match=said):
            from_table(frame, "time", "cell", ["dl", "up"], units)


@pytest.mark.parametrize("step", [30.5, 59.9])
def test_steps_that_are_not_whole_are_refused(frame, step, tmp_path):
    with pytest.raises(sm.ConfigError, match="whole number of minutes"):
        sm.read_table(frame, "time", "cell", ["dl"], "MB", step_minutes=step)
    arrays = {"values": np.ones((2, 1, 1), "f4"), "start": "2024-03-11", "services": ["dl"]}
    np.savez(tmp_path / "t.npz", step_minutes=step, **arrays)
    with pytest.raises(sm.DataError, match="one whole number"):
        sm.TrafficData.load(tmp_path / "t.npz")
    with pytest.raises(sm.DataError, match="must be whole"):
        sm.TrafficData(arrays["values"], np.datetime64("2024-03-11", "m"), step, ("dl",), ("a",))
