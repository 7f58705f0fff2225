"""BOAT: unrolled (RAD), conjugate gradients (CG), and its first-order methods VFO and MESO."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boat_torch
import numpy as np
import torch

from bilevel.peers.torch_task import Losses
from bilevel.tasks import Task

Hypergradient = Callable[[np.ndarray], np.ndarray]
_LOSSES: Losses
"""BOAT looks its losses up by dotted name, so that they cannot be closures."""


class _Vector(torch.nn.Module):
    def __init__(self, values: torch.Tensor) -> None:
        super().__init__()
        self.values = torch.nn.Parameter(values)

    def forward(self) -> torch.Tensor:
        return self.values


def lower_loss(feed: Any, x: Any, theta: Any, params: Any = None) -> torch.Tensor:
    """g(x, θ); BOAT hands the parameters of an unrolled model beside it."""
    return _LOSSES.lower(x(), theta() if params is None else theta(params=params))


def upper_loss(feed: Any, x: Any, theta: Any, params: Any = None) -> torch.Tensor:
    """F(θ)."""
    return _LOSSES.upper(theta() if params is None else theta(params=params))


def _engine(task: Task, steps: int, length: float, momentum: float, parts: dict[str, Any]) -> Hypergradient:
    global _LOSSES
    _LOSSES = Losses(task)
    theta = _Vector(torch.zeros(_LOSSES.shape))
    x_model = _Vector(torch.tensor(task.start, dtype=torch.float32))
    config = {
        "lower_level_model": theta, "upper_level_model": x_model,
        "lower_level_var": list(theta.parameters()), "upper_level_var": list(x_model.parameters()),
        "lower_level_opt": torch.optim.SGD(theta.parameters(), lr=length, momentum=momentum),
        "upper_level_opt": torch.optim.SGD(x_model.parameters(), lr=0.0),
        "lower_iters": steps, "device": "cpu", "return_grad": True, "accumulate_grad": False,
        "copy_last_param": task.steps is None, "fo_ol_batch_input": False,
        "loss_log_path": str(Path(tempfile.mkdtemp()) / "loss_log.json"),
        "GDA": {"alpha_init": 0.0, "alpha_decay": 0.9}, "RGT": {"truncate_iter": 0},
        "CG": {"tolerance": 1e-6, "k": 20},
        "VFO": {"y_hat_lr": length, "eta": length, "u1": 0.1},
        "MESO": {"eta": 0.5 * length, "gamma_1": 0.1 / length, "c0": 2.0, "y_hat_lr": length},
        "fo_op": None, "gm_op": None, "na_op": None, **parts,
    }  # fmt: skip
    names = {
        f"{level}_level_loss": {"function": f"{__name__}.{level}_loss", "params": {}}
        for level in ("lower", "upper")
    }
    problem = boat_torch.Problem(config, names)
    problem.build_ll_solver()
    problem.build_ul_solver()
    count = 0

    def hypergradient(x: np.ndarray) -> np.ndarray:
        nonlocal count
        x_model.values.data.copy_(torch.as_tensor(x, dtype=torch.float32))
        x_model.zero_grad()
        (gradient,), _ = problem.run_iter({}, {}, count)
        count += 1
        return gradient.detach().numpy().astype(float)

    return hypergradient


def unrolled(task: Task, steps: int, length: float, momentum: float) -> Hypergradient:
    """Naive gradient descent and reverse mode."""
    return _engine(task, steps, length, momentum, {"gm_op": ["NGD"], "na_op": ["RAD"]})


def conjugate(task: Task, steps: int, length: float, momentum: float) -> Hypergradient:
    """Naive gradient descent and its conjugate-gradient adjoint."""
    return _engine(task, steps, length, momentum, {"gm_op": ["NGD"], "na_op": ["CG"]})


def value_function(task: Task, steps: int, length: float, momentum: float) -> Hypergradient:
    """VFO."""
    return _engine(task, steps, length, momentum, {"fo_op": "VFO"})


def moreau(task: Task, steps: int, length: float, momentum: float) -> Hypergradient:
    """MESO: one step of each variable a call, half as long, so that its terms F/c and γ do not make it diverge."""
    return _engine(task, 1, 0.5 * length, momentum, {"fo_op": "MESO"})


ENGINES = {"BOAT unrolled": unrolled, "BOAT CG": conjugate, "BOAT VFO": value_function, "BOAT MESO": moreau}
PACKAGES = ("torch", "higher", "boat-torch")
