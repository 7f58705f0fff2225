"""The ridge on lags."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge as SklearnRidge

from simmst.errors import SimmstError
from simmst.forecasting.ridge import default_lags, fit_ridge

LAGS = (1, 2, 3, 12)


def traffic(steps: int = 200, nodes: int = 4, services: int = 2) -> np.ndarray:
    rng = np.random.default_rng(1)
    daily = 2 + np.sin(2 * np.pi * np.arange(steps) / 12)[:, None, None]
    return rng.gamma(20.0, 1.0, (steps, nodes, services)) * daily * rng.gamma(3.0, 5.0, (nodes, services))


def test_it_is_the_ridge_of_scikit_learn_on_the_same_features():
    values = traffic()
    origins, horizon, nodes, services = np.arange(12, 148), 3, 4, 2
    ours = fit_ridge(values, slice(0, 150), origins, horizon, LAGS, penalty=7.0)

    unit = values[:150].mean(0) / 20
    log = np.log1p(values / unit)
    scaled = (log - log[:150].mean(0)) / log[:150].std(0)
    rows = [
        (np.concatenate([*(scaled[t - lag, n] for lag in LAGS), [1.0]]), scaled[t : t + horizon, n].ravel())
        for t in origins
        for n in range(nodes)
    ]
    theirs = SklearnRidge(alpha=7.0, fit_intercept=False).fit([x for x, _ in rows], [y for _, y in rows])
    np.testing.assert_allclose(ours.coefficients, theirs.coef_.T, atol=1e-6)

    expected = theirs.predict([np.concatenate([*(scaled[170 - lag, 1] for lag in LAGS), [1.0]])])
    expected = np.expm1(expected.reshape(horizon, services) * log[:150, 1].std(0) + log[:150, 1].mean(0)) * unit[1]
    np.testing.assert_allclose(ours.predict(values, np.array([170]))[0, :, 1], expected, rtol=1e-5)


@settings(max_examples=20)
@given(origin=st.integers(12, 199))
def test_a_forecast_reads_no_step_from_its_origin_on(origin):
    values = traffic()
    ridge = fit_ridge(values, slice(0, 100), np.arange(12, 99), 2, LAGS)
    poisoned = values.copy()
    poisoned[origin:] = 1e6
    origins = np.array([origin])
    np.testing.assert_array_equal(ridge.predict(poisoned, origins), ridge.predict(values, origins))


def test_the_fit_reads_no_step_after_its_last_target():
    values = traffic()
    poisoned = values.copy()
    poisoned[101:] = 1e6
    fits = [fit_ridge(v, slice(0, 100), np.arange(12, 100), 2, LAGS) for v in (values, poisoned)]
    np.testing.assert_array_equal(fits[0].coefficients, fits[1].coefficients)


@settings(max_examples=20, deadline=None)
@given(log10=st.floats(-6, 9))
def test_traffic_times_a_factor_has_forecasts_times_that_factor(log10):
    values, factor, origins = traffic(), 10.0**log10, np.arange(150, 198)
    fits = [fit_ridge(v, slice(0, 100), np.arange(12, 99), 2, LAGS) for v in (values, values * factor)]
    there = fits[1].predict(values * factor, origins)
    np.testing.assert_allclose(there / factor, fits[0].predict(values, origins), rtol=1e-4)


def test_a_constant_series_is_forecast_as_itself():
    values = np.full((100, 3, 2), 5.0)
    ridge = fit_ridge(values, slice(0, 80), np.arange(12, 78), 2, LAGS)
    np.testing.assert_allclose(ridge.predict(values, np.arange(80, 98)), 5.0, rtol=1e-12)


def test_lags_are_those_of_the_protocol_on_hourly_data_and_add_a_day_on_finer():
    assert default_lags(24) == (*range(1, 49), 168)
    assert default_lags(144) == (*range(1, 49), 144, 1008)


def test_origins_too_near_an_end_are_an_error():
    values = traffic()
    with pytest.raises(SimmstError, match="needs 12 steps before"):
        fit_ridge(values, slice(0, 100), np.arange(11, 50), 2, LAGS)
    with pytest.raises(SimmstError, match="2 steps from each origin"):
        fit_ridge(values, slice(0, 100), np.arange(12, 200), 2, LAGS)
    with pytest.raises(SimmstError, match="needs an origin"):
        fit_ridge(values, slice(0, 100), np.arange(0), 2, LAGS)
