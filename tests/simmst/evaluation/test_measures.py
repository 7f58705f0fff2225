"""Errors, against figures worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simmst.errors import SimmstError
from simmst.evaluation.benchmark import make_benchmark
from simmst.evaluation.cell import issued, score
from simmst.evaluation.closed_form import closed_form_forecast
from simmst.evaluation.measures import MEASURES, Reference, measure
from simmst.evaluation.scores import scores
from simmst.traffic.gap import Gap

REFERENCE = Reference(np.array([[2.0], [4.0]]), np.array([[1.0], [2.0]]), 6.0)


def test_each_measure_is_the_one_by_hand():
    actual = np.array([[[10.0], [20.0]], [[30.0], [40.0]]])[None]  # [1, 2, 2, 1]
    forecast = actual + np.array([[[1.0], [-2.0]], [[3.0], [0.0]]])[None]
    found = measure(forecast, actual, ("net",), REFERENCE)["tasks"]["net"]
    assert found["mae"] == pytest.approx(6 / 4)
    assert found["rmse"] == pytest.approx(np.sqrt(14 / 4))
    assert found["wape"] == pytest.approx(6 / 100)
    assert found["mase"] == pytest.approx((2 / 1 + 1 / 2) / 2)  # node means 2 and 1
    assert found["r2"] == pytest.approx(1 - 14 / 500)
    assert found["mae_10min"] == pytest.approx(1.5 / 6) and found["rmse_10min"] == pytest.approx(found["rmse"] / 6)
    assert found["z_mae"] == pytest.approx((0.5 + 0.5 + 1.5 + 0) / 4)
    assert found["by_lead"]["mae"] == pytest.approx([1.5, 1.5])
    assert found["by_lead"]["mase"] == pytest.approx([(1 / 1 + 2 / 2) / 2, (3 / 1 + 0) / 2])


def test_what_is_not_defined_is_none():
    zero = np.zeros((3, 1, 2, 1))
    found = measure(zero, zero, ("net",), Reference(np.ones((2, 1)), np.zeros((2, 1)), 6.0))
    assert found["mean"]["wape"] is None and found["mean"]["mase"] is None and found["mean"]["r2"] is None
    assert found["mean"]["mae"] == 0.0


def test_what_errors_are_held_against_is_of_what_was_recorded(city):
    target = city(22)
    values, hour = target.data.values.copy(), np.timedelta64(1, "h")
    first = target.data.times[50]
    values[50:55, :, 0] = 1e6
    gapped = replace(target.data, values=values, gaps=(Gap("call", first, first + 5 * hour),), fill="zero")
    usual = Reference.of(make_benchmark(target))
    found = Reference.of(make_benchmark(replace(target, data=gapped)))
    np.testing.assert_allclose(found.deviation, usual.deviation, rtol=0.05)
    np.testing.assert_allclose(found.naive, usual.naive, rtol=0.05)


def test_what_was_filled_is_not_measured(city):
    target = city(22)
    hour = np.timedelta64(1, "h")
    gap = Gap("call", target.data.times[-30], target.data.times[-30] + 5 * hour)
    values = target.data.values.copy()
    values[-30:-25, :, 0] = 1e6
    gapped = replace(target, data=replace(target.data, values=values, gaps=(gap,), fill="linear"))
    whole, other = make_benchmark(target), make_benchmark(gapped)
    zero = np.zeros((len(whole.protocol.test.origins(1)), 24, 4, 2))
    usual = score(whole, lambda h: zero, Reference.of(whole))
    found = score(other, lambda h: zero, Reference.of(other))
    for horizon, figures in found.horizons.items():
        assert figures["tasks"]["call"]["mae"] == pytest.approx(
            usual.horizons[horizon]["tasks"]["call"]["mae"], rel=0.1
        )
        assert figures["tasks"]["net"] == usual.horizons[horizon]["tasks"]["net"]
    mae = [found.horizons[24]["tasks"][name]["mae"] for name in ("call", "net")]
    np.testing.assert_allclose(found.details["by_origin"].mean(0), mae)
    np.testing.assert_allclose(found.details["by_node"].mean(0), mae)


def test_errors_are_held_against_what_was_recorded_or_all_where_nothing_was(city):
    whole = make_benchmark(city(22))
    values = whole.data.values.copy()
    train = values[whole.protocol.train.steps]
    train[100:110, :, 0] = 1e6  # filled, and a service that was never recorded there
    gaps = tuple(
        Gap(name, whole.data.times[a], whole.data.times[b])
        for name, a, b in (("call", 100, 110), ("net", 0, len(train)))
    )
    data = replace(whole.data, values=values, gaps=gaps, fill="zero")
    found = Reference.of(replace(whole, target=replace(whole.target, data=data)))
    call = np.delete(train[:, :, 0].astype(np.float64), np.arange(100, 110), axis=0)
    np.testing.assert_allclose(found.deviation[:, 0], call.std(axis=0))
    days = np.abs(train[24:, :, 0].astype(np.float64) - train[:-24, :, 0])
    np.testing.assert_allclose(
        found.naive[:, 0], np.delete(days, [*range(76, 86), *range(100, 110)], axis=0).mean(0)
    )
    np.testing.assert_allclose(found.deviation[:, 1], train[:, :, 1].astype(np.float64).std(axis=0))
    np.testing.assert_allclose(
        found.naive[:, 1], np.abs(train[24:, :, 1].astype(float) - train[:-24, :, 1]).mean(0)
    )


@given(st.integers(0, 1000), st.floats(0.1, 100))
def test_the_unit_of_the_traffic_changes_no_figure_without_one(seed, unit):
    rng = np.random.default_rng(seed)
    actual, forecast = rng.gamma(2, 5, (2, 4, 3, 2, 1))
    other = Reference(REFERENCE.deviation * unit, REFERENCE.naive * unit, 6.0)
    here = measure(forecast, actual, ("net",), REFERENCE)["mean"]
    there = measure(forecast * unit, actual * unit, ("net",), other)["mean"]
    for name in MEASURES:
        factor = unit if name in ("mae", "rmse", "mae_10min", "rmse_10min") else 1
        assert there[name] == pytest.approx(here[name] * factor)


@pytest.mark.parametrize("gaps", [False, True])
def test_a_table_and_a_run_count_the_same_errors(gaps):
    rng = np.random.default_rng(0)
    actual, forecast = rng.gamma(2, 5, (2, 5, 3, 2, 2)).astype(np.float32)
    kept = rng.random((5, 3, 2)) > 0.5 if gaps else None
    reference = Reference(np.ones((2, 2)), np.ones((2, 2)), 6.0)
    table = measure(forecast, actual, ("a", "b"), reference, kept)
    run = scores(forecast, actual, ("a", "b"), kept)
    for task, figures in run["tasks"].items():
        by_lead = {name: table["tasks"][task]["by_lead"][name] for name in figures["by_lead"]}
        assert {name: table["tasks"][task][name] for name in run["mean"]} | {"by_lead": by_lead} == figures
    assert {name: table["mean"][name] for name in run["mean"]} == run["mean"]


@pytest.mark.parametrize("bad", ["shape", "value"])
def test_a_forecast_that_cannot_be_measured_is_an_error(bad):
    actual = np.ones((2, 1, 2, 1))
    forecast = np.ones((1, 1, 2, 1)) if bad == "shape" else np.full_like(actual, np.nan)
    with pytest.raises(SimmstError, match="forecast:"):
        measure(forecast, actual, ("net",), REFERENCE)


def test_the_same_hour_yesterday_has_a_mase_near_one(city):
    benchmark = make_benchmark(city(22))
    found = score(benchmark, lambda h: closed_form_forecast("daily", benchmark, h), Reference.of(benchmark))
    assert list(found.horizons) == [1, 6, 24]
    assert found.horizons[24]["mean"]["mase"] == pytest.approx(1, abs=0.1)


def test_the_reference_is_of_the_training_part_alone(city):
    benchmark = make_benchmark(city(22))
    before = Reference.of(benchmark)
    benchmark.data.values[benchmark.protocol.validation.start :] = 1e6
    after = Reference.of(benchmark)
    np.testing.assert_array_equal(before.naive, after.naive)
    np.testing.assert_array_equal(before.deviation, after.deviation)


def test_forecasts_issued_once_a_day_join_to_the_days(city):
    benchmark = make_benchmark(city(22))
    origins = benchmark.protocol.test.origins(24)
    forecast = (origins[:, None] + np.arange(24))[:, :, None, None] * np.ones((1, 1, 4, 2))
    joined = issued(benchmark, forecast)
    steps = benchmark.protocol.test.start + np.arange(5 * 24)
    np.testing.assert_array_equal(joined[:, 0, 0], steps)
