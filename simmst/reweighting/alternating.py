"""Weights and network in turn: train on the weights, learn weights on the features of the trained network."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from simmst.errors import ConfigError
from simmst.reweighting.learn import Reweighting
from simmst.reweighting.problems import Sim2Real

Model = TypeVar("Model")


def alternate(
    train: Callable[[NDArray[np.float64] | None], Model],
    problem: Callable[[Model], Sim2Real],
    learn: Callable[[Sim2Real], Reweighting],
    rounds: int,
) -> tuple[Model, list[Reweighting]]:
    """Train, then in each round learn weights on the network's features and train again from them.

    Each round is a problem of its own: other features make another lower level, for which the planes of the
    round before are void. What carries over are the weights it starts from.

    Parameters
    ----------
    train : callable
        ``train(weights or None) -> model``, trained from scratch on weights `[n]` (None: equal ones).
    problem : callable
        ``problem(model) -> Sim2Real``, such as `last_layer_problem` on the model's features.
    learn : callable
        ``learn(task) -> Reweighting``, such as ``lambda task: reweight(task, default_solver(task))``.
    rounds : int

    Returns
    -------
    tuple
        The model trained on the last weights, and the re-weighting of each round.
    """
    if rounds < 1:
        raise ConfigError(f"rounds must be at least 1, got {rounds}")
    model, learned = train(None), list[Reweighting]()
    for _ in range(rounds):
        task = problem(model)
        learned.append(learn(task.starting_at(learned[-1].weights) if learned else task))
        model = train(learned[-1].weights)
    return model, learned
