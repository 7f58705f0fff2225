"""Is a point at rest stationary? Fresh gradients, trial points and differences say so, no plane made elsewhere.

On problems that are not declared convex a plane is a local model: one that was made elsewhere may hide a way down.
So before a run is called a success, its point is examined with nothing but what the oracles say there.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize

from cutplane._arrays import Array
from cutplane.linearised import Linearised, units_of
from cutplane.model import Joint, Reduced, build_model
from cutplane.polyhedron import Kind
from cutplane.state import State
from cutplane.trials import Trials

if TYPE_CHECKING:
    from cutplane.solver import BilevelSolver

_FEW = 20
"""Variables up to which each of them is moved by itself."""
_RANDOM = 6
"""Random directions beside the ones that the gradients name."""
_DIFFERENCE = 1e-5
"""Half-width (units) of a difference of F."""
_LEARNT, _BESIDE = 40, (1e-2, 1e-4)
"""Rounds in which gradients beside a kink are learnt, and their distances (units)."""
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
        Fall of F per unit that the problem linearised at the point promises, at a kink by the gradients beside it
        too; a unit of each variable is max(1, its size), at most the width of its set. NaN where it could not be
        computed.
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


def examine(model: Joint | Reduced, state: State, options: "BilevelSolver") -> Verdict:
    """Examine the best point of a run: KKT residual, and trial points along directions that may lead down.

    Parameters
    ----------
    model : Joint or Reduced
    state : State
        Left as it is.
    options : BilevelSolver
    """
    z, fun = state.best, state.best_fun
    trials = Trials(model, state, options)
    search = _Search(trials, fun, units_of(model, z), options)
    twin = _reduced_twin(model, z, fun, options)
    problem = Linearised(twin, z[: twin.n])
    promised, direction = problem.solve()
    far, near = _lengths(model, search.units)
    for _ in range(min(_LEARNT, 2 * problem.model.n + 2)):
        if not direction.any() or is_small(promised, fun, options):
            break
        if search.goes_down(direction, far):
            return Verdict(promised, search.better, search.fun, trials.answered)
        # F does not fall as its gradients say: at a kink those beside it tell more
        if not _learn(problem, direction):
            break
        promised, direction = problem.solve()
    ways = _ways(model, z, search.units, far, near)
    if model.n_x <= _FEW and not (isinstance(twin, Reduced) and is_small(promised, fun, options)):
        ways = chain(ways, ((way, near) for way in search.by_differences(model.n_x)))
    for way, lengths in ways:
        if search.goes_down(way, lengths):
            return Verdict(promised, search.better, search.fun, trials.answered)
    return Verdict(promised, None, fun, trials.answered)


class _Search:
    """Trial points along directions from the best point of a run; `better` is one from which F is lower."""

    def __init__(self, trials: Trials, fun: float, units: Array, options: "BilevelSolver") -> None:
        self.trials, self.start, self.units = trials, fun, units
        self.enough = options.tolerance * max(1.0, abs(fun))
        self.better, self.fun = trials.reference, fun

    def goes_down(self, way: Array, lengths: tuple[float, ...]) -> bool:
        """Whether F is lower at one of the lengths (units) along a direction; a short one is one in x alone."""
        z, whole = self.trials.reference, np.zeros(self.units.size)
        whole[: way.size] = way / np.abs(way).max()
        step = whole * self.units
        found = [(*self.trials.value(z + (length * step).astype(z.dtype)), length) for length in lengths]
        self.fun, self.better, length = min(found, key=lambda one: one[0])
        fall = self.start - self.fun
        steep = _STEEP * max(1.0, abs(self.start)) * length
        return fall > self.enough or (fall > 0.3 * self.enough and fall > steep)


    def by_differences(self, n_x: int) -> Iterator[Array]:
        """Directions from differences of F alone, in x with y following: downhill at points beside, and a mixture.

        The shortest convex combination of slopes nearby is the way down from a kink (gradient sampling: Burke,
        Lewis and Overton, SIAM Journal on Optimization 2005).
        """
        rng, z, slopes = np.random.default_rng(2), self.trials.reference, []
        for _ in range(3 + min(n_x, 5)):
            at = np.zeros(z.size)
            at[:n_x] = 3e-5 * rng.uniform(-1.0, 1.0, n_x)
            slope = np.zeros(n_x)
            for j in range(n_x):
                step = np.zeros(z.size)
                step[j] = _DIFFERENCE
                ends = [(at + sign * step) * self.units for sign in (1.0, -1.0)]
                ahead, behind = (self.trials.value(z + end.astype(z.dtype))[0] for end in ends)
                slope[j] = (ahead - behind) / (2 * _DIFFERENCE) if np.isfinite(ahead - behind) else 0.0
            if slope.any():
                slopes.append(slope)
        if slopes:
            heavy = 1e3 * float(np.abs(slopes).max())  # a row that makes the weights sum to one
            system = np.vstack([np.array(slopes).T, np.full(len(slopes), heavy)])
            weights, _ = optimize.nnls(system, np.append(np.zeros(n_x), heavy))
            mixture = weights @ np.array(slopes)
            yield from (-slope for slope in (mixture, *slopes) if slope.any())


def _learn(problem: Linearised, direction: Array) -> bool:
    """Gradients at two points along a direction that did not lead down; False where none is to be had."""
    step, dtype = direction * problem.units, problem.model.scale.dtype
    learnt = False
    for length in _BESIDE:
        try:
            problem.learn(problem.model.project((problem.at + length * step).astype(dtype)))
            learnt = True
        except Exception:  # no answer there
            continue
    return learnt


def stationarity(model: Joint | Reduced, z: Array, fun: float, options: "BilevelSolver") -> float:
    """Fall per unit that the problem linearised at z promises; in x alone where the oracle says how y follows."""
    twin = _reduced_twin(model, z, fun, options)
    return Linearised(twin, z[: twin.n]).solve()[0]


def is_small(promised: float, fun: float, options: "BilevelSolver") -> bool:
    """Whether a residual is that of a point whose F is within the tolerance, at a curvature of one per unit."""
    return bool(promised <= np.sqrt(options.tolerance) * max(1.0, abs(fun)))


def _reduced_twin(model: Joint | Reduced, z: Array, fun: float, options: "BilevelSolver") -> Joint | Reduced:
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


def _lengths(model: Joint | Reduced, units: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Lengths to try along a likely direction, as far as the set is wide; and along any other one.

    A small slope over a wide set is worth as much as a large one over a narrow set.
    """
    width = model.upper - model.lower
    widest = float(np.max(np.where(np.isfinite(width), width / units, 1.0), initial=1.0))
    first = -int(np.log(min(widest, 1e6)) / np.log(4.0))
    return tuple(4.0**-k for k in range(first, 11)), (0.25, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5)


def _ways(
    model: Joint | Reduced, z: Array, units: Array, far: tuple[float, ...], near: tuple[float, ...]
) -> Iterator[tuple[Array, tuple[float, ...]]]:
    """Directions (units) that no linearised problem names, with the lengths to try on each."""
    n, n_x = z.size, model.n_x
    try:
        slope = model.objective(z)[1].astype(float) * units
    except Exception:
        slope = np.zeros(n)
    if isinstance(model, Joint):
        # other answers at the same x: y moves by itself, and the lower level says whether it may
        on_y = np.where(np.arange(n) >= n_x, -slope, 0.0)
        if on_y.any():
            yield on_y, near
    if slope.any():
        yield -slope, far
    if n_x <= _FEW:
        for way in (*np.eye(n_x), *-np.eye(n_x)):
            yield way, near
    rng = np.random.default_rng(0)
    for _ in range(_RANDOM if n_x > 1 else 0):
        yield rng.uniform(-1.0, 1.0, n_x), near[1:5]


def fault(model: Joint | Reduced, z: Array) -> str | None:
    """Say which gradient contradicts differences of its own function near z; None where none does.

    Points beside z are taken at random, where a kink is not met. On a line through them a derivative lies between
    the two one-sided differences of a convex or concave function; one that is far outside at each of several draws
    is wrong.
    """
    rng = np.random.default_rng(1)
    spread = _WIDE * units_of(model, z)
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
