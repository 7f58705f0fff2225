"""DCRNN: a recurrent encoder and decoder with diffusion convolutions (Li et al., ICLR 2018, arXiv 1707.01926)."""

import torch
from torch import Tensor, nn

from simmst.models.baseline import BaselineNetwork
from simmst.nn.graph import random_walks
from simmst.nn.recurrent import DiffusionGRUCell


class DCRNN(BaselineNetwork):
    """Stacked diffusion GRUs read the history, others write the forecast step by step from a zero first input.

    Departs from the published code in: no scheduled sampling (while training, too, the decoder reads its own
    forecasts, never the truth); powers of the walks where the code has a Chebyshev recurrence; no time of day
    beside the values. 371,393 parameters at S = 1, 2 layers of 64, K = 2, as many as the published code at one
    input channel (372,353 at two, METR-LA).

    Parameters
    ----------
    services, lookback, horizon : int
        S, L, H.
    adjacency : Tensor `[N, N]`
        Weighted graph; may be directed.
    hidden, layers, steps : int
        Units and depth of encoder and decoder each, diffusion steps K.
    """

    def __init__(
        self,
        services: int,
        lookback: int,
        horizon: int,
        adjacency: Tensor,
        *,
        hidden: int = 64,
        layers: int = 2,
        steps: int = 2,
    ) -> None:
        super().__init__(services, lookback, horizon, nodes=len(adjacency))
        self.hidden = hidden
        walks = random_walks(adjacency)
        sizes = [services, *[hidden] * (layers - 1)]
        self.encoder = nn.ModuleList([DiffusionGRUCell(size, hidden, walks, steps) for size in sizes])
        self.decoder = nn.ModuleList([DiffusionGRUCell(size, hidden, walks, steps) for size in sizes])
        self.head = nn.Linear(hidden, services)

    def forecast(self, history: Tensor, history_marks: Tensor, future_marks: Tensor) -> Tensor:
        """Forecast `[B, H, N, S]`; the marks are not read."""
        batch, _, nodes, _ = history.shape
        states = [history.new_zeros(batch, nodes, self.hidden) for _ in self.encoder]
        for x in history.unbind(1):
            _step(self.encoder, x, states)
        x, steps = torch.zeros_like(history[:, 0]), []
        for _ in range(self.horizon):
            x = self.head(_step(self.decoder, x, states))  # [B, N, S]
            steps.append(x)
        return torch.stack(steps, dim=1)


def _step(stack: nn.ModuleList, x: Tensor, states: list[Tensor]) -> Tensor:
    """Pass one step `[B, N, I]` up the stack, replacing its states; returns the top one `[B, N, hidden]`."""
    for depth, cell in enumerate(stack):
        x = states[depth] = cell(x, states[depth])
    return x
