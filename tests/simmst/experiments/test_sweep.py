"""The main job over seeds: each in a directory of its own, finished ones left alone, summed up at the end."""

import json
import sys

import numpy as np
import pytest
import torch

from simmst.cli import main as cli
from simmst.errors import ConfigError
from simmst.experiments.config import RunConfig
from simmst.experiments.sweep import sweep
from simmst.io.distribute import Workers


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def config() -> RunConfig:
    return RunConfig.of_preset("smoke", services=("internet",))


@pytest.fixture(scope="module")
def folder(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep") / "seeds"
    sweep(folder, config, 1, Workers(), lambda done, total: None)
    return folder


def test_a_finished_seed_is_left_alone_and_all_are_summed_up(config, folder):
    before = (folder / "seed-0" / "metrics.json").stat().st_mtime_ns
    seen = []
    found = sweep(folder, config, 2, Workers(), lambda *at: seen.append(at))
    assert seen == [(1, 2), (2, 2)]
    assert (folder / "seed-0" / "metrics.json").stat().st_mtime_ns == before
    assert found == json.loads((folder / "sweep.json").read_text())
    each = [json.loads((folder / f"seed-{k}" / "metrics.json").read_text()) for k in (0, 1)]
    assert found["notices"] == each[0]["notices"] and found["notices"]  # a synthetic city, a smoke run
    errors = [one["horizons"]["6"]["ridge"]["tasks"]["internet"]["mae"] for one in each]
    ridge = found["horizons"]["6"]["ridge"]["internet"]
    assert ridge["mae"] == errors and ridge["mean"] == pytest.approx(np.mean(errors))
    assert ridge["spread"] == pytest.approx(abs(errors[0] - errors[1]) / np.sqrt(2))


def test_a_folder_of_other_settings_is_refused(config, folder):
    with pytest.raises(ConfigError, match="holds a run of other settings"):
        sweep(folder, config.model_copy(update={"horizon": 5}), 1, Workers(), lambda done, total: None)


@pytest.mark.parametrize(
    ("options", "word"),
    [(["--seeds", "0"], "--seeds 0"), (["--workers", "0"], "--workers 0"), (["--preset", "huge"], "preset")],
)
def test_an_impossible_option_is_one_line(options, word, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("SIMMST_DATA", raising=False)
    monkeypatch.setattr(sys, "argv", ["simmst", "sweep", "--out", str(tmp_path / "seeds"), *options])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    err = capsys.readouterr().err
    assert caught.value.code == 2 and err.startswith("simmst: error: ") and word in err and err.count("\n") == 1
