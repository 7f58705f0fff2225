"""The seasonal naive forecast."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simmst.errors import SimmstError
from simmst.forecasting.naive import naive_periods, seasonal_naive


def series(steps: int, nodes: int = 2, services: int = 3) -> np.ndarray:
    return np.random.default_rng(0).gamma(2.0, 10.0, (steps, nodes, services))


def test_period_one_repeats_the_last_value():
    values = series(30)
    forecast = seasonal_naive(values, np.array([10, 20]), 5, 1)
    assert forecast.shape == (2, 5, 2, 3)
    for h in range(5):
        np.testing.assert_array_equal(forecast[:, h], values[[9, 19]])


def test_a_periodic_series_is_forecast_exactly_however_long_the_horizon():
    values = np.tile(series(24), (5, 1, 1))
    origins = np.arange(24, 50)
    forecast = seasonal_naive(values, origins, 70, 24)
    np.testing.assert_array_equal(forecast, values[origins[:, None] + np.arange(70)])


@given(origin=st.integers(24, 60), horizon=st.integers(1, 60), period=st.sampled_from([1, 7, 24]))
def test_no_step_from_the_origin_on_is_read(origin, horizon, period):
    values = series(130)
    poisoned = values.copy()
    poisoned[origin:] = np.nan
    origins = np.array([origin])
    forecast = seasonal_naive(poisoned, origins, horizon, period)
    np.testing.assert_array_equal(forecast, seasonal_naive(values, origins, horizon, period))


def test_an_origin_without_a_whole_period_before_it_is_an_error():
    with pytest.raises(SimmstError, match="origins: a naive forecast of period 24 needs 24 steps"):
        seasonal_naive(series(50), np.array([23]), 1, 24)


def test_the_three_rows_of_a_ten_minute_series():
    assert naive_periods(144) == {"last value": 1, "same hour yesterday": 144, "same hour last week": 1008}
