"""Simple rows as forecasters: any history of a day, any unit, what is kept, and figures on real traffic."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import simmst as sm
from simmst.forecasting.simple import LastWeek, Yesterday

from .test_pretrained import city

ROWS = (sm.Profile, sm.Autoregression, sm.Blend, Yesterday, LastWeek)


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize(("days", "horizon"), [(1, None), (2, 168), (10, 30)])
def test_any_history_of_a_day_or_more_is_forecast_with_intervals(row, days, horizon):
    found = row().fit(city(days)).predict(city(days), horizon)
    assert found.values.shape == (horizon or 24, 4, 2)
    assert (found.lower <= found.values).all() and (found.values <= found.upper).all() and found.lower.min() >= 0


@pytest.mark.parametrize("row", ROWS)
@settings(max_examples=8, deadline=None)
@given(power=st.floats(-6, 6), days=st.sampled_from([1, 3, 9]))
def test_another_unit_gives_the_same_forecast(row, power, days):
    data, factor = city(days), np.float32(10**power)
    other = dataclasses.replace(data, values=data.values * factor)
    one, two = (row().fit(each).predict(each) for each in (data, other))
    for name in ("values", "lower", "upper"):
        np.testing.assert_allclose(getattr(two, name), factor * getattr(one, name), rtol=1e-4)


@pytest.mark.parametrize("row", ROWS)
def test_what_is_fitted_is_kept(row, tmp_path):
    data = city(12)
    fitted = row().fit(data)
    fitted.save(tmp_path / "kept")
    one, two = fitted.predict(data), sm.load(tmp_path / "kept").predict(data)
    for name in ("values", "lower", "upper"):
        np.testing.assert_array_equal(getattr(two, name), getattr(one, name))


@pytest.mark.parametrize("row", ROWS)
def test_intervals_cover_what_they_say(row):
    data = city(40, nodes=20)
    fitted = row().fit(data.select(stop=24 * 30))
    found = sm.backtest([fitted], data, 24, 24, start=24 * 30)
    assert 0.84 < found.scores()["coverage"].mean() < 0.96


def test_an_autoregression_knows_its_services_and_any_nodes():
    fitted = sm.Autoregression().fit(city(9))
    other = city(9, nodes=6, services=("net", "call"), seed=1)
    assert fitted.predict(other).values.shape == (24, 6, 2)
    with pytest.raises(sm.DataError, match="service 'x' was not fitted; fitted were call, net"):
        fitted.predict(city(9, services=("x",)))
    with pytest.raises(sm.ConfigError, match="was not fitted"):
        sm.Autoregression().predict(city(9))


def test_what_cannot_be_is_refused():
    with pytest.raises(sm.DataError, match="12 hours; a day of history"):
        sm.Profile().predict(city(1).select(stop=12))
    with pytest.raises(sm.ConfigError, match="horizon 169: must be 1 to 168"):
        sm.Profile().predict(city(2), 169)
    with pytest.raises(sm.ConfigError, match="level 1"):
        sm.Profile().predict(city(2), level=1.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("row", "wanted"),
    # Their published figures are 15.26 / 2.282 / 3.360 / .530 and 16.27 / 2.37 / 3.32 / .520: of logarithms of the
    # traffic itself, which are not the same in another unit.
    [(sm.Profile, (14.50, 2.205, 3.212, 0.511)), (sm.Autoregression, (16.61, 2.374, 3.322, 0.520))],
)
def test_the_figures_on_the_test_days_of_jinan(row, wanted, real_data):
    data = sm.TrafficData.load(real_data("jinan.npz"))
    fitted = row().fit(data.select(stop=14 * 24))
    found = sm.backtest([fitted], data, 24, 1, start=17 * 24)
    np.testing.assert_allclose(found.scores()["mae"], wanted, rtol=2e-3)
