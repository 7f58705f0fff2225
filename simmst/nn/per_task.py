"""Linear maps, convolutions and norms that hold one set of weights a task."""

import math

import torch
from torch import Tensor, nn

from simmst.nn.dropout import Dropout


class TaskLinear(nn.Module):
    """One affine map a task: `[S, ..., I]` -> `[S, ..., O]`.

    Parameters
    ----------
    tasks, inputs, outputs : int
        S, I and O.
    bias : bool
        False leaves the constant out: a linear map.
    """

    def __init__(self, tasks: int, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__()
        bound = 1.0 / math.sqrt(inputs)  # the default of torch.nn.Linear
        self.weight = nn.Parameter(torch.empty(tasks, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(tasks, 1, outputs)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Map `[S, ..., I]` to `[S, ..., O]`."""
        tasks, inputs, outputs = self.weight.shape
        flat = x.reshape(tasks, -1, inputs)
        if self.bias is None:
            out = torch.bmm(flat, self.weight)
        else:
            out = torch.baddbmm(self.bias, flat, self.weight)
        return out.view(*x.shape[:-1], outputs)


class TaskConv1d(nn.Module):
    """Convolution of width 3 along time, edges repeated: `[S, B, L, I]` -> `[S, B, L, O]`.

    Informer pads in a circle, which joins the end of a window to its start; traffic windows are not
    periodic, so the edge values are repeated instead.
    """

    def __init__(self, tasks: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = 1.0 / math.sqrt(3 * inputs)
        self.weight = nn.Parameter(torch.empty(tasks, inputs, 3 * outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(tasks, 1, 1, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve along the time axis (the last but one)."""
        padded = torch.cat([x[:, :, :1], x, x[:, :, -1:]], dim=2)  # [S, B, L + 2, I]
        taps = torch.bmm(padded.flatten(1, 2), self.weight).view(*padded.shape[:3], -1)
        left, middle, right = taps.chunk(3, dim=-1)  # each [S, B, L + 2, O]
        return left[:, :, :-2] + middle[:, :, 1:-1] + right[:, :, 2:] + self.bias


class TaskNorm(nn.Module):
    """LayerNorm over the channels with an affine map a task: `[S, ..., D]` -> `[S, ..., D]`."""

    def __init__(self, tasks: int, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(tasks, width))
        self.shift = nn.Parameter(torch.zeros(tasks, width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each token over its channels."""
        tasks, width = self.scale.shape
        shape = (tasks, *(1,) * (x.ndim - 2), width)
        return nn.functional.layer_norm(x, (width,)) * self.scale.view(shape) + self.shift.view(shape)


class TaskMLP(nn.Module):
    """Two affine maps a task with a GELU and dropout between: `[S, ..., I]` -> `[S, ..., O]`."""

    def __init__(self, tasks: int, inputs: int, hidden: int, outputs: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.inner = TaskLinear(tasks, inputs, hidden)
        self.outer = TaskLinear(tasks, hidden, outputs)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map `[S, ..., I]` to `[S, ..., O]`."""
        out: Tensor = self.outer(self.dropout(nn.functional.gelu(self.inner(x))))
        return out
