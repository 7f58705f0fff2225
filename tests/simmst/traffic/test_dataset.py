"""What TrafficData accepts, refuses, keeps and gives back."""

from dataclasses import replace

import numpy as np
import pytest

from simmst.errors import DataError
from simmst.traffic.dataset import TrafficData
from simmst.traffic.gap import Gap


def make(steps=48, nodes=3, services=("5g_down", "5g_up"), seed=0):
    rng = np.random.default_rng(seed)
    return TrafficData(
        values=rng.gamma(2.0, 10.0, (steps, nodes, len(services))).astype(np.float32),
        start=np.datetime64("2024-07-28T00:00", "m"),
        step_minutes=60,
        services=services,
        node_ids=tuple(f"n{i}" for i in range(nodes)),
        coordinates=rng.normal(size=(nodes, 2)),
        units="MB",
    )


def arrays(**changes):
    keys = {
        "values": np.ones((4, 2, 1), dtype=np.float32),
        "start": np.array("2024-07-28 00:00"),
        "step_minutes": np.array(60),
        "services": np.array(["internet"]),
        "node_ids": np.array(["a", "b"]),
    }
    keys.update(changes)
    return {name: array for name, array in keys.items() if array is not None}


def write(path, **changes):
    np.savez(path, **arrays(**changes))
    return path


def test_jinan_is_read_whole(real_data):
    data = TrafficData.load(real_data("jinan.npz"))
    assert data.values.shape == (528, 148, 4)
    assert data.services == ("5g_down", "5g_up", "4g_down", "4g_up")
    assert data.units == "MB"
    assert data.times[-1] == np.datetime64("2024-08-18T23:00")
    assert data.coordinates is not None and 36 < data.coordinates[:, 1].min() < 38


def test_milano_squares_get_the_coordinates_of_their_grid(real_data):
    data = TrafficData.load(real_data("milano_internet_3squares_full.npz"))
    assert data.node_ids == ("4159", "4556", "5161")
    # Square 5161 is the cathedral's, at 9.19 E, 45.46 N.
    np.testing.assert_allclose(data.coordinates[2], [9.19, 45.464], atol=0.004)
    assert data.steps_per_day == 144


def test_a_saved_file_comes_back_equal(tmp_path):
    data = make()
    data.save(tmp_path / "city.npz")
    back = TrafficData.load(tmp_path / "city.npz")
    np.testing.assert_array_equal(back.values, data.values)
    np.testing.assert_array_equal(back.coordinates, data.coordinates)
    assert (back.start, back.step_minutes, back.services, back.node_ids, back.units) == (
        (data.start, 60, data.services, data.node_ids, "MB")
    )
    assert [p.name for p in tmp_path.iterdir()] == ["city.npz"], "no temporary file is left behind"


@pytest.mark.parametrize("units", ["MB", "GB", "activity"])
def test_names_that_end_like_a_unit_come_back_equal_beside_stated_units(tmp_path, units):
    data = replace(make(services=("down_MB", "up_MB")), units=units)
    data.save(tmp_path / "city.npz")
    back = TrafficData.load(tmp_path / "city.npz")
    assert (back.services, back.units) == (("down_MB", "up_MB"), units)


@pytest.mark.parametrize("units", [None, np.array("unknown")])
def test_units_move_out_of_the_names_where_the_file_does_not_state_them(tmp_path, units):
    data = TrafficData.load(write(tmp_path / "x.npz", services=np.array(["net_MB"]), units=units))
    assert (data.services, data.units) == (("net",), "MB")
    data.save(tmp_path / "again.npz")
    again = TrafficData.load(tmp_path / "again.npz")
    assert (again.services, again.units) == (("net",), "MB")


def test_units_stay_in_the_names_where_they_differ(tmp_path):
    path = write(tmp_path / "x.npz", services=np.array(["up_MB", "down_GB"]), values=np.ones((4, 2, 2), "f4"))
    data = TrafficData.load(path)
    assert data.services == ("up_MB", "down_GB") and data.units == "unknown"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"values": None}, "key 'values' is missing"),
        ({"start": None}, "key 'start' is missing"),
        ({"values": np.ones((4, 2), "f4")}, r"\[T, N, S\]"),
        ({"values": np.ones((0, 2, 1), "f4")}, "empty"),
        ({"values": np.full((4, 2, 1), "x")}, "must be numbers"),
        ({"values": np.full((4, 2, 1), np.nan, "f4")}, "8 NaN, first at 2024-07-28T00:00, node 'a'"),
        ({"values": np.full((4, 2, 1), np.inf, "f4")}, "8 infinite"),
        ({"values": np.full((4, 2, 1), -1, "f4")}, "8 negative.*not z-scores"),
        ({"node_ids": np.array(["a"])}, "node_ids: 1 names.*N = 2"),
        ({"node_ids": np.array(["a", "a"])}, "a name occurs twice"),
        ({"services": np.array(["a", "b"])}, "services: 2 names"),
        ({"step_minutes": np.array(7)}, "divide the 1440"),
        ({"start": np.array("yesterday")}, "one local time"),
        ({"lonlat": np.ones((3, 2))}, "coordinates"),
        ({"services": np.array([{"a": 1}], dtype=object)}, "pickled objects, which are never read"),
    ],
)
def test_a_bad_file_gives_one_clear_line(tmp_path, changes, message):
    path = write(tmp_path / "bad.npz", **changes)
    with pytest.raises(DataError, match=message) as caught:
        TrafficData.load(path)
    assert "bad.npz" in str(caught.value) and "\n" not in str(caught.value)


def test_missing_damaged_and_foreign_files_are_named(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        TrafficData.load(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("not an archive")
    with pytest.raises(DataError, match="not an npz file"):
        TrafficData.load(tmp_path / "text.npz")
    whole = write(tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="cut off"):
        TrafficData.load(tmp_path / "cut.npz")
    (tmp_path / "flipped.npz").write_bytes(whole[:200] + bytes(8) + whole[208:])
    with pytest.raises(DataError, match="not a readable npz"):
        TrafficData.load(tmp_path / "flipped.npz")
    np.save(tmp_path / "one.npy", np.ones(3))
    with pytest.raises(DataError, match="not an npz file"):
        TrafficData.load(tmp_path / "one.npy")


def test_select_takes_names_and_times_in_the_order_asked_for():
    data = make()
    part = data.select(services=["5g_up"], nodes=["n2", "n0"], start="2024-07-28T06:00", stop=30)
    np.testing.assert_array_equal(part.values, data.values[6:30][:, [2, 0]][:, :, [1]])
    np.testing.assert_array_equal(part.coordinates, data.coordinates[[2, 0]])
    assert part.start == np.datetime64("2024-07-28T06:00") and part.units == "MB"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"services": ["6g"]}, "unknown service '6g'; known: 5g_down, 5g_up"),
        ({"nodes": ["x"]}, "unknown node 'x'; known: n0, n1, n2"),
        ({"services": []}, "none asked for"),
        ({"start": 10, "stop": 10}, "leaves no steps"),
        ({"stop": 49}, "48 steps"),
        ({"start": "2024-07-28T00:30"}, "between two steps"),
        ({"start": "soon"}, "not a time"),
    ],
)
def test_select_explains_what_it_cannot_do(arguments, message):
    with pytest.raises(DataError, match=message):
        make().select(**arguments)


def test_hours_are_sums_of_their_steps(real_data):
    fine = TrafficData.load(real_data("milano_internet_3squares_full.npz"))
    hourly = fine.hourly()
    assert hourly.values.shape == (1488, 3, 1) and hourly.step_minutes == 60
    np.testing.assert_allclose(hourly.values[7], fine.values[42:48].sum(axis=0), rtol=1e-6)
    np.testing.assert_array_equal(make().hourly().values, make().values)


def fine(start="2024-01-01T00:00", minutes=10, steps=18):
    return TrafficData(
        values=np.arange(steps * 2, dtype=np.float32).reshape(steps, 2, 1),
        start=np.datetime64(start, "m"),
        step_minutes=minutes,
        services=("internet",),
        node_ids=("a", "b"),
    )


def test_part_hours_at_both_ends_are_left_out():
    summed = fine(start="2024-01-01T00:40").hourly()
    assert summed.start == np.datetime64("2024-01-01T01:00") and summed.step_minutes == 60
    np.testing.assert_array_equal(summed.values, fine().values[2:14].reshape(2, 6, 2, 1).sum(1))


def test_an_hour_keeps_the_small_traffic_beside_the_large():
    small = np.full((6, 1, 1), 1.0, dtype=np.float32)
    small[0] = 2**24  # where float32 counts in twos
    data = replace(fine(steps=6), values=small, node_ids=("a",))
    assert data.hourly().values.item() == np.float32(2**24 + 5)


def test_hourly_traffic_stays_as_it_is_wherever_its_hours_begin():
    half_past = fine(start="2024-01-01T00:30", minutes=60)
    assert half_past.hourly() is half_past


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (fine(minutes=120), "do not divide the hour"),
        (fine(start="2024-01-01T00:05"), "begins on the hour"),
        (fine(start="2024-01-01T00:10", steps=6), "no whole hour"),
    ],
)
def test_steps_that_make_no_hours_are_refused(data, words):
    with pytest.raises(DataError, match=words):
        data.hourly()


def test_hour_of_the_week_begins_on_monday():
    assert make().start_hour == 6 * 24  # 28 July 2024 was a Sunday
    assert make().select(start=25).start_hour == 1


def test_a_changed_copy_is_checked_again():
    with pytest.raises(DataError, match="float32"):
        replace(make(), values=np.ones((48, 3, 2)))


def test_a_table_in_place_of_an_npz_file_is_told_where_to_go(tmp_path):
    (tmp_path / "month.csv").write_text("time,cell,call\n")
    with pytest.raises(DataError, match=r"month.csv: not an npz file .*own-traffic.md shows how to make one"):
        TrafficData.load(tmp_path / "month.csv")


def test_one_text_is_not_a_tuple_of_names():
    data = make()
    for name in ("services", "node_ids"):
        with pytest.raises(DataError, match="must be tuples of names"):
            replace(data, **{name: "ab"})


def test_gaps_are_gaps():
    gap = ("5g_up", np.datetime64("2024-07-28T00:00"), np.datetime64("2024-07-28T02:00"))
    with pytest.raises(DataError, match=r"is no Gap\(service, start, stop\)"):
        replace(make(), gaps=(gap,), fill="zero")
    assert replace(make(), gaps=(Gap(*gap),), fill="zero").filled.sum() == 2


def test_single_values_that_are_missing_are_kept_cut_and_summed(tmp_path):
    data = make()
    missing = np.zeros(data.values.shape, dtype=bool)
    missing[5, 1, 0] = True
    data = replace(data, missing=missing)
    data.save(tmp_path / "a.npz")
    np.testing.assert_array_equal(TrafficData.load(tmp_path / "a.npz").missing, missing)
    part = data.select(services=data.services[:1], nodes=data.node_ids[:0:-1], start=4)
    assert part.missing is not None and np.argwhere(part.missing).tolist() == [[1, 1, 0]]
    assert (~part.known).sum() == 1
    fine = replace(data, step_minutes=15, missing=missing)
    assert np.argwhere(~fine.hourly().known).tolist() == [[1, 1, 0]]
    gap = Gap(data.services[0], data.times[5], data.times[7])
    assert (~replace(data, gaps=(gap,), fill="days").known).sum() == 2 * len(data.node_ids)
    for wrong in (missing[1:], missing.astype(int)):
        with pytest.raises(DataError, match="missing: must be bool"):
            replace(data, missing=wrong)


def test_data_show_themselves_in_one_line():
    text = repr(make())
    assert text.startswith("TrafficData(48 x 3 x 2 values from 2024-07-28T00:00 in steps of 60 minutes")
    assert "5g_down" in text and "\n" not in text and len(text) < 200
