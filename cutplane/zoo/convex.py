"""Convex problems: an affine solution map, a convex upper objective, and every kind of set."""

import numpy as np

from cutplane._arrays import Array
from cutplane.oracles import SolutionMap, Stationarity, ValueFunction
from cutplane.problem import BilevelProblem, LinearConstraint, UpperObjective
from cutplane.sets import Ball, Box, Polytope, Simplex
from cutplane.zoo.base import JOINT_STEPS, ZooProblem, column

_BOTH = ("joint", "reduced")


def _identity(norm: str = "plain") -> SolutionMap:
    """y*(x) = x."""
    return SolutionMap(lambda x: x, lambda x, v: v, norm)


def _target(d: Array) -> UpperObjective:
    """F = ½‖y − d‖²."""
    return lambda x, y: (float((y - d) @ (y - d)) / 2, np.zeros_like(x), y - d)


def box_target(norm: str) -> ZooProblem:
    """Minimise (y − 2)²/2 with y*(s) = s and s ∈ [0, 1]: s = 1, F = ½."""
    # the squared distance to 1e-5 leaves F off by 1e-5 times the multiplier
    problem = BilevelProblem(_target(column(2.0)), _identity(norm), Box(0, 1), convex=True)
    source = "closed form; Slater's multiplier (t − κ − √ε)/(2√ε)"
    return ZooProblem(
        f"box-target-{norm}",
        source,
        problem,
        column(0.5),
        column(0.0),
        0.5,
        ("convex", "smooth"),
        column(1.0),
        formulations=_BOTH if norm == "plain" else ("joint",),
    )


def _quadratic_data() -> tuple[Array, Array, Array, float, Array, float]:
    """H, B, y_d, γ of g = ½yᵀHy − yᵀBx and F = ½‖y − y_d‖² + γ/2‖x‖², with x* and F*."""
    H = np.array([[3.0, 1.0, 0.0, 0.0], [1.0, 2.0, 0.5, 0.0], [0.0, 0.5, 1.5, 0.2], [0.0, 0.0, 0.2, 1.0]])
    B = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, -0.5], [0.3, 0.2, 1.0], [-0.4, 0.6, 0.1]])
    d, gamma = column(1.0, -2.0, 0.5, 1.5), 0.1
    S = np.linalg.solve(H, B)
    x = np.linalg.solve(S.T @ S + gamma * np.eye(3), S.T @ d)
    away = S @ x - d
    return H, B, d, gamma, x, float(away @ away / 2 + gamma / 2 * x @ x)


def quadratic(kind: str) -> ZooProblem:
    """Quadratic over quadratic: y*(x) = H⁻¹Bx, and x* solves a linear system."""
    H, B, d, gamma, x, fun = _quadratic_data()
    S = np.linalg.solve(H, B)

    def upper(x: Array, y: Array) -> tuple[float, Array, Array]:
        return float((y - d) @ (y - d) + gamma * x @ x) / 2, gamma * x, y - d

    def g(x: Array, y: Array) -> tuple[float, Array, Array]:
        return float(y @ H @ y / 2 - y @ B @ x), -B.T @ y, H @ y - B @ x

    lower: SolutionMap | ValueFunction | Stationarity
    if kind == "map":
        lower = SolutionMap(lambda x: S @ x, lambda x, v: S.T @ v)
    elif kind == "value":
        lower = ValueFunction(g, lambda x: S @ x, hessians=lambda x, y, m: (H, -B))
    else:
        lower = Stationarity(lambda x, y: H @ y - B @ x, lambda x, y, v: H @ v, lambda x, y, v: -B.T @ v)
    return ZooProblem(
        f"quadratic-{kind}",
        "closed form of the quadratic bi-level problem",
        BilevelProblem(upper, lower, convex=True),
        np.zeros(3),
        np.zeros(4),
        fun,
        ("convex", "smooth"),
        x,
        formulations=("joint",) if kind == "stationarity" else _BOTH,
        left_out=JOINT_STEPS,
    )


def simplex_projection() -> ZooProblem:
    """Minimise ½‖y − d‖² with y = x on the simplex: the projection of d, found by its threshold."""
    d = column(0.9, 0.4, 0.3, -0.5)
    # threshold τ = 0.2: the positive parts of d − τ are 0.7, 0.2, 0.1
    x = column(0.7, 0.2, 0.1, 0.0)
    problem = BilevelProblem(_target(d), _identity(), Simplex(), convex=True)
    start = np.full(4, 0.25)
    return ZooProblem(
        "simplex-projection",
        "closed form",
        problem,
        start,
        start,
        float((x - d) @ (x - d)) / 2,
        ("convex", "smooth"),
        x,
        formulations=_BOTH,
    )


def ball_linear() -> ZooProblem:
    """Minimise c·y with y = x in a ball of radius 2: F = −2‖c‖."""
    c = column(1.0, -2.0, 2.0)
    problem = BilevelProblem(lambda x, y: (float(c @ y), 0 * x, c), _identity(), Ball(2.0), convex=True)
    return ZooProblem(
        "ball-linear",
        "closed form",
        problem,
        np.zeros(3),
        np.zeros(3),
        -6.0,
        ("convex", "smooth"),
        -2 * c / 3,
        formulations=_BOTH,
        left_out=JOINT_STEPS,
    )


def budget_linear() -> ZooProblem:
    """Maximise c·y with y_j = w_j x_j, 0 ≤ x ≤ 1 and Σx ≤ 2.5: fill by the largest c_j w_j."""
    c, w = column(5.0, 3.0, 4.0, 1.0, 2.0), column(1.0, 2.0, 0.5, 3.0, 1.0)
    # products 5, 6, 2, 3, 2: 6 + 5 + 3/2
    budget = Polytope(np.ones((1, 5)), [2.5], lower=0, upper=1)
    lower = SolutionMap(lambda x: w * x, lambda x, v: w * v)
    problem = BilevelProblem(lambda x, y: (-float(c @ y), 0 * x, -c), lower, budget, convex=True)
    return ZooProblem(
        "budget-linear",
        "closed form: greedy fill of a budget",
        problem,
        np.full(5, 0.5),
        np.zeros(5),
        -12.5,
        ("convex", "smooth"),
        column(1, 1, 0, 0.5, 0),
        formulations=_BOTH,
    )


def coupled_disc() -> ZooProblem:
    """Minimise (x − 2)² + (y − 2)² with y = x and x² + y² ≤ 2: x = y = 1, F = 2."""

    def upper(x: Array, y: Array) -> tuple[float, Array, Array]:
        return float((x[0] - 2) ** 2 + (y[0] - 2) ** 2), 2 * (x - 2), 2 * (y - 2)

    def disc(x: Array, y: Array) -> tuple[Array, Array, Array]:
        return column(x[0] ** 2 + y[0] ** 2 - 2), 2 * x[None], 2 * y[None]

    problem = BilevelProblem(upper, _identity(), constraints=(disc,), convex=True)
    return ZooProblem(
        "coupled-disc",
        "closed form; a curved coupled constraint",
        problem,
        column(0.0),
        column(0.0),
        2.0,
        ("convex", "smooth", "constrained"),
        column(1.0),
        formulations=_BOTH,
    )


def coupled_line() -> ZooProblem:
    """Minimise (x − 3)² + (y − 1)² with y = x/2 and x + y ≤ 2.4: x = 1.6, y = 0.8, F = 2."""

    def upper(x: Array, y: Array) -> tuple[float, Array, Array]:
        return float((x[0] - 3) ** 2 + (y[0] - 1) ** 2), 2 * (x - 3), 2 * (y - 1)

    half = SolutionMap(lambda x: x / 2, lambda x, v: v / 2)
    problem = BilevelProblem(upper, half, constraints=(LinearConstraint([[1]], [[1]], [2.4]),), convex=True)
    return ZooProblem(
        "coupled-line",
        "closed form; a linear coupled constraint",
        problem,
        column(0.0),
        column(0.0),
        2.0,
        ("convex", "smooth", "constrained"),
        column(1.6),
        formulations=_BOTH,
    )


def stackelberg() -> ZooProblem:
    """Stackelberg's duopoly, price 10 − x − y, unit costs 1 and 2: F = −(10 − 2·1 + 2)²/8."""

    # leader: max x(9 − x − y) with y = (8 − x)/2, so x(5 − x/2): x = 5, profit 12.5
    def upper(x: Array, y: Array) -> tuple[float, Array, Array]:
        return float(-x[0] * (9 - x[0] - y[0])), 2 * x + y - 9, x.copy()

    follower = SolutionMap(lambda x: (8 - x) / 2, lambda x, v: -v / 2)
    # convex in x once y*(x) is inserted; not jointly, as the product xy is indefinite
    problem = BilevelProblem(upper, follower, Box(0, 8), convex=True)
    return ZooProblem(
        "stackelberg",
        "von Stackelberg (1934), linear demand; closed form",
        problem,
        column(1.0),
        column(3.5),
        -12.5,
        ("convex", "smooth"),
        column(5.0),
        formulations=("reduced",),
    )


def problems() -> list[ZooProblem]:
    """All problems of this file."""
    return [
        box_target("plain"),
        box_target("squared"),
        quadratic("map"),
        quadratic("value"),
        quadratic("stationarity"),
        simplex_projection(),
        ball_linear(),
        budget_linear(),
        coupled_disc(),
        coupled_line(),
        stackelberg(),
    ]
