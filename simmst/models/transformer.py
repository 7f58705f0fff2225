"""The encoder-decoder Transformer (Vaswani et al., NeurIPS 2017, arXiv 1706.03762) as a forecaster."""

import torch
from torch import Tensor, nn

from simmst.errors import ConfigError
from simmst.models.baseline import EPSILON, BaselineNetwork, join_nodes, split_nodes
from simmst.nn.series import SeriesEmbedding, start_token
from simmst.nn.window_scale import window_scale
from simmst.traffic.windows import N_MARKS


class Transformer(BaselineNetwork):
    """Full attention over the history and in the decoder, with Informer's embedding and generative decoder.

    Each node is a series of its own with S channels, one set of weights for all. Departs from the publication as
    forecasters usually do: the decoder reads a start token and zeros and gives all H steps in one pass, GELU,
    a last LayerNorm on each side; by no dropout of the attention's weights, which would take half of the time on a
    CPU; and by an optional scaling of each window. 93,889 parameters at S = 1 and
    the default size.

    Parameters
    ----------
    services, lookback, horizon : int
        S, L, H.
    width, heads, hidden : int
        D, attention heads (dividing D), width of the feed-forward map.
    encoder_layers, decoder_layers : int
    label : int or None
        Start token, in steps of the history; None takes half of the history.
    dropout : float
    normalise : bool
        Scale each window by its own mean and deviation, and the forecast back.
    """

    def __init__(
        self,
        services: int,
        lookback: int,
        horizon: int,
        *,
        width: int = 64,
        heads: int = 4,
        hidden: int = 64,
        encoder_layers: int = 2,
        decoder_layers: int = 1,
        label: int | None = None,
        dropout: float = 0.05,
        normalise: bool = True,
    ) -> None:
        super().__init__(services, lookback, horizon)
        self.label = lookback // 2 if label is None else label
        if not 0 <= self.label <= lookback:
            raise ConfigError(f"label must lie in 0..lookback ({lookback}), got {label}")
        self.normalise = normalise
        self.encoder_embedding = SeriesEmbedding(services, N_MARKS, width, dropout)
        self.decoder_embedding = SeriesEmbedding(services, N_MARKS, width, dropout)
        sizes = (width, heads, hidden, dropout, "gelu")
        self.encoder = nn.ModuleList(
            [nn.TransformerEncoderLayer(*sizes, batch_first=True) for _ in range(encoder_layers)]
        )
        self.decoder = nn.ModuleList(
            [nn.TransformerDecoderLayer(*sizes, batch_first=True) for _ in range(decoder_layers)]
        )
        for part in (*self.encoder.modules(), *self.decoder.modules()):
            if isinstance(part, nn.MultiheadAttention):
                part.dropout = 0.0
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(2)])
        self.head = nn.Linear(width, services)

    def forecast(self, history: Tensor, history_marks: Tensor, future_marks: Tensor) -> Tensor:
        """Forecast `[B, H, N, S]`."""
        nodes = history.shape[2]
        values = split_nodes(history)  # [B * N, L, S]
        past, ahead = (marks.repeat_interleave(nodes, dim=0) for marks in (history_marks, future_marks))
        if self.normalise:
            mean, scale = window_scale(values, EPSILON)
            values = (values - mean) / scale
        forecast = self._decode(values, past, ahead, self._encode(values, past))
        if self.normalise:
            forecast = forecast * scale + mean
        return join_nodes(forecast, nodes)

    def _encode(self, values: Tensor, marks: Tensor) -> Tensor:
        x = self.encoder_embedding(values, marks)  # [B * N, L, D]
        for layer in self.encoder:
            x = layer(x)
        out: Tensor = self.norms[0](x)
        return out

    def _decode(self, values: Tensor, past: Tensor, ahead: Tensor, memory: Tensor) -> Tensor:
        marks = torch.cat([past[:, self.lookback - self.label :], ahead], dim=1)
        x = self.decoder_embedding(start_token(values, self.label, self.horizon), marks)
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1], device=x.device, dtype=x.dtype)
        for layer in self.decoder:
            x = layer(x, memory, tgt_mask=mask, tgt_is_causal=True)
        out: Tensor = self.head(self.norms[1](x[:, self.label :]))
        return out
