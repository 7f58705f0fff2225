"""A randomised check of what a user wrote: gradients against differences, and the declared convexity."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cutplane._arrays import Array, vector
from cutplane.core.formulations import Joint, Reduced, build_model
from cutplane.core.pool import Kind
from cutplane.errors import InputError, OracleError
from cutplane.problem import BilevelProblem

_STEP = 1e-5
_GRADIENT_TOLERANCE = 1e-3
_CONVEX_TOLERANCE = 1e-7
_GAP_TOLERANCE = 1e-6
_ANSWERS = 4
"""Points at which `solution` and `restore` are looked at."""


class OracleWarning(UserWarning):
    """A gradient or a declaration of convexity that does not agree with the values."""


@dataclass(frozen=True, slots=True)
class OracleReport:
    """Outcome of `check_oracle`.

    Attributes
    ----------
    problems : tuple of str
        What disagrees, one sentence each: the oracle, the component, both numbers. Empty if all is well.
    gradient_error : float
        Largest relative disagreement of a derivative with central differences.
    convexity_error : float
        Largest relative excess over the convexity inequalities; 0 where nothing was declared.
    points : int
        Points at which everything could be evaluated.
    """

    problems: tuple[str, ...]
    gradient_error: float
    convexity_error: float
    points: int

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.problems


Function = Callable[[Array], tuple[float, Array]]


def check_oracle(
    problem: BilevelProblem, x: Any, y: Any, seed: int = 0, samples: int = 20, *, radius: float = 1.0,
    formulation: str = "joint",
) -> OracleReport:  # fmt: skip
    """Hold a problem's gradients against central differences, and its declared convexity against values.

    Parameters
    ----------
    problem : BilevelProblem
    x, y : array_like
        Centre of the random points, which are projected on the problem's sets.
    seed : int
    samples : int
        Random points beside the centre.
    radius : float
        Spread of the points (standard deviation of each component).
    formulation : {"joint", "reduced"}
        In "reduced" the hyper-gradient is checked, and with it `solution` and `vjp` of the lower level;
        ``convex=True`` then means that x ↦ F(x, y*(x)) is convex.

    Returns
    -------
    OracleReport
        A random check finds errors and proves nothing: convexity may fail elsewhere.

    Warns
    -----
    OracleWarning
        One for each problem found.

    Notes
    -----
    At a kink, a derivative between the two one-sided differences counts as right. Convexity is tested by
    the midpoint inequality (values only) and by the gradient inequality. Where the lower level has `solution`
    or `restore`, a few of their points are asked for their gap.
    """
    if formulation not in ("joint", "reduced"):
        raise InputError(f"formulation must be 'joint' or 'reduced', not {formulation!r}")
    x, y = vector(x, "x").astype(float), vector(y, "y").astype(float)
    model = build_model(problem, formulation, x.size, y.size, (1.0, 1.0), 0.0)
    rng = np.random.default_rng(seed)
    centre = model.join(x, y)
    points = [model.project(centre + radius * rng.normal(size=model.n) * (k > 0)) for k in range(samples + 1)]
    found: dict[str, str] = {}
    gradient_error = convexity_error = 0.0
    usable = 0
    for name, function in _functions(model, points[0], found):
        seen = []
        for z in points:
            try:
                value, gradient = function(z)
                error_here = _differences(name, function, z, value, gradient, model, found)
            except OracleError as error:
                found.setdefault(name + "!", f"{name} cannot be evaluated at every point of the sets: {error}")
                continue
            gradient_error = max(gradient_error, error_here)
            seen.append((z, value, gradient))
        usable = max(usable, len(seen))
        if problem.convex:
            convexity_error = max(convexity_error, _convexity(name, function, seen, found))
    _answers(problem.lower, model, points, found)
    for words in found.values():
        warnings.warn(words, OracleWarning, stacklevel=2)
    return OracleReport(tuple(found.values()), gradient_error, convexity_error, usable)


def _functions(model: Joint | Reduced, z: Array, found: dict[str, str]) -> list[tuple[str, Function]]:
    """Name and function of all that the solver would ask."""
    reduced = isinstance(model, Reduced)
    functions: list[tuple[str, Function]] = [("F(x, y*(x))" if reduced else "upper", model.objective)]
    try:
        pieces = model.pieces(z)[1]
    except OracleError as error:
        found["pieces!"] = f"the lower level or a constraint cannot be evaluated at the start: {error}"
        return functions
    count = 0
    for index, piece in enumerate(pieces):
        name = "lower.gap" if piece.kind == Kind.GAP else f"constraint row {count}"
        count += piece.kind != Kind.GAP

        def function(z: Array, index: int = index) -> tuple[float, Array]:
            piece = model.pieces(z)[1][index]
            return piece.value, piece.gradient

        functions.append((name, function))
    return functions


def _differences(
    name: str, function: Function, z: Array, value: float, gradient: Array, model: Joint | Reduced,
    found: dict[str, str],
) -> float:  # fmt: skip
    """Largest relative error of the gradient's components; the first wrong one of each oracle is reported."""
    worst = 0.0
    for i in range(z.size):
        step = np.zeros_like(z)
        step[i] = _STEP * (1 + abs(z[i]))
        try:
            ahead, behind = function(z + step)[0], function(z - step)[0]
        except OracleError:
            continue  # the difference leaves the set on whose rim z lies
        right, left = (ahead - value) / step[i], (value - behind) / step[i]
        central = (ahead - behind) / (2 * step[i])
        outside = max(min(left, right) - gradient[i], gradient[i] - max(left, right), 0.0)
        error = min(outside, abs(gradient[i] - central)) / (1 + abs(central))
        worst = max(worst, error)
        if error > _GRADIENT_TOLERANCE:
            where = f"x[{i}]" if i < model.n_x else f"y[{i - model.n_x}]"
            found.setdefault(
                name,
                f"{name}: the derivative in {where} is {gradient[i]:.6g}, central differences give {central:.6g}",
            )
    return float(worst)


def _answers(lower: Any, model: Joint | Reduced, points: list[Array], found: dict[str, str]) -> None:
    """Hold the points that `solution` and `restore` give against the gap that they promise."""
    solution, restore = getattr(lower, "solution", None), getattr(lower, "restore", None)
    if isinstance(model, Reduced):
        restore = None  # it is not asked there
    for z in points[:_ANSWERS]:
        try:
            x, y = model.split(z)
            gap = float(lower.gap(x, y)[0])
            if callable(solution):
                _promised("solution", lower, x, np.asarray(solution(x)), 0.0, found)
            if callable(restore) and gap > 0:
                _promised("restore", lower, x, np.asarray(restore(x, y, 0.1 * gap)), 0.1 * gap, found)
        except OracleError as error:
            if not any(key.endswith("!") for key in found):  # else it has been said
                found["answers!"] = f"lower.solution or lower.restore cannot be evaluated at every point: {error}"


def _promised(name: str, lower: Any, x: Array, y: Array, epsilon: float, found: dict[str, str]) -> None:
    gap = float(lower.gap(x, y)[0])
    if not gap <= epsilon + _GAP_TOLERANCE * (1 + epsilon):
        found.setdefault(
            f"{name}?", f"lower.{name} gives a point of gap {gap:.6g} at x = {x}, where {epsilon:.6g} is promised"
        )


def _convexity(
    name: str, function: Function, seen: list[tuple[Array, float, Array]], found: dict[str, str]
) -> float:  # fmt: skip
    """Largest relative excess over the midpoint and the gradient inequality."""
    worst = 0.0
    for k, (a, f_a, g_a) in enumerate(seen):
        b, f_b, _ = seen[(k + 1) % len(seen)]
        scale = 1 + abs(f_a) + abs(f_b)
        try:
            bend = (function((a + b) / 2)[0] - (f_a + f_b) / 2) / scale
        except OracleError:
            continue
        below = (f_a + float(g_a @ (b - a)) - f_b) / scale
        worst = max(worst, bend, below)
        if bend > _CONVEX_TOLERANCE:
            found.setdefault(
                name + "~",
                f"{name} is not convex, though the problem is declared so: at a midpoint it lies "
                f"{bend * scale:.3g} above the chord",
            )
        elif below > _CONVEX_TOLERANCE:
            found.setdefault(
                name + "~",
                f"{name}: its tangent lies {below * scale:.3g} above its value: not convex, or not a subgradient",
            )
    return float(max(worst, 0.0))
