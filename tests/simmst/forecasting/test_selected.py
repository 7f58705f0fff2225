"""The pretrained network or a simple row: what is chosen is what forecasts, from a day on, in any unit."""

import dataclasses

import numpy as np
import pytest
import torch

import simmst as sm
from simmst.forecasting.closed_form import Naive
from simmst.forecasting.selected import held_back

from .test_pretrained import city


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """A second thread makes small operations many times slower on busy cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def odd_city(days: int) -> sm.TrafficData:
    """Every day is the one before, and none is like what networks have seen."""
    day = np.random.default_rng(5).gamma(0.3, 1, (24, 3, 1)) + 0.01
    values = np.tile(day, (days, 1, 1)).astype(np.float32)
    return sm.TrafficData(values, np.datetime64("2024-01-01T00:00", "m"), 60, ("net",), ("a", "b", "c"))


def test_origins_are_held_back_days_at_all_hours():
    np.testing.assert_array_equal(held_back(24 * 4), [48, 51, 58, 65, 72][1:])
    found = held_back(24 * 30)
    assert found.min() >= 24 * 23 and found.max() == 24 * 29 and len(set(found % 24)) > 18


def test_a_row_that_is_exact_is_chosen_and_forecasts():
    data = odd_city(12)
    found = sm.Selected().fit(data)
    assert found.choice is not None and found.choice.origins == 18
    assert set(found.choice.used()) <= {"yesterday", "last week", "profile", "blend", "ar"}
    np.testing.assert_allclose(found.predict(data).values, data.values[:24], rtol=2e-3)
    frame = found.choice.frame()
    assert frame.columns == ["service", "leads", "row", "mae", "taken"]
    assert frame.filter(frame["taken"])["mae"].max() < 0.1 * frame.filter(row="pretrained")["mae"].min()


@pytest.mark.parametrize(("days", "horizon"), [(1, 24), (2, 24), (3, 24), (8, 48), (20, 24)])
def test_any_history_is_forecast_with_intervals(days, horizon, tmp_path):
    data = city(days)
    fitted = sm.Selected(horizon=horizon).fit(data)
    one = fitted.predict(data)
    assert one.values.shape == (horizon, 4, 2)
    assert (one.lower <= one.values).all() and (one.values <= one.upper).all() and one.lower.min() >= 0
    fitted.save(tmp_path / "kept")
    two = sm.load(tmp_path / "kept")
    assert two.said() == fitted.said() and ("too few days" in two.said()) == (days < 7)
    for name in ("values", "lower", "upper"):
        np.testing.assert_allclose(getattr(two.predict(data), name), getattr(one, name), rtol=1e-6)
    np.testing.assert_allclose(fitted.predict(data, 5).values, one.values[:5], rtol=1e-5)


def test_less_than_three_days_are_the_networks():
    data = city(2)
    np.testing.assert_array_equal(
        sm.Selected().fit(data).predict(data).values, sm.pretrained().predict(data).values
    )


def test_another_unit_gives_the_same_choice_and_forecast():
    data = city(12)
    other = dataclasses.replace(data, values=data.values * np.float32(1e-3))
    one, two = (sm.Selected().fit(each) for each in (data, other))
    assert one.said() == two.said()
    np.testing.assert_allclose(two.predict(other).upper, 1e-3 * one.predict(data).upper, rtol=1e-3)


def test_other_forecasters_are_compared_and_nodes_they_do_not_know_are_the_networks(tmp_path):
    data = odd_city(25)
    other = Naive("daily")
    found = sm.Selected(others=[other]).fit(data)
    assert found.choice is not None and "daily" in found.choice.rows
    more = dataclasses.replace(
        data, values=np.concatenate([data.values, data.values[:, :1]], axis=1), node_ids=("a", "b", "c", "new")
    )
    assert np.isfinite(found.predict(more).values).all()
    assert found.predict(more.select(services=["net"])).values.shape == (24, 4, 1)


def test_what_cannot_be_is_refused(tmp_path):
    with pytest.raises(sm.DataError, match="12 hours; a day of history"):
        sm.Selected().fit(city(1).select(stop=12))
    with pytest.raises(sm.ConfigError, match="others: must have names of their own"):
        sm.Selected(others=[sm.Profile()])
    fitted = sm.Selected(horizon=12).fit(city(3))
    with pytest.raises(sm.ConfigError, match="horizon 13: this forecaster was made for 1 to 12"):
        fitted.predict(city(3), 13)
