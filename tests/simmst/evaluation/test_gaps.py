"""Gaps that were filled: said first, and left out of what is chosen and counted by."""

from dataclasses import replace

import numpy as np
import pytest

from simmst.errors import DataError
from simmst.evaluation.evaluate import evaluate, issued_daily
from simmst.evaluation.target import PRIOR_NOTICE
from simmst.experiments.config import RunConfig
from simmst.experiments.job import Job
from simmst.experiments.run_report import notices
from simmst.experiments.tables.make import Options, make_table
from simmst.experiments.target import file_digest
from simmst.forecasting.ridge import fit_ridge
from simmst.reports.table_files import markdown
from simmst.traffic.dataset import TrafficData
from simmst.traffic.gap import Gap
from simmst.traffic.recorded import recorded_origins
from simmst.traffic.scaling import NodeScaler

DAYS = 16  # 10 train, 2 validate, 4 test
TEST = 12 * 24


def city(*gaps: tuple[str, int, int]) -> TrafficData:
    values = np.random.default_rng(0).gamma(3.0, 10.0, (DAYS * 24, 4, 2)).astype(np.float32)
    start = np.datetime64("2024-01-01T00:00", "m")
    data = TrafficData(values, start, 60, ("call", "net"), tuple("abcd"))
    found = tuple(Gap(name, data.times[first], data.times[stop]) for name, first, stop in gaps)
    return replace(data, gaps=found, fill="linear" if gaps else "none")


def prepared(data: TrafficData, folder) -> Job:
    path = folder / "city.npz"
    data.save(path)
    return Job.prepare(RunConfig.of_preset("smoke", data=str(path), data_sha256=file_digest(path)))


def test_a_run_says_which_parts_hold_filled_gaps_and_how_they_were_filled(tmp_path):
    job = prepared(city(("net", 10, 13), ("net", TEST, TEST + 5), ("call", TEST - 2, TEST)), tmp_path)
    (notice,) = [one for one in notices(job) if "gaps" in one]
    assert "call: 2 of 48 validation hours;" in notice
    assert "net: 3 of 240 training hours, 5 of 96 test hours" in notice and "linear" in notice


def test_without_gaps_nothing_is_said(tmp_path):
    assert not [one for one in notices(prepared(city(), tmp_path)) if "gaps" in one]


def test_a_run_on_a_file_says_what_the_prior_has_seen(tmp_path):
    assert PRIOR_NOTICE in notices(prepared(city(), tmp_path))
    assert PRIOR_NOTICE not in notices(Job.prepare(RunConfig.of_preset("smoke")))


def test_a_table_says_so_too_of_the_services_it_shows(tmp_path):
    city(("net", TEST, TEST + 5), ("call", 3, 5)).save(tmp_path / "city.npz")
    options = Options(
        2, "Table 2", str(tmp_path / "city.npz"), tmp_path / "out", "daily", horizon=6, service="net"
    )
    table = make_table(options, lambda *_: lambda *_: None, lambda *_: None)
    text = markdown(table)
    assert "net: 5 of 96 test hours" in text and "call:" not in text
    assert PRIOR_NOTICE not in text, "no row has simulated windows"


@pytest.mark.parametrize("service", [0, 1])
def test_filled_values_of_the_training_days_are_targets_and_scales_of_nothing(tmp_path, service):
    """Whatever stands in a gap: the same scales, the same targets, the same ridge but for its inputs."""
    data = city((("call", "net")[service], 150, 156))
    jobs = []
    for fill in (0.0, 1e6):
        values = data.values.copy()
        values[150:156, :, service] = fill
        jobs.append(prepared(replace(data, values=values), tmp_path))
    a, b = jobs
    assert np.array_equal(a.scaler.mean, b.scaler.mean) and np.array_equal(a.scaler.scale, b.scaler.scale)
    assert not set(range(145, 156)) & set(a.train.origins.tolist()) and len(a.train.origins) == 240 - 24 - 5 - 11
    everything = np.arange(len(a.train))
    assert np.array_equal(a.train.batch(everything).target, b.train.batch(everything).target)


def test_the_ridge_is_not_fitted_to_filled_values():
    data = city(("net", 190, 196))
    poisoned = data.values.copy()
    poisoned[190:196, :, 1] = 1e6
    origins = np.arange(168, 234)
    kept = recorded_origins(data.filled, origins, 6)
    assert kept.tolist() == [t for t in origins.tolist() if t + 6 <= 190 or t >= 196]
    late = kept[kept >= 203]  # what was filled is no longer among the last seven lags
    fits = [fit_ridge(v, slice(0, 240), late, 6, (1, 2, 7), filled=data.filled) for v in (data.values, poisoned)]
    assert np.array_equal(fits[0].scaler.mean, fits[1].scaler.mean)
    np.testing.assert_array_equal(*(fit.predict(data.values, np.arange(300, 320)) for fit in fits))


def test_a_run_whose_ridge_has_nothing_to_be_fitted_to_is_refused_before_anything_is_done(tmp_path):
    holes = [("net", at, at + 1) for at in range(168, 240, 6)]
    with pytest.raises(DataError, match=r"gaps: after its lags no 6 hours in a row.*the ridge cannot be fitted"):
        prepared(city(*holes), tmp_path)


def test_a_table_leaves_such_a_ridge_out_with_the_reason(tmp_path):
    city(*(("net", at, at + 1) for at in range(168, 240, 6))).save(tmp_path / "city.npz")
    options = Options(2, "Table 2", str(tmp_path / "city.npz"), tmp_path / "out", "daily,ridge", horizon=6)
    table = make_table(options, lambda *_: lambda *_: None, lambda *_: None)
    assert {row.label for row in table.rows} == {"same hour yesterday"}
    assert "the ridge cannot be fitted" in markdown(table)


def test_a_service_recorded_once_has_no_scale():
    filled = np.ones((10, 2), dtype=bool)
    filled[:, 0], filled[3, 1] = False, False
    with pytest.raises(DataError, match="fewer than two recorded steps"):
        NodeScaler.fit(np.ones((10, 3, 2)), filled)


def test_validation_windows_are_without_filled_targets(tmp_path):
    job = prepared(city(("net", TEST - 20, TEST - 17)), tmp_path)
    steps = job.validation.source.origins[:, None] + np.arange(job.config.horizon)
    assert not job.target.data.filled[steps].any()
    assert steps.min() == TEST - 48 and steps.max() == TEST - 1, "the others are all there"


def test_values_in_a_gap_of_the_test_days_change_no_figure(tmp_path):
    job = prepared(city(("net", TEST + 90, TEST + 93)), tmp_path)
    data, parts = job.target.data, job.protocol
    forecast = np.full((len(parts.test.origins(1)), 6, 4, 2), 20.0)

    def ours(fill: float) -> list[float]:
        values = data.values.copy()
        values[TEST + 90 : TEST + 93, :, 1] = fill
        rows = evaluate(values, data.services, parts, forecast, data.filled)
        return [rows[6]["Sim-MSTNet"]["tasks"][name][m] for name in data.services for m in ("mae", "rmse", "wape")]

    assert ours(0.0) == ours(1e6)


@pytest.mark.parametrize("gone", [("net",), ("call", "net")])
def test_services_whose_test_hours_are_all_gaps_are_refused_before_anything_is_done(tmp_path, gone):
    since, until = np.datetime64("2024-01-13T00:00"), np.datetime64("2024-02-01T00:00")
    gaps = tuple(Gap(name, since, until) for name in gone)
    names = ", ".join(map(repr, gone))
    with pytest.raises(DataError, match=f"every hour of the test days is declared a gap of {names}, so") as error:
        prepared(replace(city(), gaps=gaps, fill="zero"), tmp_path)
    assert "leave out the nodes that were down" in str(error.value) and "recorded" not in str(error.value)


def test_the_truth_that_a_report_draws_is_broken_where_it_was_filled(tmp_path):
    job = prepared(city(("net", TEST + 3, TEST + 5), ("net", TEST + 6, TEST + 9)), tmp_path)
    data, parts = job.target.data, job.protocol
    forecast = np.full((len(parts.test.origins(1)), 6, 4, 2), 20.0)
    steps, rows = issued_daily(data.values, parts, forecast, data.filled)
    broken = np.isnan(rows["truth"])
    np.testing.assert_array_equal(broken, np.broadcast_to(data.filled[steps][:, None], broken.shape))
    assert broken.any() and np.array_equal(rows["truth"][~broken], data.values[steps][~broken])
    assert all(np.isfinite(row).all() for name, row in rows.items() if name != "truth")


def test_validation_days_without_a_whole_window_are_refused(tmp_path):
    with pytest.raises(DataError, match="every window of 6 hours of the validation days holds filled values"):
        prepared(city(("net", TEST - 44, TEST - 4)), tmp_path)
