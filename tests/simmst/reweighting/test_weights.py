"""From x to one weight a sample: the four kinds, and what is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from simmst.errors import ConfigError
from simmst.reweighting.weights import SampleWeights

WORLD = np.array([0, 0, 1, 2, 2, 2])
THETA = np.array([[0.1, 5.0, 1.0], [0.3, 5.0, 0.0], [0.2, 5.0, 2.0]])
KINDS = {
    "sample": SampleWeights.per_sample(6),
    "world": SampleWeights.per_world(WORLD),
    "world and sample": SampleWeights.world_and_sample(WORLD),
    "parameters": SampleWeights.of_parameters(THETA, WORLD, knots=3),
}


@pytest.mark.parametrize("name", KINDS)
@given(seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_weights_lie_between_0_and_1_and_their_sum_is_counts_times_x(name: str, seed: int) -> None:
    weights, x = KINDS[name], np.random.default_rng(seed).uniform(size=KINDS[name].size)
    s = weights.of(x)
    assert ((s >= 0) & (s <= 1)).all()
    assert s.sum() == pytest.approx(weights.counts @ x)


@pytest.mark.parametrize("sigmoid", [False, True])
@pytest.mark.parametrize("name", KINDS)
def test_torch_numpy_and_the_pull_back_agree(name: str, sigmoid: bool) -> None:
    weights = SampleWeights(KINDS[name].basis, sigmoid)
    rng = np.random.default_rng(1)
    x, v = rng.uniform(size=weights.size), rng.normal(size=6)
    point = torch.tensor(x, requires_grad=True)
    s = weights.torch_map(point)(point)
    np.testing.assert_allclose(s.detach().numpy(), weights.of(x), rtol=1e-14)
    s.backward(torch.tensor(v))
    np.testing.assert_allclose(weights.pull_back(x, v), point.grad.numpy(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", KINDS)
def test_equal_weights_have_an_equal_x(name: str) -> None:
    np.testing.assert_allclose(KINDS[name].nearest(np.full(6, 0.3)), 0.3)


def test_samples_of_one_world_share_its_weight() -> None:
    assert SampleWeights.per_world(WORLD).of(np.array([0.1, 0.2, 0.3])).tolist() == [0.1, 0.1, 0.2, 0.3, 0.3, 0.3]


def test_world_and_sample_is_the_mean_of_both() -> None:
    x = np.concatenate([[1.0, 0.0, 1.0], np.zeros(6)])
    assert SampleWeights.world_and_sample(WORLD).of(x).tolist() == [0.5, 0.5, 0.0, 0.5, 0.5, 0.5]


def test_a_function_of_parameters_reads_ranks_and_skips_what_all_worlds_share() -> None:
    weights = SampleWeights.of_parameters(THETA, WORLD, knots=2)
    assert weights.size == 2 * 2
    s = weights.of(np.array([0.0, 1.0, 0.0, 0.0]))  # half of the rank of the first parameter
    np.testing.assert_allclose(s, np.array([0.0, 0.5, 0.25])[WORLD])


def test_repeated_weights_stand_side_by_side() -> None:
    assert SampleWeights.per_world(np.array([1, 0])).repeated(2).of(np.array([0.2, 0.9])).tolist() == [
        0.9, 0.9, 0.2, 0.2,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SampleWeights.per_world(np.array([0, 2])), "every number"),
        (lambda: SampleWeights.per_world(np.array([0.5])), "whole numbers"),
        (lambda: SampleWeights(sparse.csr_array(np.array([[0.5, 0.2]]))), "sum to 1"),
        (lambda: SampleWeights(sparse.csr_array(np.array([[1.0, 0.0]]))), "no sample"),
        (lambda: SampleWeights.of_parameters(THETA[:2], WORLD), r"shape \(3, p\)"),
        (lambda: SampleWeights.of_parameters(THETA, WORLD, knots=1), "knots"),
        (lambda: SampleWeights.of_parameters(np.ones((3, 2)), WORLD), "same in all worlds"),
    ],
)
def test_a_meaningless_basis_is_refused(make, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
