"""The quantile loss has its minimum at the quantiles."""

import numpy as np
import torch
from scipy.stats import norm

from simmst.pretraining.loss import quantile_loss
from simmst.pretraining.reading import LEVELS, Scale

FIRST, LATER = torch.zeros(1, 1, dtype=torch.int64), torch.ones(1, 1, dtype=torch.int64)


def test_the_best_constant_forecast_is_made_of_the_quantiles():
    # truth with logarithms from a normal variable: in the scale's z-scores it is normal about known quantiles
    scale = Scale(torch.ones(1), torch.zeros(1), torch.ones(1))
    z = norm.ppf((np.arange(4000) + 0.5) / 4000) * 0.5 + 1.0
    truth = torch.from_numpy(np.exp(z) - 0.05).float().view(1, 1, -1)
    best = torch.from_numpy(norm.ppf(LEVELS) * 0.5 + 1.0).float()

    def loss(quantiles):
        return float(quantile_loss(quantiles.expand(1, 1, 4000, -1), scale, LATER, truth, torch.ones(1)))

    least = loss(best)
    for level in range(len(LEVELS)):
        for step in (-0.1, 0.1):
            moved = best.clone()
            moved[level] += step
            assert loss(moved) > least


def test_a_window_that_counts_for_nothing_changes_nothing():
    scale = Scale(torch.ones(2), torch.zeros(2), torch.ones(2))
    quantiles, truth = torch.zeros(2, 1, 24, len(LEVELS)), torch.rand(2, 1, 24)
    one = quantile_loss(quantiles[:1], Scale(*(a[:1] for a in scale)), LATER, truth[:1], torch.ones(1))
    truth[1] = 1e9
    assert torch.isclose(quantile_loss(quantiles, scale, LATER.expand(2, 1), truth, torch.tensor([1.0, 0.0])), one)


def test_values_by_hand():
    # one level off by one either way: the median's loss is half of the distance, of each scale
    scale = Scale(torch.ones(1), torch.zeros(1), torch.ones(1))
    truth = torch.full((1, 1, 1), float(np.exp(1.0) - 0.05))
    at = torch.zeros(1, 1, 1, len(LEVELS))
    relative = np.exp(1.0) - 1.0  # 0.95 is what z = 0 stands for
    wanted = np.mean([level * (1.0 + relative) for level in LEVELS])
    assert torch.isclose(quantile_loss(at, scale, LATER, truth, torch.ones(1)), torch.tensor(wanted).float())
    # the first hour after the origin counts four times
    first = quantile_loss(at, scale, FIRST, truth, torch.ones(1))
    assert torch.isclose(first, torch.tensor(4 * wanted).float())
