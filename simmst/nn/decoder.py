"""Equation (12): from the task memories to the whole horizon in one pass."""

import torch
from torch import Tensor, nn

from simmst.nn.attention import MultiHeadAttention
from simmst.nn.dropout import Dropout
from simmst.nn.embedding import Embedding
from simmst.nn.per_task import TaskLinear, TaskMLP, TaskNorm


class DecoderLayer(nn.Module):
    """Masked full self-attention, ProbSparse cross-attention and a feed-forward map (post-norm)."""

    def __init__(self, tasks: int, width: int, heads: int, hidden: int, factor: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(tasks, width, heads, causal=True)
        self.cross = MultiHeadAttention(tasks, width, heads, factor=factor)
        self.mlp = TaskMLP(tasks, width, hidden, width, dropout)
        self.norms = nn.ModuleList([TaskNorm(tasks, width) for _ in range(3)])
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        """Decode `[S, B, Q, D]` against memory `[S, B, K, D]`."""
        x = self.norms[0](x + self.dropout(self.attention(x, x)))
        x = self.norms[1](x + self.dropout(self.cross(x, memory)))
        out: Tensor = self.norms[2](x + self.dropout(self.mlp(x)))
        return out


class GenerativeDecoder(nn.Module):
    """Informer's generative decoder with the two attentions in the paper's order (equation (12) [C]).

    The input is a start token (the last `label` steps of the history) followed by zeros for the horizon,
    with the calendar marks of both; one pass yields all H steps.

    Parameters
    ----------
    tasks, marks, width, heads, hidden, layers, factor : int
        S, M, D, heads, width of the feed-forward maps, depth, ProbSparse factor.
    label : int
        Length of the start token, in steps.
    """

    def __init__(
        self,
        tasks: int,
        marks: int,
        width: int,
        heads: int,
        hidden: int,
        layers: int,
        factor: int,
        label: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.label = label
        self.embedding = Embedding(tasks, marks, width, dropout)
        self.layers = nn.ModuleList(
            [DecoderLayer(tasks, width, heads, hidden, factor, dropout) for _ in range(layers)]
        )
        self.head = TaskLinear(tasks, width, 1)

    def forward(self, values: Tensor, history_marks: Tensor, future_marks: Tensor, memory: Tensor) -> Tensor:
        """Forecast `[S, B, H]`.

        Parameters
        ----------
        values : Tensor `[S, B, L]`
            History of the node itself; the last `label` steps are the start token.
        history_marks, future_marks : Tensor `[B, L, M]`, `[B, H, M]`
        memory : Tensor `[S, B, K, D]`
        """
        horizon = future_marks.shape[1]
        start = values[:, :, values.shape[2] - self.label :]
        padded = torch.cat([start, start.new_zeros(*start.shape[:2], horizon)], dim=2)
        marks = torch.cat([history_marks[:, history_marks.shape[1] - self.label :], future_marks], dim=1)
        x = self.embedding(padded, marks)
        for layer in self.layers:
            x = layer(x, memory)
        out: Tensor = self.head(x[:, :, self.label :]).squeeze(-1)
        return out
