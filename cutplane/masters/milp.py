"""The integer master: min t over Z with its whole numbers, and the planes of a pool, as one integer programme."""

from dataclasses import dataclass

import numpy as np

from cutplane._arrays import Array
from cutplane.core.formulations import Joint, Reduced
from cutplane.core.pool import Polyhedron
from cutplane.errors import EmptyPolyhedronError, MasterError
from cutplane.programs import highs
from cutplane.programs.milp import minimise_milp

_CLAIM = 1e-7
"""Share of its size that is taken off HiGHS's bound: it solved to tolerances of 1e-9, relative to nothing."""


@dataclass(frozen=True, slots=True)
class IntegerSolution:
    """Outcome of `solve_integer`.

    Attributes
    ----------
    point : ndarray of shape (n,)
        In scaled variables; whole numbers are whole.
    bound : float
        Lower bound of the master that HiGHS claims, less a margin for its tolerances; not proved here.
    """

    point: Array
    bound: float


def solve_integer(
    model: Joint | Reduced, pool: Polyhedron, lower: Array, upper: Array, end: float = np.inf,
    near: tuple[Array, int] | None = None, gap: float = 0.0,
) -> IntegerSolution | None:  # fmt: skip
    """Solve over lower ≤ z ≤ upper, whole numbers and the pool; None where no point is left.

    Parameters
    ----------
    model : Joint or Reduced
    pool : Polyhedron
        With an objective plane at least.
    lower, upper : ndarray of shape (n,)
        Of scaled variables.
    end : float
        Time of `time.monotonic` at which to give up.
    near : (ndarray of shape (n,), int), optional
        A point and how far whole numbers may be from it: each by that much, and those at a bound there, all
        together (a Hamming distance where they are 0 or 1).
    gap : float
        Above the least value by which the point may be, where the exact answer is not worth its time.

    Raises
    ------
    MasterError
        Where HiGHS has no answer.
    OutOfTimeError
        At `end`.
    """
    integer, n = model.integer, model.n
    # whole numbers are whole in the user's units, whatever x_scale says
    unit = np.where(integer, 1.0 / model.scale, 1.0)
    heights = np.where(pool.bounding, 0.0, -1.0)
    steepest = float(np.abs(pool.normals[~pool.bounding]).max(initial=0.0))
    price = highs.power(steepest) if steepest > 0 and not 1e-6 <= steepest <= 1e8 else 1.0
    by = np.where(pool.bounding, 1.0, price)
    rows = model.rows
    A = np.vstack([
        np.hstack([rows.A_ub * unit, np.zeros((rows.b_ub.size, 1))]),
        np.hstack([rows.A_eq * unit, np.zeros((rows.b_eq.size, 1))]),
        np.hstack([pool.normals * unit / by[:, None], heights[:, None]]),
    ])  # fmt: skip
    high = np.concatenate([rows.b_ub, rows.b_eq, -pool.offsets / by])
    low = np.concatenate([np.full(rows.b_ub.size, -np.inf), rows.b_eq, np.full(pool.size, -np.inf)])
    least, most = lower / unit, upper / unit
    if near is not None:
        center = near[0] / unit
        row = np.where(integer & (center <= least), 1.0, 0.0) - np.where(
            integer & (center >= most) & (least < most), 1.0, 0.0
        )
        A = np.vstack([A, np.append(row, 0.0)])
        low, high = np.append(low, -np.inf), np.append(high, near[1] + float(row @ center))
        least = np.where(integer, np.maximum(least, center - near[1]), least)
        most = np.where(integer, np.minimum(most, center + near[1]), most)
    whole = np.append(integer, False)
    least = np.where(integer, np.rint(least), least)
    most = np.where(integer, np.rint(most), most)
    found = minimise_milp(
        np.append(np.zeros(n), 1.0),
        A,
        low,
        high,
        np.append(least, -np.inf),
        np.append(most, np.inf),
        whole,
        end,
        max(1e-9, gap / price),
    )
    if found.status == "infeasible":
        return None
    if found.status != "optimal":
        raise MasterError(f"the integer master is {found.status}: divide F so that its slopes are nearer to 1")
    bound = found.bound * price
    return IntegerSolution(found.point[:n] * unit, bound - _CLAIM * max(1.0, abs(bound)))


def refuse_empty(pool: Polyhedron) -> None:
    """Raise `EmptyPolyhedronError`: the planes leave no point whose entries are whole."""
    raise EmptyPolyhedronError(
        "no point with whole numbers satisfies all planes", tuple(int(s) for s in pool.serials[pool.bounding])
    )
