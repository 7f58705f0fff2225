"""What is said of a history that is unlike a run's traffic, and that nothing is said of real later days."""

from dataclasses import replace

import numpy as np
import pytest

from simmst.simulator.city import synthetic_target
from simmst.traffic.anomalies import anomalies
from simmst.traffic.dataset import TrafficData
from simmst.traffic.gap import Gap
from simmst.traffic.scaling import NodeScaler
from simmst.traffic.split import Protocol

WEEK = 168


@pytest.fixture(scope="module")
def city() -> TrafficData:
    return synthetic_target(seed=1, days=28, services=("call", "internet"), nodes=16)


@pytest.fixture(scope="module")
def scaler(city) -> NodeScaler:
    return NodeScaler.fit(city.values[: 24 * 18])


def test_of_a_citys_own_later_days_nothing_is_said(city, scaler):
    for stop in range(24 * 18 + 12, len(city.values), 12):
        for lookback in (1, 24, WEEK):
            assert anomalies(city.select(stop=stop), scaler, lookback) == []


@pytest.mark.parametrize(
    "name",
    ["jinan.npz", "milano_internet_100.npz", "milano_internet_5x5.npz", "milano_internet_3squares_full.npz"],
)
def test_of_real_later_days_nothing_is_said(real_data, name):
    data = TrafficData.load(real_data(name)).hourly()
    train = Protocol.proportional(len(data.values)).train.stop
    scaler = NodeScaler.fit(data.values[:train])
    for stop in range(max(train, WEEK) + 17, len(data.values) + 1, 24):
        for lookback in (24, WEEK):
            assert anomalies(data.select(stop=stop), scaler, lookback) == [], (stop, lookback)


@pytest.mark.parametrize(("factor", "side"), [(50, "above"), (1e-3, "below")])
def test_another_unit_is_said_loudly_and_instead_of_all_its_values(city, scaler, factor, side):
    other = replace(city, values=(city.values * factor).astype(np.float32))
    (found,) = anomalies(other, scaler, WEEK)
    assert found.startswith("THIS DOES NOT LOOK LIKE THE TRAFFIC OF THE RUN. Half of all values")
    assert f"most of them {side}" in found and "another unit" in found and "busy nodes" not in found


@pytest.mark.parametrize("name", [None, "jinan.npz", "milano_internet_100.npz"])
def test_nodes_under_the_names_of_others_are_said_loudly(city, real_data, name):
    levels = np.geomspace(1, 30, 16, dtype=np.float32)[:, None]
    data = replace(city, values=city.values * levels) if name is None else TrafficData.load(real_data(name))
    half = len(data.values) // 2
    scaler = NodeScaler.fit(data.values[:half])
    (found,) = anomalies(replace(data, values=np.ascontiguousarray(data.values[:, ::-1])), scaler, WEEK)
    assert "THIS DOES NOT LOOK" in found and "The busy nodes are not the run's busy nodes" in found


def test_nodes_that_are_all_alike_have_no_order_to_doubt():
    rng = np.random.default_rng(0)
    wave = 20 + 10 * np.sin(2 * np.pi * np.arange(24 * 14) / 24)
    values = (wave[:, None, None] * np.exp(rng.normal(0, 0.2, (24 * 14, 12, 1)))).astype(np.float32)
    data = TrafficData(values, np.datetime64("2024-01-01", "m"), 60, ("net",), tuple("abcdefghijkl"))
    shuffled = replace(data, values=np.ascontiguousarray(values[:, ::-1]))
    assert anomalies(shuffled, NodeScaler.fit(values), 24) == []


def test_an_absurd_value_is_named_with_its_cell_and_hour(city, scaler):
    values = city.values.copy()
    values[-5, 3, 1] = 9.9e9
    (found,) = anomalies(replace(city, values=values), scaler, WEEK)
    assert f"node {city.node_ids[3]}, internet: 9.9e+09 at {city.times[-5]}, where " in found
    assert "mend them in the file" in found
    values[: -WEEK - 1, 2, 0] = 9.9e9  # what the network does not read
    assert len(anomalies(replace(city, values=values), scaler, WEEK)) == 1


def test_many_absurd_values_are_one_entry_a_cell_the_worst_first_and_five_of_them(city, scaler):
    values = city.values.copy()
    values[-3:, :7, 0] = 1e7
    values[-2, 6, 0] = 1e9
    (found,) = anomalies(replace(city, values=values), scaler, 24)
    assert found.count("node ") == 5 and "and 2 more" in found and "and 2 other hours" in found
    assert found.index(f"node {city.node_ids[6]}, call: 1e+09 at {city.times[-2]}") < 150


@pytest.mark.parametrize("end", [1.0, 1.7])
def test_a_dead_node_that_was_filled_is_named(city, scaler, end):
    values = city.values.copy()
    since = len(values) - 60
    values[since:, 4] = values[since, 4] * np.linspace(1.0, end, 60, dtype=np.float32)[:, None]
    (found,) = anomalies(replace(city, values=values), scaler, WEEK)
    assert (
        f"at 1 of 16 nodes, as where a dead node was filled: node {city.node_ids[4]} (call, internet): 6" in found
    )
    values[since + 20 :: 20, 4] *= 1.01  # alive, now and then
    assert anomalies(replace(city, values=values), scaler, WEEK) == []


@pytest.mark.parametrize(("lookback", "hours"), [(WEEK, 60), (24, 24)])
def test_a_dead_node_that_repeats_its_last_day_is_named(city, scaler, lookback, hours):
    values = city.values.copy()
    for at in range(len(values) - 60, len(values)):
        values[at, 4] = values[at - 24, 4]
    (found,) = anomalies(replace(city, values=values), scaler, lookback)
    assert (
        f"the day before again, at 1 of 16 nodes, as where a dead node was filled: node {city.node_ids[4]}"
        in found
    )
    assert f": {hours} hours." in found


def test_a_declared_gap_filled_at_all_nodes_makes_none_of_them_dead(city, scaler):
    values = city.values.copy()
    hours = slice(len(values) - 60, len(values) - 20)
    for at in range(hours.start, hours.stop):
        values[at] = values[at - 24]
    gaps = tuple(Gap(s, city.times[hours.start], city.times[hours.stop]) for s in city.services)
    assert len(anomalies(replace(city, values=values), scaler, WEEK)) == 1
    assert anomalies(replace(city, values=values, gaps=gaps, fill="days"), scaler, WEEK) == []


def test_a_node_that_is_silent_as_ever_is_not_called_dead(city):
    values = city.values.copy()
    values[:, 4] = np.where(np.random.default_rng(0).random((len(values), 2)) < 0.05, 1.0, 0.0)
    values[-48:, 4] = 0.0
    data = replace(city, values=values)
    assert anomalies(data, NodeScaler.fit(values[: 24 * 18]), WEEK) == []
