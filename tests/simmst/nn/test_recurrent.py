"""Recurrent cells beside their equations, written out in numpy."""

import numpy as np
import torch

from simmst.nn.graph import random_walks
from simmst.nn.recurrent import ConvLSTMCell, DiffusionGRUCell


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_the_diffusion_gru_is_equation_3_with_dense_matrices() -> None:
    rng = np.random.default_rng(0)
    adjacency = rng.random((5, 5)) * (1 - np.eye(5))
    cell = DiffusionGRUCell(2, 3, random_walks(torch.from_numpy(adjacency)), steps=2).double()
    x, h = rng.normal(size=(4, 5, 2)), rng.normal(size=(4, 5, 3))
    forward, backward = adjacency / adjacency.sum(1)[:, None], adjacency.T / adjacency.T.sum(1)[:, None]
    powers = (np.eye(5), forward, forward @ forward, backward, backward @ backward)

    def diffuse(part: torch.nn.Module, inputs: np.ndarray) -> np.ndarray:
        weights = part.weight.detach().numpy().reshape(5, 5, -1)  # term, channel in, channel out
        mixed = sum(power @ inputs @ weight for power, weight in zip(powers, weights, strict=True))
        return mixed + part.bias.detach().numpy()

    gates = sigmoid(diffuse(cell.gates, np.concatenate([x, h], -1)))
    reset, update = gates[..., :3], gates[..., 3:]
    candidate = np.tanh(diffuse(cell.candidate, np.concatenate([x, reset * h], -1)))
    expected = update * h + (1 - update) * candidate
    ours = cell(torch.from_numpy(x), torch.from_numpy(h)).detach().numpy()
    np.testing.assert_allclose(ours, expected, atol=1e-12)


def test_the_gates_of_the_diffusion_gru_start_open() -> None:
    cell = DiffusionGRUCell(1, 4, random_walks(torch.zeros(3, 3)), steps=1)
    assert (cell.gates.bias == 1).all() and (cell.candidate.bias == 0).all()


def test_the_conv_lstm_cell_is_its_equations_place_by_place() -> None:
    rng = np.random.default_rng(1)
    cell = ConvLSTMCell(2, 3, kernel=3).double()
    x, h, c = rng.normal(size=(2, 4, 5)), rng.normal(size=(3, 4, 5)), rng.normal(size=(3, 4, 5))
    kernel, bias = (p.detach().numpy() for p in (cell.convolution.weight, cell.convolution.bias))
    padded = np.pad(np.concatenate([x, h]), ((0, 0), (1, 1), (1, 1)))
    gates = np.empty((12, 4, 5))
    for row in range(4):
        for column in range(5):
            seen = padded[:, row : row + 3, column : column + 3]
            gates[:, row, column] = np.einsum("ocij,cij->o", kernel, seen) + bias
    i, f, o, g = np.split(gates, 4)
    c_next = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h_next = sigmoid(o) * np.tanh(c_next)
    ours = cell(torch.from_numpy(x)[None], (torch.from_numpy(h)[None], torch.from_numpy(c)[None]))
    for mine, expected in zip(ours, (h_next, c_next), strict=True):
        np.testing.assert_allclose(mine[0].detach().numpy(), expected, atol=1e-12)
