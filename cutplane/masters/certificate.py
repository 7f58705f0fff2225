"""Lower bounds by weak duality, recomputed from the planes without taking any solver's word.

Planes bound the optimum only if the problem is as convex as it was declared. `contradiction` looks for a
feasible point that says otherwise, so that a wrong declaration is not certified.
"""

from dataclasses import dataclass

import numpy as np

from cutplane._arrays import Array
from cutplane.core.cuts import gradient_cut
from cutplane.core.formulations import Joint, Reduced
from cutplane.core.pool import Kind, Polyhedron
from cutplane.errors import MasterError, SeveralAnswersError
from cutplane.masters.wide import make_master

_UNIT, _LEAST = np.finfo(float).eps / 2, np.finfo(float).smallest_subnormal
"""Rounding of one operation, relative, and of one whose result is tiny."""
_WIDEST = 1e150
"""Bounds within which points are spread: the width of a box must be a number."""


_SAMPLES, _FEWER, FEW = 60, 24, 12
"""Points that a declaration is held against, in few variables and in many."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A lower bound and the radius (∞-norm around the reference point, scaled) within which it holds."""

    value: float
    radius: float
    claimed: bool = False
    """It is HiGHS's, of an integer programme, and was not computed again."""


def search_box(model: Joint | Reduced, reference: Array) -> tuple[Array, Array, float]:
    """Bounds of Z, with 10 (1 + ‖reference‖∞) around the reference where Z has none; and that radius."""
    missing = ~np.isfinite(model.lower) | ~np.isfinite(model.upper)
    radius = 10.0 * (1.0 + float(np.abs(reference).max(initial=0.0)))
    lower = np.where(np.isfinite(model.lower), model.lower, reference - radius)
    upper = np.where(np.isfinite(model.upper), model.upper, reference + radius)
    return lower, upper, radius if missing.any() else np.inf


def lagrangian_bound(
    model: Joint | Reduced, pool: Polyhedron, multipliers: Array, set_multipliers: Array,
    lower: Array, upper: Array,
) -> float:  # fmt: skip
    """Lower bound of min max(objective planes) over Z, a box and the bounding planes, by weak duality.

    Any multipliers give a valid bound; good ones give a tight one. It is never above what exact arithmetic makes
    of the same multipliers, and below it by some 1e-16 a plane, of the size of the terms and of the box.

    Parameters
    ----------
    model : Joint or Reduced
        Gives the rows of Z.
    pool : Polyhedron
    multipliers : ndarray of shape (L,)
        For the planes; those of the objective are scaled to sum to one.
    set_multipliers : ndarray of shape (m + p,)
        For the rows of Z; the first m are taken non-negative.
    lower, upper : ndarray of shape (n,)
        A finite box.
    """
    weights = np.maximum(multipliers, 0.0)
    total = float(weights[~pool.bounding].sum())
    if not 0 < total < np.inf:
        return -np.inf
    rows, m = model.rows, model.rows.b_ub.size
    with np.errstate(over="ignore", invalid="ignore"):  # then there is no bound
        weights, on_rows = weights / total, set_multipliers / total
        on_rows[:m] = np.maximum(on_rows[:m], 0.0)
        normals = pool.normals.astype(float, copy=False)
        weighed = [(weights, normals), (on_rows[:m], rows.A_ub), (on_rows[m:], rows.A_eq)]
        reduced = sum((w @ A for w, A in weighed), np.zeros(lower.size))
        parts = np.concatenate(
            [weights * pool.offsets, -on_rows[:m] * rows.b_ub, -on_rows[m:] * rows.b_eq,
             reduced * np.where(reduced > 0, lower, upper)]
        )  # fmt: skip
        # The rounding is charged in full (Higham, Accuracy and Stability of Numerical Algorithms, chapter 3): a
        # weight is off by as many units as `total` has terms, and one; a sum of products by as many as it has.
        terms = weights.size + on_rows.size
        of_sum = 4e-16 * (1 + np.log2(1 + parts.size)) + _UNIT * (weights.size + 4)
        of_reduced = _UNIT * (terms + weights.size + 4)
        reach = np.maximum(np.abs(lower), np.abs(upper))
        sizes = sum(abs(w[l]) * (np.abs(A[l]) @ reach) for w, A in weighed for l in np.flatnonzero(w))
        lost = of_reduced * sizes + terms * _LEAST * (lower.size + reach.sum())
        value = parts.sum() - 1.01 * (of_sum * np.abs(parts).sum() + lost)
    return float(value) if np.isfinite(value) else -np.inf


def relaxed_bound(model: Joint | Reduced, pool: Polyhedron, reference: Array) -> Bound:
    """Solve the relaxed master over all of Z, and bound its optimum by weak duality."""
    nothing = Bound(-np.inf, np.inf)
    if pool.bounding.all():
        return nothing
    work = Polyhedron.from_arrays(pool.to_arrays())
    work.cap = 10**9  # tangents come on top, nothing goes
    lower, upper, radius = search_box(model, reference)
    master, warm = make_master(model), dict[str, Array]()
    best = -np.inf
    for _ in range(30):
        try:
            solution = master.solve(work, lower, upper, warm)
        except MasterError:
            break
        if solution.status != "optimal":
            break
        best = max(best, lagrangian_bound(model, work, solution.multipliers, master.set_multipliers, lower, upper))
        if not [t for t in model.tangents(solution.point) if work.add(t) >= 0]:
            break
    return Bound(best, radius)


def contradiction(
    model: Joint | Reduced, pool: Polyhedron, best: Array, best_fun: float, samples: int | None = None
) -> str | None:
    """Look for a feasible point that a plane cuts off, or whose objective lies below a plane.

    Points are spread near the best one and over the whole set. Each gives planes of its own, and where the
    lower level can be solved for any x a feasible point; all points are then held against all planes, the
    run's and the samples'. Returns what was found, in words, or None.
    """
    lower, upper, _ = search_box(model, best)
    lower, upper = np.maximum(lower, -_WIDEST), np.minimum(upper, _WIDEST)
    rng = np.random.default_rng(0)
    work = Polyhedron.from_arrays(pool.to_arrays())
    work.cap = 10**9
    feasible = [(best, best_fun)]
    for k in range(samples or (_SAMPLES if model.n <= FEW else _FEWER)):
        spread = rng.uniform(lower, upper)
        if k % 2:
            spread = best + 0.1 * rng.uniform() * (spread - best)
        point = model.project(spread.astype(best.dtype))
        try:
            _, pieces = model.pieces(point)
            for piece in pieces:
                if piece.value > 0:
                    work.add(gradient_cut(piece.kind, point, piece.value, piece.gradient))
            if isinstance(model, Joint):
                restored = model.restore(point)
                if restored is None:
                    continue
                point, pieces = restored
            if all(piece.value <= 0 for piece in pieces) and not _off_rows(pool, point):
                fun, gradient = model.objective(point)
                work.add(gradient_cut(Kind.OBJECTIVE, point, fun, gradient))
                feasible.append((point, fun))
        except SeveralAnswersError as error:  # of these the best may lie below every plane
            return str(error)
        except Exception:  # far from the run's own points an oracle may have no answer, in any words
            continue
    reach = float(np.linalg.norm(upper - lower))
    for point, fun in feasible:
        words = _contradicted(model, work, pool.next_serial, point, fun, reach)
        if words is not None and (point is best or _is_feasible(model, point)):
            return words
    return None


def _is_feasible(model: Joint | Reduced, point: Array) -> bool:
    """Whether a restored point is what it was said to be: `restore` gives the best that it reached."""
    size = 1 + float(np.abs(point).max(initial=0.0))
    return all(piece.depth <= 1e-7 * size for piece in model.pieces(point)[1])


def _off_rows(pool: Polyhedron, point: Array) -> bool:
    return bool(np.any(pool.residuals(point)[pool.kinds == Kind.LINEAR] > 0))


def _contradicted(
    model: Joint | Reduced, pool: Polyhedron, own: int, point: Array, fun: float, reach: float
) -> str | None:
    """Say which plane contradicts a feasible point; those from serial `own` on are the samples'."""
    residual = pool.residuals(point)
    size = 1 + float(np.abs(point).max(initial=0.0))
    # oracles are accurate to about 1e-7, relative; over the set, an error of a gradient grows with the way
    rounding = np.where(pool.serials < own, 0.0, reach) * np.linalg.norm(pool.normals, axis=1)
    cut_off = pool.bounding & (residual > 1e-6 * (size + rounding)) & (pool.kinds != Kind.LINEAR)
    below = ~pool.bounding & (residual > fun + 1e-6 * ((1 + abs(fun)) * size + rounding))
    if not (cut_off | below).any():
        return None
    x, _ = model.split(point)
    serial = int(pool.serials[np.argmax(cut_off if cut_off.any() else below)])
    plane = f"plane {serial}" if serial < own else "the plane of another point"
    what = "is cut off by" if cut_off.any() else "has an objective below"
    return f"the feasible point at x = {np.array2string(x, precision=4, threshold=6)} {what} {plane}"
