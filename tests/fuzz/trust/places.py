"""Sets of unit size: the library's set at a scale, and the same by numpy and for CVXPY."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cvxpy as cp
import numpy as np

from cutplane import Ball, Box, Free, Polytope, Simplex

Array = np.ndarray
KINDS = ("box", "half box", "simplex", "ball", "polytope", "free")


@dataclass(frozen=True)
class Place:
    """{lower ≤ u ≤ upper, A u ≤ b, C u = d, ‖u − center‖ ≤ radius}, with a point well inside.

    Attributes
    ----------
    kind : str
    inside : ndarray of shape (n,)
    radius : float
        Infinite but for a ball.
    row_factors : ndarray
        What the rows are multiplied by before the library sees them: the same set.
    """

    kind: str
    inside: Array
    lower: Array
    upper: Array
    A: Array
    b: Array
    C: Array
    d: Array
    center: Array
    radius: float
    row_factors: Array

    @property
    def bounded(self) -> bool:
        """Whether all sides are finite."""
        return bool(np.isfinite(self.radius) or (np.isfinite(self.lower).all() and np.isfinite(self.upper).all()))

    def library(self, scale: float) -> Any:
        """The library's set in scale·u."""
        if self.kind == "free":
            return Free()
        if self.kind == "simplex":
            return Simplex(scale)
        if self.kind == "ball":
            return Ball(self.radius * scale, self.center * scale)
        if self.kind == "polytope":
            rows: dict[str, Any] = {}
            if self.A.size:
                rows |= {"A_ub": self.A * self.row_factors[:, None], "b_ub": self.b * scale * self.row_factors}
            if self.C.size:
                rows |= {"A_eq": self.C, "b_eq": self.d * scale}
            return Polytope(**rows, lower=self.lower * scale, upper=self.upper * scale)
        return Box(self.lower * scale, self.upper * scale)

    def violations(self, U: Array) -> Array:
        """Largest violation [k] of the rows of U [k, n]; rows of the set have length 1."""
        worst = np.maximum(np.max(self.lower - U, axis=1), np.max(U - self.upper, axis=1))
        if self.A.size:
            worst = np.maximum(worst, np.max(U @ self.A.T - self.b, axis=1))
        if self.C.size:
            worst = np.maximum(worst, np.max(np.abs(U @ self.C.T - self.d), axis=1))
        if np.isfinite(self.radius):
            worst = np.maximum(worst, np.linalg.norm(U - self.center, axis=1) - self.radius)
        return np.maximum(worst, 0.0)

    def violation(self, u: Array) -> float:
        """Largest violation at one point."""
        return float(self.violations(u[None])[0])

    def cvxpy(self, u: Any) -> list[Any]:
        """The set as constraints on a variable."""
        low, high = np.isfinite(self.lower), np.isfinite(self.upper)
        out = []
        if low.any():
            out.append(u[low] >= self.lower[low])
        if high.any():
            out.append(u[high] <= self.upper[high])
        if self.A.size:
            out.append(self.A @ u <= self.b)
        if self.C.size:
            out.append(self.C @ u == self.d)
        if np.isfinite(self.radius):
            out.append(cp.norm(u - self.center) <= self.radius)
        return out

    def flat(self, D: Array) -> Array:
        """Directions [k, n] without the part that leaves the equality rows."""
        if not self.C.size:
            return D
        return D - D @ np.linalg.pinv(self.C) @ self.C

    def sample(self, rng: np.random.Generator, count: int) -> Array:
        """Points of the set [count, n]: along random rays from `inside`, up to the rim or 3 units."""
        D = self.flat(rng.normal(size=(count, self.inside.size)))
        D /= np.maximum(np.linalg.norm(D, axis=1, keepdims=True), 1e-12)
        far = np.full(count, 3.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            for normals, right in ((self.A, self.b), (np.eye(len(self.lower)), self.upper),
                                   (-np.eye(len(self.lower)), -self.lower)):  # fmt: skip
                if normals.size:
                    slope = D @ normals.T
                    reach = np.where(slope > 1e-12, (right - normals @ self.inside) / slope, np.inf)
                    far = np.minimum(far, np.maximum(reach, 0.0).min(axis=1))
        if np.isfinite(self.radius):
            off = self.inside - self.center
            along = D @ off
            far = np.minimum(far, -along + np.sqrt(along**2 + self.radius**2 - off @ off))
        share = rng.uniform(size=count) ** (1 / len(self.lower))
        share[rng.uniform(size=count) < 0.2] = 1 - 1e-12  # on the rim
        return self.inside + D * (far * share)[:, None]


def make_place(rng: np.random.Generator, n: int, kind: str, around: Array | None = None) -> Place:
    """A random set of a kind; around a point where one is given (all kinds but the simplex)."""
    inside = rng.uniform(-0.5, 0.5, size=n) if around is None else around
    free_low, free_high = np.full(n, -np.inf), np.full(n, np.inf)
    none, no_right = np.zeros((0, n)), np.zeros(0)
    parts: dict[str, Any] = {
        "lower": free_low, "upper": free_high, "A": none, "b": no_right, "C": none, "d": no_right,
        "center": np.zeros(n), "radius": np.inf, "row_factors": no_right,
    }  # fmt: skip
    if kind == "simplex":
        inside = np.full(n, 1 / n) if around is None else around
        parts |= {"lower": np.zeros(n), "C": np.ones((1, n)), "d": np.ones(1)}
        parts["upper"] = np.ones(n)
    elif kind == "ball":
        radius = rng.uniform(0.5, 1.5)
        away = rng.normal(size=n)
        away *= radius * rng.uniform(0, 0.8) / np.linalg.norm(away)
        parts |= {"radius": radius, "center": inside + away}
    elif kind in ("box", "half box", "polytope"):
        lower, upper = inside - rng.uniform(0.1, 1.5, size=n), inside + rng.uniform(0.1, 1.5, size=n)
        if kind == "half box":
            lower = np.where(rng.uniform(size=n) < 0.5, -np.inf, lower)
            upper = np.where(rng.uniform(size=n) < 0.5, np.inf, upper)
        if kind == "polytope":
            k = int(rng.integers(1, n + 3))
            A = rng.normal(size=(k, n))
            A /= np.linalg.norm(A, axis=1, keepdims=True)
            parts |= {"A": A, "b": A @ inside + rng.uniform(0.05, 1.0, size=k), "row_factors": np.ones(k)}
            if rng.uniform() < 0.3:
                parts["row_factors"] = 10 ** rng.uniform(-4, 4, size=k)
            if n >= 3 and rng.uniform() < 0.4:
                C = rng.normal(size=(1, n))
                C /= np.linalg.norm(C)
                parts |= {"C": C, "d": C @ inside}
        parts |= {"lower": lower, "upper": upper}
    return Place(kind, inside, **parts)
