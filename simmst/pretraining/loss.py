"""The quantile (pinball) loss, of z-scores and of traffic in its own mean."""

from __future__ import annotations

import torch
from torch import Tensor

from simmst.pretraining.reading import LEVELS, Scale

# Both scales have the same best quantiles, since one is a rising function of the other. The first makes quiet
# hours count, the second busy ones, which is what an error in traffic is made of.
_FAR, _MANY = 8.0, 30.0  # truth beyond is taken as this, so that no single hour rules a step
# The first hours are one draw in many, and what can be known of them is most: they count up to four times.
_FIRST, _FADING = 3.0, 4.0  # hours


def quantile_loss(quantiles: Tensor, scale: Scale, blocks: Tensor, truth: Tensor, counts: Tensor) -> Tensor:
    """Mean pinball loss over windows, days, hours and levels; the sum of both scales.

    An hour counts 1, of the first day 1 + 3 exp(-k / 4) for the k-th after the origin.

    Parameters
    ----------
    quantiles : Tensor [B, K, 24, Q]
        From `PretrainedNet.forward`.
    scale : Scale
        From there, too.
    blocks : Tensor [B, K]
        Which days: 0 is the first.
    truth : Tensor [B, K, 24]
        Traffic.
    counts : Tensor [B]
        How much each window counts, not all 0.
    """
    scaled = scale.scaled(truth).clamp(-_FAR, _FAR)
    relative = (truth / scale.unit[:, None, None]).clamp(max=_MANY)
    loss = _pinball(scaled[..., None] - quantiles)
    loss = loss + _pinball(relative[..., None] - scale.relative(quantiles).clamp(max=2 * _MANY))
    hours = torch.arange(truth.shape[2], device=truth.device)
    weight = 1.0 + _FIRST * torch.exp(-hours / _FADING) * (blocks == 0).float()[..., None]
    return ((loss * weight).mean((1, 2)) * counts).sum() / counts.sum()


def _pinball(error: Tensor) -> Tensor:
    level = torch.tensor(LEVELS, device=error.device)
    return torch.maximum(level * error, (level - 1.0) * error).mean(-1)
