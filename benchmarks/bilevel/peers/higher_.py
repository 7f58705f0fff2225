"""higher: K inner steps of SGD, unrolled."""

from __future__ import annotations

from collections.abc import Callable

import higher
import numpy as np
import torch

from bilevel.peers.torch_task import Losses, array, leaf
from bilevel.tasks import Task


class _Model(torch.nn.Module):
    def __init__(self, shape: tuple[int, int]) -> None:
        super().__init__()
        self.theta = torch.nn.Parameter(torch.zeros(shape))

    def forward(self) -> torch.Tensor:
        return self.theta


def unrolled(task: Task, steps: int, length: float, momentum: float) -> Callable[[np.ndarray], np.ndarray]:
    """Reverse mode through the steps."""
    losses = Losses(task)
    model = _Model(losses.shape)
    optimiser = torch.optim.SGD(model.parameters(), lr=length, momentum=momentum)

    def hypergradient(x: np.ndarray) -> np.ndarray:
        point = leaf(x)
        with higher.innerloop_ctx(model, optimiser, copy_initial_weights=True) as (inner, steps_of):
            for _ in range(steps):
                steps_of.step(losses.lower(point, inner()))
            (gradient,) = torch.autograd.grad(losses.upper(inner()), point)
            if task.steps is None:
                model.theta.data.copy_(inner().detach())
        return array(gradient)

    return hypergradient


ENGINES = {"higher unrolled": unrolled}
PACKAGES = ("torch", "higher")
