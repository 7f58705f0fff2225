"""Equation (11): what the tasks tell each other, and how space and time are joined."""

import torch
from torch import Tensor, nn

from simmst.nn.attention import MultiHeadAttention
from simmst.nn.dropout import Dropout
from simmst.nn.per_task import TaskMLP


class CrossTaskAttention(nn.Module):
    """Multi-head attention whose tokens are the tasks, at each time step (equation (11) [C]).

    The paper concatenates the tasks' features and attends across tasks; read here as S tokens a time step,
    with projections shared by all tasks, then residual and LayerNorm.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(1, width, heads)
        self.norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """`[S, B, L, D]` -> `[S, B, L, D]`."""
        # One shared set of projections; laid out once here, or each of them would do it.
        tokens = x.permute(1, 2, 0, 3).unsqueeze(0).contiguous()  # [1, B, L, S, D]
        mixed = self.attention(tokens, tokens).squeeze(0).permute(2, 0, 1, 3)
        out: Tensor = self.norm(x + self.dropout(mixed))
        return out


class Interaction(nn.Module):
    """From temporal and spatial features to one memory a task, Z_task (equation (11) [C]).

    Spatial and temporal features pass through cross-task attention apart from each other, are concatenated
    and mapped by one MLP a task, whose residual is the temporal branch.

    Parameters
    ----------
    tasks, width, heads, hidden : int
        S, D, heads, and the width of the task MLPs.
    across_tasks : bool
        False leaves the tasks apart (the ablation without interaction).
    spatial : bool
        Whether spatial features are given.
    """

    def __init__(
        self,
        tasks: int,
        width: int,
        heads: int,
        hidden: int,
        across_tasks: bool,
        spatial: bool,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.temporal: nn.Module = CrossTaskAttention(width, heads, dropout) if across_tasks else nn.Identity()
        self.spatial: nn.Module = nn.Identity()
        if across_tasks and spatial:
            self.spatial = CrossTaskAttention(width, heads, dropout)
        self.mlp = TaskMLP(tasks, 2 * width if spatial else width, hidden, width, dropout)

    def forward(self, temporal: Tensor, spatial: Tensor | None) -> Tensor:
        """Temporal `[S, B, L, D]` and spatial `[S, B, L, D]` or None to Z `[S, B, L, D]`."""
        temporal = self.temporal(temporal)
        joined = temporal if spatial is None else torch.cat([temporal, self.spatial(spatial)], dim=-1)
        out: Tensor = temporal + self.mlp(joined)
        return out
