"""Finer records: they sum to the hour, follow its slope, and are whole where records are few."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from simmst.errors import ConfigError
from simmst.simulator.prior.informed import informed_prior
from simmst.simulator.sampling import refine

SERVICES = ("call", "internet")
NOMINAL = informed_prior().nominal(SERVICES).with_values(**{"call.record_scale": 10.0})


def rng(seed=0):
    return np.random.default_rng(seed)


@settings(max_examples=50, deadline=None)
@given(arrays(np.float32, (5, 2, 2), elements=st.floats(0, 2.0**100, width=32)), st.sampled_from([15, 30]))
def test_parts_sum_to_their_hour(counts, step):
    fine = refine(NOMINAL, counts, step, rng())
    assert fine.dtype == np.float32 and fine.shape == (5 * 60 // step, 2, 2) and (fine >= 0).all()
    np.testing.assert_allclose(fine.reshape(5, -1, 2, 2).sum(axis=1, dtype=float), counts, rtol=1e-5, atol=1e-30)


def test_an_hour_is_its_own_part():
    counts = np.ones((3, 2, 2), dtype=np.float32)
    assert refine(NOMINAL, counts, 60, rng()) is counts
    with pytest.raises(ConfigError, match="step_minutes=10"):
        refine(NOMINAL, counts, 10, rng())


def test_parts_follow_the_slope_between_hours():
    ramp = np.linspace(1000, 3000, 21, dtype=np.float32)[:, None, None] * np.ones((1, 50, 2), dtype=np.float32)
    fine = refine(NOMINAL.with_values(fine_dispersion=1e6), ramp, 15, rng())
    hours = np.arange(21 * 4) / 4 + 0.125 - 0.5  # middle of a quarter, in hours from the first hour's middle
    expected = (1000 + 100 * hours) / 4
    np.testing.assert_allclose(fine[4:-4].mean(axis=(1, 2)), expected[4:-4], rtol=0.01)


def test_parts_are_as_noisy_as_asked():
    counts = np.full((400, 50, 2), 1e6, dtype=np.float32)
    fine = refine(NOMINAL.with_values(fine_dispersion=50.0), counts, 15, rng())
    # Dirichlet with concentration 50 in four equal parts: variance p (1 - p) / 51.
    np.testing.assert_allclose((fine / 1e6).var(), 0.25 * 0.75 / 51, rtol=0.02)


def test_few_records_stay_whole():
    counts = np.full((50, 4, 2), 0.3, dtype=np.float32)  # three records of calls, of a tenth each
    calls = refine(NOMINAL, counts, 15, rng())[:, :, 0]
    np.testing.assert_allclose(10 * calls, np.rint(10 * calls), atol=1e-5)
    assert (calls == 0).mean() > 0.2
