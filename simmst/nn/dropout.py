"""Dropout whose mask is cheap to draw on the CPU."""

import torch
from torch import Tensor, nn

_LEVELS = 1 << 16


def dropout(x: Tensor, p: float) -> Tensor:
    """Set elements to 0 with probability p and divide the others by 1 − p, as in training.

    On the CPU one draw of 64 bits from torch's default generator serves four elements; torch's own dropout takes
    a draw an element, and three to four times the processor time. There p is rounded to a multiple of 1/65536,
    in the scale as well. Elsewhere this is torch's own.
    """
    if x.device.type != "cpu" or not 0 < p < 1:
        return nn.functional.dropout(x, p)
    dropped = min(round(p * _LEVELS), _LEVELS - 1)
    words = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
    draws = words.view(torch.int16)[: x.numel()].view(x.shape)
    mask = torch.ge(draws, dropped - _LEVELS // 2, out=torch.empty(x.shape, dtype=x.dtype))
    return x * mask.mul_(_LEVELS / (_LEVELS - dropped))


class Dropout(nn.Dropout):
    """`dropout` in training mode, nothing in evaluation mode."""

    def forward(self, input: Tensor) -> Tensor:
        """Drop elements of a tensor of any shape."""
        return dropout(input, self.p) if self.training else input
