"""Convolutions on a fixed graph of N nodes, on the last but one axis of `[..., N, C]`.

A graph is its weighted adjacency `[N, N]`: entry (i, j) is the weight of the edge from node i to node j, at
least 0, with nothing on the diagonal. Products are dense: N² numbers a matrix, fit for some hundred nodes.
"""

import math

import torch
from torch import Tensor, nn


def random_walks(adjacency: Tensor) -> Tensor:
    """Transition matrices of the walk along the edges and of the one against them, `[2, N, N]`.

    D_O⁻¹ A and D_I⁻¹ Aᵀ of Li et al. (arXiv 1707.01926, equation (2)); the rows of a node without edges are 0.
    """
    both = torch.stack([check_adjacency(adjacency), adjacency.T])
    degree = both.sum(-1, keepdim=True)
    return torch.where(degree > 0, both / degree.clamp_min(torch.finfo(both.dtype).tiny), 0.0)


def scaled_laplacian(adjacency: Tensor) -> Tensor:
    """2 L / λ_max − I with L = I − D^(−1/2) A D^(−1/2) of the symmetrised graph, `[N, N]`, spectrum in [−1, 1]."""
    check_adjacency(adjacency)
    eye = torch.eye(len(adjacency), dtype=adjacency.dtype)
    laplacian = eye - _normalised(torch.maximum(adjacency, adjacency.T))
    largest = torch.linalg.eigvalsh(laplacian.double())[-1].to(adjacency)
    out: Tensor = 2.0 / largest * laplacian - eye
    return out


def self_looped(adjacency: Tensor) -> Tensor:
    """D^(−1/2) (A + I) D^(−1/2) of Kipf & Welling (arXiv 1609.02907) on the symmetrised graph, `[N, N]`."""
    check_adjacency(adjacency)
    loops = torch.eye(len(adjacency), dtype=adjacency.dtype)
    return _normalised(torch.maximum(adjacency, adjacency.T) + loops)


def _normalised(symmetric: Tensor) -> Tensor:
    degree = symmetric.sum(-1)
    root = torch.where(degree > 0, degree.clamp_min(torch.finfo(degree.dtype).tiny).rsqrt(), 0.0)
    return root[:, None] * symmetric * root[None, :]


def check_adjacency(adjacency: Tensor) -> Tensor:
    """Return the adjacency, or raise ValueError if it is none."""
    if adjacency.ndim != 2 or adjacency.shape[0] != adjacency.shape[1]:
        raise ValueError(f"adjacency must be a square matrix [N, N], got {tuple(adjacency.shape)}")
    if not torch.isfinite(adjacency).all() or (adjacency < 0).any() or adjacency.diagonal().any():
        raise ValueError("adjacency must be finite, at least 0, and 0 on the diagonal")
    return adjacency


class DiffusionConvolution(nn.Module):
    """Σ_k Σ_d P_dᵏ X W_{d,k}: powers of the forward and the backward random walk (arXiv 1707.01926, equation (2)).

    The term k = 0, X itself, is held once for both directions. The published code uses a Chebyshev recurrence
    in place of the powers, and there starts the second direction from a wrong X; here each direction starts
    from X and is multiplied k times.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    walks : Tensor `[2, N, N]`
        From `random_walks`.
    steps : int
        Largest power K.
    bias : float
        Value at which the bias starts.
    """

    walks: Tensor

    def __init__(self, inputs: int, outputs: int, walks: Tensor, steps: int = 2, bias: float = 0.0) -> None:
        super().__init__()
        self.steps = steps
        self.register_buffer("walks", walks, persistent=False)
        terms = 1 + len(walks) * steps
        self.weight = nn.Parameter(torch.empty(terms * inputs, outputs))
        nn.init.xavier_normal_(self.weight)
        self.bias = nn.Parameter(torch.full((outputs,), bias))

    def forward(self, x: Tensor) -> Tensor:
        """`[..., N, I]` -> `[..., N, O]`."""
        terms = [x]
        for walk in self.walks:
            reached = x
            for _ in range(self.steps):
                reached = walk @ reached
                terms.append(reached)
        return torch.cat(terms, dim=-1) @ self.weight + self.bias


class ChebyshevConvolution(nn.Module):
    """Σ_k T_k(L̃) X W_k, k = 0 .. K − 1, by T_k = 2 L̃ T_{k−1} − T_{k−2} (Defferrard et al., arXiv 1606.09375).

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    laplacian : Tensor `[N, N]`
        L̃, from `scaled_laplacian`.
    order : int
        K, the number of polynomials.
    """

    laplacian: Tensor

    def __init__(self, inputs: int, outputs: int, laplacian: Tensor, order: int = 3) -> None:
        super().__init__()
        self.register_buffer("laplacian", laplacian, persistent=False)
        bound = 1.0 / math.sqrt(order * inputs)
        self.weight = nn.Parameter(torch.empty(order, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """`[..., N, I]` -> `[..., N, O]`."""
        before, term = x, self.laplacian @ x
        out = x @ self.weight[0] + self.bias
        for weight in self.weight[1:]:
            out = out + term @ weight
            before, term = term, 2.0 * (self.laplacian @ term) - before
        return out


class GraphConvolution(nn.Module):
    """Â X W without bias, Â from `self_looped` (Kipf & Welling, arXiv 1609.02907)."""

    operator: Tensor

    def __init__(self, inputs: int, outputs: int, operator: Tensor) -> None:
        super().__init__()
        self.register_buffer("operator", operator, persistent=False)
        self.linear = nn.Linear(inputs, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """`[..., N, I]` -> `[..., N, O]`."""
        out: Tensor = self.operator @ self.linear(x)
        return out
