"""What every method may read: the options of a run that belong to no method."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cutplane.core.cuts import CutRule
from cutplane.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of a run, whatever the method. `BilevelSolver` is one: it hands itself to its method.

    Parameters
    ----------
    formulation : {"joint", "reduced"}
        Cuts in (x, y) for the gap, or in x for F(x, y*(x)).
    epsilon : float
        The lower level counts as solved where its gap is at most this.
    tolerance : float
        Accuracy of the optimum F, relative to max(1, abs(F)); for "level" the certified gap. Multiply an
        objective whose values are far below 1.
    feasibility : float
        Distance (scaled variables) by which a point may miss a linearised constraint and still count as
        feasible.
    max_iterations : int
    time_limit : float, optional
        Seconds (of the wall clock) after which `solve` stops; each call has the whole of it.
    x_scale, y_scale : float
        Typical size of a change of x and of y: the methods work in x/x_scale, y/y_scale. Give x a larger
        scale where its gradient is small for trivial reasons, such as a weight's 1/n.
    cut : CutRule, optional
        Cut rule for a gap that is not convex, such as `MuCut`; the default is the gradient cut.
    max_planes : int
        Hard cap of the pool.
    patience : int
        Checks in a row at which a plane must be inactive before it is dropped.
    max_age : int, optional
        Planes older than this many checks are dropped as soon as they are inactive.

    Raises
    ------
    InputError
        Where a value cannot be; it names the option.
    """

    formulation: str = "joint"
    epsilon: float = 1e-10
    tolerance: float = 1e-6
    feasibility: float = 1e-8
    max_iterations: int = 20_000
    time_limit: float | None = None
    x_scale: float = 1.0
    y_scale: float = 1.0
    cut: CutRule | None = None
    max_planes: int = 1000
    patience: int = 20
    max_age: int | None = None

    def __post_init__(self) -> None:
        if self.formulation not in ("joint", "reduced"):
            raise InputError(f"formulation must be 'joint' or 'reduced', not {self.formulation!r}")
        for name in ("epsilon", "feasibility"):
            require(self, name, lambda v: v >= 0, "must be ≥ 0")
        for name in ("tolerance", "x_scale", "y_scale"):
            require_positive(self, name)
        if self.cut is not None and not callable(self.cut):
            raise InputError(f"cut must be a cut rule such as MuCut(mu, radius), not {self.cut!r}")
        for name in ("max_iterations", "patience"):
            require_count(self, name)
        if self.max_age is not None:
            require_count(self, "max_age")
        require(self, "max_planes", lambda v: v >= 2 and v == int(v), "must be a whole number ≥ 2")
        if self.time_limit is not None:
            require(self, "time_limit", lambda v: v > 0, "must be a number of seconds > 0")


def require(owner: Any, name: str, test: Callable[[Any], bool], words: str) -> None:
    """Raise `InputError` unless the option of this name is finite and passes the test."""
    value = getattr(owner, name)
    try:
        good = bool(np.isfinite(value)) and test(value)
    except (TypeError, ValueError):
        good = False
    if not good:
        raise InputError(f"{name} {words}, not {value!r}")


def require_positive(owner: Any, name: str) -> None:
    """Raise `InputError` unless the option is one number above 0."""
    require(owner, name, lambda v: v > 0, "must be one number > 0")


def require_count(owner: Any, name: str) -> None:
    """Raise `InputError` unless the option is a whole number, 1 or more."""
    require(owner, name, lambda v: v >= 1 and v == int(v), "must be a whole number ≥ 1")
