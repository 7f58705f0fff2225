"""AST-MTL, adapted: a graph and recurrent branch a task, joined by attention (IEEE Access 2021, 3083412)."""

import torch
from torch import Tensor, nn

from simmst.models.baseline import BaselineNetwork
from simmst.nn.dropout import Dropout
from simmst.nn.graph import GraphConvolution, self_looped
from simmst.traffic.windows import N_MARKS


class ASTMTL(BaselineNetwork):
    """Per task: graph convolutions, a GRU over the city, attention from the shared state, a GRU ahead.

    After Buroni, Lebichot & Bontempi (doi 10.1109/ACCESS.2021.3083412) and their public notebooks; an
    adaptation that its authors have not published: theirs has the tasks flow and speed of roads, 12 steps to 12.
    Kept: two graph convolutions whose node features are the L steps; a GRU over the city's vector `[N]` a step;
    three dense layers from all tasks' states to the shared one; attention with the shared state as query and the
    task's as keys and values; a last GRU that begins at the shared state and reads the calendar ahead; one dense
    map to the city. Adapted: S branches; the notebooks reshape where a transpose is meant, here it is one; where
    L and H differ, the last GRU reads the attention's last min(L, H) steps, repeated if H is longer; no L2
    penalties. The weights are tied to the number of nodes and to their order. 904,042 parameters at S = 3,
    N = 100, 24 -> 1.

    Parameters
    ----------
    services, lookback, horizon : int
        S, L, H.
    adjacency : Tensor `[N, N]`
    hidden, bottleneck, heads, key_width : int
        Units of the GRUs, of the narrow shared layer, attention heads and their width.
    dropout : float
        Before the last map.
    """

    def __init__(
        self,
        services: int,
        lookback: int,
        horizon: int,
        adjacency: Tensor,
        *,
        hidden: int = 150,
        bottleneck: int = 64,
        heads: int = 4,
        key_width: int = 2,
        dropout: float = 0.1,
    ) -> None:
        nodes = len(adjacency)
        super().__init__(services, lookback, horizon, nodes)
        operator = self_looped(adjacency)
        self.spatial = nn.ModuleList(
            [
                nn.Sequential(
                    GraphConvolution(lookback, lookback, operator),
                    nn.ReLU(),
                    GraphConvolution(lookback, lookback, operator),
                    nn.ReLU(),
                )
                for _ in range(services)
            ]
        )
        self.temporal = nn.ModuleList([nn.GRU(nodes, hidden, batch_first=True) for _ in range(services)])
        self.shared = nn.Sequential(
            nn.Linear(services * hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, bottleneck),
            nn.ReLU(),
            nn.Linear(bottleneck, hidden),
        )
        self.attention = nn.ModuleList([TaskAttention(hidden, heads, key_width) for _ in range(services)])
        self.ahead = nn.ModuleList([nn.GRU(hidden + N_MARKS, hidden, batch_first=True) for _ in range(services)])
        self.dropout = Dropout(dropout)
        self.heads = nn.ModuleList([nn.Linear(hidden, horizon * nodes) for _ in range(services)])

    def forecast(self, history: Tensor, history_marks: Tensor, future_marks: Tensor) -> Tensor:
        """Forecast `[B, H, N, S]`; the marks of the history are not read."""
        states = []
        for task, (spatial, temporal) in enumerate(zip(self.spatial, self.temporal, strict=True)):
            mixed = spatial(history[..., task].transpose(1, 2)).transpose(1, 2)  # [B, L, N]
            states.append(temporal(mixed)[0])  # [B, L, hidden]
        shared = self.shared(torch.cat(states, dim=-1))  # [B, L, hidden]
        tail = min(self.lookback, self.horizon)
        steps = self.lookback - tail + torch.arange(self.horizon, device=history.device) % tail
        forecasts = []
        for attention, ahead, head, state in zip(self.attention, self.ahead, self.heads, states, strict=True):
            seen = attention(shared, state)[:, steps]  # [B, H, hidden]
            _, last = ahead(torch.cat([seen, future_marks], dim=-1), shared[:, -1:].transpose(0, 1).contiguous())
            forecasts.append(head(self.dropout(last[0])).unflatten(-1, (self.horizon, -1)))  # [B, H, N]
        return torch.stack(forecasts, dim=-1)


class TaskAttention(nn.Module):
    """Multi-head attention from the shared state to a task's, with heads narrower than the state.

    Parameters
    ----------
    width, heads, key_width : int
        Width of the states, number of heads, width of a head.
    """

    def __init__(self, width: int, heads: int, key_width: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, heads * key_width) for _ in range(3))
        self.out = nn.Linear(heads * key_width, width)

    def forward(self, shared: Tensor, task: Tensor) -> Tensor:
        """Shared `[B, L, width]`, task `[B, L, width]` -> `[B, L, width]`."""
        q, k, v = (
            x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # [B, heads, L, key_width]
            for x in (self.query(shared), self.key(task), self.value(task))
        )
        mixed = nn.functional.scaled_dot_product_attention(q, k, v)
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out
