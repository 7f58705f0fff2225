"""Weights in [0, 1] with an exact budget, as a feasible set of `cutplane`."""

import numpy as np
from numpy.typing import NDArray

from cutplane.sets import Rows
from simmst.errors import ConfigError

Array = NDArray[np.floating]


class Budget:
    """{0 ≤ v ≤ 1, Σ_g c_g v_g = total}.

    A `cutplane.Polytope` describes the same set; this one projects in a few passes over v, for tens of
    thousands of weights.

    Parameters
    ----------
    counts : array of shape (G,)
        c_g > 0: the samples that share weight g.
    share : float
        total = share · Σ c, with 0 < share ≤ 1.
    """

    simple = False

    def __init__(self, counts: Array, share: float) -> None:
        self.counts = np.asarray(counts, dtype=np.float64)
        if self.counts.ndim != 1 or not self.counts.size or not (self.counts > 0).all():
            raise ConfigError("counts must be positive numbers of shape (G,)")
        if not 0 < share <= 1:
            raise ConfigError(f"share must lie in (0, 1], got {share}")
        self.total = share * float(self.counts.sum())

    def check(self, n: int, name: str) -> None:
        """Require one entry a count."""
        if n != self.counts.size:
            raise ConfigError(f"{name}: the budget has {self.counts.size} entries, the variable has {n}")

    def project(self, v: Array) -> Array:
        """Return the nearest point, clip(v − μ c): the sum falls in μ, piece by piece linearly."""
        at = v.astype(np.float64)
        # The sum bends where an entry reaches 1 or 0: sort these μ, find the piece, solve it.
        knots = np.concatenate([(at - 1) / self.counts, at / self.counts])
        order = np.argsort(knots)
        knots = knots[order]
        slopes = np.concatenate([self.counts**2, -(self.counts**2)])[order]
        fall = np.concatenate([[0.0], np.cumsum(np.cumsum(slopes)[:-1] * np.diff(knots))])
        missing = float(self.counts.sum()) - self.total  # the sum is Σ c before the first knot
        place = int(np.clip(np.searchsorted(fall, missing) - 1, 0, len(knots) - 2))
        rate = float(np.cumsum(slopes)[place])
        mu = knots[place] + (missing - fall[place]) / rate if rate > 0 else knots[place]
        out: Array = np.clip(at - mu * self.counts, 0.0, 1.0).astype(v.dtype)
        return out

    def bounds(self, n: int) -> tuple[Array, Array]:
        """Between 0 and 1."""
        return np.zeros(n), np.ones(n)

    def rows(self, n: int) -> Rows:
        """One equality row."""
        return Rows(np.zeros((0, n)), np.zeros(0), self.counts[None], np.array([self.total]))

    def tangent(self, v: Array) -> None:
        """No curved part."""
