"""What came out of a run: `Result`."""

from dataclasses import dataclass, fields

import numpy as np

from cutplane._arrays import Array
from cutplane.history import History, Status
from cutplane.state import State


@dataclass(frozen=True, repr=False, eq=False)
class Result:
    """Outcome of `BilevelSolver.solve`, with scipy's names; it pickles and copies without the problem.

    Attributes
    ----------
    x, y : ndarray
        The best feasible point found; the last iterate where none was (then `success` is False).
    fun : float
        Upper objective at (x, y), evaluated anew.
    lower_gap : float
        Lower level's gap at (x, y), evaluated anew.
    violation : float
        Largest distance (scaled variables) by which (x, y) misses a set, a linear row or a linearised constraint,
        the gap's among them; NaN where no oracle answers any more.
    stationarity : float or None
        Fall of F that the problem linearised at the point promises for a unit of x and y, where a unit is
        max(1, size), at most the width of the set. 0 at a smooth stationary point, not at a kink. None where `gap`
        says more, or where it could not be computed.
    bound : float or None
        Lower bound of the optimum over {gap ≤ ε}, recomputed by weak duality from the planes; None unless
        the problem is declared convex, the planes bound it and the run is in float64 (the rounding of a
        float32 plane, at a lever as long as the set, would be larger than the gap). On
        unbounded sets it is a bound over the points within `bound_radius` of (x, y).
    gap : float or None
        fun − bound.
    bound_radius : float
        Where the bound holds (∞-norm, scaled variables); infinite on bounded sets.
    success : bool
    status : Status
    message : str
    nit, nfev, njev : int
        Iterations, upper-objective evaluations and lower-oracle evaluations of the run; the final check of
        the point and of its bound is not counted.
    history : History
    state : State
        Where the run stood; hand it to `BilevelSolver.solve(problem, state=...)` to go on.
    """

    x: Array
    y: Array
    fun: float
    lower_gap: float
    violation: float
    stationarity: float | None
    bound: float | None
    gap: float | None
    bound_radius: float
    success: bool
    status: Status
    message: str
    nit: int
    nfev: int
    njev: int
    history: History
    state: State

    def __repr__(self) -> str:
        """All but history and state, a line each."""
        names = [f.name for f in fields(self) if f.name not in ("history", "state")]
        lines = []
        for name in names:
            value = getattr(self, name)
            if isinstance(value, np.ndarray):
                value = np.array2string(value, threshold=10, edgeitems=3, precision=6)
            elif isinstance(value, Status):
                value = value.name
            lines.append(f"{name:>12}: {value}")
        return "\n".join(lines)
