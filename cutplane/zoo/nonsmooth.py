"""Nonsmooth convex upper objectives, through subgradients."""

import numpy as np

from cutplane._arrays import Array
from cutplane.oracles import SolutionMap
from cutplane.problem import BilevelProblem
from cutplane.sets import Ball, Box
from cutplane.zoo.base import ZooProblem, column

_SPREAD = column(-3.0, -1.0, 0.5, 2.0, 7.0)
_CLOSED = ("level", "linear", "proximal")
"""A primal-dual step on a nonsmooth objective does not come to rest: it needs vanishing steps."""


def _copies(n: int) -> SolutionMap:
    """y*(x) = (x, ..., x)."""
    return SolutionMap(lambda x: np.full(n, x[0]), lambda x, v: column(v.sum()))


def median() -> ZooProblem:
    """Minimise Σ|y_i − d_i| with y = (x, …, x): the median of d, F = 3.5 + 1.5 + 0 + 1.5 + 6.5."""
    problem = BilevelProblem(
        lambda x, y: (float(np.abs(y - _SPREAD).sum()), 0 * x, np.sign(y - _SPREAD)),
        _copies(5),
        Box(-10, 10),
        convex=True,
    )
    return ZooProblem(
        "median",
        "closed form",
        problem,
        column(5.0),
        np.full(5, 5.0),
        13.0,
        ("convex", "nonsmooth"),
        column(0.5),
        methods=_CLOSED,
        formulations=("joint", "reduced"),
    )


def midrange() -> ZooProblem:
    """Minimise max|y_i − d_i| with y = (x, …, x): the midrange of d, F = 5 at x = 2."""

    def upper(x: Array, y: Array) -> tuple[float, Array, Array]:
        away = y - _SPREAD
        worst = int(np.argmax(np.abs(away)))
        slope = np.zeros_like(y)
        slope[worst] = np.sign(away[worst])
        return float(abs(away[worst])), 0 * x, slope

    problem = BilevelProblem(upper, _copies(5), Box(-10, 10), convex=True)
    return ZooProblem(
        "midrange",
        "closed form",
        problem,
        column(-5.0),
        np.full(5, -5.0),
        5.0,
        ("convex", "nonsmooth"),
        column(2.0),
        methods=_CLOSED,
        formulations=("joint", "reduced"),
    )


def newsvendor() -> ZooProblem:
    """Mean pinball loss at level 0.8 of five demands: the 0.8 quantile, x ∈ [2, 7]; F at x = 2."""

    def upper(x: Array, y: Array) -> tuple[float, Array, Array]:
        short = _SPREAD - y
        return (
            float(np.maximum(0.8 * short, -0.2 * short).mean()),
            0 * x,
            np.where(short > 0, -0.8, 0.2) / y.size,
        )

    # at x = 2: 0.8 · 5 and 0.2 · (5 + 3 + 1.5 + 0), over 5; flat up to x = 7
    problem = BilevelProblem(upper, _copies(5), Box(-10, 10), convex=True)
    return ZooProblem(
        "newsvendor",
        "closed form: the quantile minimises the pinball loss",
        problem,
        column(0.0),
        np.zeros(5),
        (4.0 + 1.9) / 5,
        ("convex", "nonsmooth"),
        methods=_CLOSED,
        formulations=("joint", "reduced"),
    )


def kelley_trap() -> ZooProblem:
    """F = max{|y_1|, ‖x‖²} in 6 dimensions with y = 0·x: F = 0, exponentially slow for Kelley's method."""

    def upper(x: Array, y: Array) -> tuple[float, Array, Array]:
        first, second = abs(float(y[0])), float(x @ x)
        if first >= second:
            return first, 0 * x, np.sign(y)
        return second, 2 * x, 0 * y

    # the lower level couples y to the first component of x, so that both pieces meet at 0
    lower = SolutionMap(lambda x: x[:1].copy(), lambda x, v: np.append(v, np.zeros(x.size - 1)))
    problem = BilevelProblem(upper, lower, Ball(1.0), convex=True)
    return ZooProblem(
        "kelley-trap",
        "after Nesterov, Lectures on Convex Optimization (2018), section 3.3.2",
        problem,
        np.full(6, 0.4),
        column(0.4),
        0.0,
        ("convex", "nonsmooth"),
        np.zeros(6),
        methods=("level", "linear", "proximal"),
        formulations=("joint", "reduced"),
    )


def problems() -> list[ZooProblem]:
    """All problems of this file."""
    return [median(), midrange(), newsvendor(), kelley_trap()]
