"""STAEformer: attention over time, then nodes, with an adaptive embedding (Liu et al., arXiv 2308.10425)."""

import torch
from torch import Tensor, nn

from simmst.models.baseline import BaselineNetwork
from simmst.nn.calendar import week_places


class STAEformer(BaselineNetwork):
    """Values, time of day, day of week and a learnt vector per step and node; attention over time, then nodes.

    Liu et al., CIKM 2023. Nothing departs from the publication. 1,156,260 parameters at N = 100, 12 -> 12, 288
    steps a day and the published size, as many as the public code (1,258,980 at N = 207). The heaviest of the
    baselines.

    Parameters
    ----------
    services, lookback, horizon, nodes : int
        S, L, H, N.
    steps_per_day : int
    value_width, day_width, week_width, adaptive_width : int
        Widths of the four embeddings; D is their sum.
    heads, hidden, layers : int
        Attention heads (dividing D), width of the feed-forward map, depth over time and over nodes each.
    dropout : float
    """

    def __init__(
        self,
        services: int,
        lookback: int,
        horizon: int,
        nodes: int,
        steps_per_day: int,
        *,
        value_width: int = 24,
        day_width: int = 24,
        week_width: int = 24,
        adaptive_width: int = 80,
        heads: int = 4,
        hidden: int = 256,
        layers: int = 3,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(services, lookback, horizon, nodes)
        self.steps_per_day = steps_per_day
        width = value_width + day_width + week_width + adaptive_width
        self.value = nn.Linear(services + 2, value_width)
        self.day = nn.Embedding(steps_per_day, day_width)
        self.week = nn.Embedding(7, week_width)
        self.adaptive = nn.Parameter(nn.init.xavier_uniform_(torch.empty(lookback, nodes, adaptive_width)))
        self.over_time, self.over_nodes = (
            nn.ModuleList([_layer(width, heads, hidden, dropout) for _ in range(layers)]) for _ in range(2)
        )
        self.head = nn.Linear(lookback * width, horizon * services)

    def forecast(self, history: Tensor, history_marks: Tensor, future_marks: Tensor) -> Tensor:
        """Forecast `[B, H, N, S]`; the future marks are not read."""
        batch, length, nodes, _ = history.shape
        step, day = (x[:, :, None].expand(-1, -1, nodes) for x in week_places(history_marks, self.steps_per_day))
        place = torch.stack([step / self.steps_per_day, day / 7], dim=-1).to(history)
        parts = (
            self.value(torch.cat([history, place], dim=-1)),
            self.day(step),
            self.week(day),
            self.adaptive.expand(batch, -1, -1, -1),
        )
        x = torch.cat(parts, dim=-1)  # [B, L, N, D]
        x = x.transpose(1, 2).flatten(0, 1)  # [B * N, L, D]
        for layer in self.over_time:
            x = layer(x)
        x = x.reshape(batch, nodes, length, -1).transpose(1, 2).flatten(0, 1)  # [B * L, N, D]
        for layer in self.over_nodes:
            x = layer(x)
        x = x.reshape(batch, length, nodes, -1).transpose(1, 2).flatten(2)  # [B, N, L * D]
        forecast: Tensor = self.head(x).unflatten(-1, (self.horizon, self.services)).transpose(1, 2)
        return forecast


def _layer(width: int, heads: int, hidden: int, dropout: float) -> nn.TransformerEncoderLayer:
    """Post-norm layer with ReLU; the attention's weights themselves are not dropped, as published."""
    layer = nn.TransformerEncoderLayer(width, heads, hidden, dropout, batch_first=True)
    layer.self_attn.dropout = 0.0
    return layer
