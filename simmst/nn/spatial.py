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
    The attention runs over the P patch positions, and the answer is read at the centre, the node that is
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
        # The kernel is stored unrolled: [S, stride * 9, D].
        self.convolution = TaskLinear(tasks, stride * 9, width)
        self.slot = nn.Parameter(torch.randn(tasks, 1, 1, patch, width) * 0.02)
        self.query = TaskLinear(tasks, width, width)
        # No bias: softmax does not see what it would add.
        self.key = TaskLinear(tasks, width, width, bias=False)
        self.value = TaskLinear(tasks, width, width)
        self.out = TaskLinear(tasks, width, width)
        self.norm = TaskNorm(tasks, width)

    def forward(self, patches: Tensor) -> Tensor:
        """`[S, B, L, P]` -> `[S, B, ceil(L / stride), D]`; a short first group repeats the first step."""
        missing = -patches.shape[2] % self.stride
        if missing:
            patches = torch.cat([patches[:, :, :1].expand(-1, -1, missing, -1), patches], dim=2)
        tokens = self._convolve(patches) + self.slot  # [S, B, L', P, D]
        centre = tokens[..., self.patch // 2, :]  # [S, B, L', D]
        query = self.query(centre).unflatten(-1, (self.heads, -1)).unsqueeze(-3)  # [S, B, L', 1, heads, D']
        key, value = (layer(tokens).unflatten(-1, (self.heads, -1)) for layer in (self.key, self.value))
        # One query and P keys: sums of products, since a batched product of such small matrices is slower.
        weights = torch.softmax((query * key).sum(-1) / math.sqrt(key.shape[-1]), dim=-2)  # [..., P, heads]
        mixed = (weights.unsqueeze(-1) * value).sum(-3).flatten(-2)  # [S, B, L', D]
        out: Tensor = self.norm(centre + self.out(mixed))
        return out

    def _convolve(self, patches: Tensor) -> Tensor:
        """3 x 3 convolution and ReLU: `[S, B, L' * stride, P]` -> `[S, B, L', P, D]`.

        On a patch of a few nodes a convolution is a small dense map from the P nodes to the P nodes. It is put
        together from the kernel here, and then all time steps take one product.
        """
        tasks, batch = patches.shape[:2]
        bias = self.convolution.bias
        assert bias is not None
        kernel = self.convolution.weight.view(tasks, self.stride, 1, 9, -1)
        table = self.taps.view(self.patch, self.patch, 9).to(kernel)  # [P in, P out, tap]
        dense = (table @ kernel).flatten(3).reshape(tasks, self.stride * self.patch, -1)  # [S, stride * P, P * D]
        groups = patches.reshape(tasks, -1, self.stride * self.patch)  # [S, B * L', stride * P]
        maps = torch.baddbmm(bias.repeat(1, 1, self.patch), groups, dense)
        return nn.functional.relu(maps).view(tasks, batch, -1, self.patch, kernel.shape[-1])
