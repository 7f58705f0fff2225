"""What the planes of a convex run certify of the point found, and what contradicts them."""

from contextlib import suppress

import numpy as np

from cutplane._arrays import Array
from cutplane.core.cuts import gradient_cut
from cutplane.core.formulations import Joint, Reduced, relaxed_model
from cutplane.core.pool import Kind, Polyhedron
from cutplane.masters.certificate import FEW, Bound, contradiction, relaxed_bound
from cutplane.masters.tree import integer_bound
from cutplane.options import Options
from cutplane.run.found import Found
from cutplane.run.optimality import lowest_beside
from cutplane.state import State


def bounded(
    options: Options, model: Joint | Reduced, state: State, found: Found
) -> tuple[Bound | None, str | None]:  # fmt: skip
    """The bound, and what contradicts it, in words."""
    pool = _certificate_pool(model, state, found.z)
    bound = _lower_bound(options, model, state, pool, found)
    against = contradiction(_without_whole(model), pool, found.z, found.fun)
    if bound.value > found.fun + 10 * options.tolerance * max(1.0, abs(found.fun)):
        against = against or f"the bound {bound.value:.6g} exceeds the value {found.fun:.6g}"
    if against is None and model.n <= FEW and not model.integer.any() and np.isfinite(bound.value):
        with suppress(Exception):  # a look at points where an oracle may have no answer, in any words
            low, where = lowest_beside(model, state, options)
            if low < bound.value - 10 * options.tolerance * max(1.0, abs(low)):
                x = np.array2string(model.split(where)[0], precision=4, threshold=6)
                against = f"the feasible point at x = {x} has F = {low:.6g}, below the bound {bound.value:.6g}"
    return (bound if np.isfinite(bound.value) else None), against


def _lower_bound(
    options: Options, model: Joint | Reduced, state: State, pool: Polyhedron, found: Found
) -> Bound:  # fmt: skip
    """Bound by weak duality; with whole numbers by a tree of such, by HiGHS's word where that grows too large."""
    if not model.integer.any():
        return relaxed_bound(model, pool, found.z)
    enough = found.fun - 0.5 * options.tolerance * max(1.0, abs(found.fun))
    bound, whole = integer_bound(model, pool, found.z, enough)
    if not whole and state.bound > bound.value:
        return Bound(state.bound, bound.radius, claimed=True)
    return bound


def _without_whole(model: Joint | Reduced) -> Joint | Reduced:
    """The model between whole numbers as well, where it is declared convex too."""
    return relaxed_model(model) if model.integer.any() else model


def closed(model: Joint | Reduced, state: State, options: Options) -> bool:
    """Whether the planes certify the best point of a convex run to the tolerance; True where none can certify."""
    if state.best.dtype != np.float64:
        return True
    found = relaxed_bound(model, _certificate_pool(model, state, state.best), state.best)
    return not np.isfinite(found.value) or uncontradicted(found, state.best_fun, options)


def uncontradicted(bound: Bound | None, fun: float, options: Options) -> bool:
    """Whether nothing certified contradicts a success."""
    return bound is None or fun - bound.value <= 2 * options.tolerance * max(1.0, abs(fun))


def promise_over_set(options: Options, model: Joint | Reduced, state: State, found: Found) -> float:
    """Fall of F that the planes of a convex run leave room for: what a bound would say, were it certified."""
    pool = _certificate_pool(model, state, found.z)
    room = relaxed_bound(model, pool, found.z).value
    return found.fun - room if np.isfinite(room) else 0.0


def _certificate_pool(model: Joint | Reduced, state: State, z: Array) -> Polyhedron:
    """Planes of the run plus those of the returned point and the last iterate."""
    pool = Polyhedron.from_arrays(state.pool.to_arrays())
    pool.cap = 10**9
    for point in (z, state.point):
        with suppress(Exception):  # the last iterate may be where an oracle gave up, in any words
            pool.add(gradient_cut(Kind.OBJECTIVE, point, *model.objective(point)))
    return pool
