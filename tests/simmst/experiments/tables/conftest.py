"""Small cities for the tests of the tables."""

from collections.abc import Callable

import numpy as np
import pytest

from simmst.data.dataset import TrafficData
from simmst.experiments.target import Target


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
