"""Encoder layer over tokens with dropout of the attention's weights, as iTransformer's."""

from torch import Tensor, nn

from simmst.nn.attention import full_attention
from simmst.nn.dropout import Dropout


class TokenEncoderLayer(nn.TransformerEncoderLayer):
    """As `torch.nn.TransformerEncoderLayer` with GELU and the batch first, and the same parameters.

    While training, the attention is `simmst.nn.attention.full_attention` and the masks are
    those of `simmst.nn.dropout`: two thirds of the processor time of torch's own layer.

    Parameters
    ----------
    width, heads, hidden : int
    dropout : float
        Of the attention's weights and of both residual branches.
    """

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__(width, heads, hidden, dropout, activation="gelu", batch_first=True)
        self.dropout, self.dropout1, self.dropout2 = (Dropout(dropout) for _ in range(3))

    def forward(self, src: Tensor, *args: object, **options: object) -> Tensor:
        """Encode `[B, T, D]`; there are no masks."""
        if not self.training:
            return super().forward(src)
        x = self.norm1(src + self.dropout1(self._attend(src)))
        hidden = self.dropout(nn.functional.gelu(self.linear1(x)))
        out: Tensor = self.norm2(x + self.dropout2(self.linear2(hidden)))
        return out

    def _attend(self, x: Tensor) -> Tensor:
        own = self.self_attn
        projected = nn.functional.linear(x, own.in_proj_weight, own.in_proj_bias)
        q, k, v = projected.view(*x.shape[:2], 3, own.num_heads, -1).permute(2, 0, 3, 1, 4)  # [B, heads, T, d]
        heads = full_attention(q, k, v, dropout=own.dropout)
        out: Tensor = own.out_proj(heads.transpose(1, 2).flatten(-2))
        return out
