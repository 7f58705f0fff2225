"""Values of F at feasible points beside a given one: x moves, and y follows as the lower level says.

Where a method has come to rest, its planes say nothing new. What decides is F itself, at points that satisfy the
lower level by its own word.
"""

import time
from collections.abc import Callable, Iterator

import numpy as np

from cutplane._arrays import Array
from cutplane.core.formulations import Joint, Reduced
from cutplane.core.model import rounding
from cutplane.errors import OutOfTimeError
from cutplane.methods.base import depth, on_rows
from cutplane.options import Options
from cutplane.state import State

_CHOSEN = 1e-3
"""Distance, relative, between answers that are not the same."""
_DESCENTS = 40
"""Steps in y towards a closed gap, for a lower level that offers nothing but its gap."""


class Trials:
    """Feasible points near a reference, with their values.

    Parameters
    ----------
    model : Joint or Reduced
    state : State
        Its best point is the reference.
    options : Options
    """

    def __init__(self, model: Joint | Reduced, state: State, options: Options) -> None:
        self.model, self.state, self.options = model, state, options
        self.reference = state.best
        self.answered = 0
        self._choice: Array | None = None

    def value(self, z: Array) -> tuple[float, Array]:
        """Least F among the feasible points that z stands for, and the point; infinite where there is none."""
        if time.monotonic() > self.state.runtime.get("end", np.inf):
            raise OutOfTimeError("the time limit was reached while a point was examined")
        z = self.model.project(z)
        best, where = np.inf, z
        for point in self._points(z):
            try:
                if not self._in_sets(point):
                    continue
                _, pieces = self.model.pieces(point)
                if depth(pieces) > self.options.feasibility or not on_rows(self.state, point, self.options):
                    continue
                fun = self.model.upper_value(*self.model.split(point))[0]
            except Exception:  # a trial that cannot be evaluated is none, in whatever words
                continue
            if fun < best:
                best, where = fun, point
        self.answered += int(np.isfinite(best))
        return best, where

    def _in_sets(self, point: Array) -> bool:
        """Whether the lower level's answer lies in y_set."""
        off = float(np.abs(self.model.project(point) - point).max(initial=0.0))
        return off <= self.options.feasibility + rounding(point)

    def _points(self, z: Array) -> Iterator[Array]:
        model = self.model
        if isinstance(model, Reduced):
            yield z
            return
        x, y = model.split(z)
        solution = getattr(model.problem.lower, "solution", None)
        # at the reference's own x the lower level's answer is known; the other ones beside it may be better
        if callable(solution) and not np.array_equal(x, model.split(self.reference)[0]):
            try:
                answer = np.asarray(solution(x), dtype=z.dtype)
            except Exception:
                answer = None
            if answer is not None and answer.shape == y.shape:
                yield model.join(x, answer)
                if (chosen := self._chosen(solution)).any():
                    yield model.project(model.join(x, answer + chosen))
        try:
            restored = model.restore(z)
        except Exception:
            restored = None
        if restored is not None:
            yield restored[0]
        elif not callable(getattr(model.problem.lower, "restore", None)):
            yield self._close(z)

    def _chosen(self, solution: Callable[[Array], Array]) -> Array:
        """What the leader chose of several answers at the reference, less the one that the lower level names."""
        if self._choice is None:
            x, y = self.model.split(self.reference)
            try:
                away = y - np.asarray(solution(x), dtype=y.dtype)
            except Exception:  # no answer, in whatever words
                away = np.zeros_like(y)
            several = np.abs(away).max(initial=0.0) > _CHOSEN * (1.0 + np.abs(y).max(initial=0.0))
            self._choice = away if several else np.zeros_like(y)
        return self._choice

    def _close(self, z: Array) -> Array:
        """Close the gap by Polyak's steps in y: the whole way to the root of the linearised gap, or twice that."""
        model = self.model
        before, factor = np.inf, 1.0
        for _ in range(_DESCENTS):
            gap, pieces = model.pieces(z)
            slope = pieces[0].gradient.copy()
            slope[: model.n_x] = 0.0
            size = float(slope @ slope)
            if gap <= model.epsilon or size == 0.0:
                break
            if gap > 0.2 * before:  # a gap that is quadratic in the distance halves it at each step of length one
                factor = 2.0
            before = gap
            # to half of ε: a hair inside, so that rounding does not put the point outside again
            z = model.project(z - (factor * (gap - 0.5 * model.epsilon) / size * slope).astype(z.dtype))
        return z
