"""A run on a file that is too short to train on ends in a directory that forecasts; stopped, it begins anew."""

import json

import numpy as np
import pytest
import torch

import simmst as sm
from simmst.experiments.config import RunConfig
from simmst.experiments.rundir import RunDirectory
from simmst.experiments.short_run import SELECTED, by_pretrained, run_short
from simmst.experiments.target import file_digest
from simmst.pretraining.adapt import Steps

NAMES = ("old & <b>", "new")


def file(folder, days: int, hours: int = 0):
    rng = np.random.default_rng(0)
    hour = np.arange(24 * days + hours)
    values = (3 + 2 * np.sin(2 * np.pi * hour / 24))[:, None, None] * rng.gamma(50, 0.02, (len(hour), 3, 2))
    data = sm.TrafficData(
        values.astype(np.float32), np.datetime64("2024-01-01T00:00", "m"), 60, NAMES, ("a", "b", "c")
    )
    path = folder / f"{days}-{hours}.npz"
    data.save(path)
    return RunConfig.of_preset("smoke", data=str(path), data_sha256=file_digest(path), horizon=12), data


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("days", [1, 9])
def test_it_leaves_metrics_a_report_and_a_forecaster(tmp_path, days):
    config, data = file(tmp_path, days)
    assert by_pretrained(config)
    directory = RunDirectory.create(tmp_path / "run", config)
    metrics = run_short(config, directory)
    assert metrics == json.loads((directory.path / "metrics.json").read_text())
    assert f"has {days} whole days; 14 are needed" in metrics["notices"][0]
    assert ("choose nothing" in metrics["notices"][0]) == (days < 7) == (not metrics["held_back"]["forecasts"])
    page = (directory.path / "report.html").read_text()
    assert "old &amp; &lt;b&gt;" in page and "<b>" not in page
    assert ("Errors on the held-back days" in page) == (days >= 7)
    forecast = sm.load(directory.path).predict(data)
    assert forecast.values.shape == (12, 3, 2)
    lines = metrics["held_back"]["errors"]
    assert {line["leads"] for line in lines} == {"1 h", "2-6 h", "7-12 h"}
    # what is said to forecast is what does
    others = [sm.Adapted(worlds=4, steps=Steps(2, 8))] if days >= 7 else []
    assert ({line["row"] for line in lines} >= {"adapted"}) == bool(others)
    again = sm.Selected(others=others, horizon=12).fit(data)
    assert again.said() == metrics["forecast_by"]
    np.testing.assert_allclose(again.predict(data).values, forecast.values, rtol=1e-6)


def test_a_run_that_was_stopped_begins_anew_and_a_finished_one_is_read(tmp_path, monkeypatch):
    config, _ = file(tmp_path, 2)
    directory = RunDirectory.create(tmp_path / "run", config)
    (directory.path / SELECTED).mkdir()
    (directory.path / SELECTED / "begun").write_text("half")
    metrics = run_short(config, directory)
    assert not (directory.path / SELECTED / "begun").exists()
    monkeypatch.setattr(sm.Selected, "fit", lambda *_: pytest.fail("was done again"))
    assert run_short(config, directory) == metrics


def test_long_files_and_synthetic_cities_go_to_the_main_job_and_hours_are_refused(tmp_path):
    assert not by_pretrained(file(tmp_path, 14)[0]) and by_pretrained(file(tmp_path, 13, 23)[0])
    assert not by_pretrained(RunConfig.of_preset("smoke"))
    with pytest.raises(sm.DataError, match="23 hours; a day of history"):
        by_pretrained(file(tmp_path, 0, 23)[0])


def test_a_model_that_is_asked_for_is_what_runs_or_is_refused(tmp_path):
    long, short = file(tmp_path, 14)[0], file(tmp_path, 13)[0]
    names = ("simmstnet", "pretrained")
    asked = [one.model_copy(update={"model": name}) for one in (long, short) for name in names]
    assert [by_pretrained(asked[0]), by_pretrained(asked[1]), by_pretrained(asked[3])] == [False, True, True]
    with pytest.raises(sm.ConfigError, match=r"model simmstnet: .* has 13 whole days, 14 are needed"):
        by_pretrained(asked[2])
    assert by_pretrained(RunConfig.of_preset("smoke", model="pretrained"))
    metrics = run_short(asked[1], RunDirectory.create(tmp_path / "run", asked[1]))
    assert "has 14 whole days. Sim-MSTNet was not trained." in metrics["notices"][0]
    assert RunDirectory.open(tmp_path / "run")[1].model == "pretrained"
