"""The bi-level problem, and what a user implements to state one: an upper objective and a lower oracle."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import scipy

from cutplane._arrays import Array, matrix, scalar_or_vector, vector
from cutplane.errors import InputError
from cutplane.sets import Box, FeasibleSet, Free, Polytope, allowance, violation


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


_STEEPEST = 1e140
"""Largest entry of a row, and one over the smallest: squares beyond it overflow or vanish."""

Constraint = Callable[[Array, Array], tuple[Array, Array, Array]]


class LinearConstraint:
    """The coupled constraint A_x x + A_y y ≤ b, an exact row of every master.

    Parameters
    ----------
    A_x : array_like or SciPy sparse matrix of shape (k, n_x)
    A_y : array_like or SciPy sparse matrix of shape (k, n_y)
    b : array_like of shape (k,)

    Raises
    ------
    InputError
        Where the shapes disagree, an entry is not finite, or a row of zeros asks for less than zero.
    """

    def __init__(self, A_x: Any, A_y: Any, b: Any) -> None:
        self.A_x, self.A_y, self.b = matrix(A_x, "A_x"), matrix(A_y, "A_y"), vector(b, "b")
        if not self.A_x.shape[0] == self.A_y.shape[0] == self.b.size:
            raise InputError(
                f"LinearConstraint: A_x has {self.A_x.shape[0]} rows, A_y {self.A_y.shape[0]}, b {self.b.size}"
            )

        largest = np.maximum(*(np.abs(A).max(axis=1, initial=0.0) for A in (self.A_x, self.A_y)))
        odd = np.flatnonzero((largest > 0) & ((largest < 1 / _STEEPEST) | (largest > _STEEPEST)))
        if odd.size:
            raise InputError(
                f"LinearConstraint: the entries of row {odd[0]} go up to {largest[odd[0]]:.0e}, and its "
                "length cannot be measured: multiply the row, b too, so that they are nearer to 1"
            )
        empty = largest == 0
        if (self.b[empty] < 0).any():
            row = int(np.flatnonzero(empty & (self.b < 0))[0])
            raise InputError(f"LinearConstraint: row {row} reads 0 ≤ {self.b[row]:g}, which no point satisfies")

    def check(self, n_x: int, n_y: int) -> None:
        """Raise `InputError` unless the columns are those of x and y."""
        for A, n, name in ((self.A_x, n_x, "A_x"), (self.A_y, n_y, "A_y")):
            if A.shape[1] != n:
                raise InputError(
                    f"LinearConstraint: {name} has {A.shape[1]} columns, {name[-1]} has {n} entries; "
                    f"give {name[-1]}0 as many entries as there are columns"
                )

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
        `Free` (default), `Box`, `Simplex`, `Ball` or `Polytope`. SciPy's `Bounds` and `LinearConstraint`, or
        a list of them, are taken as the `Box` or `Polytope` that they describe; `keep_feasible` is the rule
        here, whatever it says.
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
        for name in ("x_set", "y_set"):
            object.__setattr__(self, name, _as_set(getattr(self, name), name))
        constraints = self.constraints
        if callable(constraints) or _of_kind(constraints, *_OF_SCIPY):
            constraints = (constraints,)  # type: ignore[assignment]
        if not isinstance(constraints, tuple | list):
            raise InputError(f"{_CONSTRAINTS}, not {constraints!r}")
        for i, constraint in enumerate(constraints):
            if _of_kind(constraint, *_OF_SCIPY):
                raise InputError(
                    f"constraints[{i}] is SciPy's {type(constraint).__name__}, which does not tell x from y: "
                    "write cutplane.LinearConstraint(A_x, A_y, b) for A_x x + A_y y ≤ b, put what is on x or y "
                    "alone into x_set or y_set, and a curved one into c(x, y) -> (values, jac_x, jac_y)"
                )
            if isinstance(constraint, type) or not callable(constraint):
                raise InputError(f"{_CONSTRAINTS}, not {constraint!r}")
        object.__setattr__(self, "constraints", tuple(constraints))
        if not isinstance(self.convex, bool | np.bool_):
            raise InputError(f"convex must be True or False, not {self.convex!r}")
        if self.convex and getattr(self.lower, "stochastic", False):
            raise InputError("convex=True cannot be declared with a stochastic lower level: its cuts carry noise")


_OF_SCIPY = ("Bounds", "LinearConstraint", "NonlinearConstraint")
_CONSTRAINTS = "constraints must be callables c(x, y) -> (values, jac_x, jac_y)"


def _of_kind(value: Any, *kinds: str) -> bool:
    """Whether a value is of classes of SciPy's, by name; where that is not imported nothing is."""
    return "scipy.optimize" in sys.modules and isinstance(
        value, tuple(getattr(scipy.optimize, kind) for kind in kinds)
    )


def _as_set(value: Any, name: str) -> FeasibleSet:
    """Return a set as it is, and SciPy's bounds and rows as a `Box` or a `Polytope`."""
    parts = list(value) if isinstance(value, list | tuple) else [value]
    if parts and all(_of_kind(part, "Bounds", "LinearConstraint") for part in parts):
        try:
            return _of_scipy(parts)
        except InputError as error:
            raise InputError(f"{name}: {error}") from None
    if isinstance(value, type) or not isinstance(value, FeasibleSet):
        raise InputError(
            f"{name} must be Free(), Box, Simplex, Ball or Polytope, or SciPy's Bounds or LinearConstraint or a "
            f"list of these, not {value!r}"
        )
    return value


def _of_scipy(parts: list[Any]) -> FeasibleSet:
    """Return what SciPy's `Bounds` and `LinearConstraint` describe together."""
    lower, upper = np.array(-np.inf), np.array(np.inf)
    rows: list[tuple[Array, Array, Array]] = []
    for part in parts:
        sides = [scalar_or_vector(getattr(part, side), side) for side in ("lb", "ub")]
        if _of_kind(part, "Bounds"):
            lb, ub = (v.reshape(()) if v.size == 1 else v for v in sides)  # SciPy makes a vector of a number
            try:
                lower, upper = np.maximum(lower, lb), np.minimum(upper, ub)
            except ValueError:
                raise InputError(f"Bounds are of {max(lower.size, upper.size)} and of {lb.size} entries") from None
        else:
            rows.append(_two_sided(matrix(part.A, "A", rows[0][0].shape[1] if rows else None), *sides))
    box = Box(lower, upper)
    if not rows:
        return box
    A, lb, ub = (np.concatenate(column) for column in zip(*rows, strict=True))
    equal = lb == ub
    above, below = ~equal & (ub < np.inf), ~equal & (lb > -np.inf)
    return Polytope(
        np.concatenate([A[above], -A[below]]), np.concatenate([ub[above], -lb[below]]), A[equal], ub[equal],
        box.lower, box.upper,
    )  # fmt: skip


def _two_sided(A: Array, lb: Array, ub: Array) -> tuple[Array, Array, Array]:
    """Return the rows lb ≤ A v ≤ ub with a side for each row, seen to be possible each by itself."""
    try:
        lb, ub = np.broadcast_to(lb, A.shape[0]), np.broadcast_to(ub, A.shape[0])
    except ValueError:
        raise InputError(f"LinearConstraint: A has {A.shape[0]} rows, lb {lb.size}, ub {ub.size}") from None
    wrong = np.flatnonzero((lb > ub) | (lb == np.inf) | (ub == -np.inf))
    if wrong.size:
        row = int(wrong[0])
        raise InputError(f"LinearConstraint: row {row} has lb = {lb[row]:g} and ub = {ub[row]:g}: none meets it")
    return A, lb, ub


def start_point(value: Any, name: str, feasible: FeasibleSet) -> Array:
    """Return a start as a vector of the set; raise `InputError` where it is outside.

    Outside is what misses the set by more than the rounding of a point of its size (`allowance`).
    """
    point, set_name = vector(value, name), name.replace("0", "_set")
    try:
        feasible.check(point.size, set_name)
    except InputError as error:
        raise InputError(f"{name} has {point.size} entries: {error}") from None
    missed = violation(feasible, point)
    if missed > allowance(feasible, point):
        raise InputError(
            f"{name} is outside {set_name} by {missed:.3g}; start from problem.{set_name}.project({name})"
        )
    return feasible.project(point)
