"""What every baseline shares: one convention of shapes, checked at the door."""

from torch import Tensor, nn

from simmst.errors import ConfigError
from simmst.traffic.windows import N_MARKS

EPSILON = 1e-5  # of `window_scale` where a network normalises its windows: RevIN's (Kim et al., ICLR 2022)


class BaselineNetwork(nn.Module):
    """Base of the baselines: scaled traffic `[B, L, N, S]` to a forecast `[B, H, N, S]`.

    A subclass writes `forecast`, whose inputs have been checked. B windows, L steps of history, H of forecast,
    N nodes, S services, M calendar marks.

    Parameters
    ----------
    services, lookback, horizon : int
        S, L, H.
    nodes : int or None
        N where the weights are tied to it; None where any number of nodes will do.
    """

    def __init__(self, services: int, lookback: int, horizon: int, nodes: int | None = None) -> None:
        super().__init__()
        for name, size in (("services", services), ("lookback", lookback), ("horizon", horizon)):
            if size < 1:
                raise ConfigError(f"{name} must be at least 1, got {size}")
        if nodes is not None and nodes < 1:
            raise ConfigError(f"nodes must be at least 1, got {nodes}")
        self.services, self.lookback, self.horizon, self.nodes = services, lookback, horizon, nodes

    def forward(self, history: Tensor, history_marks: Tensor, future_marks: Tensor) -> Tensor:
        """Forecast `[B, H, N, S]` in the units of the history.

        Parameters
        ----------
        history : Tensor `[B, L, N, S]`
            Scaled traffic.
        history_marks, future_marks : Tensor `[B, L, M]`, `[B, H, M]`
            Calendar marks, see `simmst.traffic.windows.calendar_marks`. Some models do not read them.
        """
        if history.ndim != 4:
            raise ValueError(f"history must have the axes [B, L, N, S], got {tuple(history.shape)}")
        batch, nodes = len(history), self.nodes or history.shape[2]
        expected = {
            "history": (history, (batch, self.lookback, nodes, self.services)),
            "history_marks": (history_marks, (batch, self.lookback, N_MARKS)),
            "future_marks": (future_marks, (batch, self.horizon, N_MARKS)),
        }
        for name, (tensor, shape) in expected.items():
            if tuple(tensor.shape) != shape:
                raise ValueError(f"{name} must have shape {shape}, got {tuple(tensor.shape)}")
        return self.forecast(history, history_marks, future_marks)

    def forecast(self, history: Tensor, history_marks: Tensor, future_marks: Tensor) -> Tensor:
        """Forecast from inputs whose shapes are right."""
        raise NotImplementedError


def split_nodes(x: Tensor) -> Tensor:
    """`[B, L, N, S]` -> `[B * N, L, S]`: each node a series of its own."""
    return x.transpose(1, 2).flatten(0, 1)


def join_nodes(y: Tensor, nodes: int) -> Tensor:
    """`[B * N, H, S]` -> `[B, H, N, S]`: the way back from `split_nodes`."""
    return y.reshape(-1, nodes, *y.shape[1:]).transpose(1, 2)
