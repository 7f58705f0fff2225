"""Adapting a network: real windows hold what was known, simulated ones their worlds, and the steps learn."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simmst.errors import ConfigError, DataError
from simmst.pretraining.adapt import Steps, adapt
from simmst.pretraining.adapt_windows import Bank, RealWindows
from simmst.pretraining.loss import quantile_loss
from simmst.pretraining.network import NetworkConfig, PretrainedNet
from simmst.pretraining.reading import HOURS


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def bank() -> Bank:
    return Bank.simulated(3, 6, 0)


@pytest.fixture(scope="module")
def network() -> PretrainedNet:
    torch.manual_seed(0)
    return PretrainedNet(NetworkConfig(16, 16, 1)).eval()


def traffic(hours: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    values = rng.gamma(2.0, 1.0, (hours, 3, 2)).astype(np.float32)
    return values, rng.random(values.shape) > 0.02


@settings(max_examples=15, deadline=None)
@given(hours=st.integers(30, 800), seed=st.integers(0, 99))
def test_windows_hold_what_was_known_before_and_what_came(hours, seed):
    values, known = traffic(hours, seed)
    real = RealWindows.of(values, known, 5)
    assert real.ahead == min(24, hours // 4)
    flat, seen = values.reshape(hours, -1), known.reshape(hours, -1)
    rng = np.random.default_rng(seed)
    places = real.places[rng.integers(0, len(real.places), 8)]
    cut = real.cut(places)
    for row, (at, series) in enumerate(places):
        assert seen[at : at + real.ahead, series].all()
        first = max(at - HOURS, 0)
        here = cut.known[row].numpy() > 0
        np.testing.assert_array_equal(here[HOURS - (at - first) :], seen[first:at, series])
        assert not here[: HOURS - (at - first)].any()
        # one factor for history and truth, which is all that the network needs
        truth, history = cut.truth[row, 0].numpy(), cut.traffic[row].numpy()
        factor = flat[at, series] / truth[0]
        np.testing.assert_allclose(truth * factor, flat[at : at + real.ahead, series], rtol=1e-5)
        np.testing.assert_allclose(
            history[here] * factor, flat[first:at, series][seen[first:at, series]], rtol=1e-5
        )
        assert int(cut.hour_of_week[row]) == (5 + at) % 168


def test_no_window_holds_an_unknown_target_or_a_series_without_traffic():
    values, known = traffic(100)
    known[:50, 0, 0], known[50:, 0, 0] = True, False
    values[:, 1, 1] = 0
    real = RealWindows.of(values, known, 0)
    assert real.places[real.places[:, 1] == 0, 0].max() <= 50 - real.ahead
    assert 3 not in real.places[:, 1]
    with pytest.raises(DataError, match="12 known hours and 24 recorded"):
        RealWindows.of(values, np.zeros_like(known), 0)


def test_a_bank_knows_the_world_of_each_window(bank):
    np.testing.assert_array_equal(np.bincount(bank.world), [6, 6, 6])
    again = Bank.simulated(3, 6, 0)
    assert torch.equal(bank.windows.traffic, again.windows.traffic)
    part = bank.take(np.array([7, 7, 0]))
    assert torch.equal(part.traffic[0], part.traffic[1]) and torch.equal(part.truth[2], bank.windows.truth[0])


def test_steps_lower_the_loss_and_leave_the_start_alone(network, bank):
    before = {name: one.clone() for name, one in network.state_dict().items()}
    values, known = traffic(24 * 9)
    real = RealWindows.of(values, known, 0)
    seen = real.cut(real.places[:256])

    def loss(one: PretrainedNet) -> float:
        with torch.no_grad():
            return float(quantile_loss(*one(*seen[:4]), *seen[3:]))

    found = adapt(network, real, bank, None, Steps(12, 24, 1e-2), 0)
    assert loss(found) < 0.99 * loss(network)
    for name, one in network.state_dict().items():
        assert torch.equal(one, before[name])
        assert torch.equal(found.state_dict()[name], found.state_dict()[name].half().float())
    again = adapt(network, real, bank, None, Steps(12, 24, 1e-2), 0)
    assert all(torch.equal(again.state_dict()[name], one) for name, one in found.state_dict().items())


def test_a_window_of_weight_0_is_never_learnt_from(network, bank):
    weights = (bank.world == 1).astype(float)
    one = adapt(network, None, bank, weights, Steps(3, 8), 0)
    spoilt = bank.take(np.arange(len(bank.world)))
    spoilt.truth[torch.from_numpy(bank.world != 1)] = torch.nan
    two = adapt(network, None, Bank(spoilt, bank.world), weights, Steps(3, 8), 0)
    assert all(torch.equal(two.state_dict()[name], kept) for name, kept in one.state_dict().items())
    with pytest.raises(DataError, match="the loss is nan"):
        adapt(network, None, Bank(spoilt, bank.world), None, Steps(3, 8), 0)


def test_what_does_not_fit_is_refused(network, bank):
    with pytest.raises(ConfigError, match="one of them must be given"):
        adapt(network, None, None, None, Steps(), 0)
    for weights in (np.ones(3), -np.ones(18), np.full(18, np.nan)):
        with pytest.raises(ConfigError, match="weights: must be 18 finite numbers"):
            adapt(network, None, bank, weights, Steps(), 0)
    with pytest.raises(ConfigError, match="none of a window that counts"):
        adapt(network, None, bank, np.zeros(18), Steps(), 0)
    for wrong in ({"steps": -1}, {"batch": 1}, {"rate": 0.0}):
        with pytest.raises(ConfigError, match="must"):
            Steps(**wrong)
