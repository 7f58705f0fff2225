"""Pseudo-reality: people go to bed, to work and home again, and their sessions leave records."""

import numpy as np
import pytest
from scipy import integrate

from simmst.errors import ConfigError
from simmst.simulator import mobility
from simmst.simulator.agents import _internet_records, pseudo_reality
from simmst.simulator.mobility import ASLEEP, WORKING, Town, draw_town, presence
from simmst.traffic import statistics as st


def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def town():
    return pseudo_reality(0, days=14, nodes=16, people=3000)


def who_is_where(town, n=200, workers=0.6, hours=240, **activity):
    """People counted at each place and hour, by state."""
    states = np.zeros((3, 1))
    states[list(activity.values()), 0] = 1.0
    return presence(town, np.ones(n), states, workers, hours, rng())[:, :, 0]


def test_it_depends_on_its_seed_alone():
    a, b = (pseudo_reality(5, days=2, nodes=9, people=200) for _ in range(2))
    np.testing.assert_array_equal(a.values, b.values)
    assert (a.values != pseudo_reality(6, days=2, nodes=9, people=200).values).any()
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    pseudo_reality(5, days=1, nodes=4, people=50)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_it_is_traffic_with_a_day_and_a_week(town):
    assert town.values.shape == (336, 16, 3) and town.services == ("call", "sms", "internet")
    assert (town.values == np.floor(town.values)).all() and town.units == "records"
    values = town.values.astype(float)
    for s in range(3):
        assert np.median(st.autocorrelation(values[:, :, s], 24)) > 0.4
    peak_to_mean, peak_to_trough, _ = st.daily_shape(values.sum(axis=1), 0)
    assert (peak_to_mean < 3).all() and (peak_to_trough > 5).all()
    # Work empties and fills places: they differ in what a weekend is.
    ratio = st.daily_shape(values[:, :, 2], 0)[2]
    assert ratio.max() / ratio.min() > 1.3


def test_nobody_is_lost():
    """With one activity for all states, each hour of a day holds the same people."""
    total = presence(draw_town(9, rng()), np.ones(100), np.ones((3, 1)), 0.6, 72, rng()).sum(axis=(1, 2))
    np.testing.assert_allclose(total.reshape(3, 24), np.repeat(total[::24, None], 24, axis=1))


def test_people_sleep_at_home_and_at_night():
    town = draw_town(9, rng())
    asleep = who_is_where(town, state=ASLEEP).reshape(10, 24, 9)
    by_hour = asleep.sum(axis=(0, 2))
    assert by_hour[3] > 10 * by_hour[12:20].max()
    # The same people at the same homes every night: the daily factors are all that differs.
    nights = asleep[1:, 3]
    assert np.corrcoef(nights)[0].min() > 0.95


def test_people_work_on_weekdays_only():
    town = draw_town(9, rng())
    at_work = who_is_where(town, state=WORKING).sum(axis=1).reshape(10, 24).sum(axis=1)
    assert (at_work[[5, 6]] == 0).all() and (at_work[[0, 1, 2, 3, 4, 7, 8, 9]] > 0).all()
    assert who_is_where(town, workers=0.0, state=WORKING).sum() == 0


def test_waits_are_a_truncated_power_law():
    generator = rng()
    waits = np.array([mobility._wait(generator) for _ in range(20_000)])
    assert waits.min() >= 1 / 3

    def density(t):
        return t**-1.8 * np.exp(-t / 17)

    total = integrate.quad(density, 1 / 3, np.inf)[0]
    for t in (0.5, 1.0, 4.0, 20.0):
        expected = integrate.quad(density, t, np.inf)[0] / total
        np.testing.assert_allclose((waits > t).mean(), expected, atol=0.012)


def test_new_places_are_drawn_by_gravity_and_known_ones_by_visits():
    draw = np.array([[0.0, 1.0, 3.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    generator = rng()
    first = [mobility._next_place(0, np.array([1.0, 0, 0]), 1, draw, generator) for _ in range(4000)]
    np.testing.assert_allclose(np.bincount(first, minlength=3) / 4000, [0, 0.25, 0.75], atol=0.03)
    back = [mobility._next_place(2, np.array([3.0, 1.0, 9.0]), 3, draw, generator) for _ in range(4000)]
    np.testing.assert_allclose(np.bincount(back, minlength=3) / 4000, [0.75, 0.25, 0], atol=0.03)


def test_people_explore_more_slowly_the_more_they_know():
    """Of 4 known places and 1 new one: rho S^-gamma = 0.6 x 4^-0.21 = 0.448."""
    draw = np.ones((5, 5))
    generator = rng()
    visits = np.array([1.0, 1.0, 1.0, 1.0, 0.0])
    new = np.mean([mobility._next_place(0, visits, 4, draw, generator) == 4 for _ in range(5000)])
    np.testing.assert_allclose(new, 0.448, atol=0.025)


def test_active_people_leave_more(town):
    more = pseudo_reality(0, days=14, nodes=16, people=6000)
    np.testing.assert_allclose(more.values.sum() / town.values.sum(), 2.0, rtol=0.15)


def test_every_session_leaves_two_records_at_least():
    expected = np.full((200, 4), 50.0)
    records = _internet_records(expected, rng())
    assert records.mean() > 2 * 50 and records.dtype == np.int64
    assert _internet_records(np.zeros((3, 4)), rng()).sum() == 0


def test_impossible_towns_are_refused():
    with pytest.raises(ConfigError, match="days=0"):
        pseudo_reality(0, days=0)
    with pytest.raises(ConfigError, match="nodes=1"):
        pseudo_reality(0, nodes=1)


def test_a_towns_places_are_apart():
    town = draw_town(30, rng())
    assert isinstance(town, Town) and all((w > 0).all() for w in (town.homes, town.work, town.leisure))
    apart = np.hypot(*(town.places[:, None] - town.places).transpose(2, 0, 1)) + 9 * np.eye(30)
    assert apart.min() > 0.1
