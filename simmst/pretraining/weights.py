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
    """
    halves = {name: tensor.to(torch.float16) for name, tensor in network.state_dict().items()}
    note = {"kind": _KIND, "network": asdict(network.config), "made": made, "sha256": _digest(halves)}
    save_checkpoint(path, halves, note)


def load_weights(path: str | os.PathLike[str]) -> tuple[PretrainedNet, dict[str, Any]]:
    """Read a network and how it was made; it computes in single precision, in evaluation mode.

    Raises
    ------
    DataError
        If the file is missing, damaged, of another kind, or its digest is not that of its numbers.
    """
    halves, note = load_checkpoint(path)
    if note.get("kind") != _KIND:
        raise DataError(f"{path}: holds no pretrained network")
    if note.get("sha256") != _digest(halves):
        raise DataError(f"{path}: damaged; its numbers are not those that were written")
    try:
        network = PretrainedNet(NetworkConfig(**note["network"]))
        network.load_state_dict({name: tensor.float() for name, tensor in halves.items()})
        made = dict(note["made"])
    except (KeyError, TypeError, ValueError, RuntimeError, ConfigError) as error:
        raise DataError(f"{path}: of another version ({' '.join(str(error).split())[:200]})") from None
    return network.eval(), made


@lru_cache(maxsize=1)
def shipped() -> tuple[PretrainedNet, dict[str, Any]]:
    """Return the network that the package brings along; read once, and not to be changed."""
    return load_weights(SHIPPED)


def _digest(tensors: dict[str, torch.Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].contiguous().numpy().tobytes())
    return digest.hexdigest()
