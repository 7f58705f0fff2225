"""A linear path beside the network: a departure from the paper, named as such."""

import torch
from torch import Tensor, nn


class LinearHighway(nn.Module):
    """One linear map a task from the node's own past to the horizon, `[S, B, L]` -> `[S, B, H]`.

    As the autoregressive part of LSTNet (Lai et al., SIGIR 2018, arXiv 1703.07015). It starts as the
    seasonal naive forecast: step h of the horizon is the last known step of the same phase.

    Parameters
    ----------
    tasks, lookback, horizon : int
        S, L, H.
    season : int
        Period of the naive forecast it starts from, in steps, at most L.
    """

    def __init__(self, tasks: int, lookback: int, horizon: int, season: int) -> None:
        super().__init__()
        steps = torch.arange(horizon)
        weight = torch.zeros(tasks, lookback, horizon)
        weight[:, lookback - season + steps % season, steps] = 1.0
        self.weight = nn.Parameter(weight)

    def forward(self, values: Tensor) -> Tensor:
        """Forecast `[S, B, H]` from `[S, B, L]`."""
        return torch.bmm(values, self.weight)
