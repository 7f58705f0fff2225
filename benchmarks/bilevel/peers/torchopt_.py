"""TorchOpt: K steps of its differentiable SGD, unrolled; and its implicit gradient by conjugate gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torchopt
from torchopt.diff.implicit import custom_root

from bilevel.peers.torch_task import Losses, array, leaf
from bilevel.tasks import Task

Hypergradient = Callable[[np.ndarray], np.ndarray]


def unrolled(task: Task, steps: int, length: float, momentum: float) -> Hypergradient:
    """Reverse mode through the steps."""
    losses = Losses(task)
    kept = torch.zeros(losses.shape)

    def hypergradient(x: np.ndarray) -> np.ndarray:
        nonlocal kept
        point, theta = leaf(x), kept.clone().requires_grad_(True)
        optimiser = torchopt.sgd(length, momentum=momentum)
        state = optimiser.init((theta,))
        for _ in range(steps):
            slopes = torch.autograd.grad(losses.lower(point, theta), (theta,), create_graph=True)
            updates, state = optimiser.update(slopes, state, inplace=False)
            (theta,) = torchopt.apply_updates((theta,), updates, inplace=False)
        (gradient,) = torch.autograd.grad(losses.upper(theta), point)
        if task.steps is None:
            kept = theta.detach()
        return array(gradient)

    return hypergradient


def implicit(task: Task, steps: int, length: float, momentum: float) -> Hypergradient:
    """K plain steps without a graph; the adjoint equation by `torchopt.linear_solve.solve_normal_cg`."""
    losses = Losses(task)
    kept = torch.zeros(losses.shape)

    def optimality(theta: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return torch.func.grad(lambda t: losses.lower(x, t))(theta)

    @custom_root(optimality, argnums=1, solve=torchopt.linear_solve.solve_normal_cg(maxiter=20, atol=0))
    def solve(theta: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        theta = theta.detach().clone().requires_grad_(True)
        optimiser = torch.optim.SGD((theta,), lr=length, momentum=momentum)
        with torch.enable_grad():
            for _ in range(steps):
                optimiser.zero_grad()
                losses.lower(x.detach(), theta).backward()
                optimiser.step()
        return theta.detach().requires_grad_(True)

    def hypergradient(x: np.ndarray) -> np.ndarray:
        nonlocal kept
        point = leaf(x)
        theta = solve(kept, point)
        (gradient,) = torch.autograd.grad(losses.upper(theta), point)
        kept = theta.detach()
        return array(gradient)

    return hypergradient


ENGINES = {"TorchOpt unrolled": unrolled, "TorchOpt implicit": implicit}
PACKAGES = ("torch", "torchopt")
