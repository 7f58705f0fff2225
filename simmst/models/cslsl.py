"""CSLSL, adapted: tasks in a chain, each beginning where the one before ended (arXiv 2206.05731)."""

import torch
from torch import Tensor, nn

from simmst.errors import ConfigError
from simmst.models.baseline import BaselineNetwork, join_nodes
from simmst.nn.calendar import week_places
from simmst.nn.dropout import Dropout


class CSLSL(BaselineNetwork):
    """A long and a short GRU a task; the state, and the forecast, of a task go on to the next one.

    After Huang et al. (arXiv 2206.05731) and their public code; an adaptation that its authors have not published:
    theirs predicts a person's next place by the chain category, time, place. Kept: per task a GRU over the history
    whose last state starts a GRU over the current session; a task's last state starts the next task's first
    GRU; its forecast, through a linear map, enters the next task's head. Adapted: the tasks are the services, the
    current session the last `recent` steps and the history those before; the input of a step is an embedding of
    the node, a linear map of the S values and embeddings of the step of the day and the day of the week; the heads
    regress H steps; the loss on distances between places has no counterpart and is left out. At S = 3 the GRUs
    have 149,760 parameters, the whole 152,097 at N = 100, 24 -> 1, 24 steps a day.

    Parameters
    ----------
    services, lookback, horizon, nodes : int
        S, L, H, N.
    steps_per_day : int
    order : tuple of int or None
        The chain, as positions of the services; None keeps their order.
    hidden : int
        Units of the GRUs.
    recent : int or None
        Steps of the current session, less than L; None takes a quarter of the history.
    node_width, value_width, day_width, week_width : int
        Widths of the four parts of the input.
    dropout : float
        Before the heads.
    """

    def __init__(
        self,
        services: int,
        lookback: int,
        horizon: int,
        nodes: int,
        steps_per_day: int,
        *,
        order: tuple[int, ...] | None = None,
        hidden: int = 64,
        recent: int | None = None,
        node_width: int = 16,
        value_width: int = 24,
        day_width: int = 16,
        week_width: int = 8,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(services, lookback, horizon, nodes)
        if lookback < 2:
            raise ConfigError(f"lookback must be at least 2 for a past and a current session, got {lookback}")
        self.order = tuple(range(services)) if order is None else order
        if sorted(self.order) != list(range(services)):
            raise ConfigError(f"order must hold each of 0..{services - 1} once, got {order}")
        self.recent = max(1, lookback // 4) if recent is None else recent
        if not 1 <= self.recent < lookback:
            raise ConfigError(f"recent must lie in 1..{lookback - 1} (lookback - 1), got {recent}")
        self.steps_per_day = steps_per_day
        self.node = nn.Embedding(nodes, node_width)
        self.value = nn.Linear(services, value_width)
        self.day = nn.Embedding(steps_per_day, day_width)
        self.week = nn.Embedding(7, week_width)
        width = node_width + value_width + day_width + week_width
        self.long = nn.ModuleList([nn.GRU(width, hidden, batch_first=True) for _ in range(services)])
        self.short = nn.ModuleList([nn.GRU(width, hidden, batch_first=True) for _ in range(services)])
        self.dropout = Dropout(dropout)
        self.label = nn.ModuleList([nn.Linear(horizon, horizon) for _ in range(services - 1)])
        self.heads = nn.ModuleList(
            [nn.Linear(hidden + (horizon if task else 0), horizon) for task in range(services)]
        )

    def forecast(self, history: Tensor, history_marks: Tensor, future_marks: Tensor) -> Tensor:
        """Forecast `[B, H, N, S]`; the future marks are not read."""
        x = self._inputs(history, history_marks)  # [B * N, L, width]
        past, current = x[:, : -self.recent], x[:, -self.recent :]
        state: Tensor | None = None
        forecasts: list[Tensor] = []
        for task, (long, short, head) in enumerate(zip(self.long, self.short, self.heads, strict=True)):
            state = short(current, long(past, state)[1])[1]  # [1, B * N, hidden]
            features = self.dropout(state[0])
            if task:
                features = torch.cat([features, self.label[task - 1](forecasts[-1])], dim=-1)
            forecasts.append(head(features))  # [B * N, H]
        services = torch.stack([forecasts[self.order.index(s)] for s in range(self.services)], dim=-1)
        return join_nodes(services, history.shape[2])

    def _inputs(self, history: Tensor, marks: Tensor) -> Tensor:
        batch, length, nodes, _ = history.shape
        step, day = (x[:, None].expand(-1, nodes, -1) for x in week_places(marks, self.steps_per_day))
        parts = (
            self.node.weight[None, :, None].expand(batch, -1, length, -1),
            self.value(history.transpose(1, 2)),
            self.day(step),
            self.week(day),
        )
        return torch.cat(parts, dim=-1).flatten(0, 1)
