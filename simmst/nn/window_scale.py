"""The scale of a window: networks and proxies see each series by the mean and deviation of its own past."""

import torch
from torch import Tensor

# A series that deviates less than this from its mean (in the units of the history) is only shifted.
_CONSTANT = 1e-3


def window_scale(history: Tensor, epsilon: float = 0.0) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each series over the steps of its window; no gradient flows through them.

    Parameters
    ----------
    history : Tensor `[B, L, ...]`
    epsilon : float
        Added to the variance, as some published networks do: a series that hardly varies is then divided by about
        the root of it, in place of 1.

    Returns
    -------
    mean, deviation : Tensor `[B, 1, ...]`
    """
    history = history.detach()
    mean = history.mean(1, keepdim=True)
    variance = (history - mean).square().mean(1, keepdim=True) + epsilon
    return mean, torch.where(variance > _CONSTANT**2, variance, torch.ones_like(variance)).sqrt()
