"""Lower levels that are quadratic programmes: y*(x) is piecewise linear, F(x, y*(x)) piecewise smooth.

The gap of such a lower level is not convex in (x, y), and F(x, y*(x)) may have several local minima: the
values in the comments follow from y*(x) by hand, piece by piece.
"""

import numpy as np

from cutplane._arrays import Array
from cutplane.oracles import QuadraticLevel, ValueFunction
from cutplane.oracles.value_function import LowerSolution
from cutplane.problem import BilevelProblem, LinearConstraint, UpperObjective
from cutplane.sets import Box
from cutplane.zoo.base import LOCAL, ZooProblem, column

_TAGS = ("smooth", "constrained")


def _squares(a: float, x_target: float, b: float, y_target: float) -> UpperObjective:
    """F = a(x − x_target)² + b(y − y_target)² in one x and one y."""

    def upper(x: Array, y: Array) -> tuple[float, Array, Array]:
        p, q = x - x_target, y - y_target
        return float(a * p @ p + b * q @ q), 2 * a * p, 2 * b * q

    return upper


def bard() -> ZooProblem:
    """F = (x − 5)² + (2y + 1)²: global F = 17 at (1, 0), local F = 25 at (5, 2)."""
    # y* = min(1 + ¾x, 3x − 3, 7 − x) and ≥ max(0, 2x − 8); x in [1, 5]
    level = QuadraticLevel(
        Q=[[2]], c=[-2], P=[[-1.5]], A=[[1], [-0.5], [1]], B=[[-3], [1], [1]], b=[-3, 4, 7], lower=0
    )
    problem = BilevelProblem(_squares(1, 5, 4, -0.5), level, Box(1, 5), Box(0, np.inf))
    return ZooProblem(
        "bard-1988",
        "Bard (1988), Naval Research Logistics 35, example 1",
        problem,
        column(2.0),
        column(1.0),
        17.0,
        _TAGS,
        column(1.0),
        (25.0,),
        LOCAL,
        ("reduced",),
    )


def clark_westerberg() -> ZooProblem:
    """F = (x − 3)² + (y − 2)²: F = 5 at (1, 3); local 9 at (3, 5) and 9.8 at (4.4, 4.8)."""
    # y* = min(5, 2x + 1, 7 − x/2); x in [0, 8]
    level = QuadraticLevel(Q=[[2]], c=[-10], A=[[1], [-2], [2]], B=[[-2], [1], [1]], b=[1, 2, 14], lower=0)
    problem = BilevelProblem(_squares(1, 3, 1, 2), level, Box(0, 8), Box(0, np.inf))
    return ZooProblem(
        "clark-westerberg-1990",
        "Clark and Westerberg (1990), Computers & Chemical Engineering 14",
        problem,
        column(0.5),
        column(2.0),
        5.0,
        _TAGS,
        column(1.0),
        (9.0, 9.8),
        LOCAL,
        ("reduced",),
    )


def shimizu_aiyoshi() -> ZooProblem:
    """F = x² + (y − 10)² with −x + y ≤ 0: F = 100 at (10, 10)."""
    # y* = min(15 − x/2, 20 − x); y ≤ x needs x ≥ 10, where y* = 20 − x and F = x² + (x − 10)²
    level = QuadraticLevel(Q=[[8]], c=[-120], P=[[4]], A=[[1]], B=[[1]], b=[20], lower=0, upper=20)
    problem = BilevelProblem(
        _squares(1, 0, 1, 10), level, Box(0, 15), Box(0, 20), (LinearConstraint([[-1]], [[1]], [0]),)
    )
    return ZooProblem(
        "shimizu-aiyoshi-1981",
        "Shimizu and Aiyoshi (1981), IEEE Transactions 26, example 1",
        problem,
        column(14.0),
        column(6.0),
        100.0,
        _TAGS,
        column(10.0),
        (),
        LOCAL,
        ("reduced",),
    )


def aiyoshi_shimizu() -> ZooProblem:
    """F = 2x₁ + 2x₂ − 3y₁ − 3y₂ − 60: global F = 0 at (0, 0, −10, −10), local F = 5 at (25, 30, 5, 10)."""
    # y_i* = max(−10, min(x_i − 20, ½x_i − 5)): each pair adds 2x + 30, 60 − x, ½x + 15 on [0, 10], [10, 30],
    # [30, 50]; near (30, 30) the coupled row reads 2x₁ − x₂ ≤ 20 and stops x₁ at 25
    level = QuadraticLevel(
        Q=2 * np.eye(2),
        c=[40, 40],
        P=-2 * np.eye(2),
        A=2 * np.eye(2),
        B=-np.eye(2),
        b=[-10, -10],
        lower=-10,
        upper=20,
    )
    row = LinearConstraint([[1, 1]], [[1, -2]], [40])
    c, d = column(2, 2), column(-3, -3)
    problem = BilevelProblem(
        lambda x, y: (float(c @ x + d @ y - 60), c, d), level, Box(0, 50), Box(-10, 20), (row,)
    )
    return ZooProblem(
        "aiyoshi-shimizu-1984",
        "Aiyoshi and Shimizu (1984), IEEE Transactions 29, example 2",
        problem,
        column(5.0, 5.0),
        column(-10.0, -10.0),
        0.0,
        _TAGS,
        None,
        (5.0,),
        LOCAL,
        ("reduced",),
    )


def falk_liu() -> ZooProblem:
    """F = Σ x² − 3x + y² with y* = x clipped to [0.5, 1.5]: x = 0.75 twice, F = −2.25."""
    level = QuadraticLevel(Q=2 * np.eye(2), c=[0, 0], P=-2 * np.eye(2), lower=0.5, upper=1.5)

    def upper(x: Array, y: Array) -> tuple[float, Array, Array]:
        return float(x @ x - 3 * x.sum() + y @ y), 2 * x - 3, 2 * y

    # on [0.5, 1.5] each pair adds 2x² − 3x, at least −9/8; below it x² − 3x + ¼ ≥ −1, above it ≥ 0
    problem = BilevelProblem(upper, level, Box(0, 2), Box(0.5, 1.5))
    return ZooProblem(
        "falk-liu-1995",
        "after Falk and Liu (1995), Mathematical Programming 70",
        problem,
        column(1.8, 0.2),
        column(1.5, 0.5),
        -2.25,
        _TAGS,
        column(0.75, 0.75),
        (),
        LOCAL,
        ("reduced",),
    )


def muu_quy() -> ZooProblem:
    """F = y₁² + y₂² + x² − 4x over a quadratic programme in two variables: F = −2.0769 at x = 11/13."""
    # y₂* = 0. For x ≤ 1, y₁* = (3x − 1)/2 would leave 2y₁ ≤ 1 + 2x for x > 2, so it is free on [1/3, 2]:
    # F = ((3x − 1)/2)² + x² − 4x, with 13x/2 = 11/2, and F = −27/13
    level = QuadraticLevel(Q=[[2, 1], [1, 1]], c=[1, 1], P=[[-3], [1]], A=[[2, 1]], B=[[-2]], b=[1], lower=0)

    def upper(x: Array, y: Array) -> tuple[float, Array, Array]:
        return float(y @ y + x[0] ** 2 - 4 * x[0]), 2 * x - 4, 2 * y

    problem = BilevelProblem(upper, level, Box(0, 2), Box(0, np.inf))
    return ZooProblem(
        "muu-quy-2003",
        "after Muu and Quy (2003), Vietnam Journal of Mathematics 31",
        problem,
        column(1.5),
        column(1.0, 0.0),
        -27 / 13,
        _TAGS,
        column(11 / 13),
        (),
        LOCAL,
        ("reduced",),
    )


def gumus_floudas() -> ZooProblem:
    """F = 16x² + 9y² with a quartic lower level: F = 2250 at (11.25, 5), local F = 2304 at (7.2, 12.8)."""

    def g(x: Array, y: Array) -> tuple[float, Array, Array]:
        # scaled by 1/10⁴: the quartic of distances up to 20 would drown ε
        away = (x + y - 20) / 10
        return float(away[0] ** 4), 0.4 * away**3, 0.4 * away**3

    row = LinearConstraint([[4]], [[1]], [50])

    # y* = min(20 − x, 50 − 4x); −4x + y ≤ 0 needs x ≥ 4
    def inner(x: Array) -> LowerSolution:
        if x[0] <= 10:
            return LowerSolution(20 - x, column(0.0))
        y = 50 - 4 * x
        return LowerSolution(y, -0.4 * ((x + y - 20) / 10) ** 3, active=np.array([True]))

    def second(x: Array, y: Array, m: Array) -> tuple[Array, Array]:
        curvature = np.array([[0.12 * ((x[0] + y[0] - 20) / 10) ** 2]])
        # at y = 20 − x all second derivatives vanish, and their ratio is what differentiates y*
        return (curvature, curvature) if curvature[0, 0] > 0 else (np.eye(1), np.eye(1))

    problem = BilevelProblem(
        _squares(16, 0, 9, 0),
        ValueFunction(g, inner, row, second),
        Box(4, 12.5),
        Box(0, np.inf),
        (LinearConstraint([[-4]], [[1]], [0]),),
    )
    return ZooProblem(
        "gumus-floudas-2001",
        "Gümüş and Floudas (2001), Journal of Global Optimization 20, example 1",
        problem,
        column(12.0),
        column(2.0),
        2250.0,
        _TAGS,
        column(11.25),
        (2304.0,),
        LOCAL,
        ("reduced",),
    )


def outrata() -> ZooProblem:
    """F = ½(y₁ − 3)² + ½(y₂ − 4)² over a quadratic programme whose Hessian depends on x: F = 0.5015."""
    rows = LinearConstraint(np.zeros((4, 1)), [[-0.333, 1], [1, -0.333], [-1, 0], [0, -1]], [2, 2, 0, 0])

    def data(x: Array) -> tuple[Array, Array]:
        return np.diag([1 + 0.2 * x[0], 1 + 0.1 * x[0]]), column(3 + 1.333 * x[0], x[0])

    def g(x: Array, y: Array) -> tuple[float, Array, Array]:
        H, b = data(x)
        slope = 0.1 * y[0] ** 2 + 0.05 * y[1] ** 2 - 1.333 * y[0] - y[1]
        return float(y @ H @ y / 2 - b @ y), column(slope), H @ y - b

    def inner(x: Array) -> LowerSolution:
        H, b = data(x)
        return QuadraticLevel(Q=H, c=-b, A=rows.A_y, b=rows.b, n_x=1).solve(x)

    def second(x: Array, y: Array, m: Array) -> tuple[Array, Array]:
        return data(x)[0], column(0.2 * y[0] - 1.333, 0.1 * y[1] - 1)[:, None]

    def upper(x: Array, y: Array) -> tuple[float, Array, Array]:
        away = y - column(3, 4)
        return float(away @ away) / 2, 0 * x, away

    # the two rows meet at v = 2/0.667 in both components, the point of their polyhedron nearest to (3, 4)
    # (multipliers 1.127 and 0.377), and y*(x) = (v, v) for x around 4
    v = 2 / 0.667
    problem = BilevelProblem(upper, ValueFunction(g, inner, rows, second), Box(0, 10), Box(0, np.inf))
    return ZooProblem(
        "outrata-1990",
        "after Outrata (1990), Zeitschrift für Operations Research 34, example 2",
        problem,
        column(1.0),
        column(1.0, 1.0),
        ((3 - v) ** 2 + (4 - v) ** 2) / 2,
        _TAGS,
        None,
        (),
        LOCAL,
        ("reduced",),
    )


def toll() -> ZooProblem:
    """Maximise the revenue x·y of a toll road whose user splits a demand of 1 between two roads: F = −9/8."""

    # user: min y²/2 + (x − 3)y + (1 − y)²/2·0 on [0, 2]: y* = 3 − x clipped, revenue x(3 − x) at x = 3/2
    def upper(x: Array, y: Array) -> tuple[float, Array, Array]:
        return -float(x[0] * y[0]), -y, -x

    level = QuadraticLevel(Q=[[1]], c=[-3], P=[[1]], lower=0, upper=2)
    problem = BilevelProblem(upper, level, Box(0, 3), Box(0, 2))
    return ZooProblem(
        "toll",
        "after Labbé, Marcotte and Savard (1998), Management Science 44; closed form",
        problem,
        column(0.5),
        column(2.0),
        -2.25,
        _TAGS,
        column(1.5),
        (),
        LOCAL,
        ("reduced",),
    )


def problems() -> list[ZooProblem]:
    """All problems of this file."""
    return [
        bard(),
        clark_westerberg(),
        shimizu_aiyoshi(),
        aiyoshi_shimizu(),
        falk_liu(),
        muu_quy(),
        gumus_floudas(),
        outrata(),
        toll(),
    ]
