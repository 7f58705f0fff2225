"""Weights in [0, 1] with an exact budget and a floor of the effective sample size, as a set of `cutplane`."""

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from cutplane.sets import Rows
from simmst.errors import ConfigError

Array = NDArray[np.floating]


class Budget:
    """{0 ≤ v ≤ 1, Σ_g c_g v_g = total}, and with a floor also Σ_g c_g v_g² ≤ total² / (floor · Σ c).

    A `cutplane.Polytope` describes the first part; the second is the floor (Σs)² / Σs² ≥ floor · n of the
    effective sample size, where the samples s take their weights from one entry of v each. The set is convex.

    Parameters
    ----------
    counts : array of shape (G,)
        c_g > 0: the samples that share weight g.
    share : float
        total = share · Σ c, with 0 < share ≤ 1.
    floor : float, optional
        Smallest effective sample size, as a share of the samples, in (0, 1].
    """

    simple = False

    def __init__(self, counts: Array, share: float, floor: float | None = None) -> None:
        self.counts = np.asarray(counts, dtype=np.float64)
        if self.counts.ndim != 1 or not self.counts.size or not (self.counts > 0).all():
            raise ConfigError("counts must be positive numbers of shape (G,)")
        if not 0 < share <= 1:
            raise ConfigError(f"share must lie in (0, 1], got {share}")
        if floor is not None and not 0 < floor <= 1:
            raise ConfigError(f"floor must lie in (0, 1], got {floor}")
        samples = float(self.counts.sum())
        self.total, self.mean = share * samples, share
        self.radius = np.inf if floor is None else self.total / np.sqrt(floor * samples)

    def check(self, n: int, name: str) -> None:
        """Require one entry a count."""
        if n != self.counts.size:
            raise ConfigError(f"{name}: the budget has {self.counts.size} entries, the variable has {n}")

    def project(self, v: Array) -> Array:
        """Return the nearest point.

        With a multiplier λ of the floor it is clip((v − μ c) / (1 + λ c)), where μ meets the budget and λ,
        found by bisection, the floor.
        """
        at = v.astype(np.float64)
        point = self._on_budget(at, 0.0)
        if self._norm(point) > self.radius * (1 + 1e-12):
            point = self._on_floor(at)
        out: Array = point.astype(v.dtype)
        return out

    def bounds(self, n: int) -> tuple[Array, Array]:
        """Between 0 and 1."""
        return np.zeros(n), np.ones(n)

    def rows(self, n: int) -> Rows:
        """One equality row."""
        return Rows(np.zeros((0, n)), np.zeros(0), self.counts[None], np.array([self.total]))

    def tangent(self, v: Array) -> tuple[Array, float] | None:
        """Tangent of the floor where v is outside of it."""
        norm = self._norm(v)
        if norm <= self.radius * (1 + 1e-12):
            return None
        return self.counts * v / norm, float(self.radius)

    def _norm(self, v: Array) -> float:
        """√(Σ_j s_j²) of the samples' weights."""
        return float(np.sqrt(self.counts @ np.square(v)))

    def _on_budget(self, at: NDArray[np.float64], weight: float) -> NDArray[np.float64]:
        """clip((at − μ c) / (1 + weight · c)) of the right sum, which falls in μ, piece by piece linearly."""
        stretch = 1 + weight * self.counts
        # The sum bends where an entry reaches 1 or 0: sort these μ, find the piece, solve it.
        knots = np.concatenate([(at - stretch) / self.counts, at / self.counts])
        order = np.argsort(knots)
        knots = knots[order]
        rate = self.counts**2 / stretch
        slopes = np.cumsum(np.concatenate([rate, -rate])[order])
        fall = np.concatenate([[0.0], np.cumsum(slopes[:-1] * np.diff(knots))])
        missing = float(self.counts.sum()) - self.total  # the sum is Σ c before the first knot
        place = int(np.clip(np.searchsorted(fall, missing) - 1, 0, len(knots) - 2))
        mu = knots[place]
        if slopes[place] > 0:
            mu = mu + (missing - fall[place]) / slopes[place]
        point: NDArray[np.float64] = np.clip((at - mu * self.counts) / stretch, 0.0, 1.0)
        return point

    def _on_floor(self, at: NDArray[np.float64]) -> NDArray[np.float64]:
        """Meet the floor with equality: the norm falls in λ towards that of equal weights."""
        smallest = self._norm(np.full_like(at, self.mean))
        if self.radius <= smallest * (1 + 1e-9):  # only equal weights are left
            return np.full_like(at, self.mean)

        def excess(weight: float) -> float:
            return self._norm(self._on_budget(at, weight)) - self.radius

        high = 1.0 / float(self.counts.mean())
        while excess(high) > 0:
            high *= 4.0
        weight = float(optimize.brentq(excess, 0.0, high, xtol=1e-14 * high, rtol=1e-14))
        point = self._on_budget(at, weight)
        # Rounding may leave the point a hair outside; equal weights are inside and on the same budget.
        over = self._norm(point) / self.radius - 1
        return point if over <= 0 else point + min(1.0, 4 * over) * (self.mean - point)
