"""A lower bound over whole numbers that takes no solver's word: a tree with leaves bounded by weak duality."""

import heapq
from itertools import count

import numpy as np

from cutplane._arrays import Array
from cutplane.core.formulations import Joint, Reduced
from cutplane.core.pool import Kind, Polyhedron
from cutplane.errors import MasterError
from cutplane.masters.certificate import Bound, lagrangian_bound, search_box
from cutplane.masters.wide import make_master
from cutplane.programs import dense_lp

NODES = 2000
"""Linear programmes after which the tree is left as it is."""
_WHOLE = 1e-9
"""Distance from a whole number that is none."""


def integer_bound(
    model: Joint | Reduced, pool: Polyhedron, reference: Array, enough: float, nodes: int = NODES
) -> tuple[Bound, bool]:  # fmt: skip
    """Bound min max(objective planes) over Z with its whole numbers and the bounding planes.

    The range of one whole number is halved at a time, the lowest part first. A part's bound is that of its linear
    programme's multipliers, recomputed; a part is empty only where Farkas's proof was checked. The least bound of
    all parts is the answer, whenever the tree ends.

    Parameters
    ----------
    model : Joint or Reduced
    pool : Polyhedron
    reference : ndarray of shape (n,)
        Around which the search box lies where Z has no bounds.
    enough : float
        A part whose bound reaches this is not halved.
    nodes : int

    Returns
    -------
    bound : Bound
    whole : bool
        False where the tree ended for want of nodes, so that the bound may be lower than the planes say.
    """
    lower, upper, radius = search_box(model, reference)
    if pool.bounding.all():
        return Bound(-np.inf, np.inf), True
    tree = _Tree(model, pool)
    order, floor = count(), np.inf
    parts = [(-np.inf, next(order), lower, upper, dict[str, Array]())]
    while parts and nodes > 0:
        known, _, low, high, warm = heapq.heappop(parts)
        nodes -= 1
        value, point = tree.look(low, high, warm)
        value = max(value, known)
        column = None if point is None or value >= enough else tree.halved(point, low, high)
        if column is None:
            floor = min(floor, value)
            continue
        at = np.floor(point[column] * model.scale[column]) / model.scale[column]  # type: ignore[index]
        for side in (0, 1):
            first, last = low.copy(), high.copy()
            if side:
                first[column] = at + 1.0 / model.scale[column]
            else:
                last[column] = at
            heapq.heappush(parts, (value, next(order), first, last, dict(warm)))
        if parts and floor <= parts[0][0]:
            break  # no part that is left can lower the bound
    ended = not parts or floor <= parts[0][0]
    return Bound(min([floor, *(part[0] for part in parts)]), radius), ended


class _Tree:
    """The linear programmes of one pool, in parts of Z."""

    def __init__(self, model: Joint | Reduced, pool: Polyhedron) -> None:
        self._model, self._master = model, make_master(model)
        self._pool = Polyhedron.from_arrays(pool.to_arrays())
        self._pool.cap = 10**9

    def look(self, low: Array, high: Array, warm: dict[str, Array]) -> tuple[float, Array | None]:
        """Bound of a part, and the point of its linear programme; ∞ where it is proved empty."""
        try:
            solution = self._master.solve(self._pool, low, high, warm)
        except MasterError:
            return -np.inf, None
        if solution.status == "infeasible":
            return (np.inf if self._is_empty(low, high) else -np.inf), None
        if solution.status != "optimal":
            return -np.inf, None
        value = lagrangian_bound(
            self._model, self._pool, solution.multipliers, self._master.set_multipliers, low, high
        )
        return value, solution.point

    def _is_empty(self, low: Array, high: Array) -> bool:
        """Whether a proof of it was checked."""
        pool, rows = self._pool, self._model.rows
        A = np.vstack([rows.A_ub, pool.normals[pool.bounding], rows.A_eq])
        b = np.concatenate([rows.b_ub, -pool.offsets[pool.bounding], rows.b_eq])
        zero = np.zeros(low.size)
        return dense_lp.minimise(zero, A, b, low, high, rows.b_eq.size).status == "infeasible"

    def halved(self, point: Array, low: Array, high: Array) -> int | None:
        """Column of a whole number that the point has not, the one nearest to a half; None where there is none."""
        whole = point * self._model.scale
        away = np.where(self._model.integer & (low < high), np.abs(whole - np.rint(whole)), 0.0)
        column = int(np.argmax(away))
        return column if away[column] > _WHOLE else None


def learn_tangents(model: Joint | Reduced, pool: Polyhedron, point: Array) -> bool:
    """Add the tangents of curved sets that a point is outside of; whether there were any."""
    return any([pool.add(tangent) >= 0 for tangent in model.tangents(point) if tangent.kind == Kind.CONSTRAINT])
