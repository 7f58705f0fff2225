"""The bi-level problem, and what a user implements to state one: an upper objective and a lower oracle."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from cutplane._arrays import Array, matrix, vector
from cutplane.errors import InputError
from cutplane.sets import FeasibleSet, Free, violation


class UpperObjective(Protocol):
    """F(x, y), smooth or convex, with its gradient or one subgradient."""

    def __call__(self, x: Array, y: Array, /) -> tuple[float, Array, Array]:
        """Return (F, gradient in x, gradient in y)."""


@runtime_checkable
class LowerOracle(Protocol):
    """How far y is from optimal for x.

    Beside `gap` an oracle may offer, and the solver then uses:

    * ``solution(x) -> y*`` and ``vjp(x, v) -> (dy*/dx)ᵀ v``: needed by ``formulation="reduced"``;
    * ``restore(x, y, epsilon) -> y'``: a point near y of gap at most ε, which gives feasible points;
    * ``constraints(x, y) -> (values, jac_x, jac_y)``: lower-level constraints, required of (x, y) as well;
    * ``version``: a number that changes when the gap function does; the solver then clears its planes;
    * ``stochastic = True``: answers carry noise; no cut is then trusted to certify anything.
    """

    def gap(self, x: Array, y: Array, /) -> tuple[float, Array, Array]:
        """Return (h, gradient in x, gradient in y), h ≥ 0 and 0 where y is optimal for x."""


Constraint = Callable[[Array, Array], tuple[Array, Array, Array]]


class LinearConstraint:
    """The coupled constraint A_x x + A_y y ≤ b, an exact row of every master.

    Parameters
    ----------
    A_x : array_like of shape (k, n_x)
    A_y : array_like of shape (k, n_y)
    b : array_like of shape (k,)
    """

    def __init__(self, A_x: Any, A_y: Any, b: Any) -> None:
        self.A_x, self.A_y, self.b = matrix(A_x, "A_x"), matrix(A_y, "A_y"), vector(b, "b")
        if not self.A_x.shape[0] == self.A_y.shape[0] == self.b.size:
            raise InputError(
                f"LinearConstraint: A_x has {self.A_x.shape[0]} rows, A_y {self.A_y.shape[0]}, b {self.b.size}"
            )

        empty = ~(self.A_x.any(axis=1) | self.A_y.any(axis=1))
        if (self.b[empty] < 0).any():
            row = int(np.flatnonzero(empty & (self.b < 0))[0])
            raise InputError(f"LinearConstraint: row {row} reads 0 ≤ {self.b[row]:g}, which no point satisfies")

    def check(self, n_x: int, n_y: int) -> None:
        """Raise `InputError` unless the columns are those of x and y."""
        for A, n, name in ((self.A_x, n_x, "A_x"), (self.A_y, n_y, "A_y")):
            if A.shape[1] != n:
                raise InputError(f"LinearConstraint: {name} has {A.shape[1]} columns, {name[-1]} has {n} entries")

    def __call__(self, x: Array, y: Array) -> tuple[Array, Array, Array]:
        """Return (values, jacobian in x, jacobian in y); feasible where values ≤ 0."""
        return self.A_x @ x + self.A_y @ y - self.b, self.A_x, self.A_y


@dataclass(frozen=True)
class BilevelProblem:
    """min F(x, y) over x in X and y in Y, with y optimal for x in the lower level, and c(x, y) ≤ 0.

    Parameters
    ----------
    upper : callable
        ``upper(x, y) -> (value, grad_x, grad_y)``; a nonsmooth convex objective gives a subgradient.
    lower : LowerOracle
        `SolutionMap`, `ValueFunction`, `Stationarity`, `CvxpyLevel`, or any object with ``gap(x, y)``.
    x_set, y_set : FeasibleSet
        `Free` (default), `Box`, `Simplex`, `Ball` or `Polytope`.
    constraints : tuple of callables
        Coupled constraints ``c(x, y) -> (values, jac_x, jac_y)``, feasible where values ≤ 0.
        `LinearConstraint` keeps a linear one exact.
    convex : bool
        The user's declaration that F, the gap and the constraints are convex in (x, y) (in the reduced
        formulation: that x ↦ F(x, y*(x)) and the reduced constraints are). Bounds are reported only then;
        `check_oracle` tests the declaration.

    Raises
    ------
    InputError
        Where an argument cannot be what it should.
    """

    upper: UpperObjective
    lower: LowerOracle
    x_set: FeasibleSet = field(default_factory=Free)
    y_set: FeasibleSet = field(default_factory=Free)
    constraints: tuple[Constraint, ...] = ()
    convex: bool = False

    def __post_init__(self) -> None:
        if not callable(self.upper):
            raise InputError("upper must be callable: upper(x, y) -> (value, grad_x, grad_y)")
        if not callable(getattr(self.lower, "gap", None)):
            raise InputError("lower must have gap(x, y) -> (value, grad_x, grad_y); see cutplane.oracles")
        for value, name in ((self.x_set, "x_set"), (self.y_set, "y_set")):
            if isinstance(value, type) or not isinstance(value, FeasibleSet):
                raise InputError(f"{name} must be Free(), Box, Simplex, Ball or Polytope, not {value!r}")
        constraints = self.constraints
        if callable(constraints):
            constraints = (constraints,)
        if not isinstance(constraints, tuple | list) or not all(callable(c) for c in constraints):
            raise InputError("constraints must be callables c(x, y) -> (values, jac_x, jac_y)")
        object.__setattr__(self, "constraints", tuple(constraints))
        if not isinstance(self.convex, bool | np.bool_):
            raise InputError(f"convex must be True or False, not {self.convex!r}")
        if self.convex and getattr(self.lower, "stochastic", False):
            raise InputError("convex=True cannot be declared with a stochastic lower level: its cuts carry noise")


def start_point(value: Any, name: str, feasible: FeasibleSet) -> Array:
    """Return a start as a vector of the set; raise `InputError` where it is outside."""
    point = vector(value, name)
    feasible.check(point.size, name.replace("0", "_set"))
    missed = violation(feasible, point)
    tolerance = 1e-6 if point.dtype == np.float32 else 1e-9
    if missed > tolerance * (1 + float(np.abs(point).max(initial=0.0))):
        set_name = name.replace("0", "_set")
        raise InputError(
            f"{name} is outside {set_name} by {missed:.3g}; start from problem.{set_name}.project({name})"
        )
    return feasible.project(point)
