"""Intervals from quantiles: any level, and factors that cover what was held back."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from simmst.errors import DataError
from simmst.forecasting.calibration import Calibration, held_out_origins, judged, quantile_at
from simmst.pretraining.reading import LEVELS
from simmst.traffic.dataset import TrafficData

DEVIATES = norm.ppf(LEVELS)


def city(days: int, spread, nodes: int = 6, seed: int = 0) -> TrafficData:
    """Nodes of mean 100 with normal noise of a deviation each."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 1, (24 * days, nodes, 1)) * np.broadcast_to(spread, nodes)[:, None]
    values = np.maximum(100 + noise, 0).astype(np.float32)
    return TrafficData(
        values, np.datetime64("2024-01-01T00:00", "m"), 60, ("net",), tuple(f"n{i}" for i in range(nodes))
    )


def normal_quantiles(before, known, hour, deviation=5.0):
    nodes = before.shape[1]
    return np.broadcast_to(100 + deviation * DEVIATES, (24, nodes, 1, len(LEVELS))).astype(np.float32)


def everything(data):
    return np.ones(data.values.shape, dtype=bool)


@pytest.mark.parametrize("level", [0.01, 0.05, 0.2, 0.5, 0.6, 0.9, 0.95, 0.99])
def test_a_level_between_or_beyond_is_that_of_a_normal_variable(level):
    found = (100 + 5 * DEVIATES)[None].astype(np.float32)
    assert quantile_at(found, norm.ppf(level))[0] == pytest.approx(100 + 5 * norm.ppf(level), rel=1e-4)


@pytest.mark.parametrize(("deviation", "factor"), [(2.5, 0.9), (5.0, 1.0), (10.0, 2.0)])
def test_factors_bring_narrow_widths_to_right_ones_and_narrow_little(deviation, factor):
    data = city(20, deviation)
    calibration = Calibration.measured(data, everything(data), normal_quantiles)
    factors = calibration.factors
    # a week a node: the 90 % point of all is known to some 3 %
    np.testing.assert_allclose(factors, factor, rtol=0.2)
    assert factors.min() >= 0.9 and np.median(factors) == pytest.approx(factor, rel=0.07)
    # of an hour there are a tenth as many
    np.testing.assert_allclose(calibration.hour_factors, 1.0, rtol=0.25)


def test_hours_of_the_day_have_their_own_factors_by_the_local_clock():
    rng = np.random.default_rng(0)
    start = np.datetime64("2024-01-03T05:00", "m")
    clock = (5 + np.arange(24 * 20)) % 24
    deviation = np.where((clock >= 2) & (clock < 6), 15.0, 5.0)
    values = np.maximum(100 + rng.normal(0, 1, (24 * 20, 20, 1)) * deviation[:, None, None], 0)
    data = TrafficData(values.astype(np.float32), start, 60, ("net",), tuple(f"n{i}" for i in range(20)))
    calibration = Calibration.measured(data, everything(data), normal_quantiles)
    night = np.isin(np.arange(24), [2, 3, 4, 5])
    assert calibration.hour_factors[night].min() > 1.5 * calibration.hour_factors[~night].max()
    found = normal_quantiles(data.values, None, 0)
    for stop in (24 * 20, 24 * 20 - 5):  # the forecast begins at five, or at midnight
        before = data.select(stop=stop)
        lower, upper = calibration.interval(found, before, 0.9)
        ahead = (5 + stop + np.arange(24)) % 24
        wide = (upper - lower).mean(axis=(1, 2))
        assert wide[night[ahead]].min() > 1.5 * wide[~night[ahead]].max()
        every = calibration.quantiles(found, before)
        np.testing.assert_allclose(every[..., 0], lower, rtol=1e-5)
        np.testing.assert_allclose(every[..., -1], upper, rtol=1e-5)
    # nights were covered to 2 Phi(1.645 / 3) - 1 = 42 %
    factors = calibration.hour_factors[clock, 0][:, None] * calibration.factors[:, 0]
    inside = np.abs(values[..., 0] - 100) <= 5 * DEVIATES[-1] * factors
    assert inside[night[clock]].mean() > 0.7 and 0.86 < inside.mean() < 0.94


def test_a_series_that_began_within_a_day_of_an_origin_is_not_judged_there():
    known = np.ones((72, 2, 1), dtype=bool)
    known[:40, 1] = False  # began at 40
    known[50] = False
    found = judged(known, 48, 24)
    assert found[:, 0, 0].tolist() == [hour != 2 for hour in range(24)] and not found[:, 1].any()
    assert not judged(known, 64, 8)[:, 1].any() and judged(known, 65, 7)[:, 1].all()
    data = city(20, 5.0)
    known, values = everything(data), data.values.copy()
    origins = held_out_origins(data)
    known[: origins[3] - 20, 0] = False
    spoilt = values.copy()
    spoilt[origins[3], 0] = 1e6

    def factors(one):
        found = [normal_quantiles(one[:at], None, 0) for at in origins[3:]]
        return Calibration.of(replace(data, values=one), known, origins[3:], found).factors

    np.testing.assert_array_equal(factors(values), factors(spoilt))


def test_a_node_that_did_not_move_keeps_a_width():
    data = city(20, [0.0, 5.0, 5.0, 5.0, 5.0, 5.0])
    calibration = Calibration.measured(data, everything(data), normal_quantiles)
    found = normal_quantiles(data.values, None, 0)
    lower, upper = calibration.interval(found, data, 0.9)
    given = 10 * norm.ppf(0.95)
    assert (upper - lower)[:, 0].min() > 0.6 * given and (upper - lower)[:, 0].mean() > 0.85 * given


def test_each_node_has_its_own_as_far_as_its_hours_tell():
    data = city(20, [2.5, 2.5, 2.5, 10.0, 10.0, 10.0])
    calibration = Calibration.measured(data, everything(data), normal_quantiles)
    factors = calibration.factors[:, 0]
    assert factors[3:].min() > 1.5 * factors[:3].max()
    newer = city(50, [2.5, 2.5, 2.5, 10.0, 10.0, 10.0], seed=9)  # one day of six nodes says too little
    lower, upper = calibration.interval(normal_quantiles(newer.values, None, 0), newer, 0.9)
    inside = ((lower[:1] <= newer.values) & (newer.values <= upper[:1])).mean(axis=(0, 2))
    assert inside.min() >= 0.75 and 0.86 < inside.mean() <= 1.0


def test_a_short_history_and_unknown_hours_measure_nothing():
    data = city(6, 5.0)
    assert not Calibration.measured(data, everything(data), normal_quantiles).node_ids
    lower, upper = Calibration.none().interval(normal_quantiles(data.values, None, 0), data, 0.9)
    np.testing.assert_allclose(upper - lower, 10 * norm.ppf(0.95), rtol=1e-4)
    longer = city(10, 5.0)
    nothing = np.zeros(longer.values.shape, dtype=bool)
    assert (Calibration.measured(longer, nothing, normal_quantiles).factors == 1).all()


def test_other_nodes_take_the_middle_factor_and_other_services_one():
    data = city(20, 10.0)
    calibration = Calibration.measured(data, everything(data), normal_quantiles)
    other = TrafficData(np.repeat(data.values, 2, axis=2), data.start, 60, ("net", "new"), tuple("uvwxyz"))
    found = np.repeat(normal_quantiles(data.values, None, 0), 2, axis=2)
    lower, upper = calibration.interval(found, other, 0.9)
    width = (upper - lower)[0] / (10 * norm.ppf(0.95))
    midnight = calibration.hour_factors[0, 0]
    np.testing.assert_allclose(width[:, 0], np.median(calibration.factors) * midnight, rtol=1e-4)
    np.testing.assert_allclose(width[:, 1], 1.0, rtol=1e-4)


def test_it_is_kept_and_damage_is_found():
    data = city(20, [2.5, 2.5, 2.5, 10.0, 10.0, 10.0])
    calibration = Calibration.measured(data, everything(data), normal_quantiles)
    arrays = calibration.as_arrays()
    again = Calibration.from_arrays(arrays)
    assert again.node_ids == calibration.node_ids and again.services == calibration.services
    np.testing.assert_array_equal(again.factors, calibration.factors)
    np.testing.assert_array_equal(again.hour_factors, calibration.hour_factors)
    Calibration.from_arrays(Calibration.none().as_arrays())
    before = {name: one for name, one in arrays.items() if name != "hour_factors"}  # as files of before
    assert (Calibration.from_arrays(before).hour_factors == 1).all()
    for change, words in (
        ({"factors": arrays["factors"][:2]}, "factors"),
        ({"factors": arrays["factors"] * 9}, "between"),
        ({"hour_factors": arrays["hour_factors"][:5]}, "hour_factors"),
        ({"hour_factors": arrays["hour_factors"] * 9}, "between"),
    ):
        with pytest.raises(DataError, match=words):
            Calibration.from_arrays(arrays | change)
    del arrays["services"]
    with pytest.raises(DataError, match="lacks 'services'"):
        Calibration.from_arrays(arrays)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0, 2.0**100, width=32), min_size=7, max_size=7),
    st.sampled_from([1e-9, 0.001, 0.3, 0.9, 0.999, 1 - 1e-16]),
    st.floats(0.5, 3.0),
)
def test_ends_lie_about_the_median_and_are_finite_at_any_level(quantiles, level, factor):
    found = np.sort(np.array(quantiles, dtype=np.float32)).reshape(1, 1, 1, 7)
    data = city(1, 1.0, nodes=1)
    factors = np.full((1, 1), factor), np.ones((24, 1))
    lower, upper = Calibration(data.node_ids, data.services, *factors).interval(found, data, level)
    median = found[..., 3].astype(float)
    assert 0 <= lower.item() <= median.item() <= upper.item() < np.inf


def test_a_forecast_without_width_measures_nothing():
    # one silent at every origin is forecast as 0 for sure: it takes the pooled factor, changes none
    data = city(20, 10.0, nodes=3)

    def ask(before, known, hour):
        found = normal_quantiles(before, known, hour).copy()
        found[:, 0] = 0
        return found

    factors = Calibration.measured(data, everything(data), ask).factors[:, 0]
    others = data.select(nodes=["n1", "n2"])
    alone = Calibration.measured(others, everything(others), normal_quantiles).factors[:, 0]
    assert min(alone) <= factors[0] <= max(alone)
    np.testing.assert_array_equal(factors[1:], alone)


def test_origins_lie_in_the_second_half_and_nothing_after_them_is_read():
    data, seen = city(10, 5.0), []
    data.values[:] = np.arange(240)[:, None, None]

    def ask(before, known, hour):
        assert before.shape == known.shape and before[-1, 0, 0] == len(before) - 1
        assert hour == len(before)  # the data begin on a Monday at midnight
        seen.append(len(before))
        return normal_quantiles(before, known, hour)

    Calibration.measured(data, everything(data), ask)
    assert max(seen) == 216 and 120 <= min(seen) < 127 and len({one % 24 for one in seen}) == len(seen)


def test_unknown_hours_of_the_truth_count_for_nothing():
    data = city(20, 5.0)
    known, values = everything(data), data.values.copy()
    known[300:400, 0], values[300:400, 0] = False, 1e6
    spoilt = Calibration.measured(replace(data, values=values), known, normal_quantiles)
    np.testing.assert_array_equal(spoilt.factors, Calibration.measured(data, known, normal_quantiles).factors)


def test_each_side_of_the_median_is_held_against_its_own_end():
    data = city(20, 10.0)
    data.values[:] = 100 + np.abs(data.values - 100)  # all above the median, which has far too wide a lower side

    def ask(before, known, hour):
        found = normal_quantiles(before, known, hour, 10.0).copy()
        found[..., :3] = [0.0, 1.0, 2.0]
        return found

    assert np.median(Calibration.measured(data, everything(data), ask).factors) == pytest.approx(1.0, rel=0.1)
