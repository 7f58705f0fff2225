"""Linear programmes with few rows and very many bounded columns, solved on the few columns that matter.

At the optimum all but L of the n columns lie at the bound that the sign of their reduced cost names. So the
multipliers are found first, roughly, by minimising the smoothed dual in L variables; then only the columns whose
sign is still open go to HiGHS, and the signs of all others are checked against its multipliers. Columns that
were judged wrongly join, until none is left: the answer is exact. The idea is that of Portnoy and Koenker
(Statistical Science 1997) for least absolute deviations, which this dual is; the smoothing is that of Madsen and
Nielsen (SIAM J. Optimization 1993).
"""

from dataclasses import dataclass

import numpy as np
import scipy

from cutplane._arrays import Array
from cutplane._kernels import dual_sweep
from cutplane.errors import InputError
from cutplane.programs import dense_lp

_COLUMNS_PER_ROW, _FEWEST = 40, 1000
"""Columns that go to HiGHS."""
_ROUNDS = 60
_TINY = 1e-300


@dataclass(frozen=True, slots=True)
class WideSolution:
    """Outcome of `solve_wide`.

    Attributes
    ----------
    status : {"optimal", "infeasible", "failed"}
    point : ndarray of shape (n,)
    height : float
        Value of t; 0 without an epigraph.
    multipliers : ndarray of shape (L,)
        Non-negative. When infeasible, Farkas's: a combination of the rows that no point of the box satisfies.
    width : float
        Width of the last smoothing, in reduced costs: with the multipliers, a warm start.
    columns, iterations : int
        Columns that went to HiGHS at last, and its simplex iterations over all rounds.
    """

    status: str
    point: Array
    height: float
    multipliers: Array
    width: float
    columns: int
    iterations: int


def solve_wide(
    cost: Array, A: Array, rhs: Array, lower: Array, upper: Array, epigraph: Array | None = None,
    warm: tuple[Array, float] | None = None,
) -> WideSolution:  # fmt: skip
    """Minimise cost·d + t over A d − epigraph·t ≤ rhs and lower ≤ d ≤ upper.

    Parameters
    ----------
    cost, lower, upper : ndarray of shape (n,)
        The bounds must be finite.
    A : ndarray of shape (L, n)
        Dense and C-ordered, few rows.
    rhs : ndarray of shape (L,)
    epigraph : ndarray of shape (L,), optional
        1 for the rows that bound t from below, 0 for the others. Without it there is no t.
    warm : (ndarray of shape (L,), float), optional
        Multipliers and width of a similar programme's solution.

    Returns
    -------
    WideSolution

    Raises
    ------
    InputError
        If a bound is not finite, or an epigraph has no row.
    MasterError
        If HiGHS refuses to run.
    """
    if not (np.isfinite(lower).all() and np.isfinite(upper).all()):
        raise InputError("solve_wide: the bounds must be finite")
    if epigraph is not None and not np.any(epigraph):
        raise InputError("solve_wide: the epigraph names no row")
    if not len(A):
        return WideSolution("optimal", np.where(cost > 0, lower, upper), 0.0, np.zeros(0), 0.0, 0, 0)
    dual = _Dual(cost, A, rhs, lower, upper, epigraph)
    wanted = min(A.shape[1], max(_COLUMNS_PER_ROW * A.shape[0], _FEWEST))
    multipliers, width = dual.approach(wanted, warm)
    reduced = cost + multipliers @ A
    inside = np.zeros(A.shape[1], dtype=bool)
    inside[np.argpartition(np.abs(reduced), wanted - 1)[:wanted]] = True
    point = np.where(reduced > 0, lower, upper)
    tolerance = 1e-9 * dual.slope_unit
    iterations = 0
    for _ in range(_ROUNDS):
        columns = np.flatnonzero(inside)
        status, values, multipliers, taken = _solve_part(dual, point, columns)
        iterations += taken
        if status == "failed":
            break
        point[columns] = values[: columns.size]
        if status == "infeasible":
            pull, slack = multipliers @ A, 0.0
            if dual.farkas(multipliers, pull):
                return WideSolution("infeasible", point, np.nan, multipliers, width, columns.size, iterations)
        else:
            pull, slack = cost + multipliers @ A, tolerance
        wrong = ~inside & (((pull > slack) & (point > lower)) | ((pull < -slack) & (point < upper)))
        if not wrong.any():
            height = float(values[-1]) if epigraph is not None else 0.0
            return WideSolution(status, point, height, multipliers, width, columns.size, iterations)
        if warm is not None and int(wrong.sum()) > columns.size:
            # the guess misled the smoothing at so narrow a width
            return solve_wide(cost, A, rhs, lower, upper, epigraph)
        # all change sides; the least certain of them go to HiGHS, which at most doubles its columns
        places = np.flatnonzero(wrong)
        point[places] = np.where(pull[places] > 0, lower[places], upper[places])
        inside[places[np.argsort(np.abs(pull[places]))[: columns.size]]] = True
    return WideSolution("failed", point, np.nan, multipliers, width, int(inside.sum()), iterations)


class _Dual:
    """The dual function of the programme in its L multipliers, in units in which they and it are near 1."""

    def __init__(
        self, cost: Array, A: Array, rhs: Array, lower: Array, upper: Array, epigraph: Array | None
    ) -> None:
        self.cost, self.A, self.rhs, self.lower, self.upper = cost, A, rhs, lower, upper
        self.middle, self.half = ((lower + upper) / 2).astype(A.dtype), ((upper - lower) / 2).astype(A.dtype)
        self.reach = np.array([np.abs(row) @ self.half for row in A])
        self.e = np.zeros(len(rhs)) if epigraph is None else epigraph.astype(float)
        self.with_t = epigraph is not None
        # t lies between the highest of the lower ends of its rows on the box and the highest of the upper ends
        self.t_range = (0.0, 0.0)
        if self.with_t:
            center, reach = (A @ self.middle - rhs)[self.e > 0], self.reach[self.e > 0]
            self.t_range = float((center - reach).max()), float((center + reach).max())
        self.unit = float(np.abs(cost) @ self.half) + (self.t_range[1] - self.t_range[0]) + _TINY
        self.row_unit = np.where(self.e > 0, 1.0, self.unit / np.maximum(self.reach, _TINY))
        # largest entries: the objective's rows share one, so that t has one unit
        self.row_size = np.array([max(float(row.max()), -float(row.min()), _TINY) for row in A])
        self.slope_unit = float(np.abs(cost).max(initial=0.0))
        if self.with_t:
            self.slope_unit = max(self.slope_unit, float(self.row_size[self.e > 0].max()))
            self.row_size[self.e > 0] = self.slope_unit
        self.slope_unit = self.slope_unit or 1.0
        self._point, self._activity = np.empty(A.shape[1], dtype=A.dtype), np.zeros(len(rhs))

    def value(self, scaled: Array, width: float) -> tuple[float, Array]:
        """Negative smoothed dual value and its gradient, both in units."""
        multipliers = scaled * self.row_unit
        value = dual_sweep(
            self.A, multipliers.astype(self.A.dtype), self.cost.astype(self.A.dtype, copy=False), self.middle,
            self.half, self.A.dtype.type(width), self._point, self._activity,
        )  # fmt: skip
        slope = self.rhs - self._activity
        value += float(self.rhs @ multipliers)
        if self.with_t:
            price = 1.0 - float(self.e @ multipliers)
            middle, half = sum(self.t_range) / 2, (self.t_range[1] - self.t_range[0]) / 2
            # as wide in its own units as the columns are in theirs
            own = max(width * float(self.half.sum()) / max(half, 1e-300), 1e-300)
            side = min(max(price / own, -1.0), 1.0)
            value += half * (side * price - 0.5 * own * side * side) - price * middle
            slope = slope + self.e * (middle - half * side)
        return value / self.unit, slope * self.row_unit / self.unit

    def approach(self, wanted: int, warm: tuple[Array, float] | None) -> tuple[Array, float]:
        """Multipliers good enough that few columns have a reduced cost within the smoothing's width."""
        if warm is None:
            scaled = np.where(self.e > 0, 1.0 / max(self.e.sum(), 1.0), 0.0)
            start = np.abs(self.cost + (scaled * self.row_unit) @ self.A)
            width = float(np.median(start)) + 1e-12 * float(start.max(initial=0.0)) + _TINY
        else:
            scaled, width = warm[0] / self.row_unit, warm[1]
        for _ in range(_ROUNDS):
            found = scipy.optimize.minimize(
                self.value, scaled, args=(width,), jac=True, method="L-BFGS-B", bounds=[(0, None)] * scaled.size,
                options={"maxiter": 100, "ftol": 1e-9, "gtol": 1e-7},
            )  # fmt: skip
            scaled = found.x
            near = int(np.sum(np.abs(self.cost + (scaled * self.row_unit) @ self.A) < width))
            if near <= wanted or width < 1e-300:
                break
            width *= max(0.05, min(0.5, 0.7 * wanted / near))
        return scaled * self.row_unit, width

    def farkas(self, multipliers: Array, pull: Array) -> bool:
        """Whether the rows combined with the multipliers exclude the whole box."""
        scaled = multipliers * self.row_size
        if self.with_t and float(self.e @ scaled) > 1e-9 * float(scaled.sum()):
            return False
        least = float(pull @ self.middle) - float(np.abs(pull) @ self.half)
        return least - float(self.rhs @ multipliers) > 0.0


def _solve_part(dual: _Dual, point: Array, columns: Array) -> tuple[str, Array, Array, int]:
    """Solve over some columns, with the others at their places.

    Returns (status, values with t last, multipliers or ray, simplex iterations).
    """
    rest = point.copy()
    rest[columns] = 0.0
    size, unit = dual.row_size, dual.slope_unit
    part = np.asarray(dual.A[:, columns], dtype=float) / size[:, None]
    cost, low, up = dual.cost[columns] / unit, dual.lower[columns], dual.upper[columns]
    if dual.with_t:
        part = np.column_stack([part, -dual.e])
        # t stays free: a bound at work would take the multipliers of the rows away
        cost, low, up = np.append(cost, 1.0), np.append(low, -np.inf), np.append(up, np.inf)
    found = dense_lp.minimise(cost, part, (dual.rhs - dual.A @ rest) / size, low, up, tolerance=1e-10)
    values, multipliers = found.point, found.multipliers / size
    if found.status == "optimal":
        multipliers *= unit
        if dual.with_t:
            values[-1] *= unit
    status = "failed" if found.status == "unbounded" else found.status
    return status, values, multipliers, found.iterations
