"""Is a point at rest stationary? Fresh gradients, trial points and differences say so, no plane made elsewhere.

On problems that are not declared convex a plane is a local model: one that was made elsewhere may hide a way down.
So before a run is called a success, its point is examined with nothing but what the oracles say there.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from cutplane._arrays import Array
from cutplane.core.cuts import gradient_cut
from cutplane.core.formulations import Joint, Reduced, build_model
from cutplane.core.pool import Kind, Plane, Polyhedron
from cutplane.errors import MasterError
from cutplane.masters.wide import make_master
from cutplane.options import Options
from cutplane.run.trials import Trials
from cutplane.state import State

_NEAR = 1e-4
"""Half-width, in units, of the box in which the linearised problem is solved."""
_FEW = 20
"""Variables up to which each of them is moved by itself."""
_RANDOM = 6
"""Random directions beside the ones that the gradients name."""
_STEEP = 1e-3
"""Fall of F per unit, relative to its size, that is a descent however little it brings."""
_WIDE, _OFF = 1e-2, 0.3
"""Distance (units) of the points at which gradients are held against differences, and the share by which they may
be off: an approximate gradient is no fault, one of the wrong sign is."""
_DRAWS = 3
_NOISE = 2e-7
"""Relative error of a value that an inner solver's accuracy explains."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the examination of a point found.

    Attributes
    ----------
    residual : float
        Largest fall of F per unit that the linearised problem promises at the point; a unit of each variable is
        the width of its set or, where that is larger, max(1, its size). NaN where it could not be computed.
    better : ndarray or None
        A feasible point from which F is lower, if one was found.
    fun : float
        F there.
    tested : int
        Feasible trial points at which F was not lower.
    """

    residual: float
    better: Array | None
    fun: float
    tested: int


def examine(model: Joint | Reduced, state: State, options: Options) -> Verdict:
    """Examine the best point of a run: KKT residual, then trial points along directions that may lead down.

    Parameters
    ----------
    model : Joint or Reduced
    state : State
        Left as it is.
    options : Options
    """
    z, fun = state.best, state.best_fun
    units = _units(model, z)
    promised, direction = stationarity(model, z, fun, options)
    trials = Trials(model, state, options)
    scale = max(1.0, abs(fun))
    for way, lengths in _ways(model, z, direction, units):
        values = [(*trials.value(z + (length * way * units).astype(z.dtype)), length) for length in lengths]
        value, point, length = min(values, key=lambda found: found[0])
        fall = fun - value
        if fall > options.tolerance * scale or (
            fall > 0.3 * options.tolerance * scale and fall > _STEEP * scale * length
        ):
            return Verdict(promised, point, value, trials.answered)
    return Verdict(promised, None, fun, trials.answered)


def stationarity(model: Joint | Reduced, z: Array, fun: float, options: Options) -> tuple[float, Array]:
    """`residual` at z, in x alone where the oracle can say how y follows."""
    twin = _reduced_twin(model, z, fun, options)
    return residual(twin, z[: twin.n])


def is_small(promised: float, fun: float, options: Options) -> bool:
    """Whether a residual is that of a point whose F is within the tolerance, at a curvature of one per unit."""
    return bool(promised <= np.sqrt(options.tolerance) * max(1.0, abs(fun)))


def residual(model: Joint | Reduced, z: Array) -> tuple[float, Array]:
    """Fall of F per unit in the linearised problem at z, and the direction (units) of it.

    Only what is fresh counts: the gradient of F at z, constraints linearised at z, the sets. NaN, and no
    direction, where the linearised problem could not be solved.
    """
    units = _units(model, z)
    gradient = model.objective(z)[1].astype(float)
    reach = _NEAR * units
    at = np.clip(z.astype(float), model.lower, model.upper)
    lower, upper = np.maximum(model.lower, at - reach), np.minimum(model.upper, at + reach)
    planes = [plane for plane in _constraints(model, z) if _matters(plane, at, reach)]
    rows = model.rows
    if not planes and not rows.b_ub.size and not rows.b_eq.size and not model.tangents(_step(at, gradient, reach)):
        down = np.where(gradient > 0, lower, upper) - at
        return max(float(-(gradient @ down)), 0.0) / _NEAR, np.where(gradient == 0, 0.0, down) / reach
    pool = Polyhedron(model.n, float, 10**9)
    pool.add(Plane(Kind.OBJECTIVE, gradient, -float(gradient @ at)))
    for plane in planes:
        pool.add(plane)
    master, warm = make_master(model), dict[str, Array]()
    point = at
    for _ in range(10):
        try:
            solution = master.solve(pool, lower, upper, warm)
        except MasterError:
            return np.nan, np.zeros(model.n)
        if solution.status != "optimal":
            return np.nan, np.zeros(model.n)
        point = solution.point
        if not [t for t in model.tangents(point) if pool.add(t) >= 0]:
            break
    way = point - at
    return max(float(-(gradient @ way)), 0.0) / _NEAR, way / reach


def _step(at: Array, gradient: Array, reach: Array) -> Array:
    out: Array = at - np.sign(gradient) * reach
    return out


def _constraints(model: Joint | Reduced, z: Array) -> list[Plane]:
    """Constraints linearised at z, met there: a miss within the feasibility is no miss."""
    planes = []
    for piece in model.pieces(z)[1]:
        if piece.gradient.any():
            planes.append(gradient_cut(piece.kind, z, min(piece.value, 0.0), piece.gradient.astype(float)))
    for plane in model.linear_planes():
        planes.append(Plane(plane.kind, plane.normal, plane.offset - max(_excess(plane, z), 0.0)))
    if isinstance(model, Reduced):
        planes += model.answer_planes(z)
    return planes


def _excess(plane: Plane, z: Array) -> float:
    return float(plane.normal @ z) + plane.offset


def _matters(plane: Plane, at: Array, reach: Array) -> bool:
    """Whether the plane cuts into the box around the point."""
    return _excess(plane, at) + float(np.abs(plane.normal) @ reach) > 0.0


def _units(model: Joint | Reduced, z: Array) -> Array:
    """What counts as a unit of each scaled variable: max(1, its size), at most the width of its set."""
    units: Array = np.minimum(np.maximum(1.0, np.abs(z.astype(float))), model.upper - model.lower)
    return np.maximum(units, np.finfo(float).tiny)


def _reduced_twin(model: Joint | Reduced, z: Array, fun: float, options: Options) -> Joint | Reduced:
    """The same problem in x alone, where the oracle has y*(x) with its derivative and y is that answer.

    The gap of the joint form has no slope where it is zero, and then says nothing of stationarity.
    """
    lower = model.problem.lower
    if isinstance(model, Reduced) or not all(callable(getattr(lower, name, None)) for name in ("solution", "vjp")):
        return model
    scales = (options.x_scale, options.y_scale)
    twin = build_model(model.problem, "reduced", model.n_x, model.n_y, scales, model.epsilon)
    try:
        value, gradient = twin.objective(z[: model.n_x])
    except Exception:  # no derivative here, or no answer
        return model
    near = abs(value - fun) <= 1e-3 * max(1.0, abs(fun))
    return twin if near and np.isfinite(gradient).all() else model


def _ways(
    model: Joint | Reduced, z: Array, direction: Array, units: Array
) -> Iterator[tuple[Array, tuple[float, ...]]]:
    """Directions (units, largest entry 1) with the lengths to try on each."""
    n, n_x = z.size, model.n_x
    # as far as the set is wide, where that is more than a unit: a small slope over a wide set is worth as much
    width = model.upper - model.lower
    widest = float(np.max(np.where(np.isfinite(width), width / units, 1.0), initial=1.0))
    far = tuple(4.0**-k for k in range(-int(np.log(min(widest, 1e6)) / np.log(4.0)), 11))
    near = (0.25, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
    if direction.any():
        way = np.zeros(n)
        way[: direction.size] = direction / np.abs(direction).max()
        yield way, far
    try:
        slope = model.objective(z)[1].astype(float) * units
    except Exception:
        slope = np.zeros(n)
    if isinstance(model, Joint):
        # other answers at the same x: y moves by itself, and the lower level says whether it may
        on_y = np.where(np.arange(n) >= n_x, -slope, 0.0)
        if on_y.any():
            yield on_y / np.abs(on_y).max(), near
    if slope.any():
        yield -slope / np.abs(slope).max(), far
    if n_x <= _FEW:
        for j in range(n_x):
            for sign in (1.0, -1.0):
                way = np.zeros(n)
                way[j] = sign
                yield way, near
    rng = np.random.default_rng(0)
    for _ in range(_RANDOM if n_x > 1 else 0):
        way = np.zeros(n)
        way[:n_x] = rng.uniform(-1.0, 1.0, n_x)
        yield way / np.abs(way).max(), near[1:5]


def fault(model: Joint | Reduced, z: Array) -> str | None:
    """Say which gradient contradicts differences of its own function near z; None where none does.

    Points beside z are taken at random, where a kink is not met. On a line through them a derivative lies between
    the two one-sided differences of a convex or concave function; one that is far outside at each of several draws
    is wrong.
    """
    rng = np.random.default_rng(1)
    spread = _WIDE * _units(model, z)
    suspects: dict[str, str] = {}
    for draw in range(_DRAWS):
        ends = [model.project((z + spread * rng.uniform(-1.0, 1.0, z.size)).astype(z.dtype)) for _ in range(2)]
        found = dict(_mismatches(model, *ends))
        suspects = {name: words for name, words in found.items() if draw == 0 or name in suspects}
        if not suspects:
            return None
    return next(iter(suspects.values()))


def _mismatches(model: Joint | Reduced, a: Array, b: Array) -> Iterator[tuple[str, str]]:
    """Functions whose slope along b − a, half-way, is far from their differences."""
    way = b - a
    points = [a + z.dtype.type(share) * way for z, share in ((a, 0.45), (a, 0.5), (a, 0.55))]
    for name, function in _functions(model):
        try:
            (low, _), (middle, gradient), (high, _) = (function(point) for point in points)
        except Exception:  # no answer there: nothing to hold the gradient against
            continue
        before, after = (middle - low) / 0.05, (high - middle) / 0.05
        slope = float(gradient @ way)
        off = max(min(before, after) - slope, slope - max(before, after), 0.0)
        noise = _NOISE if a.dtype == np.float64 else 1e-4
        if off > _OFF * max(abs(before), abs(after), abs(slope)) + noise * (1 + abs(middle)) / 0.05:
            yield name, (
                f"{name}: along one direction its gradient says {slope:.3g} and its values fall or rise by "
                f"{(high - low) / 0.1:.3g}; look at it with check_oracle"
            )


def _functions(model: Joint | Reduced) -> list[tuple[str, Callable[[Array], tuple[float, Array]]]]:
    def piece(z: Array, kind: Kind) -> tuple[float, Array]:
        found = [p for p in model.pieces(z)[1] if p.kind == kind]
        weights = np.cos(np.arange(len(found)))  # no two of them cancel
        return (
            float(sum(w * p.value for w, p in zip(weights, found, strict=True))),
            sum((w * p.gradient for w, p in zip(weights, found, strict=True)), np.zeros(z.size)),
        )

    named: list[tuple[str, Callable[[Array], tuple[float, Array]]]] = []
    if isinstance(model, Reduced):
        named.append(("F(x, y*(x)), by upper and lower.vjp,", model.objective))
    else:
        named += [("upper", model.objective), ("lower.gap", lambda z: piece(z, Kind.GAP))]
    if len(model.constraints):
        named.append(("constraints", lambda z: piece(z, Kind.CONSTRAINT)))
    return named
