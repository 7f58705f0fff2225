"""JAXopt: accelerated gradient descent unrolled, and L-BFGS with implicit differentiation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import jaxopt
import numpy as np

from bilevel.tasks import BIAS, PENALTY, Task

Hypergradient = Callable[[np.ndarray], np.ndarray]


def _losses(task: Task) -> tuple[Any, Any]:
    (features, labels), (val, val_labels) = (
        (jnp.asarray(task.parts[k][0], jnp.float32), jnp.asarray(task.parts[k][1])) for k in ("train", "val")
    )
    p = features.shape[1] - 1
    fixed = jnp.full((p + 1, task.classes), PENALTY).at[p].set(BIAS)

    def cross_entropy(scores: Any, marks: Any) -> Any:
        return jax.nn.logsumexp(scores, axis=1) - jnp.take_along_axis(scores, marks[:, None], 1)[:, 0]

    def lower(theta: Any, x: Any) -> Any:
        losses = cross_entropy(features @ theta, labels)
        if task.groups is not None:
            return (x[task.groups] * losses).mean() + 0.5 * (fixed * theta**2).sum()
        r = jnp.exp(x[:p, None] + (x[None, p:] if task.by_class else 0.0))
        return losses.mean() + 0.5 * (r * theta[:p] ** 2).sum() + 0.5 * BIAS * (theta[p] ** 2).sum()

    return lower, lambda theta: cross_entropy(val @ theta, val_labels).mean()


def _engine(task: Task, solver: Any, upper: Any) -> Hypergradient:
    kept = jnp.zeros((task.parts["train"][0].shape[1], task.classes), jnp.float32)

    @jax.jit
    def both(x: Any, start: Any) -> Any:
        def outer(point: Any) -> Any:
            theta = solver.run(start, point).params
            return upper(theta), theta

        return jax.grad(outer, has_aux=True)(x)

    def hypergradient(x: np.ndarray) -> np.ndarray:
        nonlocal kept
        gradient, theta = both(jnp.asarray(x, jnp.float32), kept)
        if task.steps is None:
            kept = theta
        return np.asarray(gradient, dtype=float)

    return hypergradient


def unrolled(task: Task, steps: int, length: float, momentum: float) -> Hypergradient:
    """Reverse mode through the steps; accelerated where the others have momentum."""
    lower, upper = _losses(task)
    solver = jaxopt.GradientDescent(
        lower, maxiter=steps, stepsize=length, tol=0.0, acceleration=momentum > 0, implicit_diff=False, unroll=True
    )
    return _engine(task, solver, upper)


def implicit(task: Task, steps: int, length: float, momentum: float) -> Hypergradient:
    """L-BFGS to K iterations or 1e-4, and JAXopt's own adjoint equation."""
    lower, upper = _losses(task)
    return _engine(task, jaxopt.LBFGS(lower, maxiter=steps, tol=1e-4), upper)


ENGINES = {"JAXopt unrolled": unrolled, "JAXopt implicit": implicit}
PACKAGES = ("jax", "jaxopt")
