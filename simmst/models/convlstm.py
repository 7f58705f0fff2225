"""ConvLSTM: an LSTM whose products are convolutions over the city's grid (Shi et al., arXiv 1506.04214)."""

import torch
from torch import Tensor, nn

from simmst.models.baseline import BaselineNetwork
from simmst.nn.recurrent import ConvLSTMCell


class ConvLSTM(BaselineNetwork):
    """Stacked ConvLSTM cells read the history; a 1 x 1 convolution maps the last state to all H steps.

    Departs from the publication in: no peepholes (as in the usual public code) and one head in place of a
    forecasting decoder. Needs a full grid: on scattered nodes a 3 x 3 kernel has no meaning. The cells have
    150,016 parameters at S = 1 and one layer of 64, 445,184 with two; the head 65 H S more.

    Parameters
    ----------
    services, lookback, horizon : int
        S, L, H.
    grid : int Tensor `[R, C]`
        Number of the node at each place; every node once.
    hidden, layers, kernel : int
        Channels of the states, depth, side of the kernel.
    """

    grid: Tensor
    place: Tensor

    def __init__(
        self,
        services: int,
        lookback: int,
        horizon: int,
        grid: Tensor,
        *,
        hidden: int = 64,
        layers: int = 2,
        kernel: int = 3,
    ) -> None:
        super().__init__(services, lookback, horizon, nodes=grid.numel())
        if grid.ndim != 2 or not torch.equal(grid.flatten().sort().values, torch.arange(grid.numel())):
            raise ValueError(f"grid must hold each node 0..N - 1 once, [R, C], got shape {tuple(grid.shape)}")
        self.hidden = hidden
        self.register_buffer("grid", grid, persistent=False)
        self.register_buffer("place", grid.flatten().argsort(), persistent=False)
        sizes = [services, *[hidden] * (layers - 1)]
        self.cells = nn.ModuleList([ConvLSTMCell(size, hidden, kernel) for size in sizes])
        self.head = nn.Conv2d(hidden, horizon * services, 1)

    def forecast(self, history: Tensor, history_marks: Tensor, future_marks: Tensor) -> Tensor:
        """Forecast `[B, H, N, S]`; the marks are not read."""
        images = history[:, :, self.grid].permute(1, 0, 4, 2, 3)  # [L, B, S, R, C]
        for cell in self.cells:
            zero = history.new_zeros(len(history), self.hidden, *self.grid.shape)
            images = _run(cell, images, zero)
        forecast = self.head(images[-1]).flatten(2)  # [B, H * S, R * C]
        forecast = forecast[:, :, self.place]  # [B, H * S, N]
        out: Tensor = forecast.unflatten(1, (self.horizon, self.services)).transpose(2, 3)
        return out


def _run(cell: nn.Module, images: Tensor, zero: Tensor) -> Tensor:
    """Pass the cell along `[L, B, I, R, C]` from the state `zero`; all its states h, `[L, B, hidden, R, C]`."""
    state, states = (zero, zero), []
    for image in images:
        state = cell(image, state)
        states.append(state[0])
    return torch.stack(states)
