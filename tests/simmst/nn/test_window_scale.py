"""The scale of a window, against NumPy's mean and deviation."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simmst.nn.window_scale import window_scale


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 1e-5]))
def test_it_is_the_mean_and_the_deviation_of_each_series(seed, epsilon):
    x = np.random.default_rng(seed).gamma(2.0, 3.0, (3, 12, 2, 2))
    mean, deviation = window_scale(torch.from_numpy(x), epsilon)
    assert mean.shape == deviation.shape == (3, 1, 2, 2)
    np.testing.assert_allclose(mean, x.mean(1, keepdims=True), rtol=1e-12)
    np.testing.assert_allclose(deviation, np.sqrt(x.var(1, keepdims=True) + epsilon), rtol=1e-12)


def test_a_series_that_hardly_varies_is_only_shifted_and_by_epsilon_divided_by_its_root():
    wave = torch.tensor([0.0, 1.0]).repeat(4)[None, :, None]
    for size, wanted in ((0.0, 1.0), (1.9e-3, 1.0), (2.1e-3, 1.05e-3)):  # the deviation is half of it
        np.testing.assert_allclose(window_scale(size * wave.double())[1].item(), wanted, rtol=1e-9)
    np.testing.assert_allclose(window_scale(0 * wave, 1e-5)[1].item(), 1e-5**0.5, rtol=1e-6)


def test_no_gradient_flows_through_it():
    x = torch.rand(2, 5, 1, requires_grad=True)
    assert not any(part.requires_grad for part in window_scale(x))
