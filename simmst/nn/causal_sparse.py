"""ProbSparse attention under a causal mask, as in Informer's decoder."""

import math

import torch
from torch import Tensor

from simmst.nn.attention import MultiHeadAttention, full_attention, sample_keys, sparse_count, stand_out
from simmst.nn.blocks import in_blocks


def causal_prob_sparse_attention(
    query: Tensor, key: Tensor, value: Tensor, factor: int, generator: torch.Generator | None = None
) -> Tensor:
    """ProbSparse self-attention in which a position attends to none after it (arXiv 2012.07436).

    As `simmst.nn.attention.prob_sparse_attention`, but a selected query attends to the keys up to its own
    position, and one that was not selected returns the sum (not the mean) of the values up to its own. The
    measure that selects is taken on sampled keys of all positions, as in the published code: a decoder's
    later positions hold zeros, so nothing unknown is seen.

    Parameters
    ----------
    query, key, value : Tensor `[..., L, D]`
    factor : int
        Sampling factor c, u = c * ceil(ln L).
    generator : torch.Generator, optional
        Source of the draw (on the CPU); torch's default generator if absent.

    Returns
    -------
    Tensor `[..., L, D]`
    """
    length = query.shape[-2]
    selected = sparse_count(length, factor)
    if selected == length:
        return full_attention(query, key, value, causal=True)
    sample = sample_keys(length, length, selected, generator).to(key.device)

    def sparse(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        rows = stand_out(query, key, sample, selected)  # [B, u, D]
        scores = query.gather(-2, rows) @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])  # [B, u, L]
        hidden = torch.arange(length, device=key.device) > rows[..., :1]
        active = torch.softmax(scores.masked_fill(hidden, -math.inf), dim=-1) @ value  # [B, u, D]
        return value.cumsum(-2).scatter(-2, rows, active)

    return in_blocks(sparse, query, key, value)


class CausalSparseAttention(MultiHeadAttention):
    """Multi-head self-attention by `causal_prob_sparse_attention`; parameters and draws as in its base."""

    def __init__(self, tasks: int, width: int, heads: int, factor: int, seed: int = 0) -> None:
        super().__init__(tasks, width, heads, factor=factor, seed=seed)
        self.sampling = factor

    def forward(self, query: Tensor, memory: Tensor) -> Tensor:
        """Attend from `[S, ..., L, D]` to itself; `memory` has the same length."""
        q, k, v = (self._split(x) for x in (self.query(query), self.key(memory), self.value(memory)))
        generator = None if self.training else torch.Generator().manual_seed(self.seed)
        heads = causal_prob_sparse_attention(q, k, v, self.sampling, generator)
        out: Tensor = self.out(heads.transpose(-2, -3).flatten(-2))
        return out
