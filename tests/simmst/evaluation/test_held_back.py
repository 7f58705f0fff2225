"""Coverage and reliability on held-back days: by hand, and of forecasts that know the truth's distribution."""

import numpy as np
import pytest
from scipy.stats import norm

import simmst as sm
from simmst.evaluation.coverage import coverage
from simmst.evaluation.reliability import reliability
from simmst.forecasting.held_back import HeldBack
from simmst.pretraining.reading import LEVELS


def held(truth: np.ndarray, quantiles: np.ndarray, origins=(48, 55), seed: int = 0) -> HeldBack:
    rng = np.random.default_rng(seed)
    nodes, services = truth.shape[2:]
    values = np.exp(rng.normal(0, 1, (origins[0], nodes, services))).astype(np.float32)
    before = sm.TrafficData(
        values, np.datetime64("2024-01-01T05:00", "m"), 60, tuple("ab"[:services]), tuple(map(str, range(nodes)))
    )
    return HeldBack(before, np.array(origins), before.start_hour, quantiles, truth)


def test_coverage_by_hand():
    truth = np.full((2, 24, 3, 2), 5.0)
    quantiles = np.tile(np.linspace(1, 9, 7), (2, 24, 3, 2, 1))
    truth[0, :, 1, 0] = 20.0  # half of a node's hours
    truth[:, 3, 2, 1] = 0.0  # one lead
    truth[:, :, 2, 0] = np.nan
    found = coverage(held(truth, quantiles))
    known = 2 * 24 * 5
    assert found["level"] == 0.9
    assert found["pooled"] == pytest.approx(1 - (24 + 2) / known)
    assert found["nodes_right"] == pytest.approx(4 / 5)
    assert found["by_service"]["b"] == pytest.approx(1 - 2 / 144)
    assert found["by_hours_ahead"][3] == pytest.approx(1 - 3 / 10)
    assert found["worst"][0] == {"node": "1", "service": "a", "covered": 0.5, "hours": 48}
    # the first origin is at hour 48 + 5 of the day, the second seven hours later
    assert found["by_hour_of_day"][(5 + 48 + 3) % 24] == pytest.approx(1 - 2 / 10)


def test_nothing_known_is_said_and_not_counted():
    truth = np.full((2, 24, 1, 1), np.nan)
    quantiles = np.tile(np.linspace(1, 9, 7), (2, 24, 1, 1, 1))
    found = coverage(held(truth, quantiles))
    assert found["pooled"] is None and found["nodes_right"] is None and found["worst"] == []
    assert reliability(held(truth, quantiles)) is None


def test_probabilities_of_who_knows_the_distribution_come_true_and_those_of_who_is_too_sure_do_not():
    rng = np.random.default_rng(1)
    shape = (40, 24, 20, 1)
    centre = rng.normal(0, 1, shape)
    truth = np.exp(centre + rng.normal(0, 0.5, shape))
    origins = 480 + 24 * np.arange(40)
    found, sure = (
        reliability(held(truth, np.exp(centre[..., None] + spread * norm.ppf(LEVELS)), origins))
        for spread in (0.5, 0.1)
    )
    for one in found["bins"]:
        if one["hours"] > 500:
            assert one["came"] == pytest.approx(one["said"], abs=0.05)
    assert found["brier"] < sure["brier"] and found["brier"] < found["brier_usual"]
    assert max(abs(one["came"] - one["said"]) for one in sure["bins"]) > 0.1
    assert sum(one["hours"] for one in found["bins"]) == 3 * truth.size
