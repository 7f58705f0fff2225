"""Intervals from quantiles: any level, and factors that cover what was held back."""

import numpy as np
import pytest
from scipy.stats import norm

from simmst.errors import DataError
from simmst.forecasting.calibration import Calibration, quantile_at
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
    assert quantile_at(found, level)[0] == pytest.approx(100 + 5 * norm.ppf(level), rel=1e-4)


@pytest.mark.parametrize("deviation", [2.5, 5.0, 10.0])
def test_factors_bring_wrong_widths_to_right_ones(deviation):
    data = city(20, deviation)
    factors = Calibration.measured(data, everything(data), normal_quantiles).factors
    # a week a node: the 90 % point of all is known to some 3 %
    np.testing.assert_allclose(factors, deviation / 5.0, rtol=0.2)
    assert np.median(factors) == pytest.approx(deviation / 5.0, rel=0.07)


def test_each_node_has_its_own_as_far_as_its_hours_tell():
    data = city(20, [2.5, 2.5, 2.5, 10.0, 10.0, 10.0])
    calibration = Calibration.measured(data, everything(data), normal_quantiles)
    factors = calibration.factors[:, 0]
    assert factors[3:].min() > 1.5 * factors[:3].max()
    newer = city(5, [2.5, 2.5, 2.5, 10.0, 10.0, 10.0], seed=9)
    lower, upper = calibration.interval(normal_quantiles(newer.values, None, 0), newer, 0.9)
    truth = newer.values[:24].astype(float)
    inside = ((lower <= truth) & (truth <= upper)).mean(axis=(0, 2))
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
    np.testing.assert_allclose(width[:, 0], np.median(calibration.factors), rtol=1e-4)
    np.testing.assert_allclose(width[:, 1], 1.0, rtol=1e-4)


def test_it_is_kept_and_damage_is_found():
    data = city(20, [2.5, 2.5, 2.5, 10.0, 10.0, 10.0])
    calibration = Calibration.measured(data, everything(data), normal_quantiles)
    arrays = calibration.as_arrays()
    again = Calibration.from_arrays(arrays)
    assert again.node_ids == calibration.node_ids and again.services == calibration.services
    np.testing.assert_array_equal(again.factors, calibration.factors)
    Calibration.from_arrays(Calibration.none().as_arrays())
    for change, words in (
        ({"factors": arrays["factors"][:2]}, "factors"),
        ({"factors": arrays["factors"] * 9}, "between"),
    ):
        with pytest.raises(DataError, match=words):
            Calibration.from_arrays(arrays | change)
    del arrays["services"]
    with pytest.raises(DataError, match="lacks 'services'"):
        Calibration.from_arrays(arrays)
