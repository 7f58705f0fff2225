"""The arithmetic of the simple rows: closed forms on cities whose answer is known."""

import numpy as np
import pytest

import simmst as sm
from simmst.forecasting import autoregression, rows
from simmst.forecasting.past import Past
from simmst.forecasting.pretrained import known_hours

MONDAY = np.datetime64("2024-01-01T00:00", "m")


def past_of(values, start=MONDAY, known=None):
    values = np.asarray(values, dtype=np.float32).reshape(len(values), -1, 1)
    names = tuple(map(str, range(values.shape[1])))
    data = sm.TrafficData(values, start, 60, ("net",), names)
    return Past.of(data, known_hours(data) if known is None else known.reshape(values.shape))


def test_the_past_is_whole_days_back_from_the_origin():
    past = past_of(np.arange(1.0, 31.0))  # thirty hours: a day and six hours
    assert past.days == 2 and past.hour == 30 and not past.known[:18].any()
    np.testing.assert_array_equal(past.values[18:, 0, 0], np.arange(1, 31))
    np.testing.assert_array_equal(past.weekend(1), np.arange(49) < 18)  # Sunday, then Monday
    assert past_of(np.ones(24), MONDAY + np.timedelta64(4, "D")).weekend(24)[24:].all()


@pytest.mark.parametrize("days", [1, 7])
def test_the_same_hour_is_that_of_the_newest_whole_period(days):
    values = np.random.default_rng(0).gamma(2, 1, 24 * 9 + 5)
    found = rows.same_hour(past_of(values), 60, days)[:, 0, 0]
    period = 24 * days
    wanted = [values[len(values) + h - period * (h // period + 1)] for h in range(60)]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_an_unknown_hour_of_yesterday_is_that_hours_mean():
    values = np.tile(np.arange(1.0, 25.0), 3) * np.repeat([1.0, 3.0, 100.0], 24)
    known = np.ones(72, dtype=bool)
    known[-4] = False
    found = rows.same_hour(past_of(values, known=known), 24, 1)[:, 0, 0]
    assert found[20] == pytest.approx(21 * 2.0) and found[19] == pytest.approx(2000)


@pytest.mark.parametrize("row", [rows.profile, rows.blend, lambda p, h: rows.same_hour(p, h, 7)])
def test_a_day_is_repeated_where_it_is_all_there_is(row):
    day = np.random.default_rng(0).gamma(2, 1, (24, 3))
    np.testing.assert_allclose(row(past_of(day), 30)[:, :, 0], np.concatenate([day, day[:6]]), rtol=1e-6)


def test_the_profile_knows_working_days_and_weekends():
    hour = np.arange(24 * 18)  # eighteen days from Monday: the next hours are a Friday's, then a weekend's
    values = (2 + np.sin(2 * np.pi * hour / 24)) * np.where(hour // 24 % 7 < 5, 10.0, 3.0)
    found = rows.profile(past_of(values), 72)[:, 0, 0]
    ahead = np.arange(24 * 18, 24 * 21)
    wanted = (2 + np.sin(2 * np.pi * ahead / 24)) * np.where(ahead // 24 % 7 < 5, 10.0, 3.0)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_the_profile_moves_by_half_of_what_the_last_day_was_off():
    values = np.full(24 * 5, 100.0)  # Monday to Friday, without a weekend
    values[-24:] = 200.0
    mean = values.mean()
    logs = np.log(0.05 + values / mean)
    profile = logs.reshape(5, 24).mean(axis=0)[0]
    wanted = mean * (np.exp(profile + 0.5 * (logs[-1] - profile)) - 0.05)
    np.testing.assert_allclose(rows.profile(past_of(values), 24)[:, 0, 0], wanted, rtol=1e-6)


def test_the_blend_is_the_mean_of_yesterday_and_the_scaled_profile():
    values = np.random.default_rng(1).gamma(2, 1, 72)
    days = values.reshape(3, 24)
    mean = days.mean(axis=0)
    level = values[-6:].sum() / mean[-6:].sum()
    np.testing.assert_allclose(rows.blend(past_of(values), 24)[:, 0, 0], (days[-1] + level * mean) / 2, rtol=1e-6)


def test_departures_of_an_autoregression_are_found_again():
    """Departures that are 0.8 of the hour before: the ridge finds 0.8 to the power of the lead."""
    rng = np.random.default_rng(0)
    hours, nodes = 24 * 28, 150
    away = np.zeros((hours, nodes))
    for t in range(1, hours):
        away[t] = 0.8 * away[t - 1] + rng.normal(0, 0.1, nodes)
    wave = 0.5 * np.sin(2 * np.pi * np.arange(hours) / 24)
    past = past_of(np.exp(wave[:, None] + away))
    found = autoregression.learn(past)
    # the mean of seven days before is known with an error of its own, which takes a little away
    np.testing.assert_allclose(found[[0, 1, 3], :8, 0].sum(axis=1), 0.8 ** np.array([1, 2, 4]), atol=0.06)
    assert np.abs(found[0, :7, 0]).max() < 0.08


def test_without_departures_the_autoregression_is_the_mean_of_seven_same_hours():
    values = np.random.default_rng(0).gamma(20, 1, 24 * 10)
    past = past_of(values)
    zero = np.zeros((24, 9, 1))
    found = autoregression.forecast(past, zero, 48)[:, 0, 0]
    logs = past.logs()[-168:, 0, 0].reshape(7, 24).mean(axis=0)
    np.testing.assert_allclose(found, np.tile(past.level()[0, 0] * (np.exp(logs) - 0.05), 2), rtol=1e-6)


def test_the_last_departures_are_those_that_are_learnt_from():
    values = np.random.default_rng(0).gamma(20, 1, (24 * 10, 4))
    known = np.random.default_rng(1).random((24 * 10, 4)) > 0.1
    past = past_of(values, known=known)
    scaled = autoregression._scaled(past)[0]
    away, _ = autoregression._departures(past)
    np.testing.assert_allclose(autoregression._last_departures(scaled, past.known), away[-8:], atol=1e-12)
