"""The statistics of a traffic file: on series whose answer is known, on grids, and where there is too little."""

from dataclasses import replace

import numpy as np
import pytest

from simmst.errors import DataError
from simmst.simulator.city import synthetic_target
from simmst.traffic.dataset import TrafficData
from simmst.traffic.describe import describe, draw, grid_order
from simmst.traffic.gap import Gap

PNG = b"\x89PNG\r\n\x1a\n"


def make(values, services=("a",), **more):
    return TrafficData(
        values=np.asarray(values, dtype=np.float32),
        start=np.datetime64("2013-11-04T00:00", "m"),  # a Monday
        step_minutes=60,
        services=services,
        node_ids=tuple(map(str, range(np.shape(values)[1]))),
        units="MB",
        **more,
    )


def by_name(description, service="a"):
    return {row.name: row for row in description.statistics if row.service == service}


def test_a_day_that_repeats_has_the_known_statistics():
    day = np.where(np.arange(24) < 12, 1.0, 3.0)
    series = np.tile(day, 14)[:, None, None] * np.array([1.0, 2.0, 4.0])[:, None]
    found = by_name(describe(make(series)))
    assert (found["mean"].low, found["mean"].median, found["mean"].unit) == (2.2, 4.0, "MB per hour")
    assert found["autocorrelation, 24 h"].median == pytest.approx(1 - 24 / 336)
    assert found["peak / mean of a weekday"].median == pytest.approx(1.5)
    assert found["peak / trough of a weekday"].median == pytest.approx(3)
    assert found["weekday / weekend"].median == pytest.approx(1)
    assert found["hour-of-week R2"].median == pytest.approx(1)
    assert found["deviation of totals"].median == pytest.approx(np.log([1, 2, 4]).std(), rel=1e-6)


def test_zero_and_filled_values_are_told_apart():
    values = np.ones((24, 2, 1))
    values[:6] = 0
    gap = Gap("a", np.datetime64("2013-11-04T00:00", "m"), np.datetime64("2013-11-04T03:00", "m"))
    found = by_name(describe(make(values, gaps=(gap,), fill="zero")))
    assert found["zero values"].median == 25 and found["hours declared as gaps"].median == 12.5


def test_a_grid_is_recognised_in_any_order_and_only_if_full():
    longitude, latitude = np.meshgrid(np.linspace(9, 9.1, 4), np.linspace(45, 45.1, 5))
    places = np.stack([longitude.ravel(), latitude.ravel()], axis=1)
    shuffled = np.random.default_rng(0).permutation(20)
    data = make(np.ones((24, 20, 1)), coordinates=places[shuffled])
    np.testing.assert_array_equal(shuffled[grid_order(data)], np.arange(20).reshape(5, 4))
    assert grid_order(data.select(nodes=data.node_ids[:19])) is None
    assert grid_order(replace(data, coordinates=None)) is None


def test_neighbours_alike_are_seen_in_space():
    longitude, latitude = np.meshgrid(np.linspace(9, 9.1, 8), np.linspace(45, 45.1, 8))
    level = np.exp(np.arange(8))[:, None] * np.ones(8)  # rows differ, columns are twins
    places = np.stack([longitude.ravel(), latitude.ravel()], axis=1)
    found = by_name(describe(make(np.tile(level.ravel()[None, :, None], (24, 1, 1)), coordinates=places)))
    assert found["neighbours within 1 %"].median == 50
    assert found["Moran's I of ln totals"].median > 0.5
    assert "correlation of ln totals, 5 squares" not in found


def test_a_city_is_described_service_by_service_and_between_services():
    city = synthetic_target(seed=0, days=14, services=("call", "internet"), nodes=9)
    description = describe(city)
    names = {row.name for row in description.statistics if row.service == "call"}
    assert names >= {"residual Hurst exponent", "residual autocorrelation, 24 h", "autocorrelation, 168 h"}
    assert [row.name for row in description.statistics if row.service == "call ~ internet"] == [
        "correlation over nodes",
        "correlation over hours",
        "correlation of residuals",
    ]
    assert all(np.isfinite(row.median) for row in description.statistics)


def test_what_a_short_file_cannot_say_is_left_out_with_the_reason():
    description = describe(make(np.ones((24, 1, 1))))
    assert all(np.isfinite(row.median) for row in description.statistics)
    assert [text.split(":")[0] for text in description.left_out] == [
        "shape of the day",
        "autocorrelation at 168 h",
        "weekly residual, correlation between services",
        "Moran's I, spatial correlation, twins",
    ]
    assert "168 h are needed, the file has 24 h" in description.left_out[0]


def test_steps_of_more_than_an_hour_are_refused():
    with pytest.raises(DataError, match="do not divide the hour"):
        describe(replace(make(np.ones((24, 1, 1))), step_minutes=120))


@pytest.mark.parametrize("steps", [2, 50, 400])
def test_the_picture_is_a_png_for_short_and_long_files(tmp_path, steps):
    values = np.random.default_rng(0).gamma(2.0, 1.0, (steps, 3, 2))
    draw(make(values, services=("a", "price in $ and $")), tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes().startswith(PNG)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_map_is_drawn_where_positions_are_known_even_of_nothing(tmp_path):
    places = np.array([[9.0, 45.0], [9.1, 45.1], [9.2, 45.0]])
    without, with_map, quiet = (tmp_path / name for name in ("a.png", "b.png", "c.png"))
    draw(make(np.ones((48, 3, 1))), without)
    draw(make(np.ones((48, 3, 1)), coordinates=places), with_map)
    draw(make(np.zeros((48, 3, 1)), coordinates=places), quiet)
    width = [int.from_bytes(path.read_bytes()[16:20], "big") for path in (without, with_map, quiet)]
    assert width[0] < width[1] == width[2]


def test_a_picture_of_one_hour_is_refused(tmp_path):
    with pytest.raises(DataError, match="at least two hours"):
        draw(make(np.ones((1, 1, 1))), tmp_path / "x.png")
