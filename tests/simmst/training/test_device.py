"""Where to compute, by one setting."""

import pytest
import torch

from simmst.errors import ConfigError
from simmst.training.device import resolve_device


def pretend(monkeypatch: pytest.MonkeyPatch, cuda: int = 0, mps: bool = False) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: cuda - 1)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("cuda", "mps", "found"), [(0, False, "cpu"), (0, True, "mps"), (1, True, "cuda:0"), (2, False, "cuda:1")]
)
def test_auto_takes_the_gpu_that_torch_sees(
    monkeypatch: pytest.MonkeyPatch, cuda: int, mps: bool, found: str
) -> None:
    pretend(monkeypatch, cuda, mps)
    assert resolve_device("auto") == torch.device(found)


def test_a_card_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, cuda=2)
    assert resolve_device("cuda:0") == torch.device("cuda", 0)
    with pytest.raises(ConfigError, match="torch sees the cards 0 to 1"):
        resolve_device("cuda:2")


@pytest.mark.parametrize("name", ["cuda", "mps", "cuda:0"])
def test_an_absent_device_is_refused_with_what_there_is(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    pretend(monkeypatch)
    with pytest.raises(ConfigError, match=f"device '{name}': this torch sees none; it sees cpu"):
        resolve_device(name)


@pytest.mark.parametrize("name", ["gpu", "cpu:0", "", "mps:1"])
def test_an_unknown_device_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="device must be one of auto, cpu, cuda, mps"):
        resolve_device(name)


@pytest.mark.parametrize(("capability", "known"), [((7, 5), False), ((8, 0), True)])
def test_mixed_precision_needs_a_card_that_has_bfloat16(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], known: bool
) -> None:
    pretend(monkeypatch, cuda=1)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla T4")
    if known:
        assert resolve_device("cuda", mixed_precision=True) == torch.device("cuda", 0)
    else:
        with pytest.raises(ConfigError, match="mixed_precision: Tesla T4 has no bfloat16"):
            resolve_device("cuda", mixed_precision=True)
