"""Newer days for a finished run: what is said of the file, what moves, and what a log holds."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import simmst as sm
from simmst.errors import ConfigError, DataError, SimmstError
from simmst.experiments.config import RunConfig
from simmst.experiments.rundir import RunDirectory
from simmst.experiments.target import file_digest
from simmst.experiments.update import update
from simmst.experiments.updating.judge import DayErrors, drift, errors_by_day
from simmst.experiments.updating.seen import Seen, whole_days
from simmst.forecasting.from_run import forecast_file, load_run
from simmst.forecasting.generations import LOG, read_log, served
from simmst.forecasting.intervals import Intervals
from simmst.forecasting.saved import CHECKPOINT, SERVING, Serving
from simmst.models.simmstnet import SimMSTNet, SimMSTNetConfig
from simmst.traffic.scaling import NodeScaler
from simmst.traffic.windows import WindowDataset
from simmst.training.checkpoint import save_model

LOOKBACK, HORIZON, DAY = 24, 6, 24


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def weeks(days: int, nodes: str = "abcd", hours: int = 0) -> sm.TrafficData:
    """A daily wave with noise: what an hour is does not depend on where the file ends."""
    rng = np.random.default_rng(0)
    noise = np.exp(rng.normal(0, 0.1, (DAY * 40, 6, 2)))[
        : DAY * days + hours, ["abcdef".index(one) for one in nodes]
    ]
    wave = 20 + 10 * np.sin(2 * np.pi * np.arange(len(noise)) / DAY)
    names, start = ("call", "net"), np.datetime64("2024-01-01T00:00", "m")
    return sm.TrafficData(
        (wave[:, None, None] * noise).astype(np.float32), start, 60, names, tuple(nodes), None, "MB"
    )


def saved(data: sm.TrafficData, path: Path) -> Path:
    data.save(path)
    return path


def quiet(*_: object) -> None:
    """Show nothing."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A run of 14 days whose network forecasts the same hour yesterday."""
    folder, data = tmp_path_factory.mktemp("runs"), weeks(14)
    file = saved(data, folder / "14.npz")
    small = {"epochs": 1, "epoch_samples": 16, "batch_size": 8, "learning_rate": 1e-3, "patience": 1}
    config = RunConfig.of_preset(
        "smoke", data=str(file), data_sha256=file_digest(file), finetune=small, lookback=LOOKBACK, horizon=HORIZON
    )
    directory = RunDirectory.create(folder / "run", config)
    scaler = NodeScaler.fit(data.values[: DAY * 10])
    windows = WindowDataset.cut(data, scaler, LOOKBACK, HORIZON, DAY * 10)
    model = SimMSTNet(SimMSTNetConfig.small(2, LOOKBACK, HORIZON), 0)
    save_model(directory.path / CHECKPOINT, model)
    Serving.of(data, scaler, windows, model, windows).save(directory.path / SERVING)
    return directory.path


@pytest.fixture
def run(finished, tmp_path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def test_new_days_are_taken_in_once(run, tmp_path):
    file = saved(weeks(16, hours=5), tmp_path / "16.npz")
    done = update(run, file, quiet)
    line = done.record
    assert done.new and line["days"] == ["2024-01-15", "2024-01-16"] and line["last_day"] == "2024-01-16"
    assert set(line["parts"]) == {"scales", "network", "intervals"}
    for found in line["parts"].values():
        assert found["kept"] == (found["after"] < found["before"])
    assert line["moved"] == [part for part, found in line["parts"].items() if found["kept"]]
    assert set(line["days"]) < set(line["daily"]) and not line["drift"]  # days before them are judged too
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    again = update(run, file, quiet)
    assert not again.new and "file of before" in again.said[0] and again.record == line
    assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    # the log is where the next update begins, and the run's own file is not needed any more
    line = update(run, saved(weeks(17), tmp_path / "17.npz"), quiet).record
    assert line["generation"] == 2 and line["days"] == ["2024-01-17"] == list(line["daily"])
    with pytest.raises(DataError, match="ends on 2024-01-16, the run has seen 2024-01-17"):
        update(run, file, quiet)
    assert served(run).name == "2" and {path.name for path in served(run).parent.iterdir()} == {"1", "2"}


def test_what_forecasts_is_what_the_last_update_wrote(run, tmp_path):
    """Intervals twenty times too wide move back, and `forecast` reads the new ones."""
    _model, kept = load_run(run)
    wide = Intervals(kept.intervals.residuals * 20, kept.intervals.spread)
    Serving(kept.services, kept.node_ids, kept.units, kept.lookback, kept.scaler, kept.patches, wide).save(
        run / SERVING
    )
    file = saved(weeks(15), tmp_path / "15.npz")
    before = forecast_file(run, file)
    done = update(run, file, quiet)
    assert "intervals" in done.record["moved"]
    after = forecast_file(run, file)
    assert np.median(after.upper - after.lower) < 0.2 * np.median(before.upper - before.lower)
    loaded = sm.load(run)
    np.testing.assert_array_equal(loaded.predict(weeks(15)).upper, after.upper)
    assert loaded.folder == run
    shutil.rmtree(served(run))
    with pytest.raises(ConfigError, match=r"is gone.*remove updates\.jsonl"):
        forecast_file(run, file)
    (run / LOG).unlink()
    np.testing.assert_array_equal(forecast_file(run, file).upper, before.upper)


def test_the_held_back_day_judges_and_is_not_learnt_from(run, tmp_path, monkeypatch):
    """All that moves is the same whatever comes on that day, and other than before; what is said of it is not."""
    one, other = weeks(15), weeks(15)
    other.values[-DAY:] *= 3
    first, falling = load_run(run), iter(range(1000, 0, -1))
    with monkeypatch.context() as patch:
        patch.setattr(DayErrors, "of", lambda *_: float(next(falling)))  # so that each part is kept
        found, said = [], []
        for name, data in (("one", one), ("other", other)):
            copy = Path(shutil.copytree(run, tmp_path / f"run-{name}"))
            done = update(copy, saved(data, tmp_path / f"{name}.npz"), quiet)
            assert done.record["moved"] == ["scales", "network", "intervals"]
            found.append(load_run(copy)[1])
            said.append(done.drift)
    for kept, same in ((found[1], True), (first[1], False)):
        assert (found[0].network == kept.network) == same
        assert np.array_equal(found[0].scaler.mean, kept.scaler.mean) == same
        assert np.array_equal(found[0].intervals.residuals, kept.intervals.residuals) == same
    assert not said[0] and "call on 2024-01-15: MAE" in said[1][0]


def test_nodes_come_and_go(run, tmp_path):
    data = weeks(24, "abce")
    data.values[: DAY * 20, 3] = 0  # four days old, three of them before the held-back one
    done = update(run, saved(data, tmp_path / "24.npz"), quiet)
    line, said = done.record, " ".join(done.said)
    assert line["nodes_added"] == ["e"] == line["nodes_waiting"] and line["nodes_gone"] == ["d"]
    assert "1 nodes are gone (d)" in said and "too young" in said
    beside = forecast_file(
        run, tmp_path / "24.npz"
    )  # what the run does not have yet the pretrained network forecasts
    assert beside.history.node_ids == ("a", "b", "c", "e") and len(set(beside.made_by[:3])) == 1 < len(
        set(beside.made_by)
    )
    data = weeks(29, "abce")
    data.values[: DAY * 20, 3] = 0
    data.values[:DAY] *= 2  # a past day that is otherwise
    done = update(run, saved(data, tmp_path / "29.npz"), quiet)
    assert done.record["changed_days"] == ["2024-01-01"] and not done.record["nodes_waiting"]
    found = forecast_file(run, tmp_path / "29.npz")
    assert found.history.node_ids == ("a", "b", "c", "e") and len(set(found.made_by)) < 2
    # scales of its own days, without the zeros of before
    near = load_run(run)[1].scaler.mean
    np.testing.assert_allclose(near[3], near[:3].mean(axis=0), atol=0.1)


def test_a_file_without_a_new_whole_day_does_nothing(run, tmp_path):
    done = update(run, saved(weeks(14, hours=23), tmp_path / "t.npz"), quiet)
    assert not done.new and "no whole day after 2024-01-14" in done.said[-1] and not (run / LOG).exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.select(services=["call"]), "lacks net of the run's services"),
        (
            lambda data: sm.TrafficData(data.values, data.start, 60, data.services, data.node_ids, None, "GB"),
            "units",
        ),
        (
            lambda data: sm.TrafficData(data.values, data.start, 60, data.services, tuple("wxyz"), None, "MB"),
            "none of",
        ),
        (lambda data: data.select(start=DAY * 14), "two days must follow"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(run, tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        update(run, saved(change(weeks(15)), tmp_path / "t.npz"), quiet)
    assert not (run / LOG).exists()


def test_a_synthetic_or_unfinished_run_is_refused(run, tmp_path):
    file = saved(weeks(15), tmp_path / "15.npz")
    RunDirectory.create(tmp_path / "city", RunConfig.of_preset("smoke"))
    (run / SERVING).unlink()
    for folder, message in (
        (tmp_path / "city", "synthetic"),
        (run, "no finished run"),
        (tmp_path, "holds no run"),
    ):
        with pytest.raises(SimmstError, match=message):
            update(folder, file, quiet)


def test_a_run_whose_file_is_gone_takes_the_newest_day(run, tmp_path):
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "data": str(tmp_path / "gone.npz")}))
    done = update(run, saved(weeks(18), tmp_path / "18.npz"), quiet)
    assert done.record["days"] == ["2024-01-18"] and "is gone" in done.said[0]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]\n", '{"format": 1}\n', '{"format": 1, "generation": "../x"}\n', '{"format": 2}\n', "\xff"],
)
def test_a_damaged_log_is_refused_in_words(run, text):
    (run / LOG).write_text(text, encoding="latin-1")
    with pytest.raises(ConfigError, match=r"updates\.jsonl: (damaged|format)"):
        read_log(run)


def test_a_short_run_chooses_and_calibrates_anew(tmp_path):
    from simmst.experiments.short_run import run_short

    file = saved(weeks(9), tmp_path / "9.npz")
    config = RunConfig.of_preset("smoke", data=str(file), data_sha256=file_digest(file), horizon=12)
    run_short(config, RunDirectory.create(tmp_path / "run", config))
    newer = saved(weeks(11, "abce"), tmp_path / "11.npz")
    done = update(tmp_path / "run", newer, quiet)
    assert done.record["days"] == ["2024-01-10", "2024-01-11"] and set(done.record["parts"]) == {
        "choice",
        "intervals",
    }
    for found in done.record["parts"].values():
        assert found["kept"] == (found["after"] < found["before"])
    assert sm.load(tmp_path / "run").predict(weeks(11, "abce")).values.shape == (12, 4, 2)
    assert not update(tmp_path / "run", newer, quiet).new


class Yesterday:
    """The value of a day before, with ends of a tenth above and below."""

    horizon, lookback = 6, 24

    def forecast(self, data, origins):
        values = data.values[origins[:, None] + np.arange(6) - 24].astype(float)
        return values, 0.9 * values, 1.1 * values


@given(st.lists(st.floats(0.5, 2), min_size=2, max_size=5))
@settings(max_examples=20, deadline=None)
def test_errors_of_a_day_are_those_of_its_own_hours(factors):
    """Day d is its factor everywhere: yesterday is off by the difference, and covers within a tenth."""
    values = np.repeat(np.array([1.0, *factors]), DAY)[:, None, None].astype(np.float32)
    data = sm.TrafficData(values, np.datetime64("2024-01-01T00:00", "m"), 60, ("s",), ("n",))
    found = errors_by_day(Yesterday(), data, len(factors))
    days = np.array([1.0, *factors])
    now, before = days[1:].astype(np.float32).astype(float), days[:-1].astype(np.float32).astype(float)
    np.testing.assert_allclose(found.mae[:, 0], np.abs(now - before), atol=1e-9)
    outside = np.maximum(np.maximum(now - 1.1 * before, 0.9 * before - now), 0)
    np.testing.assert_array_equal(found.covered[:, 0], outside == 0)
    np.testing.assert_allclose(found.score[:, 0], 0.2 * before + 20 * outside, rtol=1e-6, atol=1e-9)


def test_drift_needs_past_days_and_a_clear_excess():
    def of(maes, covered=0.9):
        return {f"2024-01-{d + 1:02}": {"s": {"mae": mae, "covered": covered}} for d, mae in enumerate(maes)}

    assert not drift(of([1, 1, 1, 1, 9]), "2024-01-05")  # four past days say nothing
    assert "MAE 9, above 1.5, which 5 past days" in drift(of([1, 1, 1, 1, 1, 9]), "2024-01-06")[0]
    assert not drift(of([1, 1, 1, 1, 1, 1.4]), "2024-01-06")  # no more than by chance
    assert not drift(of([1, 1, 1, 1, 9, 8]), "2024-01-06")  # as bad a day was there before
    assert "held 60 %" in drift(of([1], 0.6), "2024-01-01")[0]
    assert not drift(of([1, 1, 1, 1, 1, None], None), "2024-01-06")  # nothing was recorded


def test_days_are_of_the_calendar_and_compared_by_node():
    data = weeks(4, "ab", hours=3)
    assert Seen.of(whole_days(data.select(start=5), "t")).start == np.datetime64("2024-01-02")
    with pytest.raises(DataError, match="no whole day"):
        whole_days(data.select(start=5, stop=40), "t")
    one, other = Seen.of(whole_days(data, "t")), whole_days(weeks(5, "ba"), "t")
    assert one.last == "2024-01-04" and one.changed(Seen.of(other)) == []
    other.values[DAY * 2 + 3, 1, 0] += 1
    assert one.changed(Seen.of(other)) == ["2024-01-03"]
    kept = Seen.from_arrays(one.as_arrays())
    assert kept.node_ids == one.node_ids and np.array_equal(kept.sums, one.sums) and kept.start == one.start
    with pytest.raises(DataError, match="damaged"):
        Seen.from_arrays({"node_ids": one.as_arrays()["node_ids"]})
