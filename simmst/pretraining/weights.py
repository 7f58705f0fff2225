"""Weights of a pretrained network as a file, and those that the package brings along."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from simmst.errors import ConfigError, DataError
from simmst.pretraining.network import NetworkConfig, PretrainedNet
from simmst.training.checkpoint import load_checkpoint, save_checkpoint

SHIPPED = Path(__file__).with_name("weights") / "pretrained.safetensors"
_KIND = "pretrained"


def save_weights(path: str | os.PathLike[str], network: PretrainedNet, made: dict[str, Any]) -> None:
    """Write a network in half precision, with its sizes, a digest, and how it was made.

    Parameters
    ----------
    path : path-like
        Its folder must exist.
    network : PretrainedNet
    made : dict
        Recipe and versions, as JSON can hold them.

    Raises
    ------
    DataError
        If a number is not finite in half precision.
    """
    halves = {name: tensor.to(torch.float16) for name, tensor in network.state_dict().items()}
    if not _finite(halves):
        raise DataError(f"{path}: not written; weights are not finite in half precision")
    note = {"kind": _KIND, "network": asdict(network.config), "made": made, "sha256": _digest(halves)}
    save_checkpoint(path, halves, note)


def load_weights(path: str | os.PathLike[str]) -> tuple[PretrainedNet, dict[str, Any]]:
    """Read a network and how it was made; it computes in single precision, in evaluation mode.

    Raises
    ------
    DataError
        If the file is missing, damaged, of another kind, its digest is not that of its numbers, or these are not
        finite.
    """
    halves, note = load_checkpoint(path)
    if note.get("kind") != _KIND:
        raise DataError(f"{path}: holds no pretrained network")
    halved = all(one.dtype == torch.float16 for one in halves.values())
    if not halved or note.get("sha256") != _digest(halves):
        raise DataError(f"{path}: damaged; its numbers are not those that were written")
    if not _finite(halves):
        raise DataError(f"{path}: holds weights that are not finite")
    try:
        config = NetworkConfig(**note["network"])
        if config.depth > len(halves):
            raise ValueError(f"depth {config.depth}, {len(halves)} tensors")
        with torch.device("meta"):  # no memory is given to sizes that the tensors do not have
            network = PretrainedNet(config)
        network.load_state_dict({name: tensor.float() for name, tensor in halves.items()}, assign=True)
        made = dict(note["made"])
    except (KeyError, TypeError, ValueError, OverflowError, RuntimeError, ConfigError) as error:
        raise DataError(f"{path}: of another version ({' '.join(str(error).split())[:200]})") from None
    return network.eval(), made


@lru_cache(maxsize=1)
def shipped() -> tuple[PretrainedNet, dict[str, Any]]:
    """Return the network that the package brings along; read once, and not to be changed."""
    return load_weights(SHIPPED)


def _finite(tensors: dict[str, torch.Tensor]) -> bool:
    return all(bool(torch.isfinite(one).all()) for one in tensors.values())


def _digest(tensors: dict[str, torch.Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].contiguous().numpy().tobytes())
    return digest.hexdigest()
