"""Small cities, a small grid of traffic, and a model of no table."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from simmst.evaluation import cell
from simmst.evaluation.target import Target
from simmst.experiments.tables import grid as table_grid
from simmst.experiments.tables import key, make, rows
from simmst.models.card import ModelCard
from simmst.models.recipes import PRESETS, Recipe
from simmst.models.registry import REGISTRY
from simmst.traffic.dataset import TrafficData
from simmst.traffic.scaling import NodeScaler


def make_city(days: int, nodes: int = 4, services: tuple[str, ...] = ("call", "net"), seed: int = 0) -> Target:
    """A daily wave with noise on nodes in a row, 10 times as much of each further service."""
    rng = np.random.default_rng(seed)
    wave = 20 + 10 * np.sin(2 * np.pi * np.arange(24 * days) / 24)
    size = 10.0 ** np.arange(len(services))
    values = wave[:, None, None] * size * np.exp(rng.normal(0, 0.1, (24 * days, nodes, len(services))))
    places = np.stack([9 + 0.01 * np.arange(nodes) ** 1.5, np.full(nodes, 45.0)], axis=1)
    names = services, tuple(f"n{i}" for i in range(nodes))
    start = np.datetime64("2024-01-01T00:00", "m")
    return Target(TrafficData(values.astype(np.float32), start, 60, *names, places, "MB"), "a small city")


@pytest.fixture(scope="session")
def city() -> Callable[..., Target]:
    """``city(days, nodes=4, services=("call", "net"), seed=0)``: hourly traffic of a small city."""
    return make_city


def _scales_of_logs(values: np.ndarray, filled: np.ndarray | None = None) -> NodeScaler:
    assert filled is None or not filled.any()
    logs = np.log1p(values, dtype=np.float64)
    return NodeScaler(logs.mean(axis=0), logs.std(axis=0), np.ones(values.shape[1:]))


@pytest.fixture
def printed_scales(monkeypatch) -> None:
    """Z-scores of log(1 + traffic) in the units of the file, as the rows that others printed have them."""
    monkeypatch.setattr(NodeScaler, "fit", _scales_of_logs)


class PatchMean(nn.Module):
    """A baseline that is fed patches: the mean of the window's cells, and a bias."""

    __module__ = "simmst.models.dlinear"  # stands for one of the package, whose code the keys can hold

    def __init__(self, services: int, lookback: int, horizon: int) -> None:
        super().__init__()
        self.horizon, self.bias = horizon, nn.Parameter(torch.zeros(services))

    def forward(self, history: Tensor, history_marks: Tensor, future_marks: Tensor) -> Tensor:
        return (history.mean((1, 2)) + self.bias)[:, None].expand(-1, self.horizon, -1)


@pytest.fixture
def patch_mean() -> ModelCard:
    """A single-task baseline that is fed patches, as Sim-MSTNet is, and is not of its kin."""
    recipe = Recipe({}, {"epochs": 1, "batch_size": 64})
    return ModelCard("patchmean", "PatchMean", PatchMean, "patch", (), False, dict.fromkeys(PRESETS, recipe))


@pytest.fixture
def register(monkeypatch) -> Callable[..., None]:
    """``register(*cards)``: put cards into the registry, or in the place of those of their names."""

    def put(*cards: ModelCard) -> None:
        known = {**REGISTRY, **{card.name: card for card in cards}}
        for module in (cell, table_grid, key, make, rows):
            monkeypatch.setattr(module, "REGISTRY", known)

    return put


@pytest.fixture(scope="session")
def grid():
    """Random traffic on `rows` by `columns` nodes; row 0 is the northernmost."""

    def make(rows=4, columns=5, steps=60, services=2, seed=0):
        rng = np.random.default_rng(seed)
        row, column = np.divmod(np.arange(rows * columns), columns)
        return TrafficData(
            values=rng.gamma(2.0, 10.0, (steps, rows * columns, services)).astype(np.float32),
            start=np.datetime64("2024-07-28T00:00", "m"),
            step_minutes=60,
            services=tuple(f"s{i}" for i in range(services)),
            node_ids=tuple(str(i) for i in range(rows * columns)),
            coordinates=np.stack([117 + 0.01 * column, 36.6 - 0.008 * row], axis=1),
        )

    return make
