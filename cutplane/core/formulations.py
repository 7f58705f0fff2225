"""The two formulations as one: minimise f(z) over z in Z with constraints, in scaled variables z.

`Joint` keeps z = (x, y) and the lower level as the constraint gap(x, y) ≤ ε (the paper's). `Reduced` keeps
z = x and the lower level inside f(x) = F(x, y*(x)). Methods see neither: they ask a model for values,
gradients and the linear description of Z.
"""

from dataclasses import replace

import numpy as np

from cutplane._arrays import Array
from cutplane.core.model import Model, Piece, checked, rounding, triple
from cutplane.core.pool import Kind, Plane
from cutplane.errors import InputError, OracleError
from cutplane.problem import BilevelProblem, LinearConstraint
from cutplane.sets import FeasibleSet, Free, fixed, relaxed

_NEARLY, _MOST = 1e-3, 50
"""Share of a bound's width within which y*(x) has nearly reached it, and how many such bounds are linearised."""


class Joint(Model):
    """z = (x / x_scale, y / y_scale), with gap(x, y) ≤ ε as one of the constraints."""

    def __init__(
        self, problem: BilevelProblem, n_x: int, n_y: int, scales: tuple[float, float], epsilon: float
    ) -> None:
        blocks = [(problem.x_set, n_x, scales[0]), (problem.y_set, n_y, scales[1])]
        super().__init__(problem, blocks, n_y)
        self.epsilon = epsilon
        # the lower level's own constraints; y*(x) of the reduced formulation meets them by itself
        own = getattr(problem.lower, "constraints", None)
        if callable(own):
            if isinstance(own, LinearConstraint):
                own.check(n_x, n_y)
            self.constraints.append(own)
        self._curved = [
            i for i, c in enumerate(self.constraints) if not isinstance(c, LinearConstraint)
        ]  # linear ones are rows of the pool

    def with_problem(self, problem: BilevelProblem) -> "Joint":
        """Another problem in the same variables."""
        return Joint(problem, self.n_x, self.n_y, (self._scales[0], self._scales[1]), self.epsilon)

    def join(self, x: Array, y: Array) -> Array:
        """Scaled variables of a pair."""
        z: Array = np.concatenate([x, y]) / self.scale.astype(np.result_type(x, y), copy=False)
        return z

    def split(self, z: Array) -> tuple[Array, Array]:
        """Pair (x, y) of scaled variables."""
        return z[: self.n_x] * z.dtype.type(self._scales[0]), z[self.n_x :] * z.dtype.type(self._scales[1])

    def linear_planes(self) -> list[Plane]:
        """Exact rows of the linear coupled constraints."""
        planes = []
        for c in self.constraints:
            if isinstance(c, LinearConstraint):
                for a_x, a_y, b in zip(c.A_x, c.A_y, c.b, strict=True):
                    normal = np.concatenate([a_x, a_y])
                    planes.append(Plane(Kind.LINEAR, normal * self.scale, -float(b)))
        return planes

    def objective(self, z: Array) -> tuple[float, Array]:
        """F and its gradient at z."""
        value, g_x, g_y = self.upper_value(*self.split(z))
        gradient = np.concatenate([g_x, g_y], dtype=z.dtype)
        gradient[: self.n_x] *= self._scales[0]
        gradient[self.n_x :] *= self._scales[1]
        return value, gradient

    def pieces(self, z: Array) -> tuple[float, list[Piece]]:
        """(gap, constraints) at z: gap − ε first, then the coupled ones that are not linear."""
        x, y = self.split(z)
        self.njev += 1
        value, g_x, g_y = triple(self.ask("lower.gap", self.problem.lower.gap, x, y), "lower.gap")
        gap = float(checked(value, "lower gap", (), answer=True))
        if gap < -max(1e-6, 10 * self.epsilon):
            raise OracleError(f"lower.gap is {gap:.3g}: a gap is at least 0, and 0 where y is optimal")
        gradient = np.concatenate(
            [checked(g_x, "lower gap gradient in x", x.shape), checked(g_y, "lower gap gradient in y", y.shape)]
        )
        of_gap = self._piece(Kind.GAP, gap - self.epsilon, gradient * self.scale, z)
        return gap, [of_gap, *self._coupled(x, y, z)]

    def _coupled(self, x: Array, y: Array, z: Array) -> list[Piece]:
        pieces = []
        for i in self._curved:
            values, j_x, j_y = self._constraint(i, x, y)
            for value, row in zip(values, np.hstack([j_x, j_y]), strict=True):
                pieces.append(self._piece(Kind.CONSTRAINT, float(value), row * self.scale, z))
        return pieces

    def restore(self, z: Array) -> tuple[Array, list[Piece]] | None:
        """A point near z, of gap at most ε by its word, with its coupled constraints; None if it has none."""
        restore = getattr(self.problem.lower, "restore", None)
        if restore is None:
            return None
        x, y = self.split(z)
        restored = checked(self.ask("lower.restore", restore, x, y, self.epsilon), "lower.restore", y.shape)
        restored = restored.astype(y.dtype, copy=False)
        if _off(self.problem.y_set, restored, self._scales[1]) > 0.0:
            return None  # the lower level's solution lies outside y_set
        point = self.join(x, restored)
        return point, self._coupled(x, restored, point)


class Reduced(Model):
    """z = x / x_scale, with y*(x) inside the objective and the coupled constraints."""

    epsilon = 0.0

    def __init__(self, problem: BilevelProblem, n_x: int, n_y: int, scales: tuple[float, float]) -> None:
        for name in ("solution", "vjp"):
            if not callable(getattr(problem.lower, name, None)):
                raise InputError(
                    f"formulation='reduced' needs lower.{name}; {type(problem.lower).__name__} has none "
                    "(use SolutionMap, or formulation='joint')"
                )
        super().__init__(problem, [(problem.x_set, n_x, scales[0])], n_y)
        problem.y_set.check(n_y, "y_set")
        self._y_scale = scales[1]

    def with_problem(self, problem: BilevelProblem) -> "Reduced":
        """Another problem in the same variables."""
        return Reduced(problem, self.n_x, self.n_y, (self._scales[0], self._y_scale))

    def join(self, x: Array, y: Array) -> Array:
        """Scaled x; y follows from it."""
        z: Array = x / self.scale.astype(x.dtype, copy=False)
        return z

    def split(self, z: Array) -> tuple[Array, Array]:
        """(x, y*(x))."""
        x = z * self.scale.astype(z.dtype, copy=False)
        y = self.ask("lower.solution", self.problem.lower.solution, x)  # type: ignore[attr-defined]
        return x, checked(y, "lower.solution", (self.n_y,), answer=True)

    def linear_planes(self) -> list[Plane]:
        """None: a linear row in (x, y) is not linear in x alone."""
        return []

    def _pull(self, x: Array, v: Array) -> Array:
        vjp = self.problem.lower.vjp  # type: ignore[attr-defined]
        return checked(self.ask("lower.vjp", vjp, x, v), "lower.vjp", x.shape)

    def objective(self, z: Array) -> tuple[float, Array]:
        """F(x, y*(x)) and its gradient, the hypergradient."""
        x, y = self.split(z)
        self.njev += 1
        value, g_x, g_y = self.upper_value(x, y)
        return value, (g_x + self._pull(x, g_y)) * self.scale.astype(z.dtype, copy=False)

    def pieces(self, z: Array) -> tuple[float, list[Piece]]:
        """(0, constraints) at z: the gap is zero by construction, and y*(x) has to lie in y_set."""
        pieces: list[Piece] = []
        if not self.constraints and isinstance(self.problem.y_set, Free):
            return 0.0, pieces
        x, y = self.split(z)
        distance, gradient = _off(self.problem.y_set, y, self._y_scale), np.zeros(self.n)
        if distance > 0.0:
            outside = y - self.problem.y_set.project(y)
            unit = outside / float(np.linalg.norm(outside))
            gradient = self._pull(x, unit) * self.scale / self._y_scale
        pieces.append(self._piece(Kind.CONSTRAINT, distance, gradient, z))
        for i in range(len(self.constraints)):
            values, j_x, j_y = self._constraint(i, x, y)
            for value, row_x, row_y in zip(values, j_x, j_y, strict=True):
                gradient = row_x + self._pull(x, row_y)
                pieces.append(self._piece(Kind.CONSTRAINT, float(value), gradient * self.scale, z))
        return 0.0, pieces

    def answer_planes(self, z: Array) -> list[Plane]:
        """Bounds of y_set that y*(x) has nearly reached, linearised in x."""
        if isinstance(self.problem.y_set, Free):
            return []
        x, y = self.split(z)
        lower, upper = self.problem.y_set.bounds(self.n_y)
        near = _NEARLY * np.maximum(np.minimum(upper - lower, 1.0 + np.abs(y)), np.finfo(float).tiny)
        planes = []
        for sign, room in ((1.0, upper - y), (-1.0, y - lower)):
            for j in np.flatnonzero(room <= near)[:_MOST]:
                normal = self._pull(x, sign * np.eye(self.n_y)[j].astype(y.dtype)) * self.scale
                planes.append(Plane(Kind.CONSTRAINT, normal, -max(float(room[j]), 0.0) - float(normal @ z)))
        return planes

    def restore(self, z: Array) -> tuple[Array, list[Piece]] | None:
        """Nothing to restore."""
        return None


def _off(feasible: FeasibleSet, y: Array, scale: float) -> float:
    """Distance (scaled) from y to its set; 0 where rounding explains it."""
    away = float(np.linalg.norm(y - feasible.project(y))) / scale
    forgiven = 1e-9 * (1 + float(np.abs(y).max(initial=0.0)) / scale) + rounding(y / y.dtype.type(scale))
    return away if away > forgiven else 0.0


def build_model(
    problem: BilevelProblem, formulation: str, n_x: int, n_y: int, scales: tuple[float, float], epsilon: float
) -> Joint | Reduced:
    """Return the model of a formulation."""
    if formulation == "joint":
        return Joint(problem, n_x, n_y, scales, epsilon)
    return Reduced(problem, n_x, n_y, scales)


def relaxed_model(model: Joint | Reduced, held: Array | None = None) -> Joint | Reduced:
    """Model of the same problem without whole numbers, or with those of a point z held."""
    problem = model.problem
    if held is None:
        x_set = relaxed(problem.x_set)
    else:
        x_set = fixed(problem.x_set, held[: model.n_x] * model.scale[: model.n_x])
    return model.with_problem(replace(problem, x_set=x_set))
