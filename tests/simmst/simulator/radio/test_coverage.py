"""Coverage: sites at their density, shares that sum to one, and indoors as in TR 38.901."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simmst.simulator.prior.informed import informed_prior
from simmst.simulator.radio import links
from simmst.simulator.radio.coverage import cover, place_sites, square_centres

SERVICES = ("call", "sms", "internet")
NOMINAL = informed_prior().nominal(SERVICES)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("distance", [0.35, 1.0, 4.0])
def test_sites_fill_the_region_at_their_density(distance):
    counts = [len(place_sites(distance, 0.2, 5.0, rng(seed))) for seed in range(20)]
    expected = (5.0 + distance) ** 2 / (np.sqrt(0.75) * distance**2)
    np.testing.assert_allclose(np.mean(counts), expected, rtol=0.1)
    assert len(place_sites(50.0, 0.2, 1.0, rng())) >= 1


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_shares_sum_to_one_by_square_and_what_is_spread_by_site(seed):
    scenario = informed_prior().sample(seed, SERVICES)
    squares = square_centres(6, 0.235)
    sites = place_sites(scenario["isd_km"], 0.2, 6 * 0.235, rng(seed))
    coverage = cover(scenario, squares, sites, 0.235, rng(seed))
    np.testing.assert_allclose(coverage.share.sum(axis=1), 1)
    np.testing.assert_allclose(coverage.area.sum(axis=1), 1)
    used = coverage.area.sum(axis=0) > 0
    np.testing.assert_allclose(coverage.spread().sum(axis=0)[used], 1)
    assert (coverage.efficiency > 0).all() and (coverage.efficiency <= 4.4).all()


def test_a_square_is_mostly_served_from_nearby():
    squares, sites = square_centres(8, 0.235), place_sites(0.5, 0.2, 8 * 0.235, rng())
    coverage = cover(NOMINAL, squares, sites, 0.235, rng())
    distance = np.hypot(*(squares[:, None] - sites).transpose(2, 0, 1))
    served = (coverage.share * distance).sum() / len(squares)
    assert served < 0.5 * distance.mean()


# Mean depth (m) and shadowing (dB) indoors in TR 38.901: the smaller of two draws to 25 m (RMa: 10 m), 7 and 8 dB.
INDOORS = {"UMa": (25 / 3, 7.0), "UMi": (25 / 3, 7.0), "RMa": (10 / 3, 8.0)}


def median_gain(environment, metres):
    seen = links.line_of_sight_probability(environment, metres)
    loss = [links.path_loss(environment, metres, 2.1, sight) for sight in (True, False)]
    return -(seen * loss[0] + (1 - seen) * loss[1])


@pytest.mark.parametrize("environment", INDOORS)
def test_indoor_links_have_the_tables_shadowing_and_depth(environment):
    """A city wholly indoors, in closed form: odds of two sites, and the efficiency of one."""
    depth, shadowing = INDOORS[environment]
    scenario = NOMINAL.with_values(
        environment=float(links.ENVIRONMENTS.index(environment)), indoor_share=1.0, power_jitter_db=0.0
    )
    sites = np.array([[1.5, 0.0], [0.0, 2.5]])
    square = np.zeros((1, 2))
    gain = median_gain(environment, 1000 * np.hypot(sites.sum(axis=1), 0.383 * 0.235))
    share = cover(scenario, square, sites, 0.235, rng()).share[0]
    # Half of the variance is common to both sites; a Gumbel's deviation is pi / sqrt(6) of its scale.
    scale = np.sqrt(6) / np.pi * shadowing * np.sqrt(0.5)
    np.testing.assert_allclose(np.log(share[0] / share[1]), (gain[0] - gain[1]) / scale, rtol=1e-9)
    walls = 11.9072  # dB at 2.1 GHz: 5 - 10 log10(.3 * .57280 + .7 * .045709)
    signal = 10 ** ((gain[0] - walls - 0.5 * depth + 138) / 10)
    alone = cover(scenario, square, sites[:1], 0.235, rng()).efficiency[0]
    assert alone < 4.4
    np.testing.assert_allclose(alone, 0.6 * np.log2(1 + signal), rtol=1e-3)
