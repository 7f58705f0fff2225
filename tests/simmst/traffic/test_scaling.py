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
    np.testing.assert_allclose(scaler.inverse(scaled), values, rtol=2e-4, atol=1e-4)


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
    scaler = NodeScaler(np.full((1, 1), np.log(3)), np.full((1, 1), 0.5))
    found = scaler.inverse(np.array([-2.0, -4.0]).reshape(2, 1, 1)).ravel()
    np.testing.assert_allclose(found, [0.10363832351432703, 0.0], rtol=1e-12)
    by_node = scaler.inverse(np.array([-2.0, -4.0]).reshape(1, 2, 1), np.array([0])).ravel()
    np.testing.assert_array_equal(by_node, found)


@pytest.mark.parametrize("filled", [None, np.arange(8)[:, None] == 7])
def test_a_constant_series_has_scale_1_whatever_its_rounding(filled):
    # The deviation of seven times ln(1.1) is rounding, not 0; divided by it, the next step would be 1e16 off.
    values = np.full((8, 1, 1), 0.1, np.float32)
    scaler = NodeScaler.fit(values if filled is not None else values[:7], filled)
    assert 0 < np.log1p(values[:7], dtype=np.float64).std() < 1e-16
    assert scaler.scale.item() == 1.0
    assert scaler.transform(np.full((1, 1, 1), 0.2, np.float32)).item() == pytest.approx(
        np.log(1.2 / 1.1), rel=1e-5
    )
