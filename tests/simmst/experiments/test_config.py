"""The configuration of a run."""

import json

import pytest
from pydantic import ValidationError

from simmst.errors import ConfigError
from simmst.experiments.config import FORMAT, PRESETS, RunConfig


@pytest.mark.parametrize("preset", PRESETS)
def test_what_is_written_is_read_back(preset, tmp_path):
    config = RunConfig.of_preset(preset, seed=5, services=("a", "b"), data="/x.npz", data_sha256="0")
    path = tmp_path / "config.json"
    path.write_text(config.model_dump_json())
    assert RunConfig.read(path) == config


def test_it_is_frozen():
    with pytest.raises(ValidationError):
        RunConfig.of_preset("smoke").seed = 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sede": 3}, "sede: Extra inputs are not permitted"),
        ({"seed": -1}, "^seed -1: must be at least 0$"),
        ({"seed": 1.5}, "seed: .*integer"),
        ({"horizon": 0}, "horizon 0: must be at least 1"),
        ({"horizon": 800}, "horizon 800: must be at most 168"),
        ({"services": ()}, "services: .*at least 1"),
    ],
)
def test_unknown_keys_and_impossible_values_are_errors(changes, words):
    with pytest.raises(ConfigError, match=words):
        RunConfig.of_preset("smoke", **changes)


def test_an_unknown_preset_names_the_known_ones():
    with pytest.raises(ConfigError, match="preset huge: unknown; known: smoke, laptop"):
        RunConfig.of_preset("huge")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read as JSON"),
        ("[1]", "is no configuration of a run"),
        ("{}", "is no configuration of a run"),
        (json.dumps({"format": FORMAT - 2}), f"older program .format {FORMAT - 2}.*begin a new run"),
        (json.dumps({"format": FORMAT + 1}), f"newer version .format {FORMAT + 1}, this program knows {FORMAT}"),
        (json.dumps({"format": FORMAT, "preset": "smoke"}), "target: Field required.*more"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused_in_one_line(text, words, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words) as caught:
        RunConfig.read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_run_of_the_format_before_says_no_model(tmp_path):
    content = RunConfig.of_preset("smoke").model_dump(mode="json")
    del content["model"]
    path = tmp_path / "config.json"
    path.write_text(json.dumps(content | {"format": 3}))
    assert RunConfig.read(path).model is None
    with pytest.raises(ConfigError, match="model"):
        RunConfig.of_preset("smoke", model="best")
