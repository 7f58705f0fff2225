"""Graph convolutions beside the formulas they stand for, written out densely in numpy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from simmst.nn.graph import (
    ChebyshevConvolution,
    DiffusionConvolution,
    GraphConvolution,
    random_walks,
    scaled_laplacian,
    self_looped,
)

GRAPHS = st.integers(2, 7).flatmap(
    lambda n: arrays(np.float64, (n, n), elements=st.sampled_from([0.0, 0.0, 0.3, 1.0, 2.5]))
)


def graph(values: np.ndarray) -> torch.Tensor:
    np.fill_diagonal(values, 0.0)
    return torch.from_numpy(values)


def directed(nodes: int = 6, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return graph(rng.random((nodes, nodes)) * (rng.random((nodes, nodes)) < 0.5))


@given(GRAPHS)
@settings(max_examples=50, deadline=None)
def test_a_walk_leaves_a_node_with_probability_one_unless_it_has_no_edge(values: np.ndarray) -> None:
    adjacency = graph(values)
    for walk, edges in zip(random_walks(adjacency), (adjacency, adjacency.T), strict=True):
        assert (walk >= 0).all()
        torch.testing.assert_close(walk.sum(1), (edges.sum(1) > 0).double())


@given(GRAPHS)
@settings(max_examples=50, deadline=None)
def test_the_rescaled_laplacian_is_symmetric_with_a_spectrum_in_minus_one_to_one(values: np.ndarray) -> None:
    laplacian = scaled_laplacian(graph(values))
    torch.testing.assert_close(laplacian, laplacian.T)
    spectrum = torch.linalg.eigvalsh(laplacian)
    assert spectrum[0] >= -1 - 1e-9
    assert spectrum[-1] == pytest.approx(1.0)


def test_the_rescaled_laplacian_of_a_pair_by_hand() -> None:
    # L = [[1, -1], [-1, 1]] has the eigenvalues 0 and 2, so 2 L / 2 - I = [[0, -1], [-1, 0]].
    pair = torch.tensor([[0.0, 3.0], [3.0, 0.0]])
    torch.testing.assert_close(scaled_laplacian(pair), torch.tensor([[0.0, -1.0], [-1.0, 0.0]]))


def test_the_operator_of_a_graph_convolution_by_hand() -> None:
    # A path of three nodes: with loops the degrees are 2, 3, 2.
    path = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    edge = 1 / np.sqrt(6)
    expected = [[1 / 2, edge, 0], [edge, 1 / 3, edge], [0, edge, 1 / 2]]
    torch.testing.assert_close(self_looped(path), torch.tensor(expected, dtype=torch.float32))


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_diffusion_convolution_is_the_sum_over_powers_of_both_walks(steps: int) -> None:
    adjacency = directed().numpy()
    layer = DiffusionConvolution(3, 4, random_walks(torch.from_numpy(adjacency)), steps, bias=0.75).double()
    x = np.random.default_rng(1).normal(size=(2, 6, 3))
    forward = adjacency / np.maximum(adjacency.sum(1, keepdims=True), 1e-300)
    backward = adjacency.T / np.maximum(adjacency.T.sum(1, keepdims=True), 1e-300)
    weights = layer.weight.detach().numpy().reshape(-1, 3, 4)
    assert len(weights) == 1 + 2 * steps
    expected = 0.75 + x @ weights[0]
    for direction, walk in enumerate((forward, backward)):
        for k in range(1, steps + 1):
            power = np.linalg.matrix_power(walk, k)
            expected += np.einsum("ij,bjc,cd->bid", power, x, weights[direction * steps + k])
    np.testing.assert_allclose(layer(torch.from_numpy(x)).detach().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_chebyshev_convolution_is_the_spectral_filter(order: int) -> None:
    laplacian = scaled_laplacian(directed())
    layer = ChebyshevConvolution(3, 4, laplacian, order).double()
    torch.nn.init.normal_(layer.bias, generator=torch.Generator().manual_seed(0))
    x = np.random.default_rng(1).normal(size=(2, 6, 3))
    spectrum, basis = np.linalg.eigh(laplacian.numpy())
    expected = np.zeros((2, 6, 4)) + layer.bias.detach().numpy()
    for k, weight in enumerate(layer.weight.detach().numpy()):
        polynomial = basis @ np.diag(np.cos(k * np.arccos(np.clip(spectrum, -1, 1)))) @ basis.T
        expected += polynomial @ x @ weight
    np.testing.assert_allclose(layer(torch.from_numpy(x)).detach().numpy(), expected, atol=1e-12)


def test_graph_convolution_mixes_the_neighbours_then_the_channels() -> None:
    operator = self_looped(directed())
    layer = GraphConvolution(3, 4, operator).double()
    x = torch.randn(2, 6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected = torch.einsum("ij,bjc,dc->bid", operator, x, layer.linear.weight)
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize(
    ("adjacency", "message"),
    [
        (torch.zeros(2, 3), "square"),
        (torch.eye(3), "0 on the diagonal"),
        (torch.tensor([[0.0, -1.0], [1.0, 0.0]]), "at least 0"),
        (torch.tensor([[0.0, torch.nan], [1.0, 0.0]]), "finite"),
    ],
)
@pytest.mark.parametrize("use", [random_walks, scaled_laplacian, self_looped])
def test_what_is_no_adjacency_is_refused(use, adjacency: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        use(adjacency)
