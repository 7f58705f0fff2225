"""How many forecast origins are left, which a run says before its figures, beside them and in metrics.json."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from simmst.cli import main as cli
from simmst.experiments.config import RunConfig
from simmst.experiments.job import Job
from simmst.experiments.origin_counts import ENOUGH, count_origins, origin_notices, origins_in_metrics
from simmst.experiments.run_report import notices
from simmst.experiments.target import file_digest
from simmst.traffic.dataset import TrafficData
from simmst.traffic.gap import Gap
from simmst.traffic.split import Protocol

TRAIN, TEST = 10 * 24, 12 * 24  # of 16 days: 10 train, 2 validate, 4 test


def city(*gaps: tuple[str, int, int], days: int = 16) -> TrafficData:
    values = np.random.default_rng(0).gamma(3.0, 10.0, (days * 24, 4, 2)).astype(np.float32)
    data = TrafficData(values, np.datetime64("2024-01-01T00:00", "m"), 60, ("call", "net"), tuple("abcd"))
    found = tuple(Gap(name, data.times[first], data.times[stop - 1] + 60) for name, first, stop in gaps)
    return replace(data, gaps=found, fill="linear" if gaps else "none")


def prepared(data: TrafficData, folder, **changes) -> Job:
    path = folder / "city.npz"
    data.save(path)
    return Job.prepare(RunConfig.of_preset("smoke", data=str(path), data_sha256=file_digest(path), **changes))


def test_without_gaps_every_origin_is_left_and_nothing_is_said(tmp_path):
    job = prepared(city(), tmp_path)
    left = count_origins(job)
    assert [(one.part, one.horizon, one.kept, one.of) for one in left] == [
        ("training", 6, TRAIN - 24 - 5, TRAIN - 24 - 5),
        ("validation", 6, 43, 43),
        ("test", 1, 96, 96),
        ("test", 6, 91, 91),
    ]
    assert len(job.train.origins) == left[0].kept
    assert all(set(one.counted.values()) == {1.0} for one in left)
    assert str(left[-1]) == "91 forecast origins" and origin_notices(job) == []


def test_the_counts_are_those_of_the_windows_that_are_learnt_from_and_of_the_steps_that_are_scored(tmp_path):
    holes = [("net", at, at + 1) for at in (30, 200, TRAIN + 5, TEST + 2, TEST + 20)]
    job = prepared(city(*holes), tmp_path)
    train, validation, one, six = count_origins(job)
    assert (train.kept, train.of) == (len(job.train.origins), TRAIN - 24 - 5)
    assert validation.kept == 43 - 6 and validation.alone == {"call": 43, "net": 37}
    assert (one.kept, one.counted) == (94, {"call": 1.0, "net": 94 / 96})
    assert six.kept == 91 - 3 - 6 and six.counted["net"] == pytest.approx(1 - 9 / (6 * 91))
    assert "82 of 91 forecast origins" in str(six) and "100.0 % of call, 98.4 % of net" in str(six)
    assert origins_in_metrics([train, six])["test"]["6"]["kept"] == 82
    assert origin_notices(job) == []


def test_less_than_half_is_a_loud_notice_that_names_the_services_and_the_mend(tmp_path):
    many = city(("net", TEST, TEST + 60), *(("net", at, at + 1) for at in range(24, 160, 4)))
    (notice,) = origin_notices(prepared(many, tmp_path))
    assert notice.startswith("GAPS LEAVE LESS THAN HALF. training days, 6 h:") and "test days, 6 h:" in notice
    assert "validation" not in notice
    assert "They are gaps of net. A declared gap counts for all nodes of a service" in notice
    assert "leave out the nodes that were down" in notice and "run without them (services call)" in notice


@pytest.mark.parametrize("horizon", [48, 72])
def test_a_long_horizon_with_few_origins_is_said_with_what_would_have_enough(tmp_path, horizon):
    job = prepared(city(days=22), tmp_path, horizon=horizon)
    found = origin_notices(job)
    assert found == notices(job)[: len(found)]
    spans = job.protocol.validation, job.protocol.test
    assert bool(found) is any(len(span.origins(horizon)) < ENOUGH for span in spans) is (horizon == 72)
    if found:
        (notice,) = found
        assert "A horizon of 72 h leaves 1 hour of the validation days to forecast from" in notice
        assert "24 of each need a file of 26 days, or a horizon of at most 49 h" in notice
        for days, hours in ((26, 72), (22, 49)):
            parts = Protocol.proportional(24 * days, horizon=hours)
            assert min(len(span.origins(hours)) for span in (parts.validation, parts.test)) >= ENOUGH


def test_a_run_says_so_at_once_beside_the_table_and_in_its_files(tmp_path):
    city(("net", TEST + 20, TEST + 96), ("call", 30, 31)).save(tmp_path / "city.npz")
    out = tmp_path / "run"
    done = CliRunner().invoke(
        cli.app, ["run", "--data", str(tmp_path / "city.npz"), "--preset", "smoke", "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    assert done.stderr.startswith("warning: GAPS LEAVE LESS THAN HALF. test days, 6 h: 15 of 91 forecast origins")
    words = "15 of 91 forecast origins have their whole horizon recorded"
    assert " ".join(done.stdout.split()).count(words) == 2  # the notice, and below the table
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["origins"]["test"]["1"] == {"kept": 20, "of": 96, "counted": {"call": 1.0, "net": 20 / 96}}
    assert metrics["origins"]["training"] == {
        "kept": 205, "of": 211, "counted": {"call": pytest.approx(1 - 6 / (6 * 211)), "net": 1.0}
    }  # fmt: skip
    page = (out / "report.html").read_text()
    assert words in page and "20 of 96 forecast origins" in page and "205 of 211 forecast origins" in page
    assert "The truth is broken where it was not recorded." in page
