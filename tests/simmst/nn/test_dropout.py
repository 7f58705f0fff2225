"""Dropout: the share, the scale, the source of its draws, and its derivatives."""

import pytest
import torch

from simmst.nn.attention import full_attention
from simmst.nn.draws import frozen_draws
from simmst.nn.dropout import Dropout, dropout

CPU = torch.device("cpu")


def dropped(p: float, shape: tuple[int, ...] = (400, 1001), dtype: torch.dtype = torch.float32) -> torch.Tensor:
    with frozen_draws(CPU, 3):
        return dropout(torch.ones(shape, dtype=dtype), p)


@pytest.mark.parametrize("p", [0.05, 0.3, 0.9])
def test_each_element_is_dropped_with_probability_p_and_the_mean_is_kept(p: float) -> None:
    out = dropped(p)
    share = float((out == 0).float().mean())
    assert share == pytest.approx(p, abs=5 * (p * (1 - p) / out.numel()) ** 0.5 + 1 / 65536)
    assert out.unique().tolist() == [0, pytest.approx(1 / (1 - p), rel=1e-3)]


def test_the_draws_are_independent_between_neighbours() -> None:
    gone = (dropped(0.5).flatten() == 0).float()
    for lag in (1, 2, 3, 4):
        assert float((gone[lag:] * gone[:-lag]).mean()) == pytest.approx(0.25, abs=0.005)


def test_the_draws_are_those_of_torchs_default_generator() -> None:
    x = torch.ones(7, 5)
    with frozen_draws(CPU, 1):
        first, second = dropout(x, 0.5), dropout(x, 0.5)
    with frozen_draws(CPU, 1):
        assert torch.equal(dropout(x, 0.5), first)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_type_is_kept(dtype: torch.dtype) -> None:
    out = dropped(0.5, (3, 5), dtype)
    assert out.dtype == dtype
    assert set(out.flatten().tolist()) <= {0.0, 2.0}


@pytest.mark.parametrize("shape", [(0, 3), (), (1,), (2, 3)])
def test_any_shape_will_do(shape: tuple[int, ...]) -> None:
    assert dropped(0.5, shape).shape == shape


def test_all_or_nothing_is_dropped_at_the_ends() -> None:
    assert torch.equal(dropped(0.0, (2, 3)), torch.ones(2, 3))
    assert torch.equal(dropped(1.0, (2, 3)), torch.zeros(2, 3))
    assert dropped(1 - 1e-9).isfinite().all()


def test_in_evaluation_nothing_is_dropped() -> None:
    x = torch.randn(4, 4)
    assert torch.equal(Dropout(0.5).eval()(x), x)


def test_first_and_second_derivatives() -> None:
    def frozen(x: torch.Tensor) -> torch.Tensor:
        with frozen_draws(CPU, 2):
            return dropout(x.square(), 0.4)

    x = torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert torch.autograd.gradcheck(frozen, x)
    assert torch.autograd.gradgradcheck(frozen, x)


def test_elsewhere_than_on_the_cpu_torch_draws_the_mask() -> None:
    x = torch.ones(2, 3, 4, device="meta")
    assert dropout(x, 0.5).device.type == "meta"
    assert full_attention(x, x, x, dropout=0.5).shape == x.shape
