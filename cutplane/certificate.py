"""Lower bounds by weak duality, recomputed from the planes without taking any solver's word."""

from dataclasses import dataclass

import numpy as np

from cutplane._arrays import Array
from cutplane.lp import LinearMaster
from cutplane.model import Joint, Reduced
from cutplane.polyhedron import Polyhedron


@dataclass(frozen=True, slots=True)
class Bound:
    """A lower bound and the radius (∞-norm around the reference point, scaled) within which it holds."""

    value: float
    radius: float


def lagrangian_bound(
    model: Joint | Reduced, pool: Polyhedron, multipliers: Array, set_multipliers: Array, reference: Array
) -> Bound:
    """Lower bound of min max(objective planes) over Z and the bounding planes, by weak duality.

    Any multipliers give a valid bound; good ones give a tight one. On directions without bounds the
    reduced cost must vanish; what rounding leaves of it is charged at the radius 1000 (1 + ‖reference‖∞).

    Parameters
    ----------
    model : Joint or Reduced
        Gives the bounds and rows of Z.
    pool : Polyhedron
    multipliers : ndarray of shape (L,)
        For the planes; those of the objective are scaled to sum to one.
    set_multipliers : ndarray of shape (m + p,)
        For the rows of Z; the first m are taken non-negative.
    reference : ndarray of shape (n,)
    """
    weights = np.maximum(multipliers, 0.0)
    objective = ~pool.bounding
    total = float(weights[objective].sum())
    if total <= 0:
        return Bound(-np.inf, np.inf)
    weights = weights / total
    rows = model.rows
    on_rows = set_multipliers / total
    m = rows.b_ub.size
    on_rows[:m] = np.maximum(on_rows[:m], 0.0)
    reduced = weights @ pool.normals.astype(float)
    reduced += on_rows[:m] @ rows.A_ub + on_rows[m:] @ rows.A_eq
    value = float(weights @ pool.offsets) - float(on_rows[:m] @ rows.b_ub) - float(on_rows[m:] @ rows.b_eq)
    radius = np.inf
    edge = np.where(reduced > 0, model.lower, model.upper)
    unbounded = ~np.isfinite(edge) & (reduced != 0)
    if unbounded.any():
        radius = 1e3 * (1 + float(np.abs(reference).max(initial=0.0)))
        magnitude = 1 + float(np.max(np.abs(weights[:, None] * pool.normals), initial=0.0))
        if float(np.abs(reduced[unbounded]).max()) > 1e-9 * magnitude:
            return Bound(-np.inf, np.inf)
        edge = np.where(unbounded, reference - np.sign(reduced) * radius, edge)
    used = reduced != 0
    terms = reduced[used] * edge[used]
    # rounding of the sums, charged in full
    slop = 4e-16 * (abs(value) + float(np.abs(terms).sum()) + float(np.abs(weights * pool.offsets).sum()))
    return Bound(value + float(terms.sum()) - slop, radius)


def relaxed_bound(model: Joint | Reduced, pool: Polyhedron, reference: Array) -> Bound:
    """Solve the relaxed master over all of Z and bound its optimum by weak duality."""
    if pool.size == 0 or pool.bounding.all():
        return Bound(-np.inf, np.inf)
    work = Polyhedron.from_arrays(pool.to_arrays())
    work.cap = 10**9  # tangents come on top, nothing goes
    master, warm = LinearMaster(model), dict[str, Array]()
    for _ in range(30):
        solution = master.solve(work, model.lower, model.upper, warm)
        if solution.status != "optimal":
            return Bound(-np.inf, np.inf)
        if not [t for t in model.tangents(solution.point) if work.add(t) >= 0]:
            break
    on_rows = master.set_multipliers
    polished = _polish(solution.multipliers, on_rows, work, model)
    best = Bound(-np.inf, np.inf)
    for w, s in ((solution.multipliers, on_rows), polished):
        bound = lagrangian_bound(model, work, w, s, reference)
        if bound.value > best.value:
            best = bound
    return best


def _polish(weights: Array, on_rows: Array, pool: Polyhedron, model: Joint | Reduced) -> tuple[Array, Array]:
    """Least-squares correction that takes the reduced cost of unbounded directions to rounding level."""
    free = ~np.isfinite(model.lower) & ~np.isfinite(model.upper)
    if not free.any():
        return weights, on_rows
    both = np.concatenate([weights, on_rows])
    work = np.flatnonzero(both != 0)
    normals = np.vstack([pool.normals.astype(float), model.rows.A_ub, model.rows.A_eq])[work][:, free]
    # the multipliers of the objective planes keep their sum of one
    counts = np.concatenate([~pool.bounding, np.zeros(on_rows.size, dtype=bool)])[work].astype(float)
    system = np.vstack([normals.T, counts])
    right = np.append(np.zeros(normals.shape[1]), 1.0)
    both[work] += np.linalg.lstsq(system, right - system @ both[work], rcond=1e-12)[0]
    return both[: pool.size], both[pool.size :]
