"""The task's two losses in torch, for the peers that build on it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from bilevel.tasks import BIAS, PENALTY, Task


class Losses:
    """Lower and upper loss as functions of x [n_x] and θ [p, C], float32."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.train, self.val = (
            tuple(
                torch.as_tensor(a, dtype=torch.float32 if a.dtype == float else torch.long) for a in task.parts[k]
            )
            for k in ("train", "val")
        )
        self.groups = None if task.groups is None else torch.as_tensor(task.groups)
        self.shape = (self.train[0].shape[1], task.classes)
        self.fixed = torch.full(self.shape, PENALTY)
        self.fixed[-1] = BIAS

    def lower(self, x: Tensor, theta: Tensor) -> Tensor:
        """g(x, θ)."""
        features, labels = self.train
        losses = F.cross_entropy(features @ theta, labels, reduction="none")
        if self.groups is not None:
            return (x[self.groups] * losses).mean() + 0.5 * (self.fixed * theta**2).sum()
        p = self.shape[0] - 1
        r = torch.exp(x[:p, None] + (x[None, p:] if self.task.by_class else 0.0))
        return losses.mean() + 0.5 * (r * theta[:p] ** 2).sum() + 0.5 * BIAS * (theta[p] ** 2).sum()

    def upper(self, theta: Tensor) -> Tensor:
        """F(θ)."""
        features, labels = self.val
        return F.cross_entropy(features @ theta, labels)


def leaf(x: np.ndarray) -> Tensor:
    """Tensor of x that asks for its gradient."""
    return torch.tensor(x, dtype=torch.float32, requires_grad=True)


def array(gradient: Tensor) -> np.ndarray:
    """Gradient as the outer method wants it."""
    return gradient.detach().numpy().astype(float)
