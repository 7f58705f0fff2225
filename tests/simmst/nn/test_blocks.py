"""Attention in blocks is the same attention, and the token encoder is torch's own layer but for its draws."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from simmst.nn import blocks
from simmst.nn.attention import full_attention, prob_sparse_attention
from simmst.nn.causal_sparse import causal_prob_sparse_attention
from simmst.nn.draws import frozen_draws
from simmst.nn.token_encoder import TokenEncoderLayer


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def fixed(attention: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda q, k, v: attention(q, k, v, 2, torch.Generator().manual_seed(1))


ATTENTIONS = {
    "full": full_attention,
    "causal": lambda q, k, v: full_attention(q, k, v, causal=True),
    "sparse": fixed(prob_sparse_attention),
    "causal sparse": fixed(causal_prob_sparse_attention),
}


@pytest.mark.parametrize("name", ATTENTIONS)
@pytest.mark.parametrize("scores", [1, 2 * 20 * 20])
def test_blocks_change_neither_values_nor_gradients(
    name: str, scores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither values nor gradients."""
    inputs = [randn(3, 5, 20, 4, seed=k).requires_grad_() for k in range(3)]

    def run() -> tuple[Tensor, ...]:
        out = ATTENTIONS[name](*inputs)
        return out, *torch.autograd.grad(out.square().sum(), inputs)

    whole = run()
    monkeypatch.setattr(blocks, "_SCORES", scores)
    for one, other in zip(run(), whole, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_dropped_weights_are_zero_and_the_others_scaled() -> None:
    query, key = randn(6, 9, 4), randn(6, 9, 4, seed=1)
    value = torch.eye(9).expand(6, 9, 9)  # the output is then the weights
    kept = full_attention(query, key, value)
    with frozen_draws(torch.device("cpu"), 0):
        out = full_attention(query, key, value, dropout=0.25)
    assert 0 < int((out == 0).sum()) < out.numel() / 2
    torch.testing.assert_close(out[out != 0], kept[out != 0] / 0.75)


@pytest.mark.parametrize("training", [True, False])
def test_the_token_encoder_is_torchs_layer_where_nothing_is_dropped(training: bool) -> None:
    torchs = nn.TransformerEncoderLayer(16, 4, 8, 0.0, activation="gelu", batch_first=True).train(training)
    ours = TokenEncoderLayer(16, 4, 8, 0.0).train(training)
    ours.load_state_dict(torchs.state_dict())
    x, gradients = randn(3, 7, 16), []
    for layer in (torchs, ours):
        out = layer(x)
        gradients.append([out, *torch.autograd.grad(out.square().sum(), list(layer.parameters()))])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_the_token_encoder_drops_only_while_training() -> None:
    layer, x = TokenEncoderLayer(16, 4, 8, 0.5), randn(3, 7, 16)
    assert not torch.equal(layer(x), layer(x))
    layer.eval()
    assert torch.equal(layer(x), layer(x))
