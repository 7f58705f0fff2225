"""Protocols: which hours train, validate and test, and what a model may see."""

from dataclasses import replace

import numpy as np
import pytest

from simmst.errors import ConfigError
from simmst.evaluation.benchmark import FEDDA_LAGS, make_benchmark
from simmst.evaluation.cell import score
from simmst.evaluation.closed_form import closed_form_forecast, refusal
from simmst.evaluation.measures import Reference
from simmst.evaluation.target import Target
from simmst.models.recipes import RECIPES
from simmst.traffic.dataset import TrafficData
from simmst.traffic.split import Span


def test_protocol_j_is_14_3_5_days_of_22(city):
    parts = make_benchmark(city(22)).protocol
    assert (parts.train, parts.validation, parts.test) == (Span(0, 336), Span(336, 408), Span(408, 528))


def test_tests_a_and_b_are_the_last_two_weeks_each_validated_on_the_week_before(city):
    a, b = (make_benchmark(city(56), name).protocol for name in "AB")
    assert (a.train.stop, a.validation, a.test) == (1008, Span(1008, 1176), Span(1176, 1344))
    assert (b.train.stop, b.validation, b.test) == (840, Span(840, 1008), Span(1008, 1176))


def test_a_long_file_is_under_protocol_a_by_itself(city):
    assert make_benchmark(city(42)).name == "A" and make_benchmark(city(41)).name == "J"


def test_fedda_sees_three_hours_and_three_days_of_100_nodes(city):
    benchmark = make_benchmark(city(28, nodes=110), "fedda")
    assert benchmark.horizon == 1 and benchmark.seen == 6 and len(benchmark.data.node_ids) == 100
    steps = np.arange(1000, 1000 + benchmark.lookback)[benchmark.picked]  # the last of them is 1071
    assert tuple(1072 - steps) == FEDDA_LAGS == (72, 48, 24, 3, 2, 1)
    again = make_benchmark(city(28, nodes=110), "fedda")
    assert again.data.node_ids == benchmark.data.node_ids


def test_the_papers_protocol_needs_its_three_services(city):
    three = make_benchmark(city(28, services=("internet", "sms", "call", "x")), "paper")
    assert three.data.services == ("call", "sms", "internet")
    with pytest.raises(ConfigError, match="needs the services call, sms, internet"):
        make_benchmark(city(28), "paper")


@pytest.mark.parametrize("days", [3, 7])
def test_scarce_data_begin_with_the_days_that_may_be_used(city, days):
    whole = make_benchmark(city(22))
    scarce = whole.scarce(days)
    assert scarce.data.times[0] == whole.data.times[(14 - days) * 24]
    assert scarce.protocol.train == Span(0, days * 24)
    for ours, theirs in (
        (scarce.protocol.validation, whole.protocol.validation),
        (scarce.protocol.test, whole.protocol.test),
    ):
        np.testing.assert_array_equal(scarce.data.times[ours.steps], whole.data.times[theirs.steps])
    origins = scarce.protocol.train.origins(scarce.horizon)
    assert (origins >= scarce.lookback).sum() >= 24  # a day of training windows
    assert max(scarce.ridge_lags) <= scarce.lookback


def test_three_days_leave_a_history_of_one(city):
    assert make_benchmark(city(22)).scarce(3).lookback == 24
    assert make_benchmark(city(22)).scarce(7).lookback == 48


def test_a_model_with_a_history_of_its_own_sees_it_however_few_days_are_known(city):
    week = RECIPES["simmstnet"]["laptop"]
    for benchmark in (make_benchmark(city(22)), make_benchmark(city(22)).scarce(3)):
        seen = benchmark.seen_by(week)
        assert (seen.lookback, seen.season, seen.protocol) == (168, 24, benchmark.protocol)
        assert seen.data is benchmark.data
    whole = make_benchmark(city(22))
    assert whole.seen_by(RECIPES["mttc"]["laptop"]) is whole
    lags = make_benchmark(city(28), "fedda")
    assert lags.seen_by(week) is lags


def test_a_chosen_lookback_is_that_of_all_days(city):
    chosen = make_benchmark(city(22), lookback=168)
    assert (chosen.lookback, chosen.season) == (168, 24)
    scarce = chosen.scarce(3)
    assert scarce.lookback == 168 and scarce.ridge_lags == make_benchmark(city(22)).scarce(3).ridge_lags
    with pytest.raises(ConfigError, match="lookback 12: protocol fedda says itself which hours are seen"):
        make_benchmark(city(28), "fedda", lookback=12)


@pytest.mark.parametrize(("days", "message"), [(15, "has 14 days"), (2, "too few for a history")])
def test_impossible_scarce_days_are_refused(city, days, message):
    with pytest.raises(ConfigError, match=message):
        make_benchmark(city(22)).scarce(days)


@pytest.mark.parametrize(
    ("days", "options", "message"),
    [
        (22, {"name": "X"}, "protocol X: unknown"),
        (27, {"name": "A"}, "27 whole days are too few"),
        (34, {"name": "B"}, "with the last week left out"),
        (42, {"name": "A", "horizon": 169}, "longer than the test week"),
    ],
)
def test_a_protocol_that_does_not_fit_is_refused(city, days, options, message):
    with pytest.raises(ConfigError, match=message):
        make_benchmark(city(days), **options)


def test_a_naive_row_is_refused_where_its_period_begins_before_the_data(city):
    scarce = make_benchmark(city(22)).scarce(3)
    assert refusal("weekly", scarce) is not None and refusal("daily", scarce) is None
    assert refusal("weekly", make_benchmark(city(22))) is None


@pytest.mark.parametrize("name", ["last", "daily", "weekly", "ridge"])
def test_a_row_without_training_reads_nothing_after_its_origin(city, name):
    benchmark = make_benchmark(city(22), horizon=6)
    origin = benchmark.protocol.test.start + 30
    values = benchmark.data.values.copy()
    values[origin:] *= 7
    changed = replace(benchmark, target=Target(replace(benchmark.data, values=values), "changed"))
    usual, other = (closed_form_forecast(name, b, 6)[:31] for b in (benchmark, changed))
    np.testing.assert_array_equal(usual, other)


PRINTED = {
    ("A", "last"): ((25.54, 57.80), (86.62, 212.8)),
    ("A", "daily"): ((44.13, 133.2), (44.05, 134.5)),
    ("A", "weekly"): ((107.9, 390.7), (114.2, 412.7)),
    ("A", "ridge"): ((23.84, 62.17), (54.84, 169.3)),
    ("B", "last"): ((37.30, 105.5), (133.4, 382.0)),
    ("B", "daily"): ((50.16, 163.0), (47.28, 151.9)),
    ("B", "weekly"): ((46.41, 149.3), (46.96, 151.3)),
    ("B", "ridge"): ((26.04, 72.20), (45.31, 134.7)),
}


@pytest.mark.parametrize("name", ["A", "B"])
def test_milano_has_the_printed_rows(real_data, printed_scales, name):
    target = Target(TrafficData.load(real_data("milano_internet_100.npz")), "milano")
    benchmark = make_benchmark(target, name)
    reference = Reference.of(benchmark)
    for row in ("last", "daily", "weekly", "ridge"):
        found = score(benchmark, lambda horizon, row=row: closed_form_forecast(row, benchmark, horizon), reference)
        for horizon, printed in zip((1, 24), PRINTED[name, row], strict=True):
            figures = found.horizons[horizon]["mean"]
            assert (figures["mae"], figures["rmse"]) == pytest.approx(printed, rel=2e-3)
            assert figures["mae_10min"] == pytest.approx(figures["mae"] / 6)
