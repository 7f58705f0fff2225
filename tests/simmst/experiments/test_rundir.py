"""A run directory."""

import os
import shutil

import numpy as np
import pytest

from simmst.errors import ConfigError
from simmst.experiments.config import RunConfig
from simmst.experiments.rundir import RunDirectory
from simmst.io.atomic import atomically

CONFIG = RunConfig.of_preset("smoke")


def test_a_new_directory_can_be_opened_again(tmp_path):
    RunDirectory.create(tmp_path / "a" / "b", CONFIG)
    _, config = RunDirectory.open(tmp_path / "a" / "b")
    assert config == CONFIG


def test_a_directory_that_holds_a_run_is_not_written_over(tmp_path):
    RunDirectory.create(tmp_path / "run", CONFIG)
    with pytest.raises(ConfigError, match="holds a run already; go on with it by `simmst run --resume"):
        RunDirectory.create(tmp_path / "run", CONFIG)


def test_a_directory_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ConfigError, match="not empty"):
        RunDirectory.create(tmp_path, CONFIG)


def test_a_path_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="cannot be written"):
        RunDirectory.create(tmp_path / "file" / "run", CONFIG)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_parent_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match="Permission denied"):
        RunDirectory.create(tmp_path / "run", CONFIG)


def test_what_is_no_run_cannot_be_resumed(tmp_path):
    with pytest.raises(ConfigError, match="holds no run"):
        RunDirectory.open(tmp_path)
    with pytest.raises(ConfigError, match="holds no run"):
        RunDirectory.open(tmp_path / "missing")


def test_files_are_whole_or_untouched(tmp_path):
    target = tmp_path / "file"
    target.write_text("old")

    def fail(path):
        path.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        atomically(target, fail)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_arrays_of_a_stage_come_back_and_a_stage_without_end_has_none(tmp_path):
    run = RunDirectory.create(tmp_path / "run", CONFIG)
    assert run.load_arrays("weights") is None
    run.save_arrays("weights", {"weights": np.arange(3.0)})
    kept = run.load_arrays("weights")
    assert kept is not None
    np.testing.assert_array_equal(kept["weights"], [0, 1, 2])


def test_arrays_of_another_run_or_of_no_run_are_not_taken(tmp_path):
    run, other = (
        RunDirectory.create(tmp_path / name, CONFIG.model_copy(update={"seed": seed}))
        for name, seed in (("run", 1), ("other", 2))
    )
    other.save_arrays("forecast", {"forecast": np.arange(3.0)})
    shutil.copy(other.stage("forecast.npz"), run.stage("forecast.npz"))
    assert run.load_arrays("forecast") is None and other.load_arrays("forecast") is not None
    np.savez(run.stage("forecast.npz"), forecast=np.arange(3.0))
    assert run.load_arrays("forecast") is None


def test_a_damaged_stage_is_named(tmp_path):
    run = RunDirectory.create(tmp_path / "run", CONFIG)
    run.stage("weights.npz").write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(ConfigError, match=r"weights\.npz: damaged"):
        run.load_arrays("weights")


def test_damaged_json_is_named(tmp_path):
    run = RunDirectory.create(tmp_path / "run", CONFIG)
    run.write("metrics.json", "{")
    with pytest.raises(ConfigError, match=r"metrics\.json: damaged"):
        run.read_json("metrics.json")


def test_json_holds_no_nan(tmp_path):
    run = RunDirectory.create(tmp_path / "run", CONFIG)
    with pytest.raises(ValueError, match="not JSON compliant"):
        run.write_json("metrics.json", {"mae": float("nan")})


def test_columns_become_a_table(tmp_path):
    run = RunDirectory.create(tmp_path / "run", CONFIG)
    run.write_csv("history.csv", {"iteration": [0, 1], "upper": [2.5, 2.25]})
    assert (run.path / "history.csv").read_text() == "iteration,upper\n0,2.5\n1,2.25\n"
