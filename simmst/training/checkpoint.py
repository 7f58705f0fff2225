"""Checkpoints: tensors in one safetensors file with a JSON note in its header, written atomically."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from simmst.data.files import atomic_file
from simmst.errors import DataError
from simmst.models.simmstnet import SimMSTNet, SimMSTNetConfig

_NOTE = "simmst"


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
    with atomic_file(target) as stream:
        stream.write(save(ready, metadata={_NOTE: json.dumps(note)}))


def load_checkpoint(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_checkpoint` wrote.

    Raises
    ------
    DataError
        Where the file is missing or is no checkpoint.
    """
    if not Path(path).is_file():
        raise DataError(f"checkpoint {path} does not exist")
    try:
        with safe_open(path, framework="pt") as file:
            note = (file.metadata() or {}).get(_NOTE)
            tensors = {key: file.get_tensor(key) for key in file.keys()}
    except SafetensorError as error:
        raise DataError(f"checkpoint {path} is not a readable safetensors file: {error}") from error
    if note is None:
        raise DataError(f"checkpoint {path} was not written by simmst: its header holds no note")
    return tensors, json.loads(note)


def save_model(path: str | os.PathLike[str], model: SimMSTNet, note: dict[str, Any] | None = None) -> None:
    """Write a network with its configuration, and a note of the caller's (scaling, services, metrics)."""
    save_checkpoint(path, model.state_dict(), {"model": asdict(model.config), "note": note or {}})


def load_model(path: str | os.PathLike[str]) -> tuple[SimMSTNet, dict[str, Any]]:
    """Read what `save_model` wrote: the network, in evaluation mode, and the note."""
    tensors, note = load_checkpoint(path)
    if "model" not in note:
        raise DataError(f"checkpoint {path} holds no model; is it a training checkpoint?")
    try:
        model = SimMSTNet(SimMSTNetConfig(**note["model"]))
        model.load_state_dict(tensors)
    except (TypeError, RuntimeError) as error:
        raise DataError(f"checkpoint {path} holds a network of another version: {error}") from error
    return model.eval(), note["note"]
