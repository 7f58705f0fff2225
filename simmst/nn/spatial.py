"""Equation (10): what the neighbourhood tells about its centre."""

import math

import torch
from torch import Tensor, nn

from simmst.nn.per_task import TaskLinear, TaskNorm


def neighbour_table(side: int) -> Tensor:
    """Which slot each tap of a 3 x 3 kernel reads: 0/1, `[P, P * 9]`, P = side², zeros beyond the edge."""
    slots = torch.zeros(side, side, side, side, 9)
    for row in range(side):
        for column in range(side):
            for tap in range(9):
                r, c = row + tap // 3 - 1, column + tap % 3 - 1
                if 0 <= r < side and 0 <= c < side:
                    slots[r, c, row, column, tap] = 1.0
    return slots.reshape(side * side, side * side * 9)


class SpatialAttention(nn.Module):
    """S = MultiHeadAttention(CNN(X)), per task (equation (10) [C]).

    The CNN is a 3 x 3 convolution over the square patch (zero padding, ReLU) whose input channels are
    `stride` successive time steps, so that the features come on the time axis of the distilled encoder.
    The attention runs over the P patch positions, and the answer is read at the centre, the cell that is
    forecast. Only that row of the self-attention is ever used, so only that row is computed.

    Parameters
    ----------
    tasks, patch, width, heads : int
        S; P, an odd number squared, centre slot P // 2; D; heads, which must divide D.
    stride : int
        Time steps joined into one.
    """

    taps: Tensor

    def __init__(self, tasks: int, patch: int, width: int, heads: int, stride: int = 1) -> None:
        super().__init__()
        side = math.isqrt(patch)
        if side * side != patch or side % 2 == 0:
            raise ValueError(f"patch must be an odd number squared (1, 9, 25, ...), got {patch}")
        if width % heads:
            raise ValueError(f"heads must divide width, got width={width}, heads={heads}")
        self.patch, self.heads, self.stride = patch, heads, stride
        self.register_buffer("taps", neighbour_table(side), persistent=False)
        # The kernel is stored unrolled, [S, stride * 9, D]: on small patches a product beats a convolution.
        self.convolution = TaskLinear(tasks, stride * 9, width)
        self.slot = nn.Parameter(torch.randn(tasks, 1, 1, patch, width) * 0.02)
        self.query = TaskLinear(tasks, width, width)
        self.key_value = TaskLinear(tasks, width, 2 * width)
        self.out = TaskLinear(tasks, width, width)
        self.norm = TaskNorm(tasks, width)

    def forward(self, patches: Tensor) -> Tensor:
        """`[S, B, L, P]` -> `[S, B, ceil(L / stride), D]`; a short first group repeats the first step."""
        missing = -patches.shape[2] % self.stride
        if missing:
            patches = torch.cat([patches[:, :, :1].expand(-1, -1, missing, -1), patches], dim=2)
        taps = patches @ self.taps.to(patches)  # [S, B, L, P * 9]
        groups = taps.view(*taps.shape[:2], -1, self.stride, self.patch, 9)
        groups = groups.transpose(3, 4).flatten(-2)  # [S, B, L', P, stride * 9]
        tokens = nn.functional.relu(self.convolution(groups)) + self.slot  # [S, B, L', P, D]
        centre = tokens[..., self.patch // 2, :]  # [S, B, L', D]
        query = self.query(centre).unflatten(-1, (self.heads, -1)).unsqueeze(-3)  # [S, B, L', 1, heads, D']
        key, value = self.key_value(tokens).unflatten(-1, (2, self.heads, -1)).unbind(-3)
        # One query and P keys: sums of products, since a batched product of such small matrices is slower.
        weights = torch.softmax((query * key).sum(-1) / math.sqrt(key.shape[-1]), dim=-2)  # [..., P, heads]
        mixed = (weights.unsqueeze(-1) * value).sum(-3).flatten(-2)  # [S, B, L', D]
        out: Tensor = self.norm(centre + self.out(mixed))
        return out
