"""Each part of the chain on its own: fields, profiles, noise, outages, full cells, counts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from simmst.errors import ConfigError
from simmst.simulator.counts import apply_outages, carried, ceilings, few_users, limit_data_services, record
from simmst.simulator.demand import gaussian_fields, spatial_demand
from simmst.simulator.prior.informed import informed_prior
from simmst.simulator.prior.parameters import LAND_USES
from simmst.simulator.radio.coverage import place_sites, square_centres
from simmst.simulator.residual import changing_pattern, coloured_noise, events, log_residual, noise_weights
from simmst.simulator.rhythm import HOLIDAY, SATURDAY, SUNDAY, WEEKDAY, daily_profiles, day_kinds

SERVICES = ("call", "sms", "internet")
NOMINAL = informed_prior().nominal(SERVICES)


def rng(seed=0):
    return np.random.default_rng(seed)


# Fields


@pytest.mark.parametrize("side", [12, 40])
def test_fields_have_unit_variance_and_exponential_covariance(side):
    """Both ways of drawing (12: exact factor, 40: Fourier) have the covariance asked for."""
    fields = gaussian_fields(side, 4.0, 1500, rng()).reshape(1500, side, side)
    np.testing.assert_allclose(fields.mean(), 0, atol=0.02)
    for lag in (0, 1, 2, 4, 8):
        covariance = (fields[:, :, : side - lag] * fields[:, :, lag:]).mean()
        np.testing.assert_allclose(covariance, np.exp(-lag / 4), atol=0.05)


def test_pairs_of_fourier_fields_are_independent():
    fields = gaussian_fields(40, 3.0, 400, rng())
    np.testing.assert_allclose((fields[:200] * fields[200:]).mean(), 0, atol=0.02)


def test_services_share_density_and_land_use_is_a_mixture():
    squares = square_centres(20, 0.235)
    spatial = spatial_demand(NOMINAL, squares, 0.235, rng())
    np.testing.assert_allclose(spatial.land_use.sum(axis=1), 1)
    assert (spatial.level > 0).all()
    correlation = np.corrcoef(np.log(spatial.level).T)
    assert correlation.min() > 0.85 and correlation[0, 1] < 1


def test_demand_falls_from_the_centre_of_a_city():
    squares = square_centres(30, 0.235)
    scenario = NOMINAL.with_values(centre_distance_km=0.0, field_sigma=0.1, nugget=0.0, city_radius_km=3.0)
    density = np.log(spatial_demand(scenario, squares, 0.235, rng()).density)
    assert np.corrcoef(density, np.hypot(*squares.T))[0, 1] < -0.9


# Weekly rhythm


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_profiles_are_positive_with_a_weekly_mean_of_one(seed):
    profiles = daily_profiles(informed_prior().sample(seed, SERVICES), rng(seed))
    assert profiles.shape == (3, 4, 24, len(LAND_USES)) and (profiles > 0).all()
    week = profiles[:, [WEEKDAY] * 5 + [SATURDAY, SUNDAY]].mean(axis=(1, 2))
    np.testing.assert_allclose(week, 1)


def test_business_rests_at_the_weekend_and_voice_at_night():
    profiles = daily_profiles(NOMINAL, rng())
    level = profiles.mean(axis=2)
    business = LAND_USES.index("business")
    assert (level[:, SUNDAY, business] < 0.8 * level[:, WEEKDAY, business]).all()
    assert (level[:, HOLIDAY, business] < 0.5 * level[:, WEEKDAY, business]).all()
    relative = profiles[:, WEEKDAY].min(axis=1) / profiles[:, WEEKDAY].max(axis=1)
    assert (relative[0] < relative[2]).all(), "calls fall lower at night than internet"


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32))
def test_a_city_with_hardly_a_weekend_has_the_weekdays_shape_too(seed):
    scenario = informed_prior().sample(seed, SERVICES)
    quiet = {name: 0.0 if name == "weekend_strength" else 1.0 for name in scenario.values if "weekend" in name}
    profiles = daily_profiles(scenario.with_values(**quiet, texture=0.0), rng(seed))
    for day in (SATURDAY, SUNDAY):
        np.testing.assert_allclose(profiles[:, day], profiles[:, WEEKDAY], rtol=1e-9)


def test_days_of_the_week_come_in_order():
    scenario = NOMINAL.with_values(holiday_rate=1e-9)
    kind, hour = day_kinds(scenario, start_hour=4 * 24 + 22, hours=100, rng=rng())
    expected = [WEEKDAY] * 2 + [SATURDAY] * 24 + [SUNDAY] * 24 + [WEEKDAY] * 50
    assert kind.tolist() == expected
    assert hour[:4].tolist() == [22, 23, 0, 1]


def test_holidays_are_whole_days_at_their_rate():
    scenario = NOMINAL.with_values(holiday_rate=0.05, holiday_days=2.0)
    kind, _ = day_kinds(scenario, 0, 24 * 4000, rng())
    off = (kind == HOLIDAY).reshape(-1, 24)
    assert (off.all(axis=1) == off.any(axis=1)).all()
    np.testing.assert_allclose(off.mean(), 0.095, atol=0.02)


def test_the_clock_may_be_off_by_an_hour():
    _, hour = day_kinds(NOMINAL.with_values(clock_shift_h=-1.0), 0, 3, rng())
    assert hour.tolist() == [23, 0, 1]


# Residual


@pytest.mark.parametrize("acf1", [0.45, 0.6, 0.9])
def test_noise_has_unit_variance_and_the_autocorrelation_asked_for(acf1):
    np.testing.assert_allclose(noise_weights(acf1) @ np.exp(-1 / np.array([1.2, 4, 40])), acf1)
    noise = coloured_noise(acf1, 400, 4000, rng())
    np.testing.assert_allclose(noise.var(axis=1).mean(), 1, atol=0.03)
    np.testing.assert_allclose(noise[0].var(), 1, atol=0.1)  # stationary from the first step
    np.testing.assert_allclose((noise[1:] * noise[:-1]).mean(), acf1, atol=0.02)


def test_noise_decays_as_published_for_milano():
    """Autocorrelations of square 5161 at 1, 2 and 3 h."""
    noise = coloured_noise(0.64, 400, 4000, rng())
    found = [(noise[lag:] * noise[:-lag]).mean() for lag in (1, 2, 3)]
    np.testing.assert_allclose(found, [0.64, 0.48, 0.37], atol=0.03)


@pytest.mark.parametrize("acf1", [0.43, 0.98])
def test_an_autocorrelation_that_the_parts_cannot_give_is_refused(acf1):
    with pytest.raises(ConfigError, match="residual_acf1"):
        noise_weights(acf1)


def test_pattern_repeats_from_day_to_day_but_not_within_the_day():
    generator = rng()
    draws = np.stack([changing_pattern(4.0, 5, 240, generator) for _ in range(2000)])
    np.testing.assert_allclose(draws.var(), 1, atol=0.05)
    day, half = (draws[:, 24:] * draws[:, :-24]).mean(), (draws[:, 8:] * draws[:, :-8]).mean()
    np.testing.assert_allclose(day, np.exp(-1 / 4), atol=0.05)
    assert half < 0.2


def test_residual_is_shared_between_sites_and_services():
    sites = place_sites(0.5, 0.2, 2.0, rng())
    residual = log_residual(NOMINAL, 0, 2000, sites, rng())
    assert residual.shape == (2000, len(sites), 3)
    within = np.corrcoef(residual[:, 0].T)
    between = np.corrcoef(residual[:, 0, 0], residual[:, -1, 0])[0, 1]
    assert within[0, 1] > between > 0


def test_an_event_raises_and_never_lowers():
    sites = place_sites(0.3, 0.2, 2.0, rng())
    scenario = NOMINAL.with_values(event_rate=5.0, event_size=1.0)
    rise = events(scenario, 240, sites, 2.0, rng())
    assert rise.min() >= 0 and rise.max() > 0.3


# Counts


def test_outage_moves_demand_and_loses_none():
    demand = rng().gamma(2, 5, (500, 4, 2))
    share = np.full((6, 4), 0.25)
    out = apply_outages(NOMINAL.with_values(outage_rate=0.01), demand, share, rng())
    np.testing.assert_allclose(out.sum(axis=1), demand.sum(axis=1))
    assert (out == 0).any() and not (demand == 0).any()


def test_a_lone_site_has_nowhere_to_move_its_demand():
    demand = np.ones((50, 1, 1))
    out = apply_outages(NOMINAL.with_values(outage_rate=0.1), demand, np.ones((3, 1)), rng())
    np.testing.assert_array_equal(out, demand)


@given(arrays(float, (30, 2), elements=st.floats(0, 100)), st.floats(1, 80))
def test_full_cells_carry_what_lindley_says(demand, capacity):
    served = carried(demand, np.full(2, capacity))
    for column in range(2):
        backlog, expected = 0.0, []
        for offered in demand[:, column]:
            expected.append(min(offered + backlog, capacity))
            backlog = max(0.0, backlog + offered - capacity)
        np.testing.assert_allclose(served[:, column], expected, atol=1e-9)


def test_calls_pass_where_data_wait():
    demand = rng().gamma(2, 5, (200, 3, 3))
    scenario = NOMINAL.with_values(load_coupled=1.0, peak_load=1.5)
    out = limit_data_services(scenario, demand, np.array([1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(out[:, :, :2], demand[:, :, :2])
    assert out[:, :, 2].max() < demand[:, :, 2].max()
    np.testing.assert_array_equal(limit_data_services(NOMINAL, demand, np.ones(3)), demand)


def test_counts_have_the_mean_and_variance_of_the_model():
    demand = np.full((40_000, 1, 3), 20.0)
    counts = record(NOMINAL.with_values(missing_share=0.0), demand, rng())
    assert counts.dtype == np.float32 and (counts >= 0).all()
    np.testing.assert_allclose(counts.mean(axis=0)[0], 20, rtol=0.01)
    # Poisson(10 * 20) / 10 for calls and messages; gamma-Poisson with dispersion 300 for internet.
    np.testing.assert_allclose(counts.var(axis=0)[0], [2.0, 2.0, 20 + 400 / 300], rtol=0.05)


def test_more_records_than_the_generator_draws_are_their_mean():
    counts = record(NOMINAL.with_values(missing_share=0.0), np.full((50, 1, 3), 1e20), rng())
    np.testing.assert_allclose(counts[:, :, :2], 1e20, rtol=1e-6)


def test_missing_records_are_zero_at_all_services():
    counts = record(NOMINAL.with_values(missing_share=0.1), np.full((5000, 1, 3), 500.0), rng())
    missing = (counts == 0).any(axis=2)
    assert (counts[missing] == 0).all()
    np.testing.assert_allclose(missing.mean(), 0.1, atol=0.02)


def test_few_users_keep_the_mean_and_bring_bursts_and_zeros():
    demand = np.full((20_000, 1, 3), 20.0)
    scenario = NOMINAL.with_values(small_nodes=1.0, users=4.0, **{f"{name}.burst": 3.0 for name in SERVICES})
    amount = few_users(scenario, demand, rng())
    np.testing.assert_allclose(amount.mean(axis=0), 20, rtol=0.03)
    # Of Poisson(4) users with gamma amounts of mean 5 and squared coefficient of variation 3: 4 * 25 * (1 + 3).
    np.testing.assert_allclose(amount.var(axis=0), 400, rtol=0.1)
    np.testing.assert_allclose((amount == 0).mean(), np.exp(-4), rtol=0.2)


@given(st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_a_large_node_is_as_smooth_as_ever(seed):
    demand = rng(seed).gamma(3, 5, (50, 2, 3))
    scenario = NOMINAL.with_values(small_nodes=1.0, users=1e9, **{f"{name}.burst": 1.0 for name in SERVICES})
    np.testing.assert_allclose(few_users(scenario, demand, rng(seed)), demand, rtol=1e-2)
    assert few_users(NOMINAL.with_values(small_nodes=0.0), demand, rng(seed)) is demand


@given(st.integers(0, 2**32), st.floats(0.05, 1.5))
@settings(max_examples=30, deadline=None)
def test_a_saturated_counter_never_passes_its_ceiling(seed, level):
    counts = rng(seed).poisson(30, (200, 5, 3)).astype(np.float32)
    scenario = NOMINAL.with_values(capped_share=0.5, cap_level=level)
    ceiling = ceilings(scenario, counts, rng(seed))
    capped = np.isfinite(ceiling)
    np.testing.assert_allclose(ceiling[capped], level * np.quantile(counts, 0.99, axis=0)[capped], rtol=1e-6)
    assert np.isinf(ceilings(NOMINAL.with_values(capped_share=0.0), counts, rng(seed))).all()
    assert np.isinf(ceilings(NOMINAL.with_values(capped_share=1.0), 0 * counts, rng(seed))).all()


def test_counters_saturate_at_their_share():
    counts = np.ones((2, 500, 3), dtype=np.float32)
    capped = np.isfinite(ceilings(NOMINAL.with_values(capped_share=0.1), counts, rng()))
    np.testing.assert_allclose(capped.mean(), 0.1, atol=0.03)


def test_stretched_noise_has_the_autocorrelation_at_a_stretched_lag():
    noise = coloured_noise(0.64, 300, 4000, rng(), stretch=3.0)
    np.testing.assert_allclose((noise[3:] * noise[:-3]).mean(), 0.64, atol=0.02)
    np.testing.assert_allclose(noise.var(axis=1).mean(), 1, atol=0.03)
