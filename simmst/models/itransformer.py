"""iTransformer: attention across series instead of across time (Liu et al., ICLR 2024, arXiv 2310.06625)."""

import torch
from torch import Tensor, nn

from simmst.models.baseline import EPSILON, BaselineNetwork
from simmst.nn.dropout import Dropout
from simmst.nn.token_encoder import TokenEncoderLayer
from simmst.nn.window_scale import window_scale


class ITransformer(BaselineNetwork):
    """Each series of the window, a node's service, is one token; the tokens attend to each other.

    A series is normalised over its own window (no gradient through mean and deviation), mapped from its L steps
    to a token, encoded with the others, mapped to H steps and de-normalised. The calendar marks of the history
    are further tokens, as in the published code; they are not forecast. Nothing departs from the publication.
    202,753 parameters at 24 -> 1, width 128; 6,404,704 at the published size (96 -> 96, width 512, hidden 2048).

    Parameters
    ----------
    services, lookback, horizon : int
        S, L, H.
    width, heads, hidden, layers : int
        D, attention heads (dividing D), width of the feed-forward map, depth.
    dropout : float
    """

    def __init__(
        self,
        services: int,
        lookback: int,
        horizon: int,
        *,
        width: int = 128,
        heads: int = 8,
        hidden: int = 128,
        layers: int = 2,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(services, lookback, horizon)
        self.token = nn.Linear(lookback, width)
        self.dropout = Dropout(dropout)
        self.layers = nn.ModuleList([TokenEncoderLayer(width, heads, hidden, dropout) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, horizon)

    def forecast(self, history: Tensor, history_marks: Tensor, future_marks: Tensor) -> Tensor:
        """Forecast `[B, H, N, S]`; the future marks are not read."""
        series = history.flatten(2)  # [B, L, N * S]
        mean, scale = window_scale(series, EPSILON)
        tokens = torch.cat([(series - mean) / scale, history_marks], dim=2).transpose(1, 2)  # [B, N * S + M, L]
        x = self.dropout(self.token(tokens))  # [B, N * S + M, D]
        for layer in self.layers:
            x = layer(x)
        forecast = self.head(self.norm(x[:, : series.shape[2]])).transpose(1, 2)  # [B, H, N * S]
        out: Tensor = forecast * scale + mean
        return out.reshape(len(history), self.horizon, *history.shape[2:])
