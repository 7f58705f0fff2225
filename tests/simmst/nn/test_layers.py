"""Per-task maps, embedding, spatial attention, interaction and decoder."""

import pytest
import torch

from simmst.nn.decoder import GenerativeDecoder
from simmst.nn.embedding import Embedding, sinusoid
from simmst.nn.interaction import CrossTaskAttention, Interaction
from simmst.nn.per_task import TaskConv1d, TaskLinear, TaskMLP, TaskNorm
from simmst.nn.spatial import SpatialAttention, neighbour_table

G = torch.Generator


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=G().manual_seed(seed))


def test_task_linear_is_one_linear_layer_a_task() -> None:
    layer, x = TaskLinear(3, 5, 2), normal(3, 4, 6, 5)
    for task in range(3):
        expected = torch.nn.functional.linear(x[task], layer.weight[task].mT, layer.bias[task, 0])
        torch.testing.assert_close(layer(x)[task], expected)


def test_task_convolution_is_conv1d_with_repeated_edges() -> None:
    layer, x = TaskConv1d(2, 5, 3), normal(2, 4, 9, 5)
    for task in range(2):
        kernel = layer.weight[task].view(5, 3, 3).permute(2, 0, 1)  # [O, I, tap]
        bias = torch.nn.init.normal_(layer.bias.data[task, 0, 0], generator=G().manual_seed(task))
        padded = torch.nn.functional.pad(x[task].mT, (1, 1), mode="replicate")
        expected = torch.nn.functional.conv1d(padded, kernel, bias)
        torch.testing.assert_close(layer(x)[task], expected.mT)


def test_task_norm_gives_each_token_mean_zero_and_variance_one() -> None:
    out = TaskNorm(2, 64)(normal(2, 3, 4, 64) * 5 + 1)
    torch.testing.assert_close(out.mean(-1), torch.zeros(2, 3, 4), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.var(-1, correction=0), torch.ones(2, 3, 4), atol=1e-3, rtol=0)


def test_task_mlp_shape() -> None:
    assert TaskMLP(2, 5, 7, 3)(normal(2, 4, 5)).shape == (2, 4, 3)


@pytest.mark.parametrize("width", [1, 7, 16])
def test_sinusoid_tells_positions_apart(width: int) -> None:
    code = sinusoid(48, width)
    assert code.shape == (48, width)
    assert len(torch.unique(code, dim=0)) == 48


def test_embedding_is_the_sum_of_value_external_and_position() -> None:
    layer = Embedding(2, 4, 8)
    values, marks = normal(2, 3, 10), normal(3, 10, 4, seed=1)
    out = layer(values, marks)
    no_marks = layer(values, torch.zeros_like(marks))
    no_values = layer(torch.zeros_like(values), marks)
    torch.testing.assert_close(out, no_marks + no_values - layer(values * 0, marks * 0))
    torch.testing.assert_close(layer(values * 0, marks * 0), sinusoid(10, 8).expand(2, 3, 10, 8))


def test_neighbour_table_is_a_padded_3x3_window() -> None:
    patch = normal(1, 1, 3, 3)
    windows = torch.nn.functional.unfold(patch, 3, padding=1)[0].mT  # [P, 9]
    torch.testing.assert_close((patch.reshape(9) @ neighbour_table(3)).view(9, 9), windows)


def spatial_reference(layer: SpatialAttention, patches: torch.Tensor) -> torch.Tensor:
    """One task, stride 1, by torch's own convolution and full self-attention, read at the centre."""
    length, p = patches.shape
    side = int(p**0.5)
    kernel = layer.convolution.weight[0].mT.reshape(-1, 1, 3, 3)
    images, bias = patches.view(length, 1, side, side), layer.convolution.bias[0, 0]
    maps = torch.nn.functional.conv2d(images, kernel, bias, padding=1)
    tokens = torch.relu(maps).flatten(2).mT + layer.slot[0, 0, 0]  # [L, P, D]
    query = layer.query(tokens[None])[0]
    key, value = layer.key(tokens[None])[0], layer.value(tokens[None])[0]
    heads = [t.unflatten(-1, (layer.heads, -1)).transpose(1, 2) for t in (query, key, value)]
    mixed = torch.nn.functional.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
    centre = p // 2
    return layer.norm((tokens[:, centre] + layer.out(mixed[None])[0][:, centre])[None])[0]


@pytest.mark.parametrize("patch", [1, 9, 25])
def test_spatial_attention_is_cnn_then_self_attention_read_at_the_centre(patch: int) -> None:
    layer, x = SpatialAttention(1, patch, 8, 2), normal(6, patch)
    torch.testing.assert_close(layer(x[None, None])[0, 0], spatial_reference(layer, x))


@pytest.mark.parametrize(("length", "stride", "groups"), [(48, 2, 24), (7, 2, 4), (10, 4, 3)])
def test_spatial_stride_shortens_the_time_axis(length: int, stride: int, groups: int) -> None:
    assert SpatialAttention(3, 9, 8, 2, stride)(normal(3, 2, length, 9)).shape == (3, 2, groups, 8)


@pytest.mark.parametrize("patch", [4, 8, 16])
def test_a_patch_without_centre_is_refused(patch: int) -> None:
    with pytest.raises(ValueError, match="odd number squared"):
        SpatialAttention(1, patch, 8, 2)


def test_cross_task_attention_follows_a_permutation_of_the_tasks() -> None:
    layer, x = CrossTaskAttention(8, 2), normal(4, 2, 5, 8)
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(layer(x[order]), layer(x)[order])


def test_cross_task_attention_stays_within_a_time_step() -> None:
    layer, x = CrossTaskAttention(8, 2), normal(4, 2, 5, 8)
    changed = x.clone()
    changed[1, :, 3] += 1.0
    same = torch.ones(5, dtype=torch.bool)
    same[3] = False
    assert torch.equal(layer(changed)[:, :, same], layer(x)[:, :, same])
    assert not torch.allclose(layer(changed)[0, :, 3], layer(x)[0, :, 3])


@pytest.mark.parametrize("spatial", [True, False])
def test_without_interaction_the_tasks_are_independent(spatial: bool) -> None:
    layer = Interaction(3, 8, 2, 16, across_tasks=False, spatial=spatial)
    temporal, extra = normal(3, 2, 5, 8), normal(3, 2, 5, 8, seed=1) if spatial else None
    changed = temporal.clone()
    changed[0] += 1.0
    assert torch.equal(layer(changed, extra)[1:], layer(temporal, extra)[1:])


def test_decoder_reads_the_start_token_and_no_earlier_history() -> None:
    decoder = GenerativeDecoder(2, 4, 8, 2, 16, 1, factor=5, label=4)
    values, marks, future, memory = normal(2, 3, 10), normal(3, 10, 4), normal(3, 6, 4), normal(2, 3, 5, 8)
    out = decoder(values, marks, future, memory)
    assert out.shape == (2, 3, 6)
    old, recent = values.clone(), values.clone()
    old[:, :, 5] += 1.0
    recent[:, :, 6] += 1.0
    assert torch.equal(decoder(old, marks, future, memory), out)
    assert not torch.allclose(decoder(recent, marks, future, memory), out)
    assert not torch.allclose(decoder(values, marks, future, memory + 1.0), out)
