"""The main job, end to end on the smoke preset: its files, and that interruption loses nothing."""

import json
import shutil
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from simmst.errors import ConfigError, SimmstError
from simmst.evaluation.evaluate import OURS
from simmst.experiments.config import RunConfig
from simmst.experiments.job import Job
from simmst.experiments.run import STAGES, run
from simmst.experiments.rundir import RunDirectory
from simmst.io.versions import versions
from simmst.simulator.windows import SimulatedWindows
from simmst.training import stages as best
from simmst.training.checkpoint import load_model

CONFIG = RunConfig.of_preset("smoke", seed=1)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Resuming is exact to the bit on one thread."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory) -> RunDirectory:
    directory = RunDirectory.create(tmp_path_factory.mktemp("runs") / "unbroken", CONFIG)
    run(Job.prepare(CONFIG), directory, lambda *_: None)
    return directory


def test_a_run_leaves_its_files(unbroken):
    names = {path.name for path in unbroken.path.iterdir()}
    assert names == {
        *("config.json", "metrics.json", "history.csv", "checkpoint.safetensors", "report.html"),
        *("state.npz", "state.problem.npz", "serving.npz", "stages", "versions.json"),
    }


def test_the_metrics_hold_every_row_at_every_horizon(unbroken):
    metrics = unbroken.read_json("metrics.json")
    assert list(metrics["horizons"]) == ["1", "6"]
    for rows in metrics["horizons"].values():
        simple = ["last value", "same hour yesterday", "same hour last week", "ridge"]
        assert list(rows) == [*simple, "pretrained", OURS]
        assert list(rows[OURS]["tasks"]) == ["call", "internet"]
    assert metrics["target"]["synthetic"] is True
    assert "synthetic city" in metrics["notices"][0]
    assert metrics["weights"]["windows"] == 4 * 16
    assert metrics["weights"]["mean"] == pytest.approx(CONFIG.reweight.share)
    assert len(metrics["weights"]["world_means"]) == 4


def test_the_history_shows_the_solvers_path(unbroken):
    lines = (unbroken.path / "history.csv").read_text().splitlines()
    assert lines[0].split(",")[:5] == ["iteration", "phase", "upper", "gap", "planes"]
    assert len(lines) == 1 + CONFIG.reweight.iterations
    columns = [line.split(",") for line in lines[1:]]
    assert {float(row[3]) for row in columns if row[3]} <= {0.0}  # the constraint holds throughout
    assert int(columns[-1][4]) > 0


def test_the_checkpoint_is_the_network_of_the_table(unbroken):
    model, note = load_model(unbroken.path / "checkpoint.safetensors")
    assert model.config.horizon == 6 and note["services"] == ["call", "internet"]


def test_the_report_says_at_once_that_the_target_is_synthetic(unbroken):
    html = (unbroken.path / "report.html").read_text()
    assert "synthetic city" in html[: html.index("What was run")].split("</style>")[1]


def best_of(directory: RunDirectory, stage: str) -> dict[str, torch.Tensor]:
    """Weights of a stage's best epoch."""
    tensors = load_file(directory.stage(f"{stage}.safetensors"))
    # as the network has them, without the wrapper that turns z-scores into traffic
    return {name.removeprefix("best.model."): one for name, one in tensors.items() if name.startswith("best.")}


@pytest.fixture(scope="module")
def mended(tmp_path_factory) -> RunDirectory:
    """A run whose training on simulated windows takes steps that are far too long, and is undone."""
    config = CONFIG.model_copy(update={"train": CONFIG.train.model_copy(update={"learning_rate": 0.3})})
    directory = RunDirectory.create(tmp_path_factory.mktemp("runs") / "mended", config)
    run(Job.prepare(config), directory, lambda *_: None)
    return directory


@pytest.mark.parametrize("name", ["unbroken", "mended"])
def test_the_stage_that_is_best_on_the_validation_days_is_kept(request, name):
    directory = request.getfixturevalue(name)
    metrics = directory.read_json("metrics.json")
    errors, kept = metrics["validation_errors"], metrics["kept_stage"]
    assert list(errors) == ["yesterday", "start", "train", "fine-tune"] and kept == min(errors, key=errors.get)
    assert errors["train"] == metrics["training"]["validation_error"]
    assert errors["fine-tune"] == metrics["fine-tuning"]["validation_error"]
    network = load_model(directory.path / "checkpoint.safetensors")[0].state_dict()
    for stage in ("train", "fine-tune"):
        theirs = best_of(directory, stage)
        assert network.keys() == theirs.keys()
        assert all(torch.equal(network[name], theirs[name]) for name in network) is (stage == kept)
    words = {"yesterday": "as “same", "start": "as the closed", "train": "after train", "fine-tune": "after fine"}
    assert f"kept {words[kept]}" in (directory.path / "report.html").read_text()


def test_fine_tuning_goes_on_from_the_start_where_training_did_harm(mended):
    metrics = mended.read_json("metrics.json")
    errors = metrics["validation_errors"]
    assert errors["train"] > 2 * min(errors["yesterday"], errors["start"]) > errors["fine-tune"]


def test_the_network_starts_from_the_weighted_windows_and_sees_the_first_days(tmp_path, monkeypatch):
    config = RunConfig.of_preset("smoke", seed=1, lookback=48)
    job, seen = Job.prepare(config), []
    assert job.train.origins[0] == 24  # before it the first day is repeated
    monkeypatch.setattr(best, "start_highway", lambda model, *given: seen.append(given))
    directory = RunDirectory.create(tmp_path / "run", config)
    run(job, directory, lambda *_: None)
    [(windows, weights)] = seen
    assert isinstance(windows, SimulatedWindows) and windows.lookback == 48
    np.testing.assert_array_equal(weights.mean(), directory.read_json("metrics.json")["weights"]["mean"])
    assert weights.std() > 0


def interrupt_at(stage: str, call: int):
    """Press Ctrl-C at the n-th sign of life of a stage."""
    seen = []

    def watch(name: str, done: int, total: int, note: str) -> None:
        if name == stage:
            seen.append(done)
            if len(seen) == call:
                signal.raise_signal(signal.SIGINT)

    return watch


@pytest.mark.parametrize(("stage", "call"), [*((stage, 1) for stage in STAGES), ("re-weight", 11), ("train", 4)])
def test_an_interrupted_run_ends_with_the_same_metrics(unbroken, tmp_path, stage, call):
    directory = RunDirectory.create(tmp_path / "run", CONFIG)
    with pytest.raises(KeyboardInterrupt):
        run(Job.prepare(CONFIG), directory, interrupt_at(stage, call))
    assert not (directory.path / "metrics.json").exists()
    directory, config = RunDirectory.open(directory.path)
    run(Job.prepare(config), directory, lambda *_: None)
    for name in ("metrics.json", "history.csv"):
        assert (directory.path / name).read_bytes() == (unbroken.path / name).read_bytes()


def test_a_finished_run_is_read_again_and_not_done_again(unbroken):
    before = (unbroken.path / "metrics.json").read_bytes()
    touched = []
    run(Job.prepare(CONFIG), unbroken, lambda *sign: touched.append(sign))
    assert (unbroken.path / "metrics.json").read_bytes() == before
    assert all(done == total for stage, done, total, _ in touched if stage != "simulate")


def test_a_run_that_other_versions_went_on_with_says_so(unbroken, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(unbroken.path, folder)
    directory, config = RunDirectory.open(folder)
    kept = directory.read_json("versions.json")
    assert kept["computed_by"] == [versions()] and {"cutplane", "torch", "numpy"} <= versions().keys()
    directory.write_json("versions.json", {"computed_by": [{**versions(), "torch": "1.0", "numpy": "1.9"}]})
    metrics = run(Job.prepare(config), directory, lambda *_: None)
    now = versions()
    expected = f"torch 1.0, then {now['torch']}; numpy 1.9, then {now['numpy']}"
    assert expected in metrics["notices"][-1]
    assert expected in (folder / "report.html").read_text()
    assert len(directory.read_json("versions.json")["computed_by"]) == 2
    directory.write("versions.json", '{"computed_by": 3}')
    with pytest.raises(ConfigError, match=r"versions\.json: damaged; delete it"):
        run(Job.prepare(config), directory, lambda *_: None)


def test_another_seed_is_another_run(unbroken, tmp_path):
    config = RunConfig.of_preset("smoke", seed=2)
    directory = RunDirectory.create(tmp_path / "run", config)
    metrics = run(Job.prepare(config), directory, lambda *_: None)
    assert json.dumps(metrics["horizons"]) != json.dumps(unbroken.read_json("metrics.json")["horizons"])


def test_training_and_test_days_do_not_meet():
    job = Job.prepare(CONFIG)
    horizon = CONFIG.horizon
    assert job.train.origins.max() + horizon <= job.protocol.train.stop
    validation = job.validation.batch(np.arange(len(job.validation)))
    assert validation.origin.min() >= job.protocol.validation.start
    assert validation.origin.max() + horizon <= job.protocol.test.start


def test_the_test_days_decide_nothing(unbroken, tmp_path, monkeypatch):
    job = Job.prepare(CONFIG)
    changed = job.target.data.values.copy()
    changed[job.protocol.test.start :] = 0.0
    target = replace(job.target, data=replace(job.target.data, values=changed))
    monkeypatch.setattr("simmst.experiments.job.load_target", lambda config: target)
    directory = RunDirectory.create(tmp_path / "run", CONFIG)
    metrics, usual = run(Job.prepare(CONFIG), directory, lambda *_: None), unbroken.read_json("metrics.json")
    assert metrics["horizons"] != usual["horizons"]
    assert metrics["fine-tuning"] == usual["fine-tuning"]
    assert metrics["re-weighting"] == usual["re-weighting"]
    ours, theirs = (load_model(d.path / "checkpoint.safetensors")[0].state_dict() for d in (directory, unbroken))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_target_too_short_for_the_protocol_is_refused():
    with pytest.raises(SimmstError, match="9 whole days are too few"):
        Job.prepare(CONFIG.model_copy(update={"target": CONFIG.target.model_copy(update={"days": 9})}))
