"""Changes that last: steps for good, regimes for days, and cells on the air for a part of the time."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simmst.simulator.changes import REGIME_DAYS, apply_lifetimes, change_levels, lifetimes
from simmst.simulator.prior.literature import literature_prior

SERVICES = ("call", "internet")
STILL = literature_prior().nominal(SERVICES).with_values(
    step_rate=0.0, regime_rate=0.0, birth_rate=0.0, death_rate=0.0, common_share=0.0
)


def rng(seed=0):
    return np.random.default_rng(seed)


def flat(hours, sites):
    """Demand of one a site and service, level one, and a rhythm without hours."""
    return np.ones((hours, sites, 2)), np.ones((sites, 2)), np.ones((2, hours, 5))


def changed(scenario, hours, sites, first_hour=0, seed=0):
    demand, level, rhythm = flat(hours, sites)
    return change_levels(scenario, demand, level, rhythm, first_hour, rng(seed))


def test_without_a_rate_nothing_changes():
    np.testing.assert_array_equal(changed(STILL, 500, 4), 1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 23))
def test_sudden_steps_and_regimes_begin_at_midnights(seed, first_hour):
    scenario = STILL.with_values(step_rate=0.03, regime_rate=0.03, ramp_days=0.0)
    demand = changed(scenario, 24 * 20, 3, first_hour, seed)
    jumps = np.flatnonzero((np.diff(np.log(demand), axis=0) != 0).any(axis=(1, 2))) + 1
    assert ((first_hour + jumps) % 24 == 0).all()


def test_a_step_stays_and_its_size_is_as_asked():
    scenario = STILL.with_values(step_rate=0.02, step_size=0.3, ramp_days=0.0)
    demand = changed(scenario, 24 * 50, 2000)
    last = np.log(demand[-1])
    # A site has Poisson(1) steps: normal of deviation .3 times U(.5, 1.5) of the service, whose square is 13/12.
    np.testing.assert_allclose(last.var(), 0.3**2 * 13 / 12, rtol=0.12)
    np.testing.assert_allclose((last[:, 0] != 0).mean(), 1 - np.exp(-1), atol=0.04)


def test_a_ramp_goes_evenly_to_its_end():
    scenario = STILL.with_values(step_rate=0.0005, step_size=0.5, ramp_days=10.0)
    logs = np.log(changed(scenario, 24 * 40, 300))
    slopes = np.diff(logs[:, :, 0], axis=0)
    ramps = [s[s != 0] for s in slopes.T if (s != 0).sum() > 30]
    assert ramps
    for slope in ramps:  # the last hour takes what is left
        assert np.ptp(slope[:-1]) < 1e-9 and len(slope) <= 240


def test_a_regime_ends_within_thirteen_days_and_all_is_as_before():
    scenario = STILL.with_values(regime_rate=0.0005, regime_size=0.35)
    demand = changed(scenario, 24 * 100, 400)
    odd = (demand[:, :, 0] != 1).reshape(100, 24, 400)
    assert (odd.all(axis=1) == odd.any(axis=1)).all()
    runs = [np.flatnonzero(np.diff(np.r_[0, site.astype(int), 0])) for site in odd.any(axis=1).T]
    single = [run[1] - run[0] for run in runs if len(run) == 2 and run[1] < 100]
    assert len(single) > 5 and min(single) >= REGIME_DAYS[0] and max(single) <= REGIME_DAYS[1]


def test_a_regime_mixes_in_the_shape_of_other_land_uses():
    hours = 240
    rhythm = np.ones((2, hours, 5)) * (1 + np.arange(hours) % 24)[:, None]
    level = np.full((40, 2), 3.0)
    demand = np.full((hours, 40, 2), 3.0)
    scenario = STILL.with_values(regime_rate=0.02, regime_size=0.0, regime_mix=1.0)
    out = change_levels(scenario, demand, level, rhythm, 0, rng())
    odd = (out != 3.0).any(axis=(0, 2))
    assert odd.any()
    # All land uses have the same profile here, so the mixture is 3 (1 - m) + 3 m profile, with m in [0, 1].
    profile = 1 + np.arange(hours) % 24
    for site in np.flatnonzero(odd):
        at = (out[:, site, 0] != 3.0) & (profile > 1)
        part = (out[at, site, 0] / 3 - 1) / (profile[at] - 1)
        assert (part > 0).all() and (part <= 1).all()


def test_common_changes_are_all_sites_own():
    demand = changed(STILL.with_values(step_rate=0.05, common_share=1.0, ramp_days=0.0), 24 * 30, 5)
    np.testing.assert_allclose(demand, np.broadcast_to(demand[:, :1], demand.shape))
    assert (demand != 1).any()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 300), st.integers(1, 6))
def test_a_cell_is_silent_before_its_birth_and_after_its_death(seed, hours, sites):
    scenario = STILL.with_values(birth_rate=0.1, death_rate=0.1)
    demand = rng(seed).gamma(2, 3, (hours, sites, 2))
    share = np.full((4, sites), 1 / sites)
    first, last = lifetimes(scenario, hours, sites, rng(seed))
    before = demand.copy()
    out = apply_lifetimes(scenario, demand, share, rng(seed))
    clock = np.arange(hours)[:, None]
    on_air = (clock >= first) & (clock < last)
    assert (first <= last).all() and (out[~on_air] == 0).all() and (out[on_air] >= before[on_air] - 1e-12).all()
    stays = (first == 0) & (last == hours)
    if stays.any():  # nothing is lost: all squares are served by all sites
        np.testing.assert_allclose(out.sum(axis=1), before.sum(axis=1))
    assert out.sum() <= before.sum() * (1 + 1e-12)


def test_births_and_deaths_come_at_their_rates():
    first, last = lifetimes(STILL.with_values(birth_rate=0.002, death_rate=0.005), 24 * 50, 20_000, rng())
    died = (last < 24 * 50).mean()
    np.testing.assert_allclose(died, 1 - np.exp(-0.25), atol=0.01)
    # A birth after the cell's own death is left out: uniform times, so half of the pairs.
    both = (1 - np.exp(-0.1)) * (1 - np.exp(-0.25))
    np.testing.assert_allclose((first > 0).mean(), 1 - np.exp(-0.1) - both / 2, atol=0.01)
