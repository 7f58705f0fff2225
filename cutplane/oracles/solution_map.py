"""The lower level given by its solution map y*(x): the gap is the distance from y to y*(x)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cutplane._arrays import Array, vector
from cutplane.errors import InputError, NoAnswerError, OracleError


@dataclass(frozen=True)
class _OnVectors:
    """A user's vjp that takes lists as well, of the right lengths."""

    function: Callable[[Array, Array], Array]
    owner: "SolutionMap" = field(repr=False, compare=False)

    def __call__(self, x: Any, v: Any) -> Array:
        known = self.owner._last  # the length of y, once it is known: no forward pass for it alone
        v = vector(v, "v", None if known is None else known[2].size)
        return np.asarray(self.function(vector(x, "x"), v))


@dataclass
class SolutionMap:
    """Gap h(x, y) = ‖y − y*(x)‖, or its square, which is the paper's constraint.

    Parameters
    ----------
    forward : callable
        ``forward(x) -> y*``, the lower level's solution (or its K-step approximation).
    vjp : callable
        ``vjp(x, v) -> (dy*/dx)ᵀ v``.
    norm : {"plain", "squared"}
        A plane from the plain distance is exact for an affine y*; one from the squared distance halves the
        distance at best, and leaves a row of nearly parallel planes behind, which slow the primal-dual
        steps down. `epsilon` of the solver is in the same unit: 1e-10 squared is a distance of 1e-5.
    version : int
        Raise it whenever `forward` changes: the solver then clears its planes, which are valid for one
        solution map only.

    Notes
    -----
    h is convex in (x, y) when y* is affine. `forward` is called once for repeated questions at one x.
    """

    forward: Callable[[Array], Array]
    vjp: Callable[[Array, Array], Array]
    norm: str = "plain"
    version: int = 0
    _last: tuple[int, Array, Array] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.vjp = _OnVectors(self.vjp.function if isinstance(self.vjp, _OnVectors) else self.vjp, self)
        if self.norm not in ("squared", "plain"):
            raise InputError(f"SolutionMap: norm is 'squared' or 'plain', not {self.norm!r}")

    def solution(self, x: Any) -> Array:
        """Return y*(x).

        Raises
        ------
        NoAnswerError
            Where `forward` returns a number that is not finite.
        """
        x = vector(x, "x")
        if self._last is None or self._last[0] != self.version or not np.array_equal(self._last[1], x):
            answer = np.array(self.forward(x), copy=True)
            if answer.dtype.kind in "fiub" and not np.isfinite(answer).all():
                raise NoAnswerError(f"SolutionMap.forward returned a number that is not finite at x = {x}")
            answer.flags.writeable = False
            self._last = (self.version, x.copy(), answer)
        return self._last[2]

    def _away(self, x: Array, y: Array) -> tuple[Array, Array]:
        target = self.solution(x)
        if target.shape != y.shape:
            raise OracleError(f"SolutionMap.forward returned shape {target.shape}, y has shape {y.shape}")
        return target, y - target

    def gap(self, x: Any, y: Any) -> tuple[float, Array, Array]:
        """Return (h, gradient in x, gradient in y)."""
        x, y = vector(x, "x"), vector(y, "y")
        _, away = self._away(x, y)
        if self.norm == "squared":
            return float(away @ away), -2.0 * np.asarray(self.vjp(x, away)), 2.0 * away
        length = float(np.linalg.norm(away))
        unit = away / length if length > 0 else np.zeros_like(away)
        return length, -np.asarray(self.vjp(x, unit)), unit

    def restore(self, x: Any, y: Any, epsilon: float) -> Array:
        """Return the point nearest to y with h ≤ ε at this x."""
        x, y = vector(x, "x"), vector(y, "y")
        target, away = self._away(x, y)
        length = float(np.linalg.norm(away))
        radius = np.sqrt(epsilon) if self.norm == "squared" else epsilon
        if length <= radius:
            return np.asarray(y)
        # a hair inside, so that the rounding of the point does not put it outside again
        rounding = 4 * float(np.finfo(away.dtype).eps) * float(np.linalg.norm(target))
        inside = max(radius * (1 - 1e-9) - rounding, 0.0)
        return target + away * (inside / length)
