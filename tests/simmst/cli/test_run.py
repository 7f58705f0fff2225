"""The command line on a file that is too short to train on: run, then forecast with and without its directory."""

import numpy as np
import polars as pl
import pytest
import torch
from typer.testing import CliRunner

import simmst as sm
from simmst.cli.main import app


def city(hours: int) -> sm.TrafficData:
    wave = 3 + 2 * np.sin(2 * np.pi * np.arange(hours) / 24)
    values = wave[:, None, None] * np.random.default_rng(0).gamma(50, 0.02, (hours, 4, 2))
    start = np.datetime64("2024-01-01T00:00", "m")
    return sm.TrafficData(values.astype(np.float32), start, 60, ("call", "net"), tuple("abcd"))


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_a_short_file_runs_and_forecasts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    city(24 * 8).save("town.npz")

    def call(*arguments: str) -> str:
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, done.output
        return " ".join(done.output.split())

    said = call("run", "--data", "town.npz", "--out", "run", "--preset", "smoke", "--horizon", "24")
    assert "Sim-MSTNet was not trained" in said and "Forecast by:" in said and "held-back forecasts" in said
    assert said == call("run", "--resume", "run")
    call("forecast", "--data", "town.npz", "--checkpoint", "run", "--out", "one.csv")
    assert "forecast by: " in call("forecast", "--data", "town.npz", "--out", "two.csv")
    one, two = (pl.read_csv(name) for name in ("one.csv", "two.csv"))
    # a run adapts the network too, a forecast of a file does not
    assert one.select("time", "node", "service").equals(two.select("time", "node", "service"))
    assert len(one) == 24 * 4 * 2


def test_hours_alone_are_refused_before_a_directory_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    city(20).save("town.npz")
    done = CliRunner().invoke(app, ["run", "--data", "town.npz", "--out", "run"])
    assert done.exit_code != 0 and not (tmp_path / "run").exists()
