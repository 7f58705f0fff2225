"""Training windows: what is drawn, and that a stop changes nothing."""

import numpy as np
import pytest
import torch

from simmst.pretraining.draws import Draws
from simmst.pretraining.pool import Pool, draw_pool
from simmst.pretraining.reading import HOURS

HOURS_OF_WORLD = 24 * 49


def clock_pool() -> Pool:
    """Series whose value is 1 + their hour of the week, and which begin at different hours."""
    hour = np.array([0, 5, 100])
    return Pool((1.0 + (hour[:, None] + np.arange(HOURS_OF_WORLD)) % 168).astype(np.float32), hour)


def test_a_batch_is_the_same_whenever_it_is_drawn():
    draws = Draws(clock_pool(), 16, 0.5, 0.5, 3)
    first = draws.draw(7)
    draws.draw(8)
    assert all(torch.equal(a, b) for a, b in zip(first, draws.draw(7), strict=True))
    assert not torch.equal(first.known, draws.draw(8).known)


def test_truth_and_clock_belong_to_the_blocks():
    drawn = Draws(clock_pool(), 64, 0.0, 0.0, 0).draw(0)
    hours = drawn.hour_of_week[:, None, None] + 24 * drawn.blocks[:, :, None] + torch.arange(24)
    assert torch.equal(drawn.truth, (1.0 + hours % 168).float())
    seen = (1.0 + (drawn.hour_of_week[:, None] + torch.arange(-HOURS, 0)) % 168).float() * drawn.known
    assert torch.equal(drawn.traffic, seen)
    assert set(drawn.blocks.flatten().tolist()) == set(range(7))


def test_a_mixture_keeps_the_clock_and_a_change_of_regime_begins_at_midnight():
    pool = clock_pool()
    mixed = Draws(pool, 64, 0.0, 1.0, 0).draw(0)
    seen = (1.0 + (mixed.hour_of_week[:, None] + torch.arange(-HOURS, 0)) % 168).float() * mixed.known
    assert torch.allclose(mixed.traffic, seen, rtol=1e-4)  # all series are alike at an hour of the week
    plain, changed = (Draws(pool, 64, share, 0.0, 0).draw(0) for share in (0.0, 1.0))
    whole = changed.known.min(1).values > 0
    ratio = changed.traffic[whole] / (1.0 + (changed.hour_of_week[whole, None] + torch.arange(-HOURS, 0)) % 168)
    jump = ((ratio[:, 1:] / ratio[:, :-1] - 1).abs() > 1e-3).nonzero()
    assert len(jump) and plain.traffic.shape == changed.traffic.shape
    at = (changed.hour_of_week[whole][jump[:, 0]] + jump[:, 1] + 1 - HOURS) % 24
    assert (at == 0).all()


def test_lengths_are_of_all_kinds_and_the_last_hours_are_known():
    known = Draws(clock_pool(), 2000, 0.0, 0.0, 1).draw(0).known
    begun = known.argmax(1)
    whole, short = (begun == 0).float().mean(), (begun > HOURS - 24 * 8).float().mean()
    assert 0.25 < whole < 0.4 and 0.2 < short < 0.45 and begun.max() <= HOURS - 24 + 90
    assert 0.9 < known[:, -1].mean() <= 1


def test_windows_without_traffic_do_not_count():
    pool = clock_pool()
    pool.series[0] = 0
    drawn = Draws(pool, 64, 0.0, 0.0, 0).draw(0)
    assert torch.equal(drawn.counts > 0, (drawn.traffic.sum(1) > 0) & (drawn.known.sum(1) >= 12))
    assert 0 < drawn.counts.sum() < 64


@pytest.mark.parametrize("prior", ["literature", "informed"])
def test_worlds_depend_on_their_number_alone(prior):
    three, two = draw_pool(prior, 3, 42, 1), draw_pool(prior, 2, 42, 1)
    assert three.series.shape == (3 * 16 * 2, 42 * 24) and three.series.dtype == np.float32
    np.testing.assert_array_equal(three.series[:64], two.series)
    np.testing.assert_array_equal(three.hour[:64], two.hour)
    assert np.isfinite(three.series).all() and three.series.min() >= 0
