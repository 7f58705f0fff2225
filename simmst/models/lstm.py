"""LSTM on each node's own series (Hochreiter & Schmidhuber, 1997), the recurrent row of the table."""

from torch import Tensor, nn

from simmst.models.baseline import EPSILON, BaselineNetwork, join_nodes, split_nodes
from simmst.nn.window_scale import window_scale


class LSTM(BaselineNetwork):
    """A stacked LSTM over the history, its last state mapped to the whole horizon by a small MLP.

    One set of weights serves all nodes; a node does not see the others. Of the many LSTMs in use this is the
    plain one: the published traffic baselines split the history into close and daily lags, this one reads all
    of it. 54,657 parameters at S = 1, H = 1 and the default size, as many as the LSTM of neuralforecast at
    the same size.

    Parameters
    ----------
    services, lookback, horizon : int
        S, L, H.
    hidden, layers : int
        Units and depth.
    dropout : float
        Between the layers.
    normalise : bool
        Scale each window by its own mean and deviation, and the forecast back.
    """

    def __init__(
        self,
        services: int,
        lookback: int,
        horizon: int,
        *,
        hidden: int = 64,
        layers: int = 2,
        dropout: float = 0.0,
        normalise: bool = True,
    ) -> None:
        super().__init__(services, lookback, horizon)
        self.normalise = normalise
        self.lstm = nn.LSTM(services, hidden, layers, dropout=dropout if layers > 1 else 0.0, batch_first=True)
        self.head = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, horizon * services))

    def forecast(self, history: Tensor, history_marks: Tensor, future_marks: Tensor) -> Tensor:
        """Forecast `[B, H, N, S]`; the marks are not read."""
        values = split_nodes(history)  # [B * N, L, S]
        if self.normalise:
            mean, scale = window_scale(values, EPSILON)
            values = (values - mean) / scale
        states, _ = self.lstm(values)  # [B * N, L, hidden]
        forecast = self.head(states[:, -1]).unflatten(-1, (self.horizon, self.services))
        if self.normalise:
            forecast = forecast * scale + mean
        return join_nodes(forecast, history.shape[2])
