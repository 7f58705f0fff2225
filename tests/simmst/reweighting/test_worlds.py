"""Weights of simulated windows by the pretrained network's last layer: it is that layer, and bad worlds lose."""

import copy

import numpy as np
import pytest
import torch

from simmst.errors import ConfigError
from simmst.pretraining.adapt_windows import Bank, RealWindows
from simmst.pretraining.network import NetworkConfig, PretrainedNet
from simmst.pretraining.reading import DAY, LEVELS, MEDIAN, ROWS
from simmst.reweighting.weights import SampleWeights
from simmst.reweighting.worlds import _last_layer, world_problem, world_weights


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def network() -> PretrainedNet:
    torch.manual_seed(0)
    return PretrainedNet(NetworkConfig(16, 16, 1)).eval()


@pytest.fixture(scope="module")
def bank() -> Bank:
    return Bank.simulated(6, 20, 0)


@pytest.fixture(scope="module")
def real() -> RealWindows:
    hour = np.arange(24 * 9)
    wave = (3 + 2 * np.sin(2 * np.pi * hour / 24))[:, None, None]
    values = wave * np.random.default_rng(0).gamma(40, 1 / 40, (len(hour), 4, 1))
    return RealWindows.of(values.astype(np.float32), np.ones(values.shape, dtype=bool), 0)


def test_the_lower_level_is_the_networks_own_last_layer(network, bank):
    """Rows of its matrix that give the median are moved: what is left moves by features times that."""
    features, left = _last_layer(network, bank.windows)
    moved = copy.deepcopy(network)
    change = 0.1 * torch.randn(DAY, features.shape[1], generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        moved.answer.weight.view(DAY, len(LEVELS) + ROWS, -1)[:, MEDIAN] += change
    _, after = _last_layer(moved, bank.windows)
    inside = (np.abs(left) < 3.5) & (np.abs(after) < 3.5)  # far ones are cut
    assert inside.mean() > 0.9
    np.testing.assert_allclose((left - after)[inside], (features @ change.numpy().T)[inside], atol=1e-4)


def test_worlds_whose_truth_is_wrong_lose_their_weight(network, bank, real):
    wrong = bank.world % 2 == 1
    windows = bank.take(np.arange(len(bank.world)))
    windows.truth[torch.from_numpy(wrong)] *= 6.0
    for by in ("world", "sample"):
        found = world_weights(network, real, Bank(windows, bank.world), 0, by=by)
        assert found.weights.mean() == pytest.approx(0.5) and found.weights.min() >= -1e-9
        assert found.weights[~wrong].mean() > 2 * found.weights[wrong].mean()
        upper = found.result.history.to_dict()["fun"]
        assert upper[-1] < upper[0]


def test_histories_of_a_day_have_a_shorter_target(network, bank, real):
    short = RealWindows.of(real.values[:24, :, None], real.known[:24, :, None], 0)
    task = world_problem(network, short, bank, SampleWeights.per_world(bank.world), 0.5, 0)
    assert short.ahead == 6 and task.problem.lower.shape[1] == 6


def test_what_does_not_fit_is_refused(network, bank, real):
    with pytest.raises(ConfigError, match="by 'node': must be world or sample"):
        world_weights(network, real, bank, 0, by="node")
    with pytest.raises(ConfigError, match="are for 3 windows, the bank has 120"):
        world_problem(network, real, bank, SampleWeights.per_sample(3), 0.5, 0)
