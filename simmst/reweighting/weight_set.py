"""Weights in [0, 1] with an exact budget, and a floor of the effective sample size, as sets of `cutplane`."""

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from cutplane import Polytope
from cutplane.programs.knapsack import nearest_on_row
from simmst.errors import ConfigError

Array = NDArray[np.floating]


def budget(counts: Array, share: float, floor: float | None = None) -> Polytope:
    """Return {0 ≤ v ≤ 1, Σ_g c_g v_g = share · Σ c}, with a floor cut down to an `EffectiveBudget`.

    Parameters
    ----------
    counts : array of shape (G,)
        c_g > 0: the samples that share weight g.
    share : float
        In (0, 1].
    floor : float, optional
        Smallest effective sample size, as a share of the samples, in (0, 1].
    """
    counts = np.asarray(counts, dtype=np.float64)
    if counts.ndim != 1 or not counts.size or not (counts > 0).all():
        raise ConfigError("counts must be positive numbers of shape (G,)")
    if not 0 < share <= 1:
        raise ConfigError(f"share must lie in (0, 1], got {share}")
    if floor is None:
        return Polytope(A_eq=counts[None], b_eq=[share * counts.sum()], lower=0.0, upper=1.0)
    if not 0 < floor <= 1:
        raise ConfigError(f"floor must lie in (0, 1], got {floor}")
    return EffectiveBudget(counts, share, floor)


class EffectiveBudget(Polytope):
    """{0 ≤ v ≤ 1, Σ_g c_g v_g = total = share · Σ c, Σ_g c_g v_g² ≤ total² / (floor · Σ c)}.

    The last is the floor (Σs)² / Σs² ≥ floor · n of the effective sample size, where the samples s take their
    weights from one entry of v each. The set is convex, and equal weights lie in it. Made by `budget`.
    """

    def __init__(self, counts: Array, share: float, floor: float) -> None:
        samples = float(counts.sum())
        super().__init__(A_eq=counts[None], b_eq=[share * samples], lower=0.0, upper=1.0)
        self.counts, self.mean, self.total = counts, share, share * samples
        self.radius = self.total / np.sqrt(floor * samples)

    def project(self, v: Array) -> Array:
        """Return the nearest point: without the floor, or else on it."""
        point: Array = super().project(v)
        return point if self._norm(point) <= self.radius * (1 + 1e-12) else self._on_floor(v).astype(v.dtype)

    def tangent(self, v: Array) -> tuple[Array, float] | None:
        """Tangent of the floor where v is outside of it."""
        norm = self._norm(v)
        if norm <= self.radius * (1 + 1e-12):
            return None
        return self.counts * v / norm, float(self.radius)

    def _norm(self, v: Array) -> float:
        """√(Σ_j s_j²) of the samples' weights."""
        return float(np.sqrt(self.counts @ np.square(v)))

    def _on_floor(self, v: Array) -> NDArray[np.float64]:
        """Meet the floor with equality: the norm falls in its multiplier λ towards that of equal weights."""
        smallest = self._norm(np.full(v.shape, self.mean))
        if self.radius <= smallest * (1 + 1e-9):  # only equal weights are left
            return np.full(v.shape, self.mean)

        def at(multiplier: float) -> NDArray[np.float64]:
            # Minimise ‖u − v‖²/2 + λ Σ c u²/2 on the budget: a projection in the variable u √(1 + λ c).
            root = np.sqrt(1 + multiplier * self.counts)
            scaled = v.astype(np.float64) / root
            found = nearest_on_row(scaled, self.counts / root, self.total, np.zeros(v.shape), root)
            point: NDArray[np.float64] = np.clip(found / root, 0.0, 1.0)
            return point

        high = 1.0 / float(self.counts.mean())
        while self._norm(at(high)) > self.radius:
            high *= 4.0
        multiplier = optimize.brentq(
            lambda m: self._norm(at(m)) - self.radius, 0.0, high, xtol=1e-14 * high, rtol=1e-14
        )
        point = at(float(multiplier))
        # Rounding may leave the point a hair outside; equal weights are inside and on the same budget.
        over = self._norm(point) / self.radius - 1
        return point if over <= 0 else point + min(1.0, 4 * over) * (self.mean - point)
