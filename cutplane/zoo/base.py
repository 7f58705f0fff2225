"""What a test problem is: the problem, a start, what is known of its solution, and where it applies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cutplane._arrays import Array
from cutplane.problem import BilevelProblem

ALL = ("primal-dual", "linear", "level", "proximal")
"""Methods for a convex problem."""
LOCAL = ("primal-dual", "linear")
"""Methods that need no convexity."""
JOINT_STEPS = (("primal-dual", "joint"),)
"""Left out where the primal-dual steps approach F but do not come to rest within their 20 000 iterations."""
LEFT_OUT = "approaches F, but does not come to rest within 20 000 iterations"
"""What the table says of these."""
TOLERANCE = 1e-4
"""Relative error of F, with respect to max(1, |F|), that counts as solved."""


def _nothing() -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True)
class ZooProblem:
    """A test problem with a known solution.

    Attributes
    ----------
    name, source : str
        Where it comes from; "after" marks one that is close to the source, not the same.
    problem : BilevelProblem
    x0, y0 : ndarray
        The start of every run.
    fun : float
        Known optimum. For a nonconvex problem the best of the local solutions listed in `local`.
    x : ndarray or None
        Where it is attained, if that is unique.
    local : tuple of float
        Upper values of other known local solutions; a run that ends at one has solved the problem, where
        `smooth` or `convex` does not claim more.
    tags : tuple of str
        Of "convex", "smooth", "nonsmooth", "nonconvex", "constrained", "learning".
    methods, formulations : tuple of str
        Where the problem applies: each method is run in each formulation.
    left_out : tuple of (method, formulation)
        Pairs left out of that, for the reason `LEFT_OUT`.
    options : mapping
        Solver options that the problem needs, with the reason beside the definition.
    """

    name: str
    source: str
    problem: BilevelProblem
    x0: Array
    y0: Array
    fun: float
    tags: tuple[str, ...]
    x: Array | None = None
    local: tuple[float, ...] = ()
    methods: tuple[str, ...] = ALL
    formulations: tuple[str, ...] = ("joint",)
    left_out: tuple[tuple[str, str], ...] = ()
    options: Mapping[str, Any] = field(default_factory=_nothing)

    @property
    def runs(self) -> tuple[tuple[str, str], ...]:
        """Pairs (method, formulation) in which the problem is run."""
        pairs = ((m, f) for f in self.formulations for m in self.methods)
        return tuple(pair for pair in pairs if pair not in self.left_out)

    def known(self, fun: float) -> float:
        """Return the known value nearest to `fun`."""
        return min((self.fun, *self.local), key=lambda value: abs(value - fun))

    def solved(self, fun: float) -> bool:
        """Whether `fun` is a known optimum to within `TOLERANCE`."""
        return bool(np.isfinite(fun)) and abs(fun - self.known(fun)) <= TOLERANCE * max(1.0, abs(self.known(fun)))


def column(*values: float) -> Array:
    """Return the numbers as a vector."""
    return np.array(values, dtype=float)
