"""Pretraining: it learns, goes on after a stop to the bit, and its weights are checked when they are read."""

import dataclasses
import json

import pytest
import torch

from simmst.errors import ConfigError, DataError
from simmst.io.lock import LockedError, locked
from simmst.pretraining.draws import Draws
from simmst.pretraining.loss import quantile_loss
from simmst.pretraining.network import NetworkConfig, PretrainedNet
from simmst.pretraining.pool import draw_pool
from simmst.pretraining.pretrain import WEIGHTS, pretrain
from simmst.pretraining.recipe import Recipe
from simmst.pretraining.weights import SHIPPED, _digest, load_weights, save_weights, shipped
from simmst.training.checkpoint import load_checkpoint, save_checkpoint

TINY = Recipe(worlds=4, days=42, steps=4, batch=16, network=NetworkConfig(8, 8, 1))


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr("simmst.pretraining.pretrain._SAVE_EVERY", 2)


def test_a_stop_changes_nothing(tmp_path):
    whole = pretrain(TINY, tmp_path / "whole")

    def stop(stage, done, total, note):
        if stage == "steps" and done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain(TINY, tmp_path / "parts", watch=stop)
    assert not (tmp_path / "parts" / WEIGHTS).exists()
    seen = []
    parts = pretrain(TINY, tmp_path / "parts", watch=lambda *shown: seen.append(shown[:2]))
    assert [done for stage, done in seen if stage == "steps"] == [3, 4]  # from what was saved at step 2
    assert whole.read_bytes() == parts.read_bytes()
    network, made = load_weights(whole)
    assert (
        made["recipe"] == json.loads(json.dumps(dataclasses.asdict(TINY)))
        and made["recipe"]["prior"] == "literature"
    )
    assert network.config == TINY.network and not network.training
    assert pretrain(TINY, tmp_path / "whole") == whole  # nothing is left to do


def test_it_learns(tmp_path, monkeypatch):
    monkeypatch.setattr("simmst.pretraining.pretrain._RISE", 5)
    recipe = dataclasses.replace(
        TINY, steps=80, batch=64, rate=3e-3, averaged=0.9, network=NetworkConfig(32, 32, 1)
    )
    network, _ = load_weights(pretrain(recipe, tmp_path))
    draw = Draws(draw_pool("literature", 4, 42, 0), 512, 0.0, 0.0, 1).draw(0)
    with torch.no_grad():
        before, after = (
            quantile_loss(*one(*draw[:4]), *draw[3:]) for one in (PretrainedNet(recipe.network), network)
        )
    assert after < 0.98 * before


def test_another_recipe_or_a_full_folder_is_refused(tmp_path):
    pretrain(TINY, tmp_path / "a")
    with pytest.raises(ConfigError, match="another recipe"):
        pretrain(dataclasses.replace(TINY, seed=1), tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine.txt").write_text("x")
    with pytest.raises(ConfigError, match="not empty"):
        pretrain(TINY, tmp_path / "b")
    with pytest.raises(ConfigError, match="workers 0"):
        pretrain(TINY, tmp_path / "c", workers=0)


@pytest.mark.parametrize("change", [{"prior": "mine"}, {"days": 41}, {"steps": 0}, {"regimes": 1.5}])
def test_a_recipe_out_of_range_is_refused(change):
    with pytest.raises(ConfigError, match=next(iter(change))):
        dataclasses.replace(TINY, **change)


def test_changed_numbers_are_found_out(tmp_path):
    path = pretrain(TINY, tmp_path / "a")
    tensors, note = load_checkpoint(path)
    tensors["enter.bias"][0] += 1
    save_checkpoint(tmp_path / "other.safetensors", tensors, note)
    with pytest.raises(DataError, match="numbers are not those"):
        load_weights(tmp_path / "other.safetensors")
    save_checkpoint(tmp_path / "none.safetensors", tensors, {"kind": "else"})
    with pytest.raises(DataError, match="no pretrained network"):
        load_weights(tmp_path / "none.safetensors")


def test_the_shipped_weights_are_small_and_say_what_made_them():
    network, made = shipped()
    assert SHIPPED.stat().st_size <= 4_000_000
    recipe = dict(made["recipe"])
    recipe["network"] = NetworkConfig(**recipe["network"])
    assert Recipe(**recipe) == Recipe() and network.config == Recipe().network
    assert all(torch.isfinite(one).all() for one in network.parameters())


def test_half_a_file_of_a_killed_process_is_no_obstacle(tmp_path):
    rest = tmp_path / ".state.safetensors.1a2b3c4d.tmp"
    rest.write_bytes(b"half")
    pretrain(TINY, tmp_path)
    assert not rest.exists()


def test_a_folder_is_one_process_s_and_a_device_must_be_there(tmp_path):
    with locked(tmp_path), pytest.raises(LockedError, match="is at work here"):
        pretrain(TINY, tmp_path)
    with pytest.raises(ConfigError, match="device must be one of"):
        pretrain(TINY, tmp_path / "b", device="gpu")


@pytest.mark.parametrize(
    ("sizes", "kind", "value", "words"),
    [
        ({}, torch.float16, float("nan"), "not finite"),
        ({}, torch.float16, float("inf"), "not finite"),
        ({}, torch.float32, 0.0, "damaged"),
        ({}, torch.bfloat16, 0.0, "damaged"),
        ({"width": 10**6}, torch.float16, 0.0, "another version"),
        ({"head": 10**30}, torch.float16, 0.0, "another version"),
        ({"depth": 10**9}, torch.float16, 0.0, "another version"),
        ({"width": "8"}, torch.float16, 0.0, "another version"),
    ],
)
def test_weights_that_cannot_be_are_refused(tmp_path, sizes, kind, value, words):
    tensors = {name: one.to(kind) for name, one in PretrainedNet(TINY.network).state_dict().items()}
    tensors["answer.bias"][0] = value
    digest = _digest(tensors) if kind != torch.bfloat16 else ""
    network = dataclasses.asdict(TINY.network) | sizes
    save_checkpoint(
        tmp_path / "a", tensors, {"kind": "pretrained", "network": network, "made": {}, "sha256": digest}
    )
    with pytest.raises(DataError, match=words):
        load_weights(tmp_path / "a")


def test_weights_beyond_half_precision_are_not_written(tmp_path):
    network = PretrainedNet(TINY.network)
    torch.nn.init.constant_(network.answer.bias, 1e5)
    with pytest.raises(DataError, match="not finite in half precision"):
        save_weights(tmp_path / "a", network, {})
    assert not (tmp_path / "a").exists()
