"""DLinear: two linear maps, one of the trend and one of the rest (Zeng et al., AAAI 2023, arXiv 2205.13504)."""

import torch
from torch import Tensor, nn

from simmst.errors import ConfigError
from simmst.models.baseline import BaselineNetwork


class DLinear(BaselineNetwork):
    """Trend by a moving average, then one linear map from L to H steps for the trend and one for the rest.

    The two maps are shared by all nodes and services, as in the publication's default. They start as the mean
    of the window. 2 (L + 1) H parameters: 50 at 24 -> 1.

    Parameters
    ----------
    services, lookback, horizon : int
        S, L, H.
    window : int
        Length of the moving average, odd; the ends of the history are repeated for it.
    """

    def __init__(self, services: int, lookback: int, horizon: int, *, window: int = 25) -> None:
        super().__init__(services, lookback, horizon)
        if window < 1 or window % 2 == 0:
            raise ConfigError(f"window must be an odd number of steps, got {window}")
        self.window = window
        self.trend = nn.Linear(lookback, horizon)
        self.rest = nn.Linear(lookback, horizon)
        for part in (self.trend, self.rest):
            nn.init.constant_(part.weight, 1.0 / lookback)

    def forecast(self, history: Tensor, history_marks: Tensor, future_marks: Tensor) -> Tensor:
        """Forecast `[B, H, N, S]`; the marks are not read."""
        series = history.permute(0, 2, 3, 1)  # [B, N, S, L]
        trend = moving_average(series, self.window)
        forecast: Tensor = self.trend(trend) + self.rest(series - trend)  # [B, N, S, H]
        return forecast.permute(0, 3, 1, 2)


def moving_average(x: Tensor, window: int) -> Tensor:
    """Centred mean of `window` steps of `[..., L]`, the ends repeated."""
    half = window // 2
    ends = x[..., :1].expand(*x.shape[:-1], half), x[..., -1:].expand(*x.shape[:-1], half)
    return torch.cat([ends[0], x, ends[1]], dim=-1).unfold(-1, window, 1).mean(-1)
