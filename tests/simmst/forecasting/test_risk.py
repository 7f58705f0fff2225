"""Probabilities of exceeding: the inverse of quantiles, closed forms, what came, and files of thresholds."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

import simmst as sm
from simmst.errors import SimmstError
from simmst.forecasting.calibration import quantile_at
from simmst.forecasting.risk import LEAST, exceedance, read_given, read_thresholds
from simmst.pretraining.reading import LEVELS

from .test_pretrained import city


def normal(mean: float, deviation: float) -> np.ndarray:
    return (mean + deviation * norm.ppf(LEVELS)).reshape(1, 1, 1, -1)


@pytest.mark.parametrize("threshold", [60.0, 95.0, 100.0, 103.0, 119.0, 140.0])
def test_of_a_normal_variable_it_is_the_closed_form_far_into_the_tails(threshold):
    found = exceedance(normal(100, 10), np.full((1, 1), threshold))
    assert found.item() == pytest.approx(np.clip(norm.sf(threshold, 100, 10), LEAST, 1 - LEAST), rel=1e-6)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(0.01, 50), min_size=7, max_size=7), st.floats(-3.0, 3.0))
def test_it_is_the_inverse_of_a_quantile(steps, deviate):
    quantiles = np.cumsum(steps).reshape(1, 1, 1, -1)
    at = quantile_at(quantiles, deviate)[0]
    if at > 0:  # a quantile is cut off at 0
        assert exceedance(quantiles, at).item() == pytest.approx(float(norm.sf(deviate)), rel=1e-6)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 50), min_size=7, max_size=7), st.floats(0, 400), st.floats(0, 400))
def test_it_falls_with_the_threshold_and_is_never_sure(steps, one, two):
    quantiles = np.cumsum(steps).reshape(1, 1, 1, -1)
    low, high = (exceedance(quantiles, np.full((1, 1), x)).item() for x in sorted((one, two)))
    assert LEAST <= high <= low <= 1 - LEAST


def test_without_width_traffic_at_the_threshold_is_not_above_it():
    flat = np.full((1, 1, 1, 7), 5.0)
    found = [exceedance(flat, np.full((1, 1), x)).item() for x in (4.9, 5.0, 5.1)]
    assert found == [1 - LEAST, LEAST, LEAST]


def test_probabilities_come_true_as_often_as_they_say():
    # independent log-normal hours: the share of hours above, among those said to be above with p, is near p
    rng = np.random.default_rng(3)
    wave = 3 + np.sin(2 * np.pi * np.arange(24 * 29) / 24)
    values = (wave[:, None, None] * np.exp(rng.normal(0, 0.3, (24 * 29, 60, 1)))).astype(np.float32)
    data = sm.TrafficData(values, np.datetime64("2024-01-01T00:00", "m"), 60, ("net",), tuple(map(str, range(60))))
    found = sm.Selected().fit(data.select(stop=24 * 28)).predict(data.select(stop=24 * 28))
    truth = data.values[24 * 28 :]
    for threshold in (2.5, 3.5):
        said, came = found.exceedance(threshold), truth > threshold
        for low, high in ((0.05, 0.3), (0.3, 0.7), (0.7, 0.95)):
            chosen = (said >= low) & (said < high)
            if chosen.sum() > 200:
                assert abs(came[chosen].mean() - said[chosen].mean()) < 0.1


def test_a_list_by_risk_names_the_likeliest_hour():
    data = city(20)
    found = sm.Selected().fit(data).predict(data)
    service = data.services[0]
    limit = float(np.quantile(data.values[:, :, 0], 0.95))
    risk = found.risk({service: limit})
    assert risk["service"].unique().to_list() == [service] and len(risk) == len(data.node_ids)
    said = found.exceedance({service: limit})
    assert np.isnan(said[..., 1]).all()
    first = risk.row(0, named=True)
    node = data.node_ids.index(first["node"])
    assert first["probability"] == said[..., 0].max() == said[:, node, 0].max()
    assert first["time"] == found.times[said[:, node, 0].argmax()].astype("datetime64[us]").item()
    assert first["expected_hours"] == pytest.approx(said[:, node, 0].sum())
    assert risk["probability"].is_sorted(descending=True)
    assert (risk["any_hour_at_most"] >= risk["probability"]).all()
    assert first["highest_seen"] == data.values[:, node, 0].max()


def test_of_a_forecasts_quantile_the_rest_is_above():
    data = city(20)
    found = sm.Profile().fit(data).predict(data)
    for level in (0.02, 0.3, 0.5, 0.9, 0.99):
        at = found.quantile(level)
        said = np.stack([exceedance(found.quantiles[h], at[h]) for h in range(len(at))])
        np.testing.assert_allclose(said[at > 0], 1 - level, rtol=1e-4)
    for level in (0.0, 1.0, float("nan")):
        with pytest.raises(SimmstError, match="between 0 and 1"):
            found.quantile(level)


@pytest.mark.parametrize("forecaster", [sm.Ridge, sm.Profile])
def test_every_forecaster_with_intervals_gives_probabilities(forecaster):
    data = city(24)
    found = forecaster().fit(data).predict(data)
    assert (np.diff(found.quantiles, axis=-1) >= 0).all()
    np.testing.assert_allclose(found.quantiles[..., 3], found.values)
    said = found.exceedance(0.0)
    assert ((said >= LEAST) & (said <= 1 - LEAST)).all()


def test_thresholds_of_a_file(tmp_path):
    data = city(3)
    path = tmp_path / "limits.csv"
    rows = [{"node": n, "service": data.services[1], "value": 10.0 + i} for i, n in enumerate(data.node_ids)]
    pl.DataFrame([*rows, {"node": "elsewhere", "service": data.services[1], "value": 1.0}]).write_csv(path)
    found = read_thresholds(path, data)
    assert np.isnan(found[:, 0]).all() and found[:, 1].tolist() == [10.0, 11.0, 12.0, 13.0]
    np.testing.assert_array_equal(read_given([str(path)], data), found)
    pl.DataFrame(rows[1:]).write_csv(path)
    with pytest.raises(SimmstError, match=f"lacks {data.node_ids[0]}/{data.services[1]}"):
        read_thresholds(path, data)
    pl.DataFrame([*rows, rows[0]]).write_csv(path)
    with pytest.raises(SimmstError, match="given twice"):
        read_thresholds(path, data)


@pytest.mark.parametrize(
    ("given", "words"),
    [(["nothing=5"], "must name services"), (["{}=x"], "SERVICE=VALUE"), (["{}=-1"], "0 or more"),
     (["{}=1", "{}=2"], "given twice"), (["missing.csv"], "cannot be read"), (["{}=nan"], "SERVICE=VALUE")],
)  # fmt: skip
def test_what_is_no_threshold_is_refused(given, words):
    data = city(2)
    with pytest.raises(SimmstError, match=words):
        read_given([one.format(data.services[0]) for one in given], data)
