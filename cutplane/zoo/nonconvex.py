"""Nonconvex problems with closed-form lower solutions: runs end at a local solution, all of which are known."""

from collections.abc import Callable

import numpy as np

from cutplane._arrays import Array
from cutplane.oracles import SolutionMap, ValueFunction
from cutplane.problem import BilevelProblem, LowerOracle
from cutplane.sets import Box
from cutplane.zoo.base import JOINT_STEPS, LOCAL, ZooProblem, column

Scalar = Callable[[float, float], tuple[float, float, float]]


def _upper(f: Scalar) -> Callable[[Array, Array], tuple[float, Array, Array]]:
    """Turn (value, d/dx, d/dy) of two numbers into the library's form."""

    def wrapped(x: Array, y: Array) -> tuple[float, Array, Array]:
        value, d_x, d_y = f(float(x[0]), float(y[0]))
        return value, column(d_x), column(d_y)

    return wrapped


def _one(
    name: str,
    source: str,
    upper: Scalar,
    lower: LowerOracle,
    x: tuple[float, float],
    y: tuple[float, float],
    start: tuple[float, float],
    fun: float,
    best: float | None,
    local: tuple[float, ...] = (),
    tags: tuple[str, ...] = ("nonconvex",),
    formulations: tuple[str, ...] = ("joint",),
    methods: tuple[str, ...] = LOCAL,
    left_out: tuple[tuple[str, str], ...] = (),
) -> ZooProblem:
    """A problem in one x and one y, both in boxes."""
    problem = BilevelProblem(_upper(upper), lower, Box(*x), Box(*y))
    return ZooProblem(
        name,
        source,
        problem,
        column(start[0]),
        column(start[1]),
        fun,
        tags,
        None if best is None else column(best),
        local,
        methods,
        formulations,
        left_out,
    )


def _value(g: Scalar, inner: Callable[[float], float]) -> ValueFunction:
    return ValueFunction(_upper(g), lambda x: column(inner(float(x[0]))))


def shen_chen(start: float) -> ZooProblem:
    """The lower level g = (x + y)² + x sin²(x + y), y* = −x; three interior local minima in [0, 3]."""

    # with u = 2 − 4x the reduced objective is cos(u)/(1 + eᵘ) + ½ ln(u² + 1): its local minima in
    # [0, 3] are at 0.3824, 1.2151 and 2.8296, found by a grid and a bounded search in the tests
    def upper(x: float, y: float) -> tuple[float, float, float]:
        u, w = 2 + 4 * y, 4 * x - 2
        e = float(np.exp(2 - 4 * x))
        value = float(np.cos(u)) / (1 + e) + float(np.log(w * w + 1)) / 2
        return (
            value,
            4 * float(np.cos(u)) * e / (1 + e) ** 2 + 4 * w / (w * w + 1),
            -4 * float(np.sin(u)) / (1 + e),
        )

    lower = SolutionMap(lambda x: -x, lambda x, v: -v)
    return _one(
        f"shen-chen-{start:g}",
        "Shen and Chen (2023), arXiv 2302.05185: toy problem",
        upper,
        lower,
        (0, 3),
        (-5, 5),
        (start, 0.0),
        0.199910887700,
        None,
        (0.442705722444, 1.24345827282),
        ("smooth", "nonconvex"),
        ("joint", "reduced"),
    )


def mitsos_barton_314() -> ZooProblem:
    """F = (x − ¼)² + y², g = y³/3 − xy: F = ¼ at (¼, ½), where two follower solutions tie."""

    # y* = √x against y = −1: −⅔x^1.5 = −⅓ + x at x = ¼; below ¼ the follower takes −1 and F ≥ 1
    def inner(x: float) -> float:
        return float(np.sqrt(x)) if x >= 0.25 else -1.0

    return _one(
        "mitsos-barton-3.14",
        _MB,
        lambda x, y: ((x - 0.25) ** 2 + y * y, 2 * (x - 0.25), 2 * y),
        _value(lambda x, y: (y**3 / 3 - x * y, -y, y * y - x), inner),
        (-1, 1),
        (-1, 1),
        (0.8, 0.9),
        0.25,
        0.25,
        (1.0,),
        # F jumps at ¼, just where it is best: the primal-dual steps end 1.2e-4 too low, at a gap of 1e-8
        methods=("linear",),
    )


_MB = "Mitsos and Barton (2006), A test set for bilevel programs, MIT"


def mitsos_barton_315() -> ZooProblem:
    """F = x + y, g = xy²/2 − y³/3: F = 0 at (−1, 1)."""

    # y* = 1 for x < 2/3, else 0
    def inner(x: float) -> float:
        return 1.0 if x < 2 / 3 else 0.0

    return _one(
        "mitsos-barton-3.15",
        _MB,
        lambda x, y: (x + y, 1.0, 1.0),
        _value(lambda x, y: (x * y * y / 2 - y**3 / 3, y * y / 2, x * y - y * y), inner),
        (-1, 1),
        (-1, 1),
        (0.2, 0.9),
        0.0,
        -1.0,
        (2 / 3,),
        # the penalty phase stalls with the right F in the corner (−1, 1)
        methods=("linear",),
    )


def mitsos_barton_317() -> ZooProblem:
    """F = (x + ½)² + y²/2, g = xy²/2 + y⁴/4: F = 3/16 at (−¼, ±½)."""

    # y*² = max(−x, 0); F = (x + ½)² − x/2 for x < 0
    def inner(x: float) -> float:
        return float(np.sqrt(max(-x, 0.0)))

    return _one(
        "mitsos-barton-3.17",
        _MB,
        lambda x, y: ((x + 0.5) ** 2 + y * y / 2, 2 * (x + 0.5), y),
        _value(lambda x, y: (x * y * y / 2 + y**4 / 4, y * y / 2, x * y + y**3), inner),
        (-1, 1),
        (-1, 1),
        (-0.7, 0.9),
        0.1875,
        -0.25,
        (0.25,),
        left_out=JOINT_STEPS,
    )


def mitsos_barton_318() -> ZooProblem:
    """F = −x² + y², g = xy² − y⁴/2: F = −1 at (1, 0)."""

    # y*² = 1 for x < ½, else 0
    def inner(x: float) -> float:
        return 1.0 if x < 0.5 else 0.0

    return _one(
        "mitsos-barton-3.18",
        _MB,
        lambda x, y: (-x * x + y * y, -2 * x, 2 * y),
        _value(lambda x, y: (x * y * y - y**4 / 2, y * y, 2 * x * y - 2 * y**3), inner),
        (-1, 1),
        (-1, 1),
        (0.7, 0.2),
        -1.0,
        1.0,
        (0.0, 0.75),
    )


def mitsos_barton_319() -> ZooProblem:
    """F = xy − y + y²/2, g = −xy² + y⁴/2: F = −0.25808 with √x = (√13 − 1)/6."""
    # y* = ±√x, the leader's choice; with s = √x, F = s³ − s + s²/2
    s = (np.sqrt(13) - 1) / 6
    return _one(
        "mitsos-barton-3.19",
        _MB,
        lambda x, y: (x * y - y + y * y / 2, y, x - 1 + y),
        _value(lambda x, y: (-x * y * y + y**4 / 2, -y * y, -2 * x * y + 2 * y**3), lambda x: float(np.sqrt(x))),
        (0, 1),
        (-1, 1),
        (0.8, 0.9),
        float(s**3 - s + s * s / 2),
        float(s * s),
        (0.0,),
    )


def mitsos_barton_324() -> ZooProblem:
    """F = x² − y, g = ((y − 1 − x/10)² − ½ − x/2)²: F = −1.75472 at x = 0.21066."""

    # y* = 1 + x/10 + √(½ + x/2), the larger root; F' = 2x − 1/10 − 1/(4√(½ + x/2)) = 0
    def g(x: float, y: float) -> tuple[float, float, float]:
        away = y - 1 - 0.1 * x
        inside = away * away - 0.5 - 0.5 * x
        return inside * inside, 2 * inside * (-0.2 * away - 0.5), 4 * inside * away

    return _one(
        "mitsos-barton-3.24",
        _MB,
        lambda x, y: (x * x - y, 2 * x, -1.0),
        _value(g, lambda x: 1 + 0.1 * x + float(np.sqrt(0.5 + 0.5 * x))),
        (0, 1),
        (0, 3),
        (0.6, 2.0),
        -1.75471792683,
        0.210662134,
    )


def smd1() -> ZooProblem:
    """Sinha, Malo and Deb's SMD1 with p = q = r = 1: F = 0 at 0."""

    # y* = (0, arctan x₂); F = x₁² + y₁² + x₂² + (x₂ − tan y₂)²
    def upper(x: Array, y: Array) -> tuple[float, Array, Array]:
        tangent = np.tan(y[1])
        away = x[1] - tangent
        return (
            float(x @ x + y[0] ** 2 + away**2),
            2 * x + column(0, 2 * away),
            column(2 * y[0], -2 * away * (1 + tangent**2)),
        )

    lower = SolutionMap(lambda x: column(0, np.arctan(x[1])), lambda x, v: column(0, v[1] / (1 + x[1] ** 2)))
    problem = BilevelProblem(upper, lower, Box(-5, 10), Box(column(-5, -1.5), column(10, 1.5)))
    return ZooProblem(
        "smd1",
        "Sinha, Malo and Deb (2014), Evolutionary Computation 22",
        problem,
        column(2.0, 1.5),
        column(1.0, 0.3),
        0.0,
        ("smooth", "nonconvex"),
        column(0, 0),
        (),
        LOCAL,
        ("joint", "reduced"),
    )


def tilted_circle() -> ZooProblem:
    """F = y₁ with y* = (cos x, sin x) on [0, 2π]: F = −1 at π."""
    lower = SolutionMap(
        lambda x: column(np.cos(x[0]), np.sin(x[0])),
        lambda x, v: column(-np.sin(x[0]) * v[0] + np.cos(x[0]) * v[1]),
    )
    problem = BilevelProblem(lambda x, y: (float(y[0]), 0 * x, column(1, 0)), lower, Box(0, 2 * np.pi), Box(-2, 2))
    return ZooProblem(
        "tilted-circle",
        "closed form; a curved solution map",
        problem,
        column(1.0),
        column(0.5, 0.8),
        -1.0,
        ("smooth", "nonconvex"),
        column(np.pi),
        (),
        LOCAL,
        ("joint", "reduced"),
        JOINT_STEPS,
    )


def problems() -> list[ZooProblem]:
    """All problems of this file."""
    return [
        shen_chen(0.1),
        shen_chen(1.5),
        shen_chen(2.9),
        mitsos_barton_314(),
        mitsos_barton_315(),
        mitsos_barton_317(),
        mitsos_barton_318(),
        mitsos_barton_319(),
        mitsos_barton_324(),
        smd1(),
        tilted_circle(),
    ]
