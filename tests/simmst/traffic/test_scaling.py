"""Scaling has an inverse, and does not know what comes after the training part."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from simmst.errors import DataError
from simmst.traffic.scaling import NodeScaler
from simmst.traffic.windows import WindowDataset, iterate_batches


@settings(max_examples=50, deadline=None)
@given(arrays(np.float32, (7, 3, 2), elements=st.floats(0, 2.0**20, width=32)))
def test_inverse_undoes_transform(values):
    scaler = NodeScaler.fit(values)
    scaled = scaler.transform(values)
    assert np.isfinite(scaled).all()
    # z-scores are float32, those of a value far below the node's unit too
    found = scaler.inverse(scaled)
    assert (np.abs(found - values) <= 2e-4 * (values + scaler.unit)).all()


@settings(max_examples=50, deadline=None)
@given(
    arrays(np.float32, (7, 3, 2), elements=st.floats(0, 2.0**20, width=32)),
    st.sampled_from([1e-6, 1e-3, 0.7, 1e6, 2.0**20]),
)
def test_traffic_times_a_factor_has_the_same_scores(values, factor):
    values = np.where(values < 1e-3, 0, values).astype(np.float64)
    values[0, 0, :] += 1.0  # a service without traffic has no unit of its own
    here, there = NodeScaler.fit(values), NodeScaler.fit(values * factor)
    np.testing.assert_allclose(there.unit, here.unit * factor, rtol=1e-12)
    np.testing.assert_allclose(there.mean, here.mean, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(there.scale, here.scale, rtol=1e-6)
    scaled = here.transform(values)
    np.testing.assert_allclose(there.transform(values * factor), scaled, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(there.inverse(scaled), here.inverse(scaled) * factor, rtol=1e-4, atol=1e-7 * factor)


def test_the_unit_is_a_twentieth_of_what_was_recorded():
    values = np.array([[2.0, 0, 0], [4, 0, 0], [900, 0, 0]])[:, :, None] * [1.0, 0.0]
    filled = np.array([[False, False], [False, False], [True, False]])
    # node a: the mean of 2 and 4; b and c: the service's mean node, (3 + 0 + 0) / 3; a dead service: 1
    unit = NodeScaler.fit(values, filled).unit
    np.testing.assert_allclose(unit, [[0.15, 1], [0.05, 1], [0.05, 1]], rtol=1e-12)


def test_scaled_training_part_has_mean_zero_and_deviation_one(grid):
    values = grid().values
    scaled = NodeScaler.fit(values).transform(values)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.std(axis=0), 1, atol=1e-5)


def test_the_scale_does_not_know_what_comes_after_the_training_part(grid):
    values = grid().values
    later = values.copy()
    later[40:] *= 1000
    a, b = NodeScaler.fit(values[:40]), NodeScaler.fit(later[:40])
    np.testing.assert_array_equal(a.mean, b.mean)
    np.testing.assert_array_equal(a.scale, b.scale)
    data = grid()
    windows = WindowDataset.cut(data, a, 6, 2, stop=40)
    assert max(batch.origin.max() for _, batch in iterate_batches(windows, 64)) + 2 == 40


def test_scaler_wants_a_part_to_fit_on():
    with pytest.raises(DataError, match="two or more steps"):
        NodeScaler.fit(np.ones((1, 2, 3)))


def test_what_would_be_negative_becomes_0():
    # exp(z s + m) - 1 with m = ln 3, s = 1/2: z = -2 gives 3 / e - 1 = 0.1036, z = -4 gives 3 / e² - 1 = -0.594.
    scaler = NodeScaler(np.full((1, 1), np.log(3)), np.full((1, 1), 0.5), np.ones((1, 1)))
    found = scaler.inverse(np.array([-2.0, -4.0]).reshape(2, 1, 1)).ravel()
    np.testing.assert_allclose(found, [0.10363832351432703, 0.0], rtol=1e-12)
    by_node = scaler.inverse(np.array([-2.0, -4.0]).reshape(1, 2, 1), np.array([0])).ravel()
    np.testing.assert_array_equal(by_node, found)


@pytest.mark.parametrize("filled", [None, np.arange(8)[:, None] == 7])
def test_a_series_that_does_not_move_has_a_scale_of_its_own(filled):
    # The deviation of seven times ln(1 + 20) is rounding, not 0; divided by it, the next step would be 1e16 off.
    values = np.full((8, 1, 1), 0.1, np.float32)
    scaler = NodeScaler.fit(values if filled is not None else values[:7], filled)
    assert scaler.scale.item() == 0.1
    found = scaler.transform(np.full((1, 1, 1), 0.2, np.float32)).item()
    assert found == pytest.approx(np.log(41 / 21) / 0.1, rel=1e-5)


def test_a_series_without_traffic_has_scale_1():
    assert NodeScaler.fit(np.array([[[0.0, 1.0]], [[0.0, 2.0]]])).scale[0, 0] == 1.0
