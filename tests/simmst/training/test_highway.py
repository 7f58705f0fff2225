"""The closed-form start of the highway equals a weighted ridge, service by service."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simmst.errors import ConfigError
from simmst.models.simmstnet import SimMSTNet, SimMSTNetConfig
from simmst.traffic.windows import WindowBatch
from simmst.training.highway import start_highway

L, H, S = 6, 2, 2


class Walks:
    """Random windows; targets are a linear map of the own history, and noise."""

    def __init__(self, count: int, seed: int = 0, noise: float = 0.3) -> None:
        rng = np.random.default_rng(seed)
        self.history = rng.standard_normal((count, L, 9, S)).astype(np.float32) + 2
        self.map = rng.standard_normal((S, L, H))
        self.map -= self.map.mean(1, keepdims=True) - 1 / L  # rows that sum to 1 commute with the normalisation
        clean = np.einsum("bls,slh->bhs", self.history[:, :, 4], self.map)
        self.target = (clean + noise * rng.standard_normal(clean.shape)).astype(np.float32)

    def __len__(self) -> int:
        return len(self.target)

    def batch(self, index: np.ndarray) -> WindowBatch:
        marks = np.zeros((len(index), L, 4), np.float32), np.zeros((len(index), H, 4), np.float32)
        return WindowBatch(self.history[index], *marks, self.target[index], index, index)


def network(**changes: object) -> SimMSTNet:
    return SimMSTNet(SimMSTNetConfig.small(S, L, H, **changes))


def started(windows: Walks, weights: np.ndarray | None = None, **changes: object) -> np.ndarray:
    model = network(**changes)
    start_highway(model, windows, weights)
    assert model.highway is not None
    return model.highway.weight.detach().double().numpy()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.booleans())
def test_it_is_the_weighted_ridge_of_each_services_own_past(seed: int, normalise: bool) -> None:
    windows, weights = Walks(60, seed), np.random.default_rng(seed).uniform(0, 2, 60)
    found = started(windows, weights, normalise=normalise)
    for s in range(S):
        a, y = windows.history[:, :, 4, s].astype(float), windows.target[:, :, s].astype(float)
        if normalise:
            mean, deviation = a.mean(1, keepdims=True), a.std(1, keepdims=True)
            a, y = (a - mean) / deviation, (y - mean) / deviation
        # ridge as least squares with rows for the penalty
        rows = np.concatenate([np.sqrt(weights)[:, None] * a, np.sqrt(1e-3 * weights.sum()) * np.eye(L)])
        right = np.concatenate([np.sqrt(weights)[:, None] * y, np.zeros((L, H))])
        np.testing.assert_allclose(found[s], np.linalg.lstsq(rows, right)[0], atol=2e-4)  # float32 inputs


def test_a_window_of_weight_0_is_not_there_and_the_scale_of_weights_does_not_matter() -> None:
    windows, weights = Walks(40), np.where(np.arange(40) < 30, 0.5, 0.0)
    fewer = Walks(40)
    fewer.history, fewer.target = fewer.history[:30], fewer.target[:30]
    np.testing.assert_allclose(started(windows, weights), started(fewer), atol=1e-6)


def test_a_linear_world_is_forecast_from_the_start() -> None:
    model, windows = network(normalise=False), Walks(4000, noise=0.0)
    start_highway(model, windows)
    batch = windows.batch(np.arange(100))
    with torch.no_grad():
        found = model(*map(torch.from_numpy, (batch.history, batch.history_marks, batch.future_marks)))
    assert np.abs(found.numpy() - batch.target).mean() < 0.01


@pytest.mark.parametrize("weights", [np.ones(3), np.zeros(40), -np.ones(40), np.full(40, np.nan)])
def test_weights_that_do_not_fit_are_refused(weights: np.ndarray) -> None:
    with pytest.raises(ConfigError, match="weights must be 40 numbers of at least 0"):
        start_highway(network(), Walks(40), weights)


def test_a_network_without_highway_is_refused() -> None:
    with pytest.raises(ConfigError, match="no highway to start"):
        start_highway(network(highway=None), Walks(40))


def test_windows_of_another_shape_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"shapes \(6, 9, 2\) and \(2, 2\), the network takes \(6, 9, 3\)"):
        start_highway(SimMSTNet(SimMSTNetConfig.small(3, L, H)), Walks(40))


def test_a_penalty_of_zero_is_refused() -> None:
    with pytest.raises(ConfigError, match="penalty must be positive, got 0"):
        start_highway(network(), Walks(40), penalty=0.0)
