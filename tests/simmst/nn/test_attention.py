"""Attention, checked against plain formulas."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simmst.nn.attention import (
    Distilling,
    MultiHeadAttention,
    full_attention,
    prob_sparse_attention,
    sample_keys,
    sparse_count,
)


def qkv(queries: int, keys: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(2, 3, n, 4, generator=g, dtype=torch.float64) for n in (queries, keys, keys))


def test_full_attention_equals_torchs_own() -> None:
    q, k, v = qkv(7, 9)
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    torch.testing.assert_close(full_attention(q, k, v), expected)


def test_causal_attention_equals_torchs_own() -> None:
    q, k, v = qkv(8, 8)
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    torch.testing.assert_close(full_attention(q, k, v, causal=True), expected)


def test_causal_attention_does_not_see_the_future() -> None:
    q, k, v = qkv(8, 8)
    before = full_attention(q, k, v, causal=True)
    k[..., 5:, :], v[..., 5:, :] = 9.0, 9.0
    after = full_attention(q, k, v, causal=True)
    torch.testing.assert_close(after[..., :5, :], before[..., :5, :], rtol=0, atol=0)
    assert not torch.allclose(after[..., 5:, :], before[..., 5:, :])


@given(queries=st.integers(1, 15), keys=st.integers(1, 40), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_prob_sparse_is_full_where_every_query_is_selected(queries: int, keys: int, seed: int) -> None:
    q, k, v = qkv(queries, keys, seed)
    torch.testing.assert_close(prob_sparse_attention(q, k, v, factor=5), full_attention(q, k, v))


def test_prob_sparse_by_the_formula() -> None:
    """With every key sampled: the u queries of largest max - mean attend, the others take mean(V)."""
    q, k, v = qkv(30, 3)  # 5 * ceil(ln 3) >= 3 keys: all are sampled
    out = prob_sparse_attention(q, k, v, factor=5)
    scores = q @ k.mT / 2.0
    measure = scores.max(-1).values - scores.mean(-1)
    full, mean = full_attention(q, k, v), v.mean(-2)
    u = 5 * math.ceil(math.log(30))
    for index in [(b, h) for b in range(2) for h in range(3)]:
        chosen = set(measure[index].argsort(descending=True)[:u].tolist())
        for row in range(30):
            expected = full[index][row] if row in chosen else mean[index]
            torch.testing.assert_close(out[index][row], expected)


def test_prob_sparse_draw_follows_its_generator() -> None:
    q, k, v = qkv(60, 60)
    first, again, other = (
        prob_sparse_attention(q, k, v, 2, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert not torch.equal(first, other)


def test_prob_sparse_weighs_each_sample_by_itself() -> None:
    q, k, v = qkv(60, 60)
    together = prob_sparse_attention(q, k, v, 2, torch.Generator().manual_seed(1))
    alone = prob_sparse_attention(q[:1], k[:1], v[:1], 2, torch.Generator().manual_seed(1))
    torch.testing.assert_close(together[:1], alone)


@given(length=st.integers(1, 500), factor=st.integers(1, 10))
def test_sparse_count_lies_within_the_length(length: int, factor: int) -> None:
    assert 1 <= sparse_count(length, factor) <= length


def test_sampled_keys_do_not_repeat() -> None:
    sample = sample_keys(50, 20, 12, torch.Generator().manual_seed(0))
    assert sample.shape == (50, 12)
    assert all(len(set(row.tolist())) == 12 for row in sample)


def test_evaluation_repeats_its_draw_and_training_does_not() -> None:
    layer = MultiHeadAttention(2, 8, 2, factor=1)
    x = torch.randn(2, 3, 60, 8, generator=torch.Generator().manual_seed(0))
    layer.eval()
    assert torch.equal(layer(x, x), layer(x, x))
    layer.train()
    assert not torch.equal(layer(x, x), layer(x, x))


def test_tasks_have_weights_of_their_own() -> None:
    layer = MultiHeadAttention(2, 8, 2)
    x = torch.ones(2, 1, 4, 8)
    out = layer(x, x)
    assert not torch.allclose(out[0], out[1])


@pytest.mark.parametrize("options", [{"heads": 3}, {"heads": 2, "causal": True, "factor": 5}])
def test_contradictory_options_are_refused(options: dict) -> None:
    with pytest.raises(ValueError, match=r"heads must divide width|causal"):
        MultiHeadAttention(1, 8, **options)


@pytest.mark.parametrize(("length", "halved"), [(48, 24), (7, 4), (1, 1)])
def test_distilling_halves_the_time_axis(length: int, halved: int) -> None:
    assert Distilling(3, 8)(torch.zeros(3, 2, length, 8)).shape == (3, 2, halved, 8)
