"""Hyper-parameters, features' penalties and sample weights: lower levels that are ridge regressions."""

import numpy as np
from scipy import linalg

from cutplane._arrays import Array
from cutplane.oracles import SolutionMap
from cutplane.problem import BilevelProblem
from cutplane.sets import Box, Polytope
from cutplane.zoo.base import LOCAL, ZooProblem, column

_SOURCE = "exact lower level; optimum by an independent search in the tests"


def _regression(seed: int, n: int, p: int, noise: float) -> tuple[Array, Array, Array, Array]:
    """Train and validation halves of a sparse linear model."""
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(2 * n, p))
    truth = np.where(np.arange(p) < p // 2, rng.normal(size=p), 0.0)
    b = A @ truth + noise * rng.normal(size=2 * n)
    return A[:n], b[:n], A[n:], b[n:]


class _Ridge:
    """θ*(x) = argmin ½‖Aθ − b‖²/n + ½ Σ eˣʲ θ_j², one x for all features or one each."""

    def __init__(self, A: Array, b: Array) -> None:
        self.gram, self.right = A.T @ A / A.shape[0], A.T @ b / A.shape[0]

    def factor(self, x: Array) -> tuple[Array, bool]:
        penalty = np.broadcast_to(np.exp(x), self.right.size)
        factor: tuple[Array, bool] = linalg.cho_factor(self.gram + np.diag(penalty))
        return factor

    def solution(self, x: Array) -> Array:
        return np.asarray(linalg.cho_solve(self.factor(x), self.right))

    def vjp(self, x: Array, v: Array) -> Array:
        factor = self.factor(x)
        theta = linalg.cho_solve(factor, self.right)
        each = -np.exp(x) * theta * linalg.cho_solve(factor, v)
        return np.asarray(each if x.size == theta.size else column(each.sum()))


def _penalties(name: str, features: int, x0: Array, fun: float, x: Array | None, seed: int) -> ZooProblem:
    A, b, A_val, b_val = _regression(seed, 40, features, 1.0)
    ridge = _Ridge(A, b)

    def upper(x: Array, theta: Array) -> tuple[float, Array, Array]:
        away = A_val @ theta - b_val
        return float(away @ away) / (2 * b_val.size), np.zeros_like(x), A_val.T @ away / b_val.size

    problem = BilevelProblem(upper, SolutionMap(ridge.solution, ridge.vjp), Box(-8, 4))
    return ZooProblem(
        name, _SOURCE, problem, x0, np.zeros(features), fun, ("smooth", "learning"), x, (), LOCAL, ("reduced",)
    )


def ridge() -> ZooProblem:
    """One penalty eˣ, chosen by the validation error: a one-dimensional search gives the truth."""
    return _penalties("ridge-penalty", 20, column(2.0), 1.03433169401, column(-3.213988), 3)


def per_feature() -> ZooProblem:
    """One penalty a feature: those of idle features grow, those of useful ones shrink.

    The best of twelve independent searches; one other local minimum, 0.597464, is within the table's accuracy.
    """
    return _penalties("per-feature-penalty", 8, np.zeros(8), 0.597379843168, None, 5)


def hyper_cleaning() -> ZooProblem:
    """Weights s of 60 digits, a third with a wrong label: 0 ≤ s ≤ 1, Σs ≤ 40, a weighted ridge below.

    F is the squared validation error on 60 clean digits, minimised over the weights.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ModuleNotFoundError(
            "hyper-cleaning needs scikit-learn's digits (extra `bench` or `test`)"
        ) from error
    images, labels = load_digits(n_class=3, return_X_y=True)
    images = images / 16.0
    rng = np.random.default_rng(0)
    order = rng.permutation(labels.size)[:120]
    A, one_hot = images[order], np.eye(3)[labels[order]]
    n, p = 60, A.shape[1]
    train, held = A[:n], A[n:]
    wrong = np.arange(n) % 3 == 0
    targets = one_hot[:n].copy()
    targets[wrong] = np.roll(targets[wrong], 1, axis=1)
    penalty = 0.1 * np.eye(p)

    def factor(s: Array) -> tuple[Array, bool]:
        found: tuple[Array, bool] = linalg.cho_factor((train * s[:, None]).T @ train / n + penalty)
        return found

    def solution(s: Array) -> Array:
        return np.asarray(linalg.cho_solve(factor(s), (train * s[:, None]).T @ targets / n).ravel())

    def vjp(s: Array, v: Array) -> Array:
        found = factor(s)
        theta = linalg.cho_solve(found, (train * s[:, None]).T @ targets / n)
        adjoint = linalg.cho_solve(found, v.reshape(p, 3))
        return np.asarray(((train @ adjoint) * (targets - train @ theta)).sum(axis=1) / n)

    def upper(s: Array, theta: Array) -> tuple[float, Array, Array]:
        away = held @ theta.reshape(p, 3) - one_hot[n:]
        return float((away**2).sum()) / (2 * n), np.zeros_like(s), (held.T @ away / n).ravel()

    budget = Polytope(np.ones((1, n)), [40.0], lower=0, upper=1)
    problem = BilevelProblem(upper, SolutionMap(solution, vjp), budget)
    return ZooProblem(
        "hyper-cleaning",
        _SOURCE + "; data: scikit-learn's digits 0, 1, 2",
        problem,
        np.full(n, 0.5),
        np.zeros(3 * p),
        # the budget is slack there (Σs = 33.98); mean weight 0.008 of the wrong labels, 0.845 of the others
        0.0715449006728,
        ("smooth", "learning"),
        None,
        (),
        LOCAL,
        ("reduced",),
    )


def problems() -> list[ZooProblem]:
    """All problems of this file but `hyper_cleaning`, which needs data."""
    return [ridge(), per_feature()]
