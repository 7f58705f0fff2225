"""Attention a block of matrices at a time, so that the processor's cache holds the scores between operations."""

from collections.abc import Callable

import torch
from torch import Tensor

#: Scores of one block on the CPU: 1 MiB of float32.
_SCORES = 1 << 18


def in_blocks(
    attend: Callable[[Tensor, Tensor, Tensor], Tensor], query: Tensor, key: Tensor, value: Tensor
) -> Tensor:
    """Attend from `[..., Q, D]` to `[..., K, D]` block by block; elsewhere than on the CPU, all at once.

    Parameters
    ----------
    attend : callable
        Attention of query `[B, Q, D]`, key and value `[B, K, D]`, each of the B matrices by itself.
    query, key, value : Tensor
        The leading axes are the same.

    Returns
    -------
    Tensor `[..., Q, D]`
    """
    matrices = [x.reshape(-1, *x.shape[-2:]) for x in (query, key, value)]
    size = len(matrices[0])
    if query.device.type == "cpu":
        size = max(1, _SCORES // (query.shape[-2] * key.shape[-2]))
    blocks = zip(*(torch.split(x, size) for x in matrices), strict=True)
    out = torch.cat([attend(*block) for block in blocks])
    return out.view(*query.shape[:-1], value.shape[-1])
