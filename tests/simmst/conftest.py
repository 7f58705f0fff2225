"""A small grid of traffic, for the tests of windows, scales and neighbours."""

import numpy as np
import pytest

from simmst.traffic.dataset import TrafficData


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
