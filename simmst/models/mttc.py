"""MTTC, adapted: a convolutional trunk shared by all services (Rezaei & Liu, 2020, arXiv 1906.05248)."""

from torch import Tensor, nn

from simmst.models.baseline import BaselineNetwork, join_nodes, split_nodes


class MTTC(BaselineNetwork):
    """Hard sharing: one convolutional trunk over the history, one linear head a service.

    An adaptation that its authors have not published: theirs classifies network flows from 60 packets. Kept: three
    pairs of convolutions of 32, 64 and 128 channels with max-pooling, two dense layers of 256, one head a task.
    Adapted: the channels are the services, the length the history; same padding and pooling of partial pairs, so
    that any history fits; linear heads of H steps in place of the three softmax heads, and no label mask. Each
    node is a series of its own. 261,091 parameters at S = 3, 24 -> 1.

    Parameters
    ----------
    services, lookback, horizon : int
        S, L, H.
    channels : tuple of int
        Of each pair of convolutions; each pair halves the time axis.
    hidden : int
        Width of the two dense layers.
    """

    def __init__(
        self,
        services: int,
        lookback: int,
        horizon: int,
        *,
        channels: tuple[int, ...] = (32, 64, 128),
        hidden: int = 256,
    ) -> None:
        super().__init__(services, lookback, horizon)
        layers: list[nn.Module] = []
        length, inputs = lookback, services
        for outputs in channels:
            for size in (inputs, outputs):
                layers += [nn.Conv1d(size, outputs, 3, padding=1), nn.ReLU()]
            layers.append(nn.MaxPool1d(2, ceil_mode=True))
            length, inputs = -(-length // 2), outputs
        layers += [nn.Flatten(), nn.Linear(length * inputs, hidden), nn.ReLU()]
        layers += [nn.Linear(hidden, hidden), nn.ReLU()]
        self.trunk = nn.Sequential(*layers)
        # The S heads of H steps, side by side in one map.
        self.heads = nn.Linear(hidden, horizon * services)

    def forecast(self, history: Tensor, history_marks: Tensor, future_marks: Tensor) -> Tensor:
        """Forecast `[B, H, N, S]`; the marks are not read."""
        shared = self.trunk(split_nodes(history).transpose(1, 2))  # [B * N, hidden]
        forecast = self.heads(shared).unflatten(-1, (self.horizon, self.services))
        return join_nodes(forecast, history.shape[2])
