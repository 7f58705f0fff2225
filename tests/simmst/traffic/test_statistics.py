"""Every statistic on a case whose value is known."""

import numpy as np
import pytest
from scipy.signal import lfilter

from simmst.errors import DataError
from simmst.simulator.demand import gaussian_fields
from simmst.traffic import statistics as st


def rng(seed=0):
    return np.random.default_rng(seed)


def week(shape, weeks=4, nodes=2):
    return np.tile(np.asarray(shape, dtype=float), weeks)[:, None].repeat(nodes, axis=1)


def test_log_normal_totals_are_found_to_be_so():
    sigma, skew, distance = st.log_normal_fit(np.exp(3 + 1.2 * rng().standard_normal((100, 100))))
    assert sigma == pytest.approx(1.2, rel=0.02) and abs(skew) < 0.1 and distance < 0.02
    assert st.log_normal_fit(rng().uniform(1, 2, 5000))[2] > 0.05


def test_moran_of_four_squares_a_chessboard_and_noise():
    # Two pairs along the rows agree, two down the columns and two diagonals differ.
    assert st.moran(np.array([[0.0, 0.0], [1.0, 1.0]])) == pytest.approx(-1 / 3)
    # Of the queen's pairs on a large board the straight half differ and the diagonal half agree.
    assert st.moran(np.indices((100, 100)).sum(axis=0) % 2.0) == pytest.approx(0, abs=0.02)
    assert st.moran(rng().standard_normal((100, 100))) == pytest.approx(0, abs=0.02)


def test_correlogram_of_an_exponential_field():
    fields = gaussian_fields(60, 4.0, 60, rng()).reshape(60, 60, 60)
    # About a mean that is known to be zero the field's own covariance would come out; the sample's mean takes
    # a little off.
    found = np.mean([st.correlogram(field, [1, 4]) for field in fields], axis=0)
    np.testing.assert_allclose(found, np.exp([-0.25, -1]), atol=0.05)


def test_twins_are_neighbours_that_agree():
    grid = np.ones((2, 3))
    grid[:, 2] = 2
    # Seven pairs: three down the columns agree, one along each row agrees and one does not.
    assert st.share_of_twins(grid) == pytest.approx(5 / 7)


def test_milano_has_the_published_figures_in_space(real_data):
    """The 10,000 squares' totals, as measured independently for the reference."""
    with np.load(real_data("milano_square_totals.npz"), allow_pickle=False) as archive:
        totals = archive["internet"]
    sigma, skew, distance = st.log_normal_fit(totals)
    assert (round(sigma, 3), round(skew, 2), round(distance, 3)) == (1.211, 0.02, 0.023)
    assert st.moran(np.log(totals)) == pytest.approx(0.925, abs=5e-4)
    assert st.share_of_twins(totals) == pytest.approx(0.159, abs=1e-3)
    expected = [0.943, 0.725, 0.579, 0.341]
    np.testing.assert_allclose(st.correlogram(np.log(totals), [1, 5, 10, 20]), expected, atol=0.02)


def test_milano_has_the_published_figures_in_time(real_data):
    """The three squares' 62 days, hourly sums, as measured independently for the reference."""
    with np.load(real_data("milano_internet_3squares_full.npz"), allow_pickle=False) as archive:
        hourly = archive["values"][:, :, 0].astype(float).reshape(1488, 6, 3).sum(axis=1)
    found = [st.autocorrelation(hourly, lag) for lag in (1, 12, 24, 168)]
    # Squares 4159, 4556 and 5161.
    expected = [[0.960, 0.926, 0.951], [-0.184, -0.045, -0.693], [0.794, 0.839, 0.888], [0.782, 0.765, 0.847]]
    np.testing.assert_allclose(found, expected, atol=6e-4)


def test_autocorrelation_of_a_wave_and_of_a_constant():
    t = np.arange(480)
    series = np.stack([np.cos(2 * np.pi * t / 24), np.ones(480)], axis=1)
    np.testing.assert_allclose(st.autocorrelation(series, 24), [1 - 24 / 480, 0], atol=1e-9)
    np.testing.assert_allclose(st.autocorrelation(series, 12)[0], -(1 - 12 / 480), atol=1e-9)


@pytest.mark.parametrize("start", [0, 50])
def test_daily_shape_of_a_known_week(start):
    day = np.ones(24)
    day[12] = 13.0  # mean 1.5
    shape = np.concatenate([np.tile(day, 5), np.full(48, 0.75)])
    series = week(shape)[start:]
    for found, expected in zip(st.daily_shape(series, start), (13 / 1.5, 13, 2), strict=True):
        np.testing.assert_allclose(found, expected)


def test_residual_of_a_repeating_week_is_zero_and_of_noise_is_the_noise():
    shape = rng().gamma(2, 5, 168)
    residual, explained = st.weekly_residual(week(shape), 0)
    np.testing.assert_allclose(residual, 0, atol=1e-9)
    np.testing.assert_allclose(explained, 1)
    noisy = np.expm1(np.log1p(week(shape, 6, 200)) + 0.1 * rng().standard_normal((1008, 200)))
    residual, _ = st.weekly_residual(noisy, 0)
    np.testing.assert_allclose(residual.std(), 0.1, rtol=0.01)


def test_hurst_of_white_noise_and_of_its_sum():
    white = rng().standard_normal((2000, 40))
    assert np.median(st.hurst(white)) == pytest.approx(0.5, abs=0.04)
    assert np.median(st.hurst(np.cumsum(white, axis=0))) == pytest.approx(1.5, abs=0.06)
    persistent = lfilter([1], [1, -0.95], white, axis=0)
    assert np.median(st.hurst(persistent)) > 0.6


def test_services_that_are_one_and_services_that_share_nothing():
    base = rng().gamma(2, 5, (504, 30)) * np.exp(rng(1).standard_normal(30))
    other = rng(2).gamma(2, 5, (504, 30)) * np.exp(rng(3).standard_normal(30))
    space, time, residual = st.cross_service(np.stack([base, base, other], axis=2), 0)
    for correlation in (space, time, residual):
        assert correlation[0] == pytest.approx(1)
    assert abs(time[1]) < 0.05 and abs(residual[2]) < 0.05 and abs(space[1]) < 0.5


def test_short_series_are_refused():
    with pytest.raises(DataError, match="two weeks"):
        st.weekly_residual(np.ones((200, 1)), 0)
    with pytest.raises(DataError, match="at least a week"):
        st.daily_shape(np.ones((100, 1)), 0)
    with pytest.raises(DataError, match="64"):
        st.hurst(np.ones((50, 1)))
