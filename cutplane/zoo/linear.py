"""Linear over linear, all data of `QuadraticLevel` without Q; the optimum lies at a kink of y*(x)."""

from typing import Any

import numpy as np

from cutplane._arrays import Array
from cutplane.oracles import QuadraticLevel
from cutplane.problem import BilevelProblem, LinearConstraint
from cutplane.sets import Box, FeasibleSet, Polytope
from cutplane.zoo.base import LOCAL, ZooProblem, column

_TAGS = ("nonconvex", "constrained")


def _linear(
    name: str,
    source: str,
    c_x: Any,
    c_y: Any,
    level: QuadraticLevel,
    x_set: FeasibleSet,
    x0: Any,
    y0: Any,
    fun: float,
    x: Any,
    local: tuple[float, ...] = (),
    coupled: tuple[LinearConstraint, ...] = (),
    formulations: tuple[str, ...] = ("reduced",),
) -> ZooProblem:
    on_x, on_y = np.array(c_x, dtype=float), np.array(c_y, dtype=float)

    def upper(x: Array, y: Array) -> tuple[float, Array, Array]:
        return float(on_x @ x + on_y @ y), on_x, on_y

    problem = BilevelProblem(upper, level, x_set, Box(0, np.inf), coupled)
    return ZooProblem(
        name, source, problem, column(*x0), column(*y0), fun, _TAGS, column(*x), local, LOCAL, formulations
    )


def _bialas_karwan(
    name: str, source: str, c_x: float, c_y: float, fun: float, local: tuple[float, ...]
) -> ZooProblem:
    # y* = max((10 − x)/2, (x − 6)/2, 2x − 21) up to min((38 − x)/2, (18 + x)/2); they meet at (16, 11)
    level = QuadraticLevel(
        c=[1], A=[[-2], [-2], [-1], [2], [2]], B=[[-1], [1], [2], [1], [-1]], b=[-10, 6, 21, 38, 18], lower=0
    )
    return _linear(name, source, [c_x], [c_y], level, Box(0, 16), [12], [4], fun, [16], local)


def bialas_karwan() -> ZooProblem:
    """F = −y: (16, 11)."""
    # the other end of y* is a local solution: y* = 5 at x = 0
    return _bialas_karwan(
        "bialas-karwan-1984", "Bialas and Karwan (1984), Management Science 30", 0, -1, -11.0, (-5.0,)
    )


def anandalingam_white() -> ZooProblem:
    """F = −x − 3y: F = −49 at (16, 11)."""
    return _bialas_karwan(
        "anandalingam-white-1990", "Anandalingam and White (1990), IEEE Transactions 35", -1, -3, -49.0, (-15.0,)
    )


def liu_hart() -> ZooProblem:
    """F = −x − 3y: F = −16 at (4, 4)."""
    # y* = max(0, 4x − 12) up to min(x + 3, (12 − x)/2); they meet at (4, 4)
    level = QuadraticLevel(c=[1], A=[[1], [2], [-1]], B=[[-1], [1], [4]], b=[3, 12, 12], lower=0)
    return _linear(
        "liu-hart-1994",
        "Liu and Hart (1994), European Journal of Operational Research 73",
        [-1],
        [-3],
        level,
        Box(0, 4),
        [1],
        [0],
        -16.0,
        [4],
    )


def clark_westerberg() -> ZooProblem:
    """F = x − 4y: F = −12 at (4, 4)."""
    # y* = max(3 − x, (3x − 4)/2) up to min(2x, 12 − 2x); x from 1 to 4, where they meet
    level = QuadraticLevel(c=[1], A=[[-1], [1], [1], [-2]], B=[[-1], [-2], [2], [3]], b=[-3, 0, 12, 4], lower=0)
    # local minimum at x = 1: y* = 2, F = −7, and F = 5x − 12 rises from there to x = 2
    return _linear(
        "clark-westerberg-1988",
        "Clark and Westerberg (1988), Computers & Chemical Engineering 12",
        [1],
        [-4],
        level,
        Box(1, 4),
        [3],
        [2.5],
        -12.0,
        [4],
        (-7.0,),
    )


def bard_falk() -> ZooProblem:
    """F = −2x₁ + x₂ + ½y₁ with x₁ + x₂ ≤ 2: F = −3.25 at (2, 0), y = (1.5, 0)."""
    # rows: −2x₁ + y₁ − y₂ ≤ −2.5 and x₁ − 3x₂ + y₂ ≤ 2
    level = QuadraticLevel(c=[-4, 1], A=[[1, -1], [0, 1]], B=[[-2, 0], [1, -3]], b=[-2.5, 2], lower=0)
    budget = LinearConstraint([[1, 1]], [[0, 0]], [2])
    return _linear(
        "bard-falk-1982",
        "Bard and Falk (1982), Computers & Operations Research 9",
        [-2, 1],
        [0.5, 0],
        level,
        Box(0, 2),
        [1.4, 0.5],
        [0.4, 0.1],
        -3.25,
        [2, 0],
        coupled=(budget,),
    )


def candler_townsley() -> ZooProblem:
    """F = −8x₁ − 4x₂ + 4y₁ − 40y₂ − 4y₃: F = −29.2 at (0, 0.9), y = (0, 0.6, 0.4)."""
    level = QuadraticLevel(
        c=[1, 1, 2], A=[[-1, 1, 1], [-1, 2, -0.5], [2, -1, -0.5]], B=[[0, 0], [2, 0], [0, 2]], b=[1, 1, 1], lower=0
    )
    # x for which the follower has a feasible y: x₁ + x₂ ≤ 1.5 and x₁ + 5x₂ ≤ 4.5
    domain = Polytope([[1, 1], [1, 5]], [1.5, 4.5], lower=0)
    return _linear(
        "candler-townsley-1982",
        "Candler and Townsley (1982), Computers & Operations Research 9",
        [-8, -4],
        [4, -40, -4],
        level,
        domain,
        [0.0, 0.6],
        [0, 0.2, 0.3],
        -29.2,
        [0, 0.9],
    )


def bard_1991() -> ZooProblem:
    """F = x + y₂ over min 2y₁ + x y₂ with y₁ + y₂ ≥ x + 4 and x in [2, 4]: F = 2 at x = 2."""
    # at x = 2 every mixture is optimal for the follower; the optimistic one has y₂ = 0, as for all x > 2
    level = QuadraticLevel(c=[2, 0], P=[[0], [1]], A=[[-1, -1]], B=[[1]], b=[-4], lower=0)
    return _linear(
        "bard-1991",
        "Bard (1991), Journal of Optimization Theory and Applications 68, example 1",
        [1],
        [0, 1],
        level,
        Box(2, 4),
        [3.5],
        [7.5, 0],
        2.0,
        [2],
        formulations=("joint",),
    )


def problems() -> list[ZooProblem]:
    """All problems of this file."""
    return [
        bialas_karwan(),
        anandalingam_white(),
        liu_hart(),
        clark_westerberg(),
        bard_falk(),
        candler_townsley(),
        bard_1991(),
    ]
