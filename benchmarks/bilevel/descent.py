"""Adam on x with hypergradients from anywhere: what every peer does with the gradients it makes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np

from bilevel.oracle import Stop, Trace
from bilevel.tasks import Task

Array = np.ndarray
Hypergradient = Callable[[Array], Array]


def descend(task: Task, hypergradient: Hypergradient, rate: float, sigmoid: bool, trace: Trace) -> Array:
    """Adam (0.9, 0.999) until the trace's budget is spent; return the last point.

    With `sigmoid` the variables are λ with x = σ(λ), for weights in a box; else each step is projected on the set
    of x. The trace notes each point after its step.
    """
    x = task.start.copy()
    where = np.log(x / (1 - x)) if sigmoid else x
    feasible = task.x_set
    first, second = np.zeros_like(x), np.zeros_like(x)
    with suppress(Stop):
        for k in range(1, 10**6):
            gradient = hypergradient(x)
            if sigmoid:
                gradient = gradient * x * (1 - x)
            first = 0.9 * first + 0.1 * gradient
            second = 0.999 * second + 0.001 * gradient**2
            size = np.sqrt(second / (1 - 0.999**k)) + 1e-12
            where = where - rate * first / (1 - 0.9**k) / size
            if not sigmoid:
                where = feasible.project(where)
            x = 1 / (1 + np.exp(-where)) if sigmoid else where
            trace.note(x)
    return x
