"""Scaling has an inverse, and does not know what comes after the training part."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from simmst.data.scaling import NodeScaler
from simmst.data.windows import WindowDataset, iterate_batches
from simmst.errors import DataError


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
