"""A checkpoint with a bit that is not as it was written is refused, and so is one of another run."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from simmst.errors import ConfigError, DataError
from simmst.models.simmstnet import SimMSTNet, SimMSTNetConfig
from simmst.training.checkpoint import load_model, save_model, tensors_digest
from simmst.training.config import TrainerConfig
from simmst.training.state import State, fingerprint, load_state, save_state

SIZES = SimMSTNetConfig.small(1, 6, 2)


def test_every_flipped_bit_of_the_numbers_is_found(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_model(path, SimMSTNet(SIZES, 0))
    whole = path.read_bytes()
    begin = 8 + struct.unpack("<Q", whole[:8])[0]
    for place in np.random.default_rng(0).integers(begin, len(whole), 40):
        for bit in (0, 6):  # of the last byte of a number the latter makes it huge
            path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << bit)]) + whole[place + 1 :])
            with pytest.raises(DataError, match="not those that were written"):
                load_model(path)
    path.write_bytes(whole)
    load_model(path)


def test_a_changed_note_is_found(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_model(path, SimMSTNet(SIZES, 0), {"services": ["call"]})
    path.write_bytes(path.read_bytes().replace(b"call", b"cell"))
    with pytest.raises(DataError, match="not those that were written"):
        load_model(path)


def test_a_file_of_before_loads_without_a_digest_but_not_with_weights_that_are_not_finite(tmp_path: Path) -> None:
    path, model = tmp_path / "model.safetensors", SimMSTNet(SIZES, 0)
    save_model(path, model)
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + struct.unpack("<Q", content[:8])[0]])
    about = {"simmst": json.loads(header["__metadata__"]["simmst-checked"])["note"]}
    tensors = load_file(path)
    save_file(tensors, path, about)
    assert tensors_digest(load_model(path)[0].state_dict()) == tensors_digest(model.state_dict())
    next(iter(tensors.values())).view(-1)[0] = float("nan")
    save_file(tensors, path, about)
    with pytest.raises(DataError, match="not finite"):
        load_model(path)


def test_a_digest_is_of_names_shapes_types_and_numbers() -> None:
    one = {"a": torch.zeros(4)}
    others = [
        {"b": torch.zeros(4)}, {"a": torch.zeros(2, 2)}, {"a": torch.zeros(4, dtype=torch.int32)},
        {"a": torch.tensor([0, 0, 0, 1.0])}, {"a": torch.zeros(4), "b": torch.zeros(0)},
    ]  # fmt: skip
    found = {tensors_digest(each) for each in (one, *others)}
    assert len(found) == 6 and tensors_digest({"a": torch.zeros(8)[::2]}) in found


def test_a_training_state_of_another_run_is_refused_and_one_that_names_none_is_taken(tmp_path: Path) -> None:
    model, path = SimMSTNet(SIZES, 0), tmp_path / "train.safetensors"
    optimizer = torch.optim.AdamW(model.parameters())

    def of(run: str) -> dict:
        return fingerprint(TrainerConfig(), model, (3, 2), None, run)

    save_state(path, State(torch.ones(1), torch.zeros(1)), model, optimizer, of("one"))
    load_state(path, model, optimizer, of("one"))
    with pytest.raises(ConfigError, match="of another run"):
        load_state(path, model, optimizer, of("two"))
    save_state(path, State(torch.ones(1), torch.zeros(1)), model, optimizer, of(""))
    load_state(path, model, optimizer, of("two"))
