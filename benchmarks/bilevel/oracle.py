"""The lower level as cutplane sees it, with a trace of what was asked and when."""

from __future__ import annotations

import time

import numpy as np

from bilevel.softmax import Steps
from bilevel.tasks import Task

Array = np.ndarray


class Stop(Exception):
    """The budget of oracle calls or of processor seconds is spent."""


class Trace:
    """Points [m, n_x] with the processor seconds at which each was reached, under a budget.

    Seconds are counted from the last `start`; what imports and compiling cost before is not in them. `note` raises
    `Stop` once the budget is spent; with ``strict=False`` whoever runs the loop asks `spent`.
    """

    def __init__(self, calls: int, seconds: float, strict: bool = True) -> None:
        self.calls, self.limit, self.strict = calls, seconds, strict
        self.start()

    def start(self) -> None:
        """Start the clock anew and forget what warming up left."""
        self.points: list[Array] = []
        self.seconds: list[float] = []
        self._begun = time.process_time()

    @property
    def spent(self) -> bool:
        """Whether the budget of calls or of seconds is used up."""
        return len(self.points) >= self.calls or time.process_time() - self._begun >= self.limit

    def note(self, x: Array) -> None:
        """Record a point."""
        self.points.append(np.array(x, dtype=float))
        self.seconds.append(time.process_time() - self._begun)
        if self.strict and self.spent:
            raise Stop

    def keep(self, count: int) -> None:
        """Forget all points but the first ones."""
        del self.points[count:], self.seconds[count:]


class Oracle:
    """Hypergradients by the exact lower level and one adjoint solve (or back through K steps).

    A call is one lower solve with its derivative; `forward` and `vjp` of one x are one call.
    """

    def __init__(self, task: Task, trace: Trace | None = None) -> None:
        self.task, self.trace, self.level = task, trace, task.level()

    def forward(self, x: Array) -> Array:
        """y*(x), flat."""
        theta = self.level.solve(*self.task.lower_data(x)).ravel()
        if self.trace is not None:
            self.trace.note(x)
        return theta

    def vjp(self, x: Array, v: Array) -> Array:
        """(dy*/dx)ᵀv at the x that `forward` was asked last."""
        v = v.reshape(self.level.theta.shape)
        r = self.task.lower_data(x)[1]
        if isinstance(self.level, Steps):
            return self.task.chain(*self.level.pull_through(v), r)
        return self.task.chain(*self.level.pull(self.level.adjoint(v), self.level.theta), r)

    def upper(self, x: Array, y: Array) -> tuple[float, Array, Array]:
        """F and its gradients, as `BilevelProblem` wants them."""
        value, gradient = self.task.upper(y.reshape(self.level.theta.shape))
        return value, np.zeros_like(x), gradient.ravel()

    def hypergradient(self, x: Array) -> tuple[float, Array]:
        """F(x, y*(x)) and its gradient in x."""
        y = self.forward(x)
        value, g_x, g_y = self.upper(x, y)
        return value, g_x + self.vjp(x, g_y)
