"""Recurrent cells whose products are convolutions: over a graph, or over an image."""

import torch
from torch import Tensor, nn

from simmst.nn.graph import DiffusionConvolution


class DiffusionGRUCell(nn.Module):
    """A GRU cell with diffusion convolutions (arXiv 1707.01926, equation (3)).

    r, u = σ(Θ ⋆ [x, h]); c = tanh(Θ_c ⋆ [x, r ⊙ h]); h' = u ⊙ h + (1 − u) ⊙ c. The gates' bias starts at 1.

    Parameters
    ----------
    inputs, hidden : int
        Channels of x and of h.
    walks : Tensor `[2, N, N]`
    steps : int
        Diffusion steps K.
    """

    def __init__(self, inputs: int, hidden: int, walks: Tensor, steps: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.gates = DiffusionConvolution(inputs + hidden, 2 * hidden, walks, steps, bias=1.0)
        self.candidate = DiffusionConvolution(inputs + hidden, hidden, walks, steps)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        """Inputs `[B, N, I]` and state `[B, N, hidden]` to the next state."""
        reset, update = torch.sigmoid(self.gates(torch.cat([x, h], dim=-1))).chunk(2, dim=-1)
        candidate = torch.tanh(self.candidate(torch.cat([x, reset * h], dim=-1)))
        return update * h + (1.0 - update) * candidate


class ConvLSTMCell(nn.Module):
    """An LSTM cell with one convolution for all four gates and no peepholes (Shi et al., arXiv 1506.04214).

    c' = f ⊙ c + i ⊙ g and h' = o ⊙ tanh(c'), with i, f, o, g from one zero-padded convolution of [x, h].

    Parameters
    ----------
    inputs, hidden : int
        Channels of x and of h.
    kernel : int
        Side of the kernel, odd.
    """

    def __init__(self, inputs: int, hidden: int, kernel: int = 3) -> None:
        super().__init__()
        self.hidden = hidden
        self.convolution = nn.Conv2d(inputs + hidden, 4 * hidden, kernel, padding=kernel // 2)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Image `[B, I, R, C]` and state (h, c), both `[B, hidden, R, C]`, to the next state."""
        h, c = state
        gates = self.convolution(torch.cat([x, h], dim=1))
        i, f, o, g = gates.chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c
