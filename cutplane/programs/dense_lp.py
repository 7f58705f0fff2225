"""Linear programmes of a few dense rows by HiGHS, at any scale, with answers that were checked.

HiGHS (1.15.1) drops entries of size 1e-9 or less, refuses those from 1e15 on, takes sides from 1e20 on for none,
and its tolerances are absolute. So rows, columns, costs and sides go in scaled by powers of two, which round
nothing; what comes out is held against the rows as they were given, and so is the proof of an empty set.
"""

from dataclasses import dataclass, replace

import highspy
import numpy as np

from cutplane._arrays import Array
from cutplane.programs import highs

_SPREAD = 1e-9
"""Entries this small beside the largest of their row: the columns are scaled as well."""
_ENDLESS = 1e19
"""Sides and bounds from here on are left out as infinite (HiGHS: from 1e20 on)."""
_CHEAPEST, _DEAREST = 1e-5, 1e6
"""Between these the costs go in, so that a small one beside a large one is not lost in the tolerance."""
_MISSED = 1e-6
"""Largest violation, or gap to the dual value, relative, of an answer that is believed."""
_ROUNDING = 1e-9
"""Share of its terms up to which a reduced cost, or a contradiction, is taken for rounding."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Outcome of `minimise`.

    Attributes
    ----------
    status : {"optimal", "infeasible", "unbounded", "failed"}
    point : ndarray of shape (n,)
        Within the bounds; zeros unless optimal.
    multipliers : ndarray of shape (k,)
        Of the rows, those of inequalities not negative. When infeasible, Farkas's: see `contradict`.
    working : ndarray of shape (k,)
        True for the rows that are not basic.
    iterations : int
    """

    status: str
    point: Array
    multipliers: Array
    working: Array
    iterations: int


def minimise(
    cost: Array, A: Array, b: Array, lower: Array, upper: Array, equalities: int = 0, tolerance: float = 1e-9
) -> Answer:
    """Minimise cost·v over A v ≤ b and lower ≤ v ≤ upper; the last rows are equalities.

    "optimal" and "infeasible" were checked against the rows as given: by the violation and the dual value of the
    point, and by weak duality. What fails the check is "failed".

    Parameters
    ----------
    cost, lower, upper : ndarray of shape (n,)
        The bounds may be infinite.
    A : ndarray of shape (k, n)
    b : ndarray of shape (k,)
        Finite.
    equalities : int
        How many of the rows, counted from the last one, are equalities.
    tolerance : float
        Of HiGHS, in rows, columns and costs whose largest entry is near 1.

    Raises
    ------
    MasterError
        Where HiGHS refuses the programme, or to run.
    """
    nothing = Answer("failed", np.zeros(cost.size), np.zeros(b.size), np.zeros(b.size, dtype=bool), 0)
    # rows without entries: HiGHS names no multipliers where all are of that kind
    empty, equal = ~A.any(axis=1), np.arange(b.size) >= b.size - equalities
    wrong = np.where(equal, np.abs(b), -b) * empty
    if np.any(wrong > tolerance):
        proof = np.where(np.arange(b.size) == np.argmax(wrong), -np.sign(b), 0.0)
        return replace(nothing, status="infeasible", multipliers=proof)
    right = np.where(empty, 0.0, b)
    found = nothing
    for thorough in (False, True):
        on_rows, on_columns = scales(A, thorough)
        sides = np.concatenate([right * on_rows, lower / on_columns, upper / on_columns])
        size = float(np.abs(sides[np.isfinite(sides)]).max(initial=0.0)) or 1.0
        for unit in [highs.power(min(size, 1.0)), *([highs.power(size)] if size >= _ENDLESS else [])]:
            scaling = on_rows, on_columns, unit
            found = _attempt(cost, A, right, lower, upper, equal, tolerance, scaling)
            if found.status in ("optimal", "infeasible"):
                return found
        if found.status == "unbounded":
            return found
    return found


def _attempt(
    cost: Array, A: Array, b: Array, lower: Array, upper: Array, equal: Array, tolerance: float,
    scaling: tuple[Array, Array, float],
) -> Answer:  # fmt: skip
    """Solve with the variables in units of `unit`; sides that are endless in these units are left out."""
    (k, n), (on_rows, on_columns, unit) = A.shape, scaling
    h = highs.open_simplex(tolerance)
    infinity = h.getInfinity()
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = n, k
    price = cost * on_columns
    on_cost = _cost_unit(price)
    lp.col_cost_ = price / on_cost
    low, high = lower / on_columns / unit, upper / on_columns / unit
    lp.col_lower_ = np.where(np.abs(low) < _ENDLESS, low, -infinity)
    lp.col_upper_ = np.where(np.abs(high) < _ENDLESS, high, infinity)
    side = b * on_rows / unit
    near = np.abs(side) < _ENDLESS
    lp.row_lower_, lp.row_upper_ = np.where(equal & near, side, -infinity), np.where(near, side, infinity)
    scaled = on_rows[:, None] * A * on_columns
    row, column = np.nonzero(np.abs(scaled) > highs.KEPT)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = np.searchsorted(row, np.arange(k + 1)).astype(np.int32)
    lp.a_matrix_.index_, lp.a_matrix_.value_ = column.astype(np.int32), scaled[row, column]
    highs.taken(h.passModel(lp), "a linear programme")
    status = highs.run(h)
    point, multipliers, working = np.zeros(n), np.zeros(k), np.zeros(k, dtype=bool)
    if status == "optimal":
        solution, basic = h.getSolution(), highspy.HighsBasisStatus.kBasic
        point = np.clip(np.array(solution.col_value) * unit * on_columns, lower, upper)
        multipliers = _signed(-np.array(solution.row_dual) * on_rows * on_cost, equal)
        working = np.array([s != basic for s in h.getBasis().row_status], dtype=bool)
        allowed = 100 * tolerance * min(unit, 1.0)
        if not _holds(cost, A, b, lower, upper, equal, on_rows, point, multipliers, allowed):
            status = "failed"
    elif status == "infeasible":
        answer = h.getDualRay()
        if answer[1]:
            multipliers = _signed(-np.array(answer[2]) * on_rows, equal)
        if not contradict(A, b, lower, upper, multipliers):
            status = "failed"
    return Answer(status, point, multipliers, working, int(h.getInfo().simplex_iteration_count))


def scales(A: Array, thorough: bool = False) -> tuple[Array, Array]:
    """Factors of the rows and of the columns, powers of two, that bring the largest entry of a row near 1.

    The columns keep theirs unless entries would be lost beside others of their row, or it is to be thorough.
    Rows of zeros have factor 1.
    """
    size = np.abs(A)
    on_rows, on_columns = _inverse(size.max(axis=1, initial=0.0)), np.ones(A.shape[1])
    shares = size * on_rows[:, None]
    if not A.size or not (thorough or np.any((shares > 0) & (shares < _SPREAD))):
        return on_rows, on_columns
    for _ in range(8):  # geometric means of the largest and the smallest entry
        on_rows, on_columns = _middle(size * on_columns), _middle((size * on_rows[:, None]).T)
    return _inverse((size * on_columns).max(axis=1)), on_columns


def _middle(size: Array) -> Array:
    largest = size.max(axis=1, initial=0.0)
    smallest = np.where(size > 0, size, np.inf).min(axis=1, initial=np.inf)
    return _inverse(np.sqrt(largest) * np.sqrt(np.where(largest > 0, smallest, 1.0)))


def _inverse(size: Array) -> Array:
    return np.asarray(np.exp2(-np.round(np.log2(np.where(size > 0, size, 1.0)))))


def _cost_unit(price: Array) -> float:
    """What costs are divided by: the largest is near 1 then, or above it for the sake of the smallest."""
    some = np.abs(price[price != 0])
    if not some.size:
        return 1.0
    largest = float(some.max())
    raised = min(max(_CHEAPEST * largest / max(float(some.min()), largest * 1e-100), 1.0), _DEAREST)
    return highs.power(largest / raised)


def _signed(multipliers: Array, equal: Array) -> Array:
    return np.where(equal, multipliers, np.maximum(multipliers, 0.0))


def dual_value(
    cost: Array, A: Array, b: Array, lower: Array, upper: Array, multipliers: Array
) -> tuple[float, float, float]:
    """Lower bound of cost·v over the rows and the bounds, by weak duality, from multipliers of the right signs.

    Returns
    -------
    value, rounding, size : float
        −∞ where a reduced cost leaves an open column. One within `_ROUNDING` of its terms counts as 0 there; on
        finite columns it goes into `rounding`. `size` is the sum of the sizes of all terms.
    """
    reduced = cost + multipliers @ A
    small = np.abs(reduced) <= _ROUNDING * (np.abs(cost) + np.abs(multipliers) @ np.abs(A))
    at = np.where(reduced > 0, lower, upper)
    far = np.maximum(np.abs(lower), np.abs(upper))
    pulled = np.where(small, 0.0, reduced)
    terms = np.concatenate([-multipliers * b, pulled * np.where(pulled != 0, at, 0.0)])
    closed = small & np.isfinite(far)
    rounding = float(np.abs(reduced[closed]) @ far[closed])
    return float(terms.sum()), rounding, float(np.abs(terms).sum())


def contradict(A: Array, b: Array, lower: Array, upper: Array, multipliers: Array) -> bool:
    """Whether the rows combined with the multipliers hold nowhere in the box: Farkas's proof that it is empty."""
    value, rounding, size = dual_value(np.zeros(A.shape[1]), A, b, lower, upper, multipliers)
    return value - rounding > _ROUNDING * size


def _holds(
    cost: Array, A: Array, b: Array, lower: Array, upper: Array, equal: Array, on_rows: Array,
    point: Array, multipliers: Array, allowed: float,
) -> bool:  # fmt: skip
    """Whether a point meets the rows, and its value is that of the multipliers."""
    missed = np.where(equal, np.abs(A @ point - b), A @ point - b) * on_rows
    terms = (np.abs(A) @ np.abs(point) + np.abs(b)) * on_rows
    if not np.all(missed <= allowed + _MISSED * terms):
        return False
    value, rounding, size = dual_value(cost, A, b, lower, upper, multipliers)
    reach = float(np.abs(cost) @ np.abs(point))
    gap = abs(float(cost @ point) - value)
    return gap <= rounding + _MISSED * (size + reach) + allowed * float(np.abs(cost).max(initial=0.0))
