"""Intervals: the smallest that cover enough, as wide as a node is hard, and in the unit of the traffic."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simmst.errors import ConfigError
from simmst.forecasting.intervals import Intervals
from simmst.traffic.scaling import NodeScaler

HOURS, NODES, H = 24 * 10, 6, 4


def plain(scale: float = 1.0) -> NodeScaler:
    """Scores in which traffic x is log(1 + x) / scale."""
    return NodeScaler(np.zeros((NODES, 1)), np.full((NODES, 1), scale), np.ones((NODES, 1)))


def drawn(origins: int, noise: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Forecasts of 99, and traffic whose log is off by normal errors of each node's own size."""
    forecast = np.full((origins, H, NODES, 1), 99.0)
    errors = np.random.default_rng(seed).normal(0, 1, forecast.shape) * noise[:, None]
    return forecast, 100 * np.exp(errors) - 1


@given(st.integers(2, 60), st.floats(0.05, 0.95))
@settings(max_examples=40, deadline=None)
def test_the_width_is_the_smallest_residual_with_enough_below_it(count, level):
    residuals = np.sort(np.random.default_rng(count).random((count, 1, 1)), axis=0).astype(np.float32)
    intervals = Intervals(residuals, np.ones((1, 1)))
    needed = level * (count + 1)
    if needed > count:
        with pytest.raises(ConfigError):
            intervals.width(level)
        return
    width = intervals.width(level)[0, 0]
    assert np.sum(residuals <= width) >= needed > np.sum(residuals < width) - 1e-9


def test_a_node_is_covered_as_often_as_any_other():
    noise = 0.05 * 2.0 ** np.arange(NODES)
    intervals = Intervals.of(plain(), *drawn(500, noise))
    later, actual = drawn(500, noise, seed=1)
    lower, upper = intervals.around(plain(), later[0], 0.9)
    inside = ((lower <= actual) & (actual <= upper)).mean(axis=(0, 1, 3))
    # With one width for all: 1 down to 0.5. What is shrunk leaves the quiet ones too wide.
    np.testing.assert_allclose(inside, 0.9, atol=0.08)


def test_the_spread_is_shrunk_by_a_day_of_windows():
    # Errors 1 and 3 of two nodes, one window each: the mean is 2, their ratios 0.5 and 1.5.
    errors = np.array([1.0, 3.0], np.float32)[:, None, None]
    found = Intervals.of_windows(errors, np.array([0, 2]), 3)
    np.testing.assert_allclose(found.spread.ravel(), [24.5 / 25, 1, 25.5 / 25], rtol=1e-6)
    np.testing.assert_allclose(found.residuals.ravel(), [25 / 24.5, 75 / 25.5], rtol=1e-6)


def test_errors_of_nothing_have_no_width_but_are_no_error():
    found = Intervals.of_windows(np.zeros((30, 2, 1), np.float32), np.arange(30) % 3, 3)
    assert (found.width(0.9) == 0).all() and (found.spread > 0).all()


@pytest.mark.parametrize("factor", [1e-3, 1e6])
def test_ends_are_in_the_unit_of_the_traffic(factor):
    rng = np.random.default_rng(3)
    values = rng.gamma(3.0, 20.0, (HOURS, NODES, 2))
    forecast, actual = rng.gamma(3.0, 20.0, (2, 30, H, NODES, 2))
    ends = []
    for by in (1.0, factor):
        scaler = NodeScaler.fit(values * by)
        ends.append(Intervals.of(scaler, forecast * by, actual * by).around(scaler, forecast[0] * by, 0.9))
    np.testing.assert_allclose(np.array(ends[1]) / factor, ends[0], rtol=1e-4)


def test_a_node_that_hardly_moved_has_an_interval():
    # 500 +- 0.001 while the scale was fitted and the intervals measured; others move by a tenth or so.
    rng = np.random.default_rng(4)
    values = 500 * np.exp(rng.normal(0, 0.1, (HOURS, NODES, 1)))
    values[:, 0] = 500 + rng.uniform(-1e-3, 1e-3, (HOURS, 1))
    scaler = NodeScaler.fit(values)
    before = np.stack([values[t : t + H] for t in range(HOURS - 24 - 2 * H)])
    after = np.stack([values[t + 24 : t + 24 + H] for t in range(HOURS - 24 - 2 * H)])
    intervals = Intervals.of(scaler, before[-48:], after[-48:])
    lower, upper = intervals.around(scaler, np.full((H, NODES, 1), 900.0), 0.9)
    assert (upper - lower)[:, 0].min() > 30
    assert (upper - lower)[:, 0].max() < (upper - lower)[:, 1:].min()
