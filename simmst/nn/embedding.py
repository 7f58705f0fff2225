"""Equation (9): what a time step looks like to the network."""

import math

import torch
from torch import Tensor, nn

from simmst.nn.dropout import Dropout
from simmst.nn.per_task import TaskConv1d, TaskLinear


def sinusoid(length: int, width: int) -> Tensor:
    """Fixed positional code `[length, width]` of Vaswani et al. (2017): sines, then cosines."""
    half = (width + 1) // 2
    rates = torch.exp(-math.log(10_000.0) * torch.arange(half) / half)
    phase = torch.arange(length)[:, None] * rates
    return torch.cat([torch.sin(phase), torch.cos(phase)], dim=1)[:, :width]


class Embedding(nn.Module):
    """Value + external + positional embedding, one set of weights a task (equation (9) [K]).

    The value part is a convolution along time, the external part a linear map of the calendar marks, the
    positional part a fixed sinusoid; the three are added, as in Informer.

    Parameters
    ----------
    tasks, marks, width : int
        S, M (calendar marks a time step) and D.
    dropout : float
        Share of channels dropped while training.
    """

    def __init__(self, tasks: int, marks: int, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.value = TaskConv1d(tasks, 1, width)
        self.external = TaskLinear(tasks, marks, width)
        self.dropout = Dropout(dropout)

    def forward(self, values: Tensor, marks: Tensor) -> Tensor:
        """Embed values `[S, B, L]` at marks `[B, L, M]` as `[S, B, L, D]`."""
        value = self.value(values.unsqueeze(-1))
        tasks, _, length, width = value.shape
        external = self.external(marks.expand(tasks, *marks.shape))
        position = sinusoid(length, width).to(value)
        out: Tensor = self.dropout(value + external + position)
        return out
