"""Steps to the rim of what a convex quantity allows."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cutplane.oracles.rim import rim


def counted(function):
    asked = []

    def ratio(s):
        asked.append(s)
        return function(s)

    return ratio, asked


@pytest.mark.parametrize(("power", "most"), [(1.0, 3), (2.0, 1), (4.0, 3), (8.0, 3)])
def test_a_power_is_met_in_a_few_looks(power, most):
    # ratio = 1e10 s^p is 1 at s = 1e10^(−1/p)
    ratio, asked = counted(lambda s: 1e10 * s**power)
    assert rim(ratio, 1e10, 20) == pytest.approx(1e10 ** (-1 / power), rel=1e-6)
    assert len(asked) <= most


@settings(max_examples=100, deadline=None)
@given(st.floats(0, 10), st.floats(1e-3, 10), st.floats(0.01, 0.9), st.floats(0, 100), st.floats(1e-8, 0.5))
@example(0.0, 0.001953125, 0.125, 5.0, 6.103515625e-05)  # a kink hard inside the rim
def test_convex_ratios_end_inside_and_near_the_rim(linear, square, kink, steep, allowed):
    def ratio(s):
        return (linear * s + square * s * s + steep * max(s - kink, 0.0)) / allowed

    if ratio(1.0) <= 1.0:
        return
    share = rim(ratio, ratio(1.0), 20)
    assert ratio(share) < 1.0
    assert ratio(share) >= 0.9


@settings(max_examples=100, deadline=None)
@given(st.floats(0.01, 0.9), st.floats(0.1, 0.9), st.floats(0.01, 100), st.floats(0.01, 100), st.floats(1e-8, 0.5))
def test_two_kinks_behind_a_flat_bottom_are_met(second, first, slope, steep, allowed):
    def ratio(s):
        return (slope * max(s - first * second, 0.0) + steep * max(s - second, 0.0)) / allowed

    if ratio(1.0) <= 1.0:
        return
    assert 0.9 <= ratio(rim(ratio, ratio(1.0), 20)) < 1.0


def test_where_nothing_inside_is_seen_the_share_is_zero():
    ratio, asked = counted(lambda s: 2.0)
    assert rim(ratio, 2.0, 7) == 0.0 and len(asked) == 7


def test_values_that_are_no_numbers_to_take_logarithms_of_do_no_harm():
    assert 0 < rim(lambda s: np.inf if s > 0.5 else -1.0, np.inf, 20) <= 0.5
