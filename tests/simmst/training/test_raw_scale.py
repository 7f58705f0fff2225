"""Raw-scale training: what a perfect forecaster of z-scores gives is the traffic itself."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from simmst.simulator.city import SimulatedWorlds
from simmst.traffic.dataset import TrafficData
from simmst.traffic.graph_windows import GraphWindows, NodeWindows
from simmst.traffic.neighbours import neighbour_patches
from simmst.traffic.scaling import NodeScaler
from simmst.traffic.windows import WindowDataset, calendar_marks
from simmst.training.raw_scale import OneService, Pooled, RawScale, RawWindows, RealScales, SimulatedScales
from simmst.training.trainer import to_tensors

L, H = 5, 3
FEEDS = {"patch": lambda w: w, "node": NodeWindows, "graph": GraphWindows}


class Repeat(nn.Module):
    """Forecasts the last hour of the history, of the centre where it is a patch."""

    def __init__(self, patch: bool) -> None:
        super().__init__()
        self.patch = patch

    def forward(self, history, history_marks, future_marks):
        last = history[:, -1:].expand(-1, H, *history.shape[2:])
        return last[:, :, history.shape[2] // 2] if self.patch else last


@pytest.fixture(scope="module")
def data(city) -> TrafficData:
    return city(22).data


@pytest.fixture(scope="module")
def scaler(data) -> NodeScaler:
    return NodeScaler.fit(data.values[:336])


@pytest.fixture(scope="module")
def scales(data, scaler) -> RealScales:
    return RealScales.of(scaler, data.values[:336], data.filled[:336])


@pytest.fixture(scope="module")
def windows(data, scaler) -> WindowDataset:
    return WindowDataset.cut(data, scaler, L, H, 100, 120)


def test_the_unit_is_of_what_was_recorded(data, scaler):
    filled, values = data.filled[:336].copy(), data.values[:336].copy()
    filled[10:20, 1], values[10:20, :, 1] = True, 1e6
    unit = (RealScales.of(scaler, values, filled).table[2] * scaler.unit)[0]
    kept = np.delete(values[:, :, 1], np.arange(10, 20), axis=0)
    np.testing.assert_allclose(unit, [values[:, :, 0].mean(), kept.mean()], rtol=1e-5)


def test_a_service_without_traffic_has_the_unit_1(scaler, data):
    values = data.values[:336].copy()
    values[:, :, 0] = 0.0
    unit = (RealScales.of(scaler, values, data.filled[:336]).table[2] * scaler.unit)[0]
    np.testing.assert_allclose(unit, [1.0, values[:, :, 1].mean()], rtol=1e-5)


def test_a_forecast_below_0_is_0_but_not_while_training(scales, windows):
    # z = -6 of mean m and scale s is traffic exp(m - 6 s) - 1 over the unit: -0.5 or so where m is small.
    class Low(nn.Module):
        def forward(self, history, history_marks, future_marks):
            return torch.full((len(history), H, *history.shape[2:]), -6.0)

    deep = RealScales(scales.table * np.array([0.1, 5.0, 1.0], np.float32)[:, None, None])
    batch = RawWindows(GraphWindows(windows), deep).batch(np.array([0]))
    inputs, model = to_tensors(batch, torch.device("cpu"))[0], RawScale(Low())
    mean, scale, unit = deep.table.astype(np.float64)
    wanted = np.broadcast_to(np.expm1(mean - 6 * scale) / unit, (1, H, *mean.shape))
    assert wanted.max() < 0
    np.testing.assert_allclose(model.train()(*inputs).numpy(), wanted, rtol=1e-4)
    assert (model.eval()(*inputs) == 0).all()


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("service", [None, 1])
def test_forecast_and_target_are_traffic_over_its_training_mean(data, scales, windows, feed, service):
    values = data.values
    batch = RawWindows(FEEDS[feed](windows), scales, service=service).batch(np.array([0, 7]))
    chosen = slice(None) if service is None else slice(1, 2)
    unit = values[:336].mean(axis=(0, 1))[chosen]
    inputs, target = to_tensors(batch, torch.device("cpu"))
    forecast = RawScale(Repeat(feed == "patch")).eval()(*inputs)
    assert forecast.shape == target.shape
    for b in range(2):
        origin, node = int(batch.origin[b]), batch.node[b]
        true, last = values[origin : origin + H, node][..., chosen], values[origin - 1, node][..., chosen]
        np.testing.assert_allclose(np.squeeze(target[b].numpy()), np.squeeze(true / unit), rtol=1e-4)
        np.testing.assert_allclose(np.squeeze(forecast[b, 1].numpy()), np.squeeze(last / unit), rtol=1e-4)


def test_only_chosen_steps_of_the_history_are_seen(scales, windows):
    picked = RawWindows(GraphWindows(windows), scales, steps=np.array([0, 4])).batch(np.array([3]))
    whole = GraphWindows(windows).batch(np.array([3]))
    np.testing.assert_array_equal(picked.history[:, :-3], whole.history[:, [0, 4]])
    np.testing.assert_array_equal(picked.history_marks, whole.history_marks[:, [0, 4]])


def test_a_simulated_window_is_of_its_own_worlds_traffic():
    worlds = SimulatedWorlds.generate(2, L + 40 + H, ("call", "net"), seed=3)
    windows = worlds.windows(L, H, 6, seed=0)
    batch = RawWindows(windows, SimulatedScales.of(windows)).batch(np.arange(12))
    for i in range(12):
        world = windows.worlds[windows.world[i]]
        cell = world.nodes[windows.node[i]]
        true = np.matmul(world.spread[cell], world.sites[windows.origin[i] : windows.origin[i] + H])
        fitted = np.matmul(world.spread, world.sites[: len(world.sites) // 2])
        assert (fitted.mean(axis=0) > 0).all()
        unit = fitted.mean(axis=(0, 1))  # a mean a service, over all cells and the hours that the scales are of
        np.testing.assert_allclose(batch.target[i], true / unit, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("factor", [1e-3, 1e6])
def test_windows_of_traffic_times_any_factor_are_the_same(data, windows, factor):
    other = replace(data, values=(data.values * factor).astype(np.float32))
    parts = []
    for one in (data, other):
        scaler = NodeScaler.fit(one.values[:336])
        scales = RealScales.of(scaler, one.values[:336], one.filled[:336])
        parts.append(RawWindows(WindowDataset.cut(one, scaler, L, H, 100, 120), scales).batch(np.arange(20)))
    np.testing.assert_allclose(parts[1].history, parts[0].history, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(parts[1].target, parts[0].target, rtol=1e-5)


def test_pooled_windows_are_those_of_each_source_in_any_order(data, scaler, scales):
    early, late = (
        RawWindows(NodeWindows(WindowDataset.cut(data, scaler, L, H, a, b)), scales)
        for a, b in ((100, 110), (200, 205))
    )
    both = Pooled((early, late))
    assert len(both) == len(early) + len(late)
    index = np.array([len(early) + 2, 0, len(early), len(early) - 1])
    batch = both.batch(index)
    for row, (source, i) in enumerate([(late, 2), (early, 0), (late, 0), (early, len(early) - 1)]):
        one = source.batch(np.array([i]))
        np.testing.assert_array_equal(batch.history[row], one.history[0])
        np.testing.assert_array_equal(batch.target[row], one.target[0])


def test_a_forecast_far_out_is_finite_and_not_negative(scales, windows):
    class Wild(nn.Module):
        def forward(self, history, history_marks, future_marks):
            return torch.full((len(history), H, *history.shape[2:]), 1e6).mul(torch.tensor([1.0, -1.0]))

    batch = RawWindows(GraphWindows(windows), scales).batch(np.array([0]))
    out = RawScale(Wild()).eval()(*to_tensors(batch, torch.device("cpu"))[0])
    assert torch.isfinite(out).all() and (out >= 0).all()


def test_marks_and_patches_are_those_of_the_windows(data, scales, windows):
    batch = RawWindows(windows, scales).batch(np.array([5]))
    assert batch.history.shape == (1, L + 3, neighbour_patches(data).shape[1], 2)
    np.testing.assert_array_equal(batch.future_marks[0], calendar_marks(data.times)[101:104])


@pytest.mark.parametrize("service", [0, 1])
def test_one_service_of_windows_is_that_slice_of_them(windows, service):
    index = np.array([3, 0, 7])
    whole, one = windows.batch(index), OneService(windows, service).batch(index)
    assert len(OneService(windows, service)) == len(windows)
    np.testing.assert_array_equal(one.history, whole.history[..., service : service + 1])
    np.testing.assert_array_equal(one.target, whole.target[..., service : service + 1])
    np.testing.assert_array_equal(one.history_marks, whole.history_marks)
