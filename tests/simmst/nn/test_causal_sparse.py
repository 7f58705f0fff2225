"""Masked ProbSparse attention beside a loop over its queries."""

import pytest
import torch

from simmst.nn.attention import full_attention, sample_keys, sparse_count
from simmst.nn.causal_sparse import CausalSparseAttention, causal_prob_sparse_attention


def qkv(length: int, seed: int = 0) -> list[torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    return [torch.randn(2, 3, length, 4, generator=g, dtype=torch.float64) for _ in range(3)]


@pytest.mark.parametrize(("length", "factor"), [(15, 5), (8, 9), (1, 1)])
def test_where_every_query_is_selected_it_is_causal_full_attention(length: int, factor: int) -> None:
    q, k, v = qkv(length)
    expected = full_attention(q, k, v, causal=True)
    torch.testing.assert_close(causal_prob_sparse_attention(q, k, v, factor), expected)


def test_selected_queries_attend_to_their_past_and_the_others_sum_their_values() -> None:
    length, factor = 20, 2
    q, k, v = qkv(length)
    count = sparse_count(length, factor)
    assert count < length
    sample = sample_keys(length, length, count, torch.Generator().manual_seed(7))
    ours = causal_prob_sparse_attention(q, k, v, factor, torch.Generator().manual_seed(7))
    for b in range(2):
        for head in range(3):
            scores = q[b, head] @ k[b, head].T / 2.0
            stands_out = torch.tensor(
                [float(scores[i, sample[i]].max() - scores[i, sample[i]].mean()) for i in range(length)]
            )
            chosen = set(stands_out.argsort(descending=True)[:count].tolist())
            for i in range(length):
                past = v[b, head, : i + 1]
                expected = torch.softmax(scores[i, : i + 1], 0) @ past if i in chosen else past.sum(0)
                torch.testing.assert_close(ours[b, head, i], expected)


def test_training_draws_differ_and_evaluation_repeats() -> None:
    layer, x = CausalSparseAttention(1, 8, 2, factor=1), torch.randn(1, 2, 30, 8)
    assert not torch.equal(layer.train()(x, x), layer(x, x))
    assert torch.equal(layer.eval()(x, x), layer(x, x))
