"""Serving: any length, any unit, series that are silent or new."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simmst.errors import DataError
from simmst.pretraining.network import NetworkConfig, PretrainedNet
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
