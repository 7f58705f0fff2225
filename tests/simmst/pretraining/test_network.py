"""The network: shapes, quantiles in order, no unit, nothing read of what is unknown."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simmst.errors import ConfigError
from simmst.pretraining.network import NetworkConfig, PretrainedNet
from simmst.pretraining.reading import HOURS, LEVELS

SMALL = NetworkConfig(16, 12, 1)


def network(seed: int) -> PretrainedNet:
    torch.manual_seed(seed)
    made = PretrainedNet(SMALL)
    torch.nn.init.normal_(made.answer.weight, std=0.3)
    return made.eval()


def inputs(seed: int, count: int = 4):
    random = torch.Generator().manual_seed(seed)
    traffic = torch.rand(count, HOURS, generator=random) * 5
    known = (torch.rand(count, HOURS, generator=random) < 0.8).float()
    clock = torch.randint(0, 168, (count,), generator=random)
    return traffic, known, clock, torch.tensor([[0, 6]] * count)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 999), st.floats(1e-6, 1e6))
@torch.no_grad()
def test_quantiles_ascend_and_know_no_unit(seed, factor):
    net, (traffic, known, clock, blocks) = network(seed), inputs(seed)
    found, scale = net(traffic, known, clock, blocks)
    assert found.shape == (4, 2, 24, len(LEVELS)) and (found.diff(dim=-1) > 0).all()
    other, scale_of_other = net(traffic * factor, known, clock, blocks)
    assert torch.allclose(found, other, atol=1e-3)
    assert torch.allclose(scale.unit * factor, scale_of_other.unit, rtol=1e-4)


@torch.no_grad()
def test_what_is_unknown_is_not_read():
    net, (traffic, known, clock, blocks) = network(1), inputs(1)
    other = torch.where(known > 0, traffic, 1e6)
    assert torch.equal(net(traffic, known, clock, blocks)[0], net(other, known, clock, blocks)[0])


@torch.no_grad()
def test_an_untrained_network_forecasts_the_mean_of_the_rows():
    net, (traffic, known, clock, blocks) = PretrainedNet(SMALL).eval(), inputs(2)
    constant = torch.full_like(traffic, 7.0)
    found, scale = net(constant, known, clock, blocks)
    assert torch.allclose(scale.relative(found[..., 3]) * scale.unit[:, None, None], torch.tensor(7.0), rtol=1e-5)


def test_sizes_are_held_against_their_ranges():
    with pytest.raises(ConfigError, match="depth 0: must be at least 1"):
        NetworkConfig(depth=0)


def test_the_usual_network_fits_the_wheel():
    # 4 MB in half precision
    assert 2 * sum(one.numel() for one in PretrainedNet().parameters()) < 4e6
