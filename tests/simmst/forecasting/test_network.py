"""Forecasts of a network in the units of the traffic."""

import numpy as np
import pytest
from torch import Tensor, nn

from simmst.errors import ConfigError
from simmst.evaluation.scores import truth
from simmst.forecasting.naive import seasonal_naive
from simmst.forecasting.network import forecast_windows, network_forecast
from simmst.traffic.dataset import TrafficData
from simmst.traffic.scaling import NodeScaler


class Yesterday(nn.Module):
    """The same hour yesterday, as a network sees it."""

    def forward(self, history: Tensor, history_marks: Tensor, future_marks: Tensor) -> Tensor:
        return history[:, -24 : -24 + future_marks.shape[1], history.shape[2] // 2]


@pytest.fixture
def city() -> TrafficData:
    rng = np.random.default_rng(0)
    return TrafficData(
        values=rng.gamma(3.0, 20.0, (100, 30, 2)).astype(np.float32),
        start=np.datetime64("2024-07-28T00:00", "m"),
        step_minutes=60,
        services=("up", "down"),
        node_ids=tuple(f"node {n}" for n in range(30)),
        coordinates=rng.random((30, 2)),
    )


def test_axes_and_units_are_those_of_the_traffic(city):
    scaler = NodeScaler.fit(city.values[:60])
    origins = np.arange(60, 95)
    seen = []
    windows = forecast_windows(city, scaler, origins, 48, 6)
    forecast = network_forecast(Yesterday(), windows, scaler, lambda *done: seen.append(done))
    np.testing.assert_allclose(forecast, seasonal_naive(city.values, origins, 6, 24), rtol=1e-4)
    assert seen[-1] == (35 * 30, 35 * 30) and len(seen) == 3


def test_the_last_origins_forecast_past_the_end_and_read_nothing_from_there(city):
    scaler = NodeScaler.fit(city.values[:60])
    last = np.array([99, 100])
    windows = forecast_windows(city, scaler, last, 48, 6)
    forecast = network_forecast(Yesterday(), windows, scaler)
    np.testing.assert_allclose(forecast[:, 0], truth(city.values, last - 24, 1)[:, 0], rtol=1e-4)
    marks = windows.batch(np.array([0])).future_marks
    week_earlier = forecast_windows(city, scaler, last - 24, 48, 6).batch(np.array([0])).future_marks
    np.testing.assert_allclose(marks[..., :2], week_earlier[..., :2], atol=1e-6)  # the same hours of the day


def test_before_the_data_the_first_season_is_repeated_and_no_forecast_is_earlier(city):
    scaler = NodeScaler.fit(city.values[:60])
    windows = forecast_windows(city, scaler, np.array([24, 30]), 48, 6, season=24)
    history = windows.batch(np.array([0])).history[0]
    np.testing.assert_array_equal(history[:24], history[24:])
    for origin, season, needed in ((23, 24, 24), (47, None, 48), (101, 24, 24)):
        with pytest.raises(ConfigError, match=f"must lie between {needed}, the history"):
            forecast_windows(city, scaler, np.array([origin]), 48, 6, season=season)
