"""STGCN: gated convolutions in time around a graph convolution (Yu et al., IJCAI 2018, arXiv 1709.04875)."""

import torch
from torch import Tensor, nn

from simmst.models.baseline import BaselineNetwork
from simmst.nn.dropout import Dropout
from simmst.nn.graph import ChebyshevConvolution, scaled_laplacian

_KERNEL = 3
_SHORTEST = 4 * (_KERNEL - 1) + 1  # what two blocks of two convolutions take, and one step left


class STGCN(BaselineNetwork):
    """Two space-time blocks and an output block; each temporal convolution shortens the window by 2 steps.

    The two blocks take 8 steps, so at least 9 are needed: shorter windows are padded, their first step repeated.
    All H steps come from one head (the publication trains one step and iterates). 175,041 parameters at S = 1,
    N = 100, 12 -> 1: the public PyTorch code has 189,825, of which 14,784 are alignment convolutions that are
    never used. The count grows with N by the LayerNorms over nodes and channels.

    Parameters
    ----------
    services, lookback, horizon : int
        S, L, H.
    adjacency : Tensor `[N, N]`
        Weighted graph; symmetrised by the larger weight.
    width, bottleneck, head : int
        Channels of the temporal convolutions, of the graph convolutions, of the output block.
    order : int
        Chebyshev polynomials.
    dropout : float
    """

    def __init__(
        self,
        services: int,
        lookback: int,
        horizon: int,
        adjacency: Tensor,
        *,
        width: int = 64,
        bottleneck: int = 16,
        head: int = 128,
        order: int = 3,
        dropout: float = 0.0,
    ) -> None:
        nodes = len(adjacency)
        super().__init__(services, lookback, horizon, nodes)
        laplacian = scaled_laplacian(adjacency)
        self.blocks = nn.ModuleList(
            [SpaceTimeBlock(inputs, width, bottleneck, laplacian, order, dropout) for inputs in (services, width)]
        )
        rest = max(lookback, _SHORTEST) - _SHORTEST + 1
        self.last = GatedConvolution(width, head, rest)
        self.norm = nn.LayerNorm((nodes, head))
        self.head = nn.Sequential(
            nn.Linear(head, head), nn.ReLU(), Dropout(dropout), nn.Linear(head, horizon * services)
        )

    def forecast(self, history: Tensor, history_marks: Tensor, future_marks: Tensor) -> Tensor:
        """Forecast `[B, H, N, S]`; the marks are not read."""
        missing = max(_SHORTEST - self.lookback, 0)
        x = torch.cat([history[:, :1].expand(-1, missing, -1, -1), history], dim=1)
        for block in self.blocks:
            x = block(x)
        x = self.head(self.norm(self.last(x)[:, 0]))  # [B, N, H * S]
        forecast: Tensor = x.unflatten(-1, (self.horizon, self.services)).transpose(1, 2)
        return forecast


class SpaceTimeBlock(nn.Module):
    """Gated convolution, graph convolution, gated convolution, LayerNorm over nodes and channels, dropout."""

    def __init__(
        self, inputs: int, width: int, bottleneck: int, laplacian: Tensor, order: int, dropout: float
    ) -> None:
        super().__init__()
        self.before = GatedConvolution(inputs, width, _KERNEL)
        self.narrow = nn.Linear(width, bottleneck)
        self.graph = ChebyshevConvolution(bottleneck, bottleneck, laplacian, order)
        self.after = GatedConvolution(bottleneck, width, _KERNEL)
        self.norm = nn.LayerNorm((len(laplacian), width))
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, L, N, I]` -> `[B, L - 4, N, width]`."""
        x = self.narrow(self.before(x))
        x = torch.relu(self.graph(x) + x)
        out: Tensor = self.dropout(self.norm(self.after(x)))
        return out


class GatedConvolution(nn.Module):
    """(P + residual) ⊙ σ(Q) with [P, Q] a convolution of `kernel` steps; channels of the residual padded with 0.

    Parameters
    ----------
    inputs, outputs : int
        Channels, `inputs <= outputs`.
    kernel : int
        Steps joined; the window becomes shorter by kernel − 1.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        if inputs > outputs:
            raise ValueError(f"inputs ({inputs}) must not exceed outputs ({outputs}): the residual is padded")
        self.kernel = kernel
        self.convolution = nn.Linear(kernel * inputs, 2 * outputs)
        self.missing = outputs - inputs

    def forward(self, x: Tensor) -> Tensor:
        """`[B, L, N, I]` -> `[B, L - kernel + 1, N, O]`."""
        residual = nn.functional.pad(x[:, self.kernel - 1 :], (0, self.missing))
        taps = x.unfold(1, self.kernel, 1).flatten(-2)  # [B, L', N, I * kernel]
        p, q = self.convolution(taps).chunk(2, dim=-1)
        out: Tensor = (p + residual) * torch.sigmoid(q)
        return out
