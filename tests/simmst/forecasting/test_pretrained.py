"""The pretrained forecaster: from a day of any city on, in any unit, with nodes that began yesterday."""

import dataclasses

import numpy as np
import pytest

import simmst as sm
from simmst.errors import ConfigError, DataError
from simmst.forecasting.pretrained import known_hours


def city(days: int, nodes: int = 4, services=("call", "net"), seed: int = 0) -> sm.TrafficData:
    rng = np.random.default_rng(seed)
    hour = np.arange(24 * days)
    wave = (3 + 2 * np.sin(2 * np.pi * hour / 24)) * np.where(hour // 24 % 7 < 5, 1.0, 0.7)
    size = np.exp(rng.normal(0, 1, (nodes, len(services))))
    values = wave[:, None, None] * size * np.exp(rng.normal(0, 0.1, (len(hour), nodes, len(services))))
    names = tuple(f"n{i}" for i in range(nodes))
    return sm.TrafficData(values.astype(np.float32), np.datetime64("2024-01-01T00:00", "m"), 60, services, names)


@pytest.fixture(scope="module")
def network():
    return sm.pretrained()


@pytest.mark.parametrize(("days", "horizon"), [(1, None), (2, 168), (10, 24), (35, 30)])
def test_any_history_of_a_day_or_more_is_forecast_with_intervals(network, days, horizon):
    found = network.predict(city(days), horizon)
    assert found.values.shape == (horizon or 24, 4, 2)
    assert (found.lower <= found.values).all() and (found.values <= found.upper).all() and found.lower.min() >= 0
    assert found.times[0] == found.history.times[-1] + np.timedelta64(60, "m")
    assert any("whole days of history" in one for one in found.notices) == (days < 28)


def test_it_is_better_than_last_week_and_yesterday_on_a_plain_city(network):
    data = city(35, nodes=12)
    found = sm.backtest([network], data, 24, 24, start=28 * 24)
    error = np.abs(found.forecasts["pretrained"] - found.actual).mean()
    for back in (24, 168):  # by noise alone, a value of before is off by 1.41 times the best forecast
        steps = found.origins[:, None] + np.arange(24) - back
        assert error < 0.87 * np.abs(data.values[steps].astype(float) - found.actual).mean()


@pytest.mark.parametrize("factor", [1e-6, 1e-3, 1e6])
@pytest.mark.parametrize("days", [3, 30])
def test_another_unit_gives_the_same_forecast(network, days, factor):
    data = city(days)
    other = dataclasses.replace(data, values=data.values * np.float32(factor))
    one, two = network.predict(data), network.predict(other)
    for name in ("values", "lower", "upper"):
        np.testing.assert_allclose(getattr(two, name), factor * getattr(one, name), rtol=1e-3)


def test_services_and_nodes_do_not_touch_each_other(network):
    data = city(20)
    alone = network.predict(data.select(services=["net"], nodes=["n2"]))
    np.testing.assert_allclose(alone.values[:, 0, 0], network.predict(data).values[:, 2, 1], rtol=1e-4)


def test_a_filled_hour_is_not_read(network):
    data = city(20)
    start = data.times[-10]
    gap = sm.Gap("net", start, start + np.timedelta64(300, "m"))
    one, two = (data.values.copy() for _ in range(2))
    two[-10:-5, :, 1] *= 50
    made = [network.predict(dataclasses.replace(data, values=v, gaps=(gap,), fill="linear")) for v in (one, two)]
    np.testing.assert_array_equal(made[0].values, made[1].values)
    assert any("unknown hours in the last day" in one for one in made[0].notices)


def test_a_nodes_missing_hours_are_not_read_and_cost_no_other_node(network):
    data = city(20)
    missing = np.zeros(data.values.shape, dtype=bool)
    missing[-30:-5, 1, 0] = True
    other = np.where(missing, 99.0, data.values).astype(np.float32)
    one, two = (
        network.predict(dataclasses.replace(data, values=values, missing=missing))
        for values in (data.values, other)
    )
    np.testing.assert_array_equal(one.values, two.values)
    whole = network.predict(data)
    assert (one.values[:, 1, 0] != whole.values[:, 1, 0]).any()
    np.testing.assert_allclose(one.values[:, [0, 2, 3]], whole.values[:, [0, 2, 3]], rtol=1e-5)
    assert any("1 series with unknown hours in the last day (n1/call)" in said for said in one.notices)


def test_a_node_that_began_yesterday_is_forecast_from_its_day(network):
    data = city(20)
    values = data.values.copy()
    values[:-30, 0] = 0
    new = dataclasses.replace(data, values=values)
    assert not known_hours(new)[:-30, 0].any() and known_hours(new)[-30:, 0].all()
    found = network.predict(new)
    day = data.values[-24:, 0].mean()
    assert 0.5 * day < found.values[:, 0].mean() < 2 * day
    np.testing.assert_allclose(found.values[:, 1:], network.predict(data).values[:, 1:], rtol=1e-4)


def test_a_dead_node_is_said_and_forecast_low(network):
    data = city(20)
    values = data.values.copy()
    values[-48:, 0] = 0
    found = network.predict(dataclasses.replace(data, values=values))
    assert any("without traffic in the last day" in one and "n0/call" in one for one in found.notices)
    assert found.values[:, 0].mean() < 0.5 * data.values[:, 0].mean()


def test_a_nearly_constant_node_gets_a_width(network):
    data = city(20)
    values = data.values.copy()
    rng = np.random.default_rng(1)
    values[:, 0] = 500 + rng.normal(0, 1e-3, values[:, 0].shape)
    values[-24:, 0] = 900 + rng.normal(0, 30, values[-24:, 0].shape)
    found = network.predict(dataclasses.replace(data, values=values))
    assert (found.upper - found.lower)[:, 0].min() > 10


def test_fitting_calibrates_and_is_kept(network, tmp_path):
    data = city(20)
    fitted = sm.pretrained().fit(data)
    one = fitted.predict(data)
    assert not np.allclose(one.upper, network.predict(data).upper)
    np.testing.assert_array_equal(one.values, network.predict(data).values)
    fitted.save(tmp_path / "kept")
    two = sm.load(tmp_path / "kept").predict(data)
    for name in ("values", "lower", "upper"):
        np.testing.assert_allclose(getattr(two, name), getattr(one, name), rtol=1e-6)


def test_what_cannot_be_is_refused(network):
    with pytest.raises(DataError, match="12 hours; the pretrained network needs a day"):
        network.predict(city(1).select(stop=12))
    with pytest.raises(DataError, match="horizon 169"):
        network.predict(city(2), 169)
    with pytest.raises(ConfigError, match="level 1"):
        network.predict(city(2), level=1.0)
    with pytest.raises(DataError, match="does not exist"):
        sm.pretrained("nowhere.safetensors")


def test_a_lone_burst_is_no_level(network):
    data = city(20)
    values = data.values.copy()
    values[:, 0], values[-1, 0] = 0, 5.0
    burst = dataclasses.replace(data, values=values)
    assert known_hours(burst)[-24:, 0].all() and not known_hours(burst)[:-24, 0].any()
    assert network.predict(burst).values[:, 0].mean() < 1


def test_traffic_that_was_filled_is_no_beginning():
    data = city(10)
    values = data.values.copy()
    values[:100], values[10:20] = 0, 3.0
    gap = sm.Gap("net", data.times[10], data.times[20])
    known = known_hours(dataclasses.replace(data, values=values, gaps=(gap,), fill="days"))
    assert not known[:100, :, 1].any() and known[100:, :, 1].all()
    assert known[:, :, 0].all()  # the other service's traffic at hour 10 was recorded


def test_a_silent_city_and_one_without_a_known_hour_are_forecast_as_zero_and_said(network):
    silent = dataclasses.replace(city(10), values=np.zeros((240, 4, 2), np.float32))
    found = sm.pretrained().fit(silent).predict(silent, 168, 0.999)
    assert not found.values.any() and not found.upper.any()
    unknown = dataclasses.replace(city(10), missing=np.ones((240, 4, 2), bool))
    found = sm.pretrained().fit(unknown).predict(unknown)
    assert not found.upper.any() and any("without a known hour in four weeks" in one for one in found.notices)


def test_hours_of_the_week_follow_the_clock_of_finer_steps(network):
    # the same hours in steps of 15 minutes that begin at half past eleven of the evening before
    data = city(10)
    quarters = np.repeat(data.values / 4, 4, axis=0)
    fine = sm.TrafficData(
        np.concatenate([quarters[:2], quarters, quarters[:1]]), data.start - np.timedelta64(30, "m"), 15,
        data.services, data.node_ids,
    )  # fmt: skip
    one, two = network.predict(data), network.predict(fine)
    np.testing.assert_array_equal(one.times, two.times)
    np.testing.assert_allclose(one.values, two.values, rtol=1e-5)
    moved = network.predict(dataclasses.replace(data, start=data.start + np.timedelta64(60 * 24 * 5, "m")))
    assert not np.allclose(moved.values, one.values, rtol=1e-3)


def test_the_first_hour_forecast_is_the_one_after_the_end(network, monkeypatch):
    asked = []

    def watched(net, traffic, known, hour, horizon):
        asked.append(hour)
        return np.zeros((len(traffic), horizon, 7), np.float32)

    monkeypatch.setattr("simmst.forecasting.pretrained.quantiles", watched)
    network.predict(city(11).select(stop=245))  # from a Monday's midnight on
    assert asked == [245 % 168]
