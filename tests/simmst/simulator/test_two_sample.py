"""Distances between samples are small for one distribution and known for a shift."""

import numpy as np
import pytest

from simmst.simulator.two_sample import day_vectors, maximum_mean_discrepancy, sliced_wasserstein, two_sample_auc


def rng(seed=0):
    return np.random.default_rng(seed)


def test_days_are_standardised():
    days = day_vectors(rng().gamma(2, 5, (50, 3)))
    assert days.shape == (6, 24)
    np.testing.assert_allclose(days.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(days.std(axis=1), 1)


def test_discrepancies_are_small_for_one_distribution_and_grow_with_a_shift():
    x, y = rng(1).standard_normal((400, 5)), rng(2).standard_normal((400, 5))
    far = y + 1.0
    assert abs(maximum_mean_discrepancy(x, y)) < 0.01 < 0.1 < maximum_mean_discrepancy(x, far)
    # On a direction u a shift by d is a distance |u . d|; its mean over directions in 1-D is |d|.
    assert sliced_wasserstein(x[:, :1], x[:, :1] + 3.0, rng()) == pytest.approx(3.0)
    assert sliced_wasserstein(x, y, rng()) < 0.15 < sliced_wasserstein(x, far, rng())


def test_a_classifier_tells_a_shift_and_a_scale_but_not_a_copy():
    x, y = rng(1).standard_normal((600, 4)), rng(2).standard_normal((600, 4))
    assert two_sample_auc(x, y, rng()) == pytest.approx(0.5, abs=0.05)
    # Two normals a distance 2 apart: the best area is Phi(2 / sqrt 2) = 0.921.
    shifted = y + np.array([2.0, 0, 0, 0])
    assert two_sample_auc(x, shifted, rng()) == pytest.approx(0.921, abs=0.03)
    assert two_sample_auc(x, 3 * y, rng()) > 0.85
