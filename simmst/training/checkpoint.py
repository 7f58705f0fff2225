"""Checkpoints: tensors in one safetensors file with a JSON note and a digest in its header, written atomically."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from simmst.errors import ConfigError, DataError
from simmst.io.atomic import atomic_file
from simmst.models.simmstnet import SimMSTNet, SimMSTNetConfig

# One entry holds note and digest: several are written in a random order, and no two files would be alike.
_CHECKED = "simmst-checked"
_NOTE, _DIGEST = "simmst", "sha256"  # as files of before have them
# Not every size of a network is a side of a tensor; none that it has is larger than this if no side is.
_ALWAYS_FINE = 1000


def save_checkpoint(path: str | os.PathLike[str], tensors: dict[str, Tensor], note: dict[str, Any]) -> None:
    """Write tensors and a JSON-able note; the file is complete or the old one stays.

    Parameters
    ----------
    path : path-like
        Its folder must exist.
    tensors : dict of str to Tensor
    note : dict
        Whatever JSON can hold; floats survive to the bit.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise DataError(f"checkpoint: the folder {target.parent} does not exist")
    ready = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    text = json.dumps(note)
    with atomic_file(target) as stream:
        checked = json.dumps({"note": text, "sha256": tensors_digest(ready, text)})
        stream.write(save(ready, metadata={_CHECKED: checked}))


def load_checkpoint(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_checkpoint` wrote.

    Raises
    ------
    DataError
        Where the file is missing or is no checkpoint, or a bit of it is not as it was written. Files of before
        hold no digest and are read without that.
    """
    if not Path(path).is_file():
        raise DataError(f"checkpoint {path} does not exist")
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            note, digest = _noted(about)
            tensors = {key: file.get_tensor(key) for key in file.keys()}
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise DataError(f"checkpoint {path} is not a readable safetensors file: {str(error)[:200]}") from error
    if note is None:
        raise DataError(f"checkpoint {path} was not written by simmst: its header holds no note")
    if digest is not None and digest != tensors_digest(tensors, note):
        raise DataError(f"checkpoint {path} is damaged: its numbers are not those that were written")
    try:
        content = json.loads(note)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise DataError(f"checkpoint {path} is damaged: its note is no JSON mapping")
    return tensors, content


def _noted(about: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Note and digest of a header."""
    if _CHECKED not in about:
        return about.get(_NOTE), about.get(_DIGEST)
    found = json.loads(about[_CHECKED])
    if not isinstance(found, dict) or not all(isinstance(found.get(name), str) for name in ("note", "sha256")):
        raise ValueError("its header is damaged")
    return found["note"], found["sha256"]


def tensors_digest(tensors: Mapping[str, Tensor], note: str = "") -> str:
    """SHA-256, in hex, of tensors under their names, and of a text."""
    digest = hashlib.sha256(note.encode())
    for name in sorted(tensors):
        one = tensors[name].detach().cpu().contiguous()
        digest.update(f"\0{name}\0{one.dtype}\0{tuple(one.shape)}\0".encode())
        digest.update(one.reshape(-1).view(torch.uint8).numpy().tobytes() if one.numel() else b"")
    return digest.hexdigest()


def save_model(path: str | os.PathLike[str], model: SimMSTNet, note: dict[str, Any] | None = None) -> None:
    """Write a network with its configuration, and a note of the caller's (scaling, services, metrics)."""
    save_checkpoint(path, model.state_dict(), {"model": asdict(model.config), "note": note or {}})


def load_model(path: str | os.PathLike[str]) -> tuple[SimMSTNet, dict[str, Any]]:
    """Read what `save_model` wrote: the network, in evaluation mode, and the note.

    Raises
    ------
    DataError
        If the file is damaged, of another version, or holds weights that are not finite.
    """
    tensors, note = load_checkpoint(path)
    if "model" not in note:
        raise DataError(f"checkpoint {path} holds no model; is it a training checkpoint?")
    if not all(bool(torch.isfinite(one).all()) for one in tensors.values() if one.is_floating_point()):
        raise DataError(f"checkpoint {path} is damaged: it holds weights that are not finite")
    try:
        config = SimMSTNetConfig(**_of_today(note["model"]))
        _check_sizes(config, tensors)
        model = SimMSTNet(config)
        model.load_state_dict(tensors)
        return model.eval(), dict(note["note"])
    except (TypeError, ValueError, KeyError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:500]
        raise DataError(f"checkpoint {path} holds a network of another version: {reason}") from error


def _of_today(sizes: dict[str, Any]) -> dict[str, Any]:
    """Sizes under today's names: 0.1.0 called the lookback history."""
    if "lookback" in sizes:
        return sizes
    return {"lookback" if name == "history" else name: size for name, size in sizes.items()}


def _check_sizes(config: SimMSTNetConfig, tensors: dict[str, Tensor]) -> None:
    """Refuse sizes that the tensors cannot have, before memory is given to such a network."""
    largest = max(_ALWAYS_FINE, *(max(tensor.shape, default=0) for tensor in tensors.values()))
    for name, value in asdict(config).items():
        limit = len(tensors) if name.endswith("layers") else largest
        if value is not None and value > limit:
            raise ConfigError(f"{name}={value}: its tensors are not of this size")
