"""Serving: any length, any unit, series that are silent or new."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simmst.errors import DataError
from simmst.pretraining.network import NetworkConfig, PretrainedNet
from simmst.pretraining.reading import Scale
from simmst.pretraining.serve import quantiles


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    made = PretrainedNet(NetworkConfig(16, 12, 1))
    torch.nn.init.normal_(made.answer.weight, std=0.2)
    return made.eval()


def traffic(hours: int, count: int = 5, seed: int = 0):
    rng = np.random.default_rng(seed)
    wave = 2 + np.sin(2 * np.pi * np.arange(hours) / 24)
    return (wave * np.exp(rng.normal(0, 0.3, (count, hours)))).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(st.integers(24, 900), st.integers(1, 168), st.floats(1e-6, 1e6), st.integers(0, 99))
def test_any_length_any_horizon_any_unit(network, hours, horizon, factor, seed):
    history = traffic(hours, seed=seed)
    known = np.random.default_rng(seed).random(history.shape) < 0.9
    found = quantiles(network, history, known, 5, horizon)
    assert found.shape == (5, horizon, 7) and np.isfinite(found).all() and found.min() >= 0
    assert (np.diff(found, axis=-1) >= 0).all()
    other = quantiles(network, history * np.float32(factor), known, 5, horizon)
    np.testing.assert_allclose(other, found * factor, rtol=2e-3, atol=1e-5 * factor)


def test_a_shorter_horizon_is_the_beginning_of_a_longer_one(network):
    history = traffic(500)
    known = np.ones_like(history, dtype=bool)
    long, short = (quantiles(network, history, known, 5, horizon) for horizon in (168, 30))
    np.testing.assert_allclose(long[:, :30], short, rtol=1e-5)


def test_only_the_last_four_weeks_are_read_and_series_do_not_touch_each_other(network):
    history = traffic(900)
    known = np.ones_like(history, dtype=bool)
    found = quantiles(network, history, known, 5, 24)
    changed = history.copy()
    changed[:, : 900 - 672] = 99
    changed[0] = 1
    np.testing.assert_allclose(quantiles(network, changed, known, 5, 24)[1:], found[1:], rtol=1e-5)


def test_silent_and_unknown_series_are_forecast_as_zero(network):
    history = traffic(100)
    history[0] = 0
    known = np.ones_like(history, dtype=bool)
    known[1] = False
    found = quantiles(network, history, known, 0, 24)
    assert (found[:2] == 0).all() and (found[2:, :, 3] > 0).all()


def test_what_cannot_be_is_refused(network):
    history = traffic(30)
    known = np.ones_like(history, dtype=bool)
    for horizon in (0, 169):
        with pytest.raises(DataError, match="1 to 168"):
            quantiles(network, history, known, 0, horizon)
    with pytest.raises(DataError, match="23 hours; the pretrained network needs a day"):
        quantiles(network, history[:, :23], known[:, :23], 0, 24)


@pytest.mark.parametrize("power", [-100, -3, 60, 120])
@pytest.mark.parametrize("hours", [100, 800])
def test_a_power_of_two_changes_no_digit_even_at_the_ends_of_single_precision(network, power, hours):
    history = traffic(hours)
    known = np.ones_like(history, dtype=bool)
    found, other = (quantiles(network, np.ldexp(history, p), known, 5, 24) for p in (0, power))
    np.testing.assert_array_equal(other, np.ldexp(found, power))


def test_huge_traffic_and_huge_unknown_values_give_finite_forecasts(network):
    history = traffic(100)
    known = np.ones_like(history, dtype=bool)
    largest = np.finfo(np.float32).max
    assert np.isfinite(quantiles(network, history / history.max() * largest, known, 5, 24)).all()
    known[:, 50:60] = False
    found = quantiles(network, history, known, 5, 24)
    history[:, 50:60] = largest
    np.testing.assert_array_equal(quantiles(network, history, known, 5, 24), found)


class Says(torch.nn.Module):
    """Quantiles over the mean of the masked reading, and of the repeated one."""

    def __init__(self, masked, whole):
        super().__init__()
        self.said = torch.nn.ParameterList([torch.tensor(masked), torch.tensor(whole)])

    def forward(self, traffic, known, hour_of_week, blocks):
        scale = Scale.of(traffic, known)
        said = self.said[int(known.min() > 0)] * scale.unit[:, None, None, None]
        return scale.scaled(said.expand(*blocks.shape, 24, 7)), scale


@pytest.mark.parametrize("median", [0.0, 1e-9, 0.1, 0.5, 2.0])
@pytest.mark.parametrize("other", [0.0, 1.0, 3.0])
def test_the_median_is_the_mean_of_both_readings_and_the_width_that_of_the_masked_one(median, other):
    masked = [0.0, median / 3, median / 2, median, 3.0, 4.0, 6.0]
    net = Says(masked, [other] * 7)
    found = quantiles(net, np.ones((1, 48), np.float32), np.ones((1, 48), bool), 0, 24)[0, 0]
    wanted = 0.4 * median + 0.6 * other
    assert found[3] == pytest.approx(wanted, abs=1e-5) and (np.diff(found) >= 0).all()
    # widths are kept in logarithms of 0.05 + traffic over the mean, down to 0
    ratio = (0.05 + wanted) / (0.05 + median)
    moved = np.maximum((0.05 + np.array(masked)) * ratio - 0.05, 0)
    np.testing.assert_allclose(found, moved, rtol=1e-4, atol=1e-5)


def test_neither_the_batch_nor_its_neighbours_matter(network, monkeypatch):
    history, known = traffic(200, count=7), np.random.default_rng(0).random((7, 200)) < 0.8
    known[2] = True
    hours = np.arange(7)
    found = quantiles(network, history, known, hours, 48)
    monkeypatch.setattr("simmst.pretraining.serve._BATCH", 3)
    np.testing.assert_allclose(quantiles(network, history, known, hours, 48), found, rtol=1e-5)
    alone = quantiles(network, history[4:5], known[4:5], 4, 48)
    np.testing.assert_allclose(alone[0], found[4], rtol=1e-5)
