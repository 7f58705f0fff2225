"""Multi-head attention, full and ProbSparse, and the distilling step between encoder layers.

As functions of `[..., L, D]` tensors: `full_attention` and `prob_sparse_attention`. As layers on
`[S, ..., L, D]`, with one set of weights a task: `MultiHeadAttention` (full, causal or ProbSparse),
`EncoderLayer` (self-attention and feed-forward map, post-norm) and `Distilling` (halves the time axis). With
S = 1 they are the ordinary layers, and a model that is not Sim-MSTNet may use them so.
"""

import math
from functools import partial

import torch
from torch import Tensor, nn

from simmst.nn.blocks import in_blocks
from simmst.nn.dropout import Dropout
from simmst.nn.dropout import dropout as drop
from simmst.nn.per_task import TaskConv1d, TaskLinear, TaskMLP, TaskNorm


def full_attention(
    query: Tensor, key: Tensor, value: Tensor, causal: bool = False, dropout: float = 0.0
) -> Tensor:
    """Scaled dot-product attention.

    Written out instead of `scaled_dot_product_attention`: that one's fused CPU kernel has no second
    derivative, which the K-step oracle needs.

    Parameters
    ----------
    query : Tensor `[..., Q, D]`
    key, value : Tensor `[..., K, D]`
    causal : bool
        Hide keys that lie after the query's own position.
    dropout : float
        Share of the weights that is dropped, see `simmst.nn.dropout`.

    Returns
    -------
    Tensor `[..., Q, D]`
    """
    return in_blocks(partial(attend, causal=causal, dropout=dropout), query, key, value)


def attend(query: Tensor, key: Tensor, value: Tensor, causal: bool = False, dropout: float = 0.0) -> Tensor:
    """`full_attention` all at once."""
    scores = (query / math.sqrt(query.shape[-1])) @ key.transpose(-1, -2)
    if causal:
        hidden = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
        scores = scores.masked_fill(hidden, -math.inf)
    weights = torch.softmax(scores, dim=-1)
    if dropout:
        weights = drop(weights, dropout)
    return weights @ value


def sample_keys(queries: int, keys: int, count: int, generator: torch.Generator | None = None) -> Tensor:
    """Key positions `[queries, count]`, without repetition within a query."""
    return torch.rand(queries, keys, generator=generator).argsort(dim=1)[:, :count]


def sparse_count(length: int, factor: int) -> int:
    """Informer's u = factor * ceil(ln length), at least 1 and at most `length`."""
    return max(1, min(length, factor * math.ceil(math.log(length)))) if length > 1 else 1


@torch.no_grad()
def stand_out(query: Tensor, key: Tensor, sample: Tensor, count: int) -> Tensor:
    """Informer's measure: the `count` queries of largest max - mean of their scores on sampled keys.

    Parameters
    ----------
    query, key : Tensor `[B, Q, D]`, `[B, K, D]`
    sample : Tensor `[Q, u]`
        Key positions of each query.
    count : int

    Returns
    -------
    Tensor `[B, count, D]`
        Positions of queries, repeated over the channels, as `gather` and `scatter` take them.
    """
    scores = query @ key.transpose(-1, -2)  # [B, Q, K]; the scale sqrt(D) would not change the order
    scores = scores.gather(-1, sample.expand(len(scores), -1, -1))
    top = (scores.amax(-1) - scores.mean(-1)).topk(count, dim=-1).indices
    return top.unsqueeze(-1).expand(-1, -1, query.shape[-1])


def prob_sparse_attention(
    query: Tensor, key: Tensor, value: Tensor, factor: int, generator: torch.Generator | None = None
) -> Tensor:
    """ProbSparse attention (Zhou et al., Informer, arXiv 2012.07436).

    Each query is measured on u_K sampled keys by max - mean of its scores; the u_Q queries that stand out
    most attend to every key, the others return the mean of the values. The draw is shared by batch and
    heads. Where u_Q reaches Q (with factor 5: Q <= 15) this is full attention exactly.

    The selection is a piecewise constant function of the input: gradients pass through the selected rows
    and the mean, not through the choice.

    Parameters
    ----------
    query : Tensor `[..., Q, D]`
    key, value : Tensor `[..., K, D]`
    factor : int
        Informer's sampling factor c, u = c * ceil(ln length).
    generator : torch.Generator, optional
        Source of the draw (on the CPU); torch's default generator if absent.

    Returns
    -------
    Tensor `[..., Q, D]`
    """
    queries, keys = query.shape[-2], key.shape[-2]
    selected = sparse_count(queries, factor)
    if selected == queries:
        return full_attention(query, key, value)
    sample = sample_keys(queries, keys, sparse_count(keys, factor), generator).to(key.device)

    def sparse(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        rows = stand_out(query, key, sample, selected)
        active = attend(query.gather(-2, rows), key, value)  # [B, u_Q, D]
        return value.mean(-2, keepdim=True).expand_as(query).scatter(-2, rows, active)

    return in_blocks(sparse, query, key, value)


class MultiHeadAttention(nn.Module):
    """Multi-head attention with one set of projections a task.

    Parameters
    ----------
    tasks, width, heads : int
        S, D and the number of heads, which must divide D.
    causal : bool
        Mask the future (full attention only).
    factor : int or None
        ProbSparse with this sampling factor; None means full attention.
    seed : int
        Seed of the ProbSparse draw in evaluation mode, which is therefore the same at every call. In
        training mode the draw comes from torch's default generator, like dropout's.
    """

    def __init__(
        self,
        tasks: int,
        width: int,
        heads: int,
        causal: bool = False,
        factor: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"heads must divide width, got width={width}, heads={heads}")
        if causal and factor is not None:
            raise ValueError("ProbSparse attention is not defined here with a causal mask: pass factor=None")
        self.heads, self.causal, self.factor, self.seed = heads, causal, factor, seed
        self.query = TaskLinear(tasks, width, width)
        # No bias: it would add the same to all of a query's scores, which softmax does not see.
        self.key = TaskLinear(tasks, width, width, bias=False)
        self.value = TaskLinear(tasks, width, width)
        self.out = TaskLinear(tasks, width, width)

    def forward(self, query: Tensor, memory: Tensor) -> Tensor:
        """Attend from `[S, ..., Q, D]` to `[S, ..., K, D]`; returns `[S, ..., Q, D]`."""
        projected = self.query(query), self.key(memory), self.value(memory)
        q, k, v = (self._split(x) for x in projected)
        if self.factor is None:
            heads = full_attention(q, k, v, self.causal)
        else:
            generator = None if self.training else torch.Generator().manual_seed(self.seed)
            heads = prob_sparse_attention(q, k, v, self.factor, generator)
        out: Tensor = self.out(heads.transpose(-2, -3).flatten(-2))
        return out

    def _split(self, x: Tensor) -> Tensor:
        """`[..., L, D]` -> `[..., heads, L, D / heads]`, laid out once here, or each product of it would do it."""
        return x.reshape(*x.shape[:-1], self.heads, -1).transpose(-2, -3).contiguous()


class EncoderLayer(nn.Module):
    """Self-attention and a feed-forward map, each with residual and LayerNorm (post-norm, as Informer)."""

    def __init__(self, tasks: int, width: int, heads: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(tasks, width, heads)
        self.mlp = TaskMLP(tasks, width, hidden, width, dropout)
        self.norms = nn.ModuleList([TaskNorm(tasks, width) for _ in range(2)])
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Encode `[S, B, L, D]`."""
        x = self.norms[0](x + self.dropout(self.attention(x, x)))
        out: Tensor = self.norms[1](x + self.dropout(self.mlp(x)))
        return out


class Distilling(nn.Module):
    """Halve the time axis: convolution, ELU, max-pooling of width 3 and stride 2.

    Informer puts a BatchNorm between the first two. It is left out: it couples the samples of a batch and
    holds state, so a sample's weight would no longer weigh that sample alone.
    """

    def __init__(self, tasks: int, width: int) -> None:
        super().__init__()
        self.convolution = TaskConv1d(tasks, width, width)

    def forward(self, x: Tensor) -> Tensor:
        """`[S, B, L, D]` -> `[S, B, ceil(L / 2), D]`."""
        tasks, batch = x.shape[:2]
        x = nn.functional.elu(self.convolution(x)).flatten(0, 1).transpose(1, 2)  # [S*B, D, L]
        pooled = nn.functional.max_pool1d(x, kernel_size=3, stride=2, padding=1)
        return pooled.transpose(1, 2).reshape(tasks, batch, pooled.shape[-1], -1)
