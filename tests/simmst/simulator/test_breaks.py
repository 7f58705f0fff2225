"""Breaks: their days, their run-up, and that no other day changes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simmst.simulator.breaks import LONGEST_BREAK, break_days, take_breaks
from simmst.simulator.prior.literature import literature_prior
from simmst.simulator.rhythm import HOLIDAY, WEEKDAY, daily_profiles

SERVICES = ("call", "internet")
NOMINAL = literature_prior().nominal(SERVICES)


def rng(seed=0):
    return np.random.default_rng(seed)


def usual_weeks(hours, first_hour):
    """Rhythm without weekends, and the holiday's profiles."""
    profiles = daily_profiles(NOMINAL, rng())
    hour = (first_hour + np.arange(hours)) % 24
    return profiles[:, WEEKDAY][:, hour], profiles[:, HOLIDAY]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 600), st.integers(0, 23), st.floats(0, 0.3))
def test_only_days_of_breaks_and_before_them_change(seed, hours, first_hour, rate):
    scenario = NOMINAL.with_values(break_rate=rate, run_up_days=3.0, run_up=0.2)
    rhythm, holiday = usual_weeks(hours, first_hour)
    changed = take_breaks(scenario, rhythm.copy(), holiday, first_hour, rng(seed))
    day = (first_hour + np.arange(hours)) // 24
    off, run_up = break_days(scenario, int(day[-1]) + 1, rng(seed))
    ordinary = ~off[day] & (run_up[day] == 0)
    np.testing.assert_array_equal(changed[:, ordinary], rhythm[:, ordinary])
    only_before = run_up[day] > 0
    ratio = changed[:, only_before] / rhythm[:, only_before]
    np.testing.assert_allclose(ratio, np.exp(0.2 * run_up[day][only_before])[None, :, None] * np.ones_like(ratio))
    assert (changed > 0).all()


def test_a_full_break_is_a_holiday_times_what_is_the_services_own():
    values = {"break_rate": 1.0, "break_strength": 1.0, "break_spread": 0.0}
    scenario = NOMINAL.with_values(**values, **{"call.break_factor": 1.5, "internet.break_factor": 0.5})
    rhythm, holiday = usual_weeks(48, 0)
    changed = take_breaks(scenario, rhythm, holiday, 0, rng())
    expected = np.tile(holiday, (1, 2, 1)) * np.array([1.5, 0.5])[:, None, None]
    np.testing.assert_allclose(changed, expected)


def test_breaks_come_at_their_rate_and_length():
    scenario = NOMINAL.with_values(break_rate=0.004, break_days=5.0)
    off, _ = break_days(scenario, 200_000, rng())
    edges = np.diff(np.concatenate([[0], off.astype(int), [0]]))
    length = np.flatnonzero(edges < 0) - np.flatnonzero(edges > 0)
    # A break is joined by another one that begins within it or just after, at 5 days x .004.
    np.testing.assert_allclose(len(length) / 200_000, 0.004 * np.exp(-0.02), rtol=0.1)
    np.testing.assert_allclose(off.mean(), 1 - np.exp(-0.02), rtol=0.1)


@pytest.mark.parametrize("mean", [1.0, 8.0])
def test_a_break_has_one_to_eight_days(mean):
    scenario = NOMINAL.with_values(break_rate=0.0005, break_days=mean)
    off, _ = break_days(scenario, 50_000, rng(1))
    edges = np.diff(np.concatenate([[0], off.astype(int), [0]]))
    length = np.flatnonzero(edges < 0) - np.flatnonzero(edges > 0)
    assert np.median(length) == mean and LONGEST_BREAK == 8


def test_the_run_up_grows_to_the_last_day_before():
    scenario = NOMINAL.with_values(break_rate=0.001, run_up_days=5.0)
    off, run_up = break_days(scenario, 5000, rng(3))
    first = np.flatnonzero(np.diff(off.astype(int)) > 0)[0] + 1
    np.testing.assert_allclose(run_up[first - 6 : first + 1], [0, 0.2, 0.4, 0.6, 0.8, 1, 0])
