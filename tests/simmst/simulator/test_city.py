"""Worlds depend on their seed alone, look like traffic, and give windows in the form of real ones."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simmst.errors import ConfigError
from simmst.simulator.archive import save_worlds
from simmst.simulator.city import SimulatedWorlds, draw_world, simulate_world, synthetic_target
from simmst.simulator.prior.file import PRIORS
from simmst.simulator.prior.informed import informed_prior
from simmst.simulator.prior.literature import literature_prior
from simmst.traffic.neighbours import neighbour_patches
from simmst.traffic.scaling import NodeScaler
from simmst.traffic.windows import calendar_marks, iterate_batches

SERVICES = ("call", "sms", "internet")


@pytest.fixture(scope="module")
def worlds():
    return SimulatedWorlds.generate(6, 240, SERVICES, seed=5)


def autocorrelation(x, lag):
    x = (x - x.mean(axis=0))[:, x.std(axis=(0, 2)) > 0]  # a cell may be dead all the time
    return (x[lag:] * x[:-lag]).sum(axis=0) / (x * x).sum(axis=0)


def test_a_world_depends_on_its_seed_and_number_alone(worlds):
    alone = draw_world(informed_prior(), 240, SERVICES, seed=5, world=4)
    np.testing.assert_array_equal(alone.sites, worlds.worlds[4].sites)
    np.testing.assert_array_equal(alone.spread, worlds.worlds[4].spread)
    assert alone.scenario == worlds.worlds[4].scenario
    more = SimulatedWorlds.generate(2, 240, SERVICES, seed=5)
    np.testing.assert_array_equal(more.worlds[1].sites, worlds.worlds[1].sites)
    other = draw_world(informed_prior(), 240, SERVICES, seed=6, world=4)
    assert other.scenario != alone.scenario


OFF = {
    "break_rate": 0.0,
    "step_rate": 0.0,
    "regime_rate": 0.0,
    "birth_rate": 0.0,
    "death_rate": 0.0,
    "capped_share": 0.0,
    "cells": 0.0,
    "small_nodes": 0.0,
    "memory_factor": 1.0,
    "weekend_strength": 1.0,  # a full weekend, whose shape is then all its own, as every weekend's was
}


# World, total of its sites over 100 hours and over the last ten, before anything of OFF was there.
PINNED = (
    (0, 1323864.0335974693, 217104.69110751152),
    (1, 3817463.9449565858, 145120.95962518454),
    (5, 4351075.46143958, 583098.3028336763),
)


def test_without_breaks_changes_and_small_nodes_a_world_is_what_it_was():
    for world, total, late in PINNED:
        of_scenario, of_world = np.random.SeedSequence(11, spawn_key=(world,)).spawn(2)
        scenario = informed_prior().sample(of_scenario, SERVICES).with_values(**OFF)
        sites = simulate_world(scenario, 100, of_world).sites.astype(np.float64)
        assert sites.sum() == pytest.approx(total, rel=1e-12)
        assert sites[-10:].sum() == pytest.approx(late, rel=1e-12)


def test_with_them_only_they_move():
    """Layout, map and the shared stream's parameters do not depend on what has a stream of its own."""
    of_scenario, of_world = np.random.SeedSequence(11, spawn_key=(3,)).spawn(2)
    scenario = informed_prior().sample(of_scenario, SERVICES)
    rates = {name: 0.05 for name in ("break_rate", "step_rate", "regime_rate", "birth_rate", "death_rate")}
    on, off = (
        simulate_world(scenario.with_values(**{**OFF, **more}), 240, of_world) for more in (rates, {})
    )
    np.testing.assert_array_equal(on.spread, off.spread)
    assert on.sites.shape == off.sites.shape and (on.sites != off.sites).any()


@pytest.mark.parametrize("step", [15, 30])
def test_fine_records_sum_to_the_hourly_world(step):
    hourly, fine = (
        draw_world(literature_prior(), 50, SERVICES, seed=2, world=7, step_minutes=minutes)
        for minutes in (60, step)
    )
    together = fine.sites.reshape(50, 60 // step, *hourly.sites.shape[1:]).sum(axis=1)
    np.testing.assert_allclose(together, hourly.sites, rtol=1e-5)
    traffic = fine.traffic()
    assert traffic.step_minutes == step and len(traffic.values) == 50 * 60 // step
    assert traffic.start == hourly.traffic().start


def test_windows_and_files_are_of_hourly_worlds(tmp_path):
    fine = SimulatedWorlds.generate(1, 60, SERVICES, seed=0, step_minutes=30)
    for refused in (
        lambda: fine.windows(24, 6, 2),
        lambda: fine.with_bad_worlds(1.0, seed=0),
        lambda: save_worlds(fine, tmp_path / "worlds.npz"),
    ):
        with pytest.raises(ConfigError, match="hourly worlds, not of steps of 30 minutes"):
            refused()
    with pytest.raises(ConfigError, match="step_minutes=20: must be one of 15, 30, 60"):
        draw_world(informed_prior(), 24, SERVICES, seed=0, world=0, step_minutes=20)


def test_saturated_counters_clip_and_change_nothing_else():
    scenario = informed_prior().nominal(SERVICES).with_values(cap_level=0.7)
    free, capped = (simulate_world(scenario.with_values(capped_share=s), 300, seed=4).sites for s in (0.0, 1.0))
    ceiling = 0.7 * np.quantile(free, 0.99, axis=0)
    np.testing.assert_allclose(capped, np.minimum(free, np.where(ceiling > 0, ceiling, np.inf)), rtol=1e-5)


def test_nodes_may_be_cells():
    scenario = informed_prior().nominal(SERVICES).with_values(cells=1.0)
    world = simulate_world(scenario, 24, seed=4)
    used = world.spread.argmax(axis=1)
    np.testing.assert_array_equal(world.spread[np.arange(len(used)), used], 1)
    np.testing.assert_array_equal(world.spread.sum(axis=1), 1)
    assert len(set(used[world.nodes].tolist())) > 12, "most of 16 nodes have a cell of their own"
    node = world.nodes[3]
    np.testing.assert_array_equal(world.traffic().values[:, 3], world.sites[:, used[node]])


def test_no_random_state_is_left_behind():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    draw_world(informed_prior(), 48, SERVICES, seed=0, world=0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(list(PRIORS)), st.integers(0, 2**32), st.sampled_from([1, 30, 200]), st.integers(1, 4))
def test_any_world_is_traffic(prior, seed, hours, side):
    services = ("5g_down", "5g_up", "call", "sms")
    world = simulate_world(PRIORS[prior]().sample(seed, services), hours, seed, side)
    traffic = world.traffic()  # TrafficData refuses what is negative or not finite
    assert traffic.values.shape == (hours, side * side, 4)
    assert traffic.services == services
    assert world.sites.dtype == world.spread.dtype == np.float32


def test_squares_together_carry_what_the_sites_do(worlds):
    for world in (world for world in worlds.worlds if not world.scenario["cells"]):
        used = world.spread.sum(axis=0) > 0
        all_squares = np.matmul(world.spread, world.sites).sum(axis=1)
        np.testing.assert_allclose(all_squares, world.sites[:, used].sum(axis=1), rtol=1e-4)


def test_traffic_repeats_daily_in_every_world():
    worlds = SimulatedWorlds.generate(40, 336, ("internet",), seed=1)
    daily = [np.median(autocorrelation(world.traffic().values, 24)) for world in worlds.worlds]
    noon = [np.median(autocorrelation(world.traffic().values, 12)) for world in worlds.worlds]
    assert min(daily) > 0.1 and np.median(daily) > 0.6
    assert (np.array(daily) > np.array(noon)).all()


def test_progress_is_told_after_each_world():
    seen = []
    SimulatedWorlds.generate(3, 24, ("internet",), seed=0, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_parameters_stand_beside_the_worlds(worlds):
    names, theta = worlds.parameters()
    assert theta.shape == (6, len(names)) and np.isfinite(theta).all()
    assert theta[2, names.index("isd_km")] == worlds.worlds[2].scenario["isd_km"]


def test_windows_equal_naive_slicing_of_the_worlds_traffic(worlds):
    windows = worlds.windows(48, 6, per_world=20, patch=1, seed=3)
    assert len(windows) == 120
    for i in (0, 37, 119):
        batch = windows.batch(np.array([i]))
        traffic = worlds.worlds[i // 20].traffic()
        t, n = int(batch.origin[0]), int(batch.node[0])
        scaled = NodeScaler.fit(traffic.values[:120]).transform(traffic.values)
        np.testing.assert_allclose(batch.history[0, :, 0], scaled[t - 48 : t, n], atol=1e-3)
        np.testing.assert_allclose(batch.target[0], scaled[t : t + 6, n], atol=1e-3)
        marks = calendar_marks(traffic.times)
        np.testing.assert_allclose(batch.history_marks[0], marks[t - 48 : t], atol=1e-6)
        np.testing.assert_allclose(batch.future_marks[0], marks[t : t + 6], atol=1e-6)
        assert batch.world[0] == i // 20


def test_every_node_has_its_eight_neighbours(worlds):
    """An inner node's patch equals the one that its exported traffic gives; outer nodes have one too."""
    windows = worlds.windows(48, 6, per_world=300, patch=3)
    batch = windows.batch(np.arange(300))
    traffic = worlds.worlds[0].traffic()
    patch = neighbour_patches(traffic, 3)
    scaled = NodeScaler.fit(traffic.values[:120]).transform(traffic.values)
    inner = np.flatnonzero(batch.node == 5)[0]
    t = batch.origin[inner]
    np.testing.assert_allclose(batch.history[inner], scaled[t - 48 : t][:, patch[5]], atol=1e-3)
    assert all(len(set(squares)) == 9 for squares in windows.patches[worlds.worlds[0].nodes])


def test_windows_of_a_world_are_drawn_once_and_by_seed(worlds):
    windows = worlds.windows(48, 6, per_world=500, seed=1)
    pairs = set(zip(windows.world.tolist(), windows.node.tolist(), windows.origin.tolist(), strict=True))
    assert len(pairs) == len(windows) == 3000
    assert windows.origin.min() >= 48 and windows.origin.max() + 6 <= 240
    again = worlds.windows(48, 6, per_world=500, seed=1)
    np.testing.assert_array_equal(windows.origin, again.origin)
    assert (windows.origin != worlds.windows(48, 6, per_world=500, seed=2).origin).any()


def test_the_scale_of_a_world_does_not_know_its_second_half(worlds):
    changed = SimulatedWorlds(
        tuple(replace(w, sites=np.concatenate([w.sites[:120], 9 * w.sites[120:]])) for w in worlds.worlds)
    )
    a, b = worlds.windows(48, 6, 5), changed.windows(48, 6, 5)
    np.testing.assert_array_equal(a.mean, b.mean)
    np.testing.assert_array_equal(a.scale, b.scale)


def test_a_pass_over_simulated_windows_is_that_over_real_ones(worlds):
    windows = worlds.windows(48, 6, per_world=10)
    shapes = [batch.history.shape for _, batch in iterate_batches(windows, 25)]
    assert shapes == [(25, 48, 9, 3), (25, 48, 9, 3), (10, 48, 9, 3)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lookback": 240}, "at most the 240 hours"),
        ({"horizon": 0}, "at least 1 each"),
        ({"per_world": 0}, "per_world=0"),
        ({"per_world": 10**6}, "per_world=1000000"),
        ({"patch": 7}, "patch=7"),
    ],
)
def test_windows_that_cannot_be_cut_are_refused(worlds, arguments, message):
    with pytest.raises(ConfigError, match=message):
        worlds.windows(**{"lookback": 48, "horizon": 6, "per_world": 5, **arguments})


def test_bad_worlds_are_as_many_as_asked_and_the_others_untouched(worlds):
    spoilt, bad = worlds.with_bad_worlds(0.5, seed=0)
    assert bad.sum() == 3
    for old, new, is_bad in zip(worlds.worlds, spoilt.worlds, bad, strict=True):
        assert np.array_equal(old.sites, new.sites) is not bool(is_bad)
        assert new.sites.dtype == np.float32 and new.sites.shape == old.sites.shape
    with pytest.raises(ConfigError, match="share=2"):
        worlds.with_bad_worlds(2, seed=0)


def test_bad_worlds_lose_the_smooth_day_or_the_day_itself():
    good = SimulatedWorlds.generate(20, 336, ("internet",), seed=2)
    spoilt, bad = good.with_bad_worlds(1.0, seed=0)

    def medians(worlds, lag):
        return np.array([np.median(autocorrelation(w.traffic().values, lag)) for w in worlds.worlds])

    hourly, daily = (medians(good, lag) - medians(spoilt, lag) for lag in (1, 24))
    assert bad.all() and (np.maximum(hourly, daily) > 0.2).mean() > 0.9


def test_a_synthetic_target_is_whole_days_from_a_monday():
    target = synthetic_target(seed=0, days=3, services=SERVICES, nodes=10)
    assert target.values.shape == (72, 10, 3)
    assert target.start == np.datetime64("2024-01-01T00:00") and target.coordinates is not None
    again = synthetic_target(seed=0, days=3, services=SERVICES, nodes=10)
    np.testing.assert_array_equal(target.values, again.values)
    assert (target.values != synthetic_target(1, 3, SERVICES, 10).values).any()
    with pytest.raises(ConfigError, match="days=0"):
        synthetic_target(0, 0, SERVICES, 10)


def test_impossible_sizes_are_refused():
    with pytest.raises(ConfigError, match="n_worlds=0"):
        SimulatedWorlds.generate(0, 24, SERVICES, seed=0)
    with pytest.raises(ConfigError, match="hours=0"):
        SimulatedWorlds.generate(1, 0, SERVICES, seed=0)
