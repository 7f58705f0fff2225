"""Holes are filled from what was known before them, and nothing else moves."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simmst.traffic.table.filling import fill_by_days


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(25, 90), st.floats(0, 0.6))
def test_after_the_first_day_a_filled_value_does_not_know_what_follows(seed, steps, share):
    rng = np.random.default_rng(seed)
    raw = rng.gamma(2.0, 10.0, (steps, 2, 1)).astype(np.float32)
    raw[24:][rng.random((steps - 24, 2, 1)) < share] = np.nan
    filled = fill_by_days(raw, 24)
    assert not np.isnan(filled).any()
    np.testing.assert_array_equal(filled[~np.isnan(raw)], raw[~np.isnan(raw)])
    cut = int(rng.integers(24, steps))
    np.testing.assert_array_equal(fill_by_days(raw[:cut], 24), filled[:cut])


def test_where_no_day_has_the_time_the_last_value_is_held():
    raw = np.array([np.nan, 1.0, np.nan, 3.0], dtype=np.float32)[:, None, None]
    assert fill_by_days(raw, 24).ravel().tolist() == [1.0, 1.0, 1.0, 3.0]
