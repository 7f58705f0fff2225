"""Path loss equals the reference rows; shares and shadowing keep what must be kept."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from simmst.errors import ConfigError
from simmst.simulator.radio import links

DISTANCES = np.array([20, 50, 100, 200, 400, 800, 1500, 3000, 4900])
# TR 38.901 at 2.1 GHz, terminal at 1.5 m, rounded to 0.1 dB, from an independent implementation.
ROWS = {
    ("UMa", False): [78.2, 88.1, 98.6, 110.0, 121.7, 133.4, 144.1, 155.9, 164.2],
    ("UMi", False): [76.5, 89.5, 99.9, 110.5, 121.1, 131.7, 141.4, 152.0, 159.5],
    ("RMa", False): [71.6, 78.8, 88.2, 99.2, 110.7, 122.2, 132.8, 144.4, 152.6],
    ("UMa", True): [67.2, 72.8, 78.7, 85.1, 93.1, 105.1, 116.0, 128.0, 136.6],
    ("UMi", True): [66.9, 74.7, 80.9, 91.0, 103.0, 115.0, 126.0, 138.0, 146.5],
    ("RMa", True): [70.8, 74.7, 79.8, 85.7, 92.1, 98.8, 105.3, 114.8, 123.4],
}


@pytest.mark.parametrize(("environment", "seen"), ROWS)
def test_path_loss_equals_the_reference_rows(environment, seen):
    loss = links.path_loss(environment, DISTANCES, 2.1, seen)
    np.testing.assert_allclose(loss, ROWS[environment, seen], atol=0.051)


# Path loss at 35, 350 and 3,500 m from CRRM 2.0.2 (MIT), an independent implementation, for (environment, line of
# sight, GHz, height of the terminal in m). benchmarks/path_loss.py compares a whole grid.
CRRM = {
    ("UMa", True, 0.8, 1.5): [61.809033492, 89.804235621, 129.765557777],
    ("UMa", True, 3.5, 5.0): [74.200747905, 94.866431599, 116.851013852],
    ("UMa", False, 0.8, 1.5): [75.101885877, 111.062149726, 150.104361472],
    ("UMa", False, 3.5, 5.0): [85.061435645, 121.771204679, 160.823817153],
    ("UMi", True, 0.8, 1.5): [63.148548373, 100.158667672, 140.153597509],
    ("UMi", True, 3.5, 5.0): [75.798916024, 96.707720354, 123.763187490],
    ("UMi", False, 0.8, 1.5): [75.280684664, 110.145938317, 145.441463898],
    ("UMi", False, 3.5, 5.0): [87.599111074, 122.745815497, 158.044266954],
    ("RMa", True, 0.8, 1.5): [64.381371591, 82.431904951, 115.316808861],
    ("RMa", True, 3.5, 5.0): [76.755319423, 95.243022491, 120.090609403],
    ("RMa", False, 0.8, 1.5): [66.803233634, 100.057643706, 138.615296448],
    ("RMa", False, 3.5, 5.0): [76.755319423, 107.817145805, 146.389742047],
}


@pytest.mark.parametrize(("environment", "seen", "frequency", "height"), CRRM)
def test_path_loss_equals_another_implementation_to_a_millionth(environment, seen, frequency, height):
    loss = links.path_loss(environment, [35, 350, 3500], frequency, seen, height_ut=height)
    np.testing.assert_allclose(loss, CRRM[environment, seen, frequency, height], rtol=0, atol=1e-6)


@given(
    st.sampled_from(links.ENVIRONMENTS),
    st.sampled_from([0.8, 2.1, 3.5]),
    st.floats(10, 5000),
    st.floats(1, 500),
)
def test_path_loss_grows_with_distance_and_is_least_in_sight(environment, frequency, distance, more):
    for seen in (True, False):
        near, far = links.path_loss(environment, [distance, distance + more], frequency, seen)
        # UMa and UMi jump down by less than a decibel where the slant leaves the ground at the break point.
        assert far >= near - 1.0
    assert links.path_loss(environment, distance, frequency, False) >= links.path_loss(
        environment, distance, frequency, True
    )


def test_sight_is_certain_near_the_site_and_lost_far_away():
    for environment in links.ENVIRONMENTS:
        p = links.line_of_sight_probability(environment, [1, 10, 18, 50, 200, 1000, 5000])
        assert p[0] == p[1] == 1 and (np.diff(p) <= 0).all() and 0 < p[-1] < 0.01
    # 18/100 + exp(-100/63) * (1 - 18/100), the table's formula at 100 m.
    np.testing.assert_allclose(links.line_of_sight_probability("UMa", 100), 0.3477, atol=1e-4)


def test_penetration_is_the_sum_of_wall_and_depth():
    # At 2.1 GHz: glass 2.42 dB and concrete 13.4 dB give 5 - 10 log10(.3 * .5728 + .7 * .0457) = 11.91 dB.
    np.testing.assert_allclose(links.penetration_loss(2.1, 0.0), 11.91, atol=0.01)
    np.testing.assert_allclose(links.penetration_loss(2.1, 10.0) - links.penetration_loss(2.1, 0.0), 5.0)


@pytest.mark.parametrize(("environment", "reach"), [("UMa", 25.0), ("UMi", 25.0), ("RMa", 10.0)])
def test_the_mean_depth_is_that_of_the_smaller_of_two_draws(environment, reach):
    drawn = np.random.default_rng(0).uniform(0, reach, (100_000, 2)).min(axis=1)
    np.testing.assert_allclose(links.mean_indoor_depth(environment), drawn.mean(), rtol=0.01)


@given(
    arrays(float, (4, 5), elements=st.floats(-160, -60)),
    arrays(float, (4, 5), elements=st.floats(-15, 15)),
    st.floats(0.3, 8),
)
def test_shares_are_shares_and_the_best_server_takes_most(gain, offset, softness):
    share, area = links.serving_shares(gain, offset, softness, softness)
    for x in (share, area):
        assert (x >= 0).all()
        np.testing.assert_allclose(x.sum(axis=1), 1)
    best = (gain + offset).argmax(axis=1)
    np.testing.assert_allclose(share[np.arange(4), best], share.max(axis=1))


def test_softmax_share_is_the_mean_over_gaussian_shadowing():
    """The closed form agrees with drawing shadowing at every point of a square, within 2 %."""
    rng = np.random.default_rng(0)
    gain, sigma = np.array([[0.0, -3.0, -9.0]]), 6.0
    draws = gain + sigma * rng.standard_normal((200_000, 3))
    simulated = np.bincount(draws.argmax(axis=1), minlength=3) / len(draws)
    share, _ = links.serving_shares(gain, np.zeros((1, 3)), np.sqrt(6) / np.pi * sigma, 1.0)
    np.testing.assert_allclose(share[0], simulated, atol=0.02)


@given(st.floats(1, 12), st.floats(10, 200), st.floats(100, 2000))
def test_shadowing_is_split_without_loss(sigma, correlation, side):
    common, inside = links.shadow_split(sigma, correlation, side)
    np.testing.assert_allclose(common**2 + inside**2, sigma**2)


def test_split_of_shadowing_agrees_with_its_integral():
    """The mean of exp(-r/d) over pairs of points of a square, by drawing pairs."""
    rng = np.random.default_rng(1)
    pairs = rng.uniform(0, 1, (2, 400_000, 2))
    for correlation, side in ((50, 235), (120, 235), (30, 1000)):
        mean = np.exp(-side * np.hypot(*(pairs[0] - pairs[1]).T) / correlation).mean()
        common, _ = links.shadow_split(1.0, correlation, side)
        np.testing.assert_allclose(common**2, mean, atol=2e-3)


def test_efficiency_falls_with_load_and_has_a_peak():
    gain = np.array([[-80.0, -95.0, -100.0]])
    idle = links.spectral_efficiency(gain, 0.0, -138)
    busy = links.spectral_efficiency(gain, 1.0, -138)
    assert (busy <= idle).all() and idle.max() == 4.4 and busy[0, 2] < 0.1


def test_what_has_no_meaning_is_refused():
    with pytest.raises(ConfigError, match="environment='InH'"):
        links.path_loss("InH", 100, 2.1, True)
    with pytest.raises(ConfigError, match="height_ut"):
        links.path_loss("UMa", 100, 2.1, True, height_ut=20)
