"""The comparison with a real city: a city of the prior passes, a foreign one does not, real ones mostly do."""

from dataclasses import replace

import numpy as np
import pytest

from simmst.errors import ConfigError, DataError
from simmst.simulator.city import SimulatedWorlds, simulate_world
from simmst.simulator.compare import Comparison, compare_days, compare_in_space, compare_in_time
from simmst.simulator.prior.informed import informed_prior
from simmst.traffic.dataset import TrafficData

SERVICES = ("call", "internet")


@pytest.fixture(scope="module")
def worlds():
    return SimulatedWorlds.generate(30, 336, SERVICES, seed=0)


@pytest.fixture(scope="module")
def city():
    return simulate_world(informed_prior().nominal(SERVICES), 336, seed=99).traffic()


def share_inside(comparisons):
    return np.mean([comparison.inside for comparison in comparisons])


def test_inside_means_between_the_two_points():
    assert Comparison("x", "", 1.0, 0.0, 1.0).inside
    assert not Comparison("x", "", 1.1, 0.0, 1.0).inside
    assert not Comparison("x", "", float("nan"), 0.0, 1.0).inside


def test_a_city_of_the_prior_lies_inside(worlds, city):
    comparisons = compare_in_time(city, worlds)
    assert share_inside(comparisons) > 0.75
    # Thirteen for each service, three for their pair.
    assert len(comparisons) == 2 * 13 + 3
    assert {"residual acf 24 h", "correlation in space", "Hurst exponent"} <= {c.statistic for c in comparisons}


def test_dead_nodes_have_no_shape_and_move_no_band(worlds, city):
    first, *others = worlds.worlds
    sites = first.sites.copy()
    sites[:, first.spread[first.nodes[0]] > 0] = 0.0  # all that the first node is given
    with_dead = SimulatedWorlds((replace(first, sites=sites), *others))
    comparisons = compare_in_time(city, with_dead)
    assert all(np.isfinite([c.low, c.high]).all() for c in comparisons)
    silent = SimulatedWorlds(tuple(replace(world, sites=0 * world.sites) for world in worlds.worlds))
    with pytest.raises(ConfigError, match="in none of the 30"):
        compare_in_time(city, silent)


def test_noise_is_no_city(worlds, city):
    noise = np.random.default_rng(0).gamma(2, 10, city.values.shape).astype(np.float32)
    foreign = replace(city, values=noise)
    assert share_inside(compare_in_time(foreign, worlds)) < 0.5
    auc = {(d.statistic, d.service): d for d in compare_days(foreign, worlds, seed=0)}[
        "classifier AUC", "internet"
    ]
    assert auc.simulated > 0.9 and auc.baseline < 0.65


def test_days_of_many_cities_are_not_told_from_days_of_others():
    """Traffic that is itself pooled from the prior is at chance: the distances have no floor of their own."""
    worlds = SimulatedWorlds.generate(80, 336, SERVICES, seed=0)
    others = SimulatedWorlds.generate(80, 336, SERVICES, seed=1).worlds
    # Pooled series begin at midnight of their own clocks.
    days = [world.traffic().values[-world.start_hour % 24 :][:312, :4] for world in others]
    values = np.concatenate(days, axis=1)
    pooled = TrafficData(
        values, np.datetime64("2024-01-01T00:00", "m"), 60, SERVICES, tuple(map(str, range(values.shape[1])))
    )
    for distance in compare_days(pooled, worlds, seed=0):
        if distance.statistic == "classifier AUC":
            assert distance.simulated < 0.8


def test_space_of_a_city_of_the_prior_lies_inside():
    nominal = informed_prior().nominal(("internet",)).with_values(centre_distance_km=0.0)
    grid = simulate_world(nominal, 24, seed=5, side=24).traffic().values.sum(axis=(0, 2)).reshape(24, 24)
    seen = []
    comparisons = compare_in_space(grid, 12, seed=0, progress=lambda done, total: seen.append(done))
    assert share_inside(comparisons) > 0.6 and seen == list(range(1, 13))
    noise = np.exp(np.random.default_rng(0).standard_normal((24, 24)))
    by_name = {c.statistic: c for c in compare_in_space(noise, 12, seed=0)}
    assert not by_name["Moran's I of the log"].inside and not by_name["neighbours within 1 %"].inside


def test_jinan_lies_inside_but_for_a_few(real_data):
    jinan = TrafficData.load(real_data("jinan.npz"))
    worlds = SimulatedWorlds.generate(60, len(jinan.values), jinan.services, seed=0)
    assert share_inside(compare_in_time(jinan, worlds)) >= 0.9


def test_milano_lies_inside_but_for_a_few(real_data):
    milano = TrafficData.load(real_data("milano_internet_100.npz"))
    worlds = SimulatedWorlds.generate(60, len(milano.values), milano.services, seed=0)
    assert share_inside(compare_in_time(milano, worlds)) >= 0.9
    with np.load(real_data("milano_square_totals.npz"), allow_pickle=False) as archive:
        middle = archive["internet"][26:74, 26:74]
    assert share_inside(compare_in_space(middle, 30, seed=0)) >= 0.9


def test_a_week_is_compared_without_what_takes_two():
    week = SimulatedWorlds.generate(20, 168, SERVICES, seed=0)
    city = simulate_world(informed_prior().nominal(SERVICES), 168, seed=99).traffic()
    names = {c.statistic for c in compare_in_time(city, week)}
    assert {"acf 24 h", "peak/trough", "weekday/weekend", "correlation in time", "correlation in space"} <= names
    assert not {"acf 168 h", "residual sd", "correlation in residual"} & names
    few = city.select(nodes=city.node_ids[:4])
    assert "correlation in space" not in {c.statistic for c in compare_in_time(few, week)}


def test_what_cannot_be_compared_is_refused(worlds, city):
    with pytest.raises(ConfigError, match="336 hours of call, internet, but the real traffic has 300"):
        compare_in_time(city.select(stop=300), worlds)
    with pytest.raises(ConfigError, match="services call, internet"):
        compare_days(city.select(services=["call"]), worlds, seed=0)
    with pytest.raises(DataError, match="at least 4"):
        compare_days(city.select(nodes=city.node_ids[:3]), worlds, seed=0)
    with pytest.raises(DataError, match="square grid"):
        compare_in_space(np.ones((3, 4)), 5, seed=0)
    with pytest.raises(ConfigError, match="n_cities=1"):
        compare_in_space(np.ones((8, 8)) + np.eye(8), 1, seed=0)
