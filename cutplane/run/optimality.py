"""Is a point at rest stationary? Fresh gradients, trial points and differences say so, no plane made elsewhere.

On problems that are not declared convex a plane is a local model: one that was made elsewhere may hide a way down.
So before a run is called a success, its point is examined with nothing but what the oracles say there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
import scipy

from cutplane._arrays import Array
from cutplane.core.formulations import Joint, Reduced, build_model
from cutplane.masters.linearised import Linearised, units_of
from cutplane.options import Options
from cutplane.run.corners import leads_down, lowest_way
from cutplane.run.trials import Trials
from cutplane.state import State

_FEW, _MANY = 20, 100
"""Variables up to which differences of F are taken, and up to which each of them is moved by itself."""
_RANDOM, _MOST = 12, 36
"""Random directions beside the ones that the gradients name: for each variable but one, and in all."""
_QUICK = (1.0, 0.1, 1e-2)
"""Lengths of a quick look."""
_SHORT, _LONG = (1e-2, 1e-3, 1e-4), (1.0, 0.5, 0.25, 0.1, 0.03, 1e-2, 1e-3, 1e-4)
"""Lengths (units) at which a way out of a corner is looked for, and at which one is gone."""
_DIFFERENCE, _SAMPLES = 1e-5, 9
"""Half-width (units) of a difference of F, and the most points at which slopes are taken by differences."""
_LEARNT, _BESIDE = 40, (1e-2, 1e-4)
"""Rounds in which gradients beside a kink are learnt, and their distances (units)."""
_STEEP = 1e-3
"""Fall of F per unit, relative to its size, that is a descent however little it brings."""


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


def examine(model: Joint | Reduced, state: State, options: Options) -> Verdict:
    """Examine the best point of a run: KKT residual, and trial points along directions that may lead down.

    Parameters
    ----------
    model : Joint or Reduced
    state : State
        Left as it is.
    options : Options
    """
    z, fun = state.best, state.best_fun
    trials = Trials(model, state, options)
    search = _Search(trials, fun, units_of(model, z), options)
    twin = _reduced_twin(model, z, fun, options)
    problem = Linearised(twin, z[: twin.n])
    promised, direction = problem.solve()
    smooth = isinstance(twin, Reduced) and is_small(promised, fun, options)
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
    if model.n_x <= _FEW and not smooth:
        ways = chain(ways, ((way, near) for way in _from_differences(search, problem, model.n_x)))
    for way, lengths in ways:
        if search.goes_down(way, lengths):
            return Verdict(promised, search.better, search.fun, trials.answered)
    # along a line both ways have been tried
    if 1 < model.n_x <= _FEW and _leaves_a_corner(search, problem, smooth, options):
        return Verdict(promised, search.better, search.fun, trials.answered)
    return Verdict(promised, None, fun, trials.answered)


def lowest_beside(model: Joint | Reduced, state: State, options: Options) -> tuple[float, Array]:
    """Least F at feasible trial points beside the best point of a run, and where: a quick look."""
    z, fun = state.best, state.best_fun
    search = _Search(Trials(model, state, options), fun, units_of(model, z), options)
    _, direction = Linearised(model, z).solve()
    far, _ = _lengths(model, search.units)
    lowest, where = fun, z
    for way, _ in chain([(direction, far)] if direction.any() else [], _ways(model, z, search.units, far, far)):
        search.goes_down(way, _QUICK)
        if search.fun < lowest:
            lowest, where = search.fun, search.better
    return lowest, where


class _Search:
    """Trial points along directions from the best point of a run; `better` is one from which F is lower."""

    def __init__(self, trials: Trials, fun: float, units: Array, options: Options) -> None:
        self.trials, self.start, self.units = trials, fun, units
        self.enough = options.tolerance * max(1.0, abs(fun))
        self.better, self.fun = trials.reference, fun

    def goes_down(self, way: Array, lengths: tuple[float, ...]) -> bool:
        """Whether F is lower at one of the lengths (units) along a direction; a short one is one in x alone."""
        if not way.any():
            return False
        z, whole = self.trials.reference, np.zeros(self.units.size)
        whole[: way.size] = way / np.abs(way).max()
        step = whole * self.units
        found = [(*self.trials.value(z + (length * step).astype(z.dtype)), length) for length in lengths]
        self.fun, self.better, length = min(found, key=lambda one: one[0])
        fall = self.start - self.fun
        steep = _STEEP * max(1.0, abs(self.start)) * length
        return fall > self.enough or (fall > 0.3 * self.enough and fall > steep)

    def slopes(self, n_x: int) -> list[Array]:
        """Slopes of F (per unit) in x with y following, by differences of F alone, at points beside.

        Where a step leads to no feasible point the one the other way counts.
        """
        rng, size, found = np.random.default_rng(2), self.units.size, []
        for _ in range(min(2 * n_x + 1, _SAMPLES)):
            at = np.zeros(size)
            at[:n_x] = 3e-5 * rng.uniform(-1.0, 1.0, n_x)
            here, slope = self.value(at), np.zeros(n_x)
            for j in range(n_x):
                step = _DIFFERENCE * np.eye(1, size, j)[0]
                with np.errstate(invalid="ignore"):
                    sides = np.diff([self.value(at - step), here, self.value(at + step)]) / _DIFFERENCE
                sides = sides[np.isfinite(sides)]
                slope[j] = float(sides.mean()) if sides.size else 0.0
            if slope.any():
                found.append(slope)
        return found

    def value(self, offset: Array) -> float:
        """Least F at an offset (units); a short one is one in x alone."""
        z, whole = self.trials.reference, np.zeros(self.units.size)
        whole[: offset.size] = offset
        return self.trials.value(z + (whole * self.units).astype(z.dtype))[0]


def _from_differences(search: _Search, problem: Linearised, n_x: int) -> Iterator[Array]:
    """Directions down from a kink by slopes that no oracle gave: ones that all of them allow, then each by itself.

    The idea is that of gradient sampling (Burke, Lewis and Overton, SIAM Journal on Optimization 2005).
    """
    slopes = search.slopes(n_x)
    if not slopes:
        return
    if isinstance(problem.model, Reduced):
        yield problem.against(slopes)
    model, z, near = search.trials.model, search.trials.reference[:n_x], 1e-7 * search.units[:n_x]
    low, high = z <= model.lower[:n_x] + near, z >= model.upper[:n_x] - near
    free = np.ones(n_x, dtype=bool)
    for _ in range(3):  # what leads out of a bound at once is taken off, and mixed anew
        mixture = _shortest(np.array(slopes) * free)
        yield -mixture
        out = free & ((low & (mixture > 0)) | (high & (mixture < 0)))
        if not out.any():
            break
        free &= ~out
    yield from (-slope for slope in slopes)


def _shortest(slopes: Array) -> Array:
    """Shortest convex combination of the rows, by non-negative least squares with a heavy row for the sum."""
    heavy = 1e3 * (float(np.abs(slopes).max()) or 1.0)
    system = np.vstack([slopes.T, np.full(len(slopes), heavy)])
    weights, _ = scipy.optimize.nnls(system, np.append(np.zeros(slopes.shape[1]), heavy))
    return np.asarray(weights @ slopes)


def _leaves_a_corner(search: _Search, problem: Linearised, smooth: bool, options: Options) -> bool:
    floor = float(np.sqrt(options.tolerance)) * max(1.0, abs(search.start))

    def goes_down(way: Array) -> bool:
        return search.goes_down(way, _SHORT) and search.goes_down(way, _LONG)

    def is_none(fall: float) -> bool:
        return is_small(fall, search.start, options)

    if isinstance(problem.model, Reduced) and leads_down(problem, goes_down, is_none, floor):
        return True
    return not smooth and goes_down(lowest_way(search.value, search.trials.model.n_x))


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


def stationarity(model: Joint | Reduced, z: Array, fun: float, options: Options) -> float:
    """Fall per unit that the problem linearised at z promises; in x alone where the oracle says how y follows."""
    twin = _reduced_twin(model, z, fun, options)
    return Linearised(twin, z[: twin.n]).solve()[0]


def is_small(promised: float, fun: float, options: Options) -> bool:
    """Whether a residual is that of a point whose F is within the tolerance, at a curvature of one per unit."""
    return bool(promised <= np.sqrt(options.tolerance) * max(1.0, abs(fun)))


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
        for j in range(n_x, n if n - n_x <= _FEW else n_x):
            for sign in (1.0, -1.0):
                yield sign * np.eye(1, n, j)[0], near
    if slope.any():
        yield -slope, far
    for j in range(n_x if n_x <= _MANY else 0):
        for sign in (1.0, -1.0):
            yield sign * np.eye(1, n_x, j)[0], near if n_x <= _FEW else near[1:4:2]
    rng = np.random.default_rng(0)
    for _ in range(min(_RANDOM * (n_x - 1), _MOST)):
        yield rng.uniform(-1.0, 1.0, n_x), near[1:5]
