"""Embedding of a series of several channels, without a task axis: the baselines' form of equation (9)."""

import torch
from torch import Tensor, nn

from simmst.nn.dropout import Dropout
from simmst.nn.embedding import sinusoid


class SeriesEmbedding(nn.Module):
    """Informer's embedding: convolution of the values + linear map of the calendar + sinusoid, added.

    The convolution of width 3 joins the ends of the window in a circle, as published.

    Parameters
    ----------
    channels, marks, width : int
        Values and calendar marks a step, and D.
    dropout : float
    """

    def __init__(self, channels: int, marks: int, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.value = nn.Conv1d(channels, width, 3, padding=1, padding_mode="circular")
        self.external = nn.Linear(marks, width)
        self.dropout = Dropout(dropout)

    def forward(self, values: Tensor, marks: Tensor) -> Tensor:
        """Embed values `[B, L, C]` at marks `[B, L, M]` as `[B, L, D]`."""
        # The convolution as one product: no other layout than [B, L, D] is made, which would have to be copied.
        near = torch.stack([values.roll(1, 1), values, values.roll(-1, 1)], dim=-1).flatten(2)  # [B, L, C * 3]
        value = nn.functional.linear(near, self.value.weight.flatten(1), self.value.bias)
        position = sinusoid(value.shape[1], value.shape[2]).to(value)
        out: Tensor = self.dropout(value + self.external(marks) + position)
        return out


def start_token(values: Tensor, label: int, horizon: int) -> Tensor:
    """Input of a generative decoder: the last `label` steps of `[B, L, C]`, then zeros, `[B, label + H, C]`."""
    start = values[:, values.shape[1] - label :]
    return torch.cat([start, start.new_zeros(len(start), horizon, start.shape[2])], dim=1)
