"""Terms of an objective that are not convex."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .terms import CONVEX_KINDS, Array, Largest, Squares, convex_term


@dataclass(frozen=True)
class Dome:
    """−weight/2 ‖A z − b‖²."""

    A: Array
    b: Array
    weight: float

    def values(self, Z: Array) -> Array:
        return -0.5 * self.weight * np.sum((Z @ self.A.T - self.b) ** 2, axis=1)

    def gradient(self, z: Array) -> Array:
        return -self.weight * self.A.T @ (self.A @ z - self.b)


@dataclass(frozen=True)
class Smallest:
    """min over i of (Az − b)_i."""

    A: Array
    b: Array

    def values(self, Z: Array) -> Array:
        return np.min(Z @ self.A.T - self.b, axis=1)

    def gradient(self, z: Array) -> Array:
        return self.A[int(np.argmin(self.A @ z - self.b))].copy()


@dataclass(frozen=True)
class Saddle:
    """½ (z − c)ᵀS(z − c) with an indefinite S."""

    S: Array
    c: Array

    def values(self, Z: Array) -> Array:
        away = Z - self.c
        return 0.5 * np.einsum("ki,ij,kj->k", away, self.S, away)

    def gradient(self, z: Array) -> Array:
        return self.S @ (z - self.c)


@dataclass(frozen=True)
class Wave:
    """weight·sin(w·z + phase)."""

    w: Array
    phase: float
    weight: float

    def values(self, Z: Array) -> Array:
        return self.weight * np.sin(Z @ self.w + self.phase)

    def gradient(self, z: Array) -> Array:
        return self.weight * np.cos(self.w @ z + self.phase) * self.w


@dataclass(frozen=True)
class DoubleWell:
    """weight·(s⁴ − 2 d² s²) with s = w·z − c: minima at s = ±d."""

    w: Array
    c: float
    d: float
    weight: float

    def values(self, Z: Array) -> Array:
        s = Z @ self.w - self.c
        return self.weight * (s**4 - 2 * self.d**2 * s**2)

    def gradient(self, z: Array) -> Array:
        s = self.w @ z - self.c
        return self.weight * (4 * s**3 - 4 * self.d**2 * s) * self.w


@dataclass(frozen=True)
class Product:
    """(p·z)(q·z), such as x·y."""

    p: Array
    q: Array

    def values(self, Z: Array) -> Array:
        return (Z @ self.p) * (Z @ self.q)

    def gradient(self, z: Array) -> Array:
        return (self.q @ z) * self.p + (self.p @ z) * self.q


@dataclass(frozen=True)
class Hole:
    """−depth·exp(−‖A z − b‖²/(2 width²)): a narrow well, which planes made elsewhere do not see."""

    A: Array
    b: Array
    width: float
    depth: float

    def values(self, Z: Array) -> Array:
        return -self.depth * np.exp(-np.sum((Z @ self.A.T - self.b) ** 2, axis=1) / (2 * self.width**2))

    def gradient(self, z: Array) -> Array:
        away = self.A @ z - self.b
        height = self.depth * np.exp(-(away @ away) / (2 * self.width**2))
        return height / self.width**2 * (self.A.T @ away)


@dataclass(frozen=True)
class Cubic:
    """weight·(s³ − s²) with s = w·z − c: concave, then convex."""

    w: Array
    c: float
    weight: float

    def values(self, Z: Array) -> Array:
        s = Z @ self.w - self.c
        return self.weight * (s**3 - s**2)

    def gradient(self, z: Array) -> Array:
        s = self.w @ z - self.c
        return self.weight * (3 * s**2 - 2 * s) * self.w


WAVE_KINDS = ("dome", "smallest", "saddle", "wave", "wells", "product", "hole", "cubic")


def wavy_term(rng: np.random.Generator, n: int, n_x: int, kind: str) -> Any:
    """A random term of a kind in z = (u, v), with values and slopes about 1 on the unit box."""
    w = rng.normal(size=n)
    w /= np.linalg.norm(w)
    if kind == "dome":
        k = int(rng.integers(1, n + 1))
        return Dome(rng.normal(size=(k, n)) / np.sqrt(n), 0.5 * rng.normal(size=k), 10 ** rng.uniform(-0.7, 0.7))
    if kind == "smallest":
        k = int(rng.integers(2, 4))
        return Smallest(rng.normal(size=(k, n)), 0.5 * rng.normal(size=k))
    if kind == "saddle":
        basis, _ = np.linalg.qr(rng.normal(size=(n, n)))
        bends = rng.normal(size=n)
        bends[0], bends[-1] = -abs(bends[0]), abs(bends[-1])
        return Saddle(basis @ np.diag(bends) @ basis.T, 0.3 * rng.normal(size=n))
    if kind == "wave":
        pace = rng.uniform(2, 8)
        return Wave(pace * w, rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 2) / np.sqrt(pace))
    if kind == "wells":
        return DoubleWell(w, 0.3 * rng.normal(), rng.uniform(0.3, 1.0), 10 ** rng.uniform(-0.5, 0.7))
    if kind == "product":
        p, q = np.zeros(n), np.zeros(n)
        p[:n_x], q[n_x:] = rng.normal(size=n_x), rng.normal(size=n - n_x)
        return Product(p, q)
    if kind == "hole":
        center, width = rng.uniform(-0.8, 0.8, size=n_x), 10 ** rng.uniform(-2, -0.3)
        return Hole(np.eye(n)[:n_x], center, width, rng.uniform(0.3, 2))
    return Cubic(w, rng.uniform(-1, 0.3), 10 ** rng.uniform(-0.3, 0.7))


def coercive(rng: np.random.Generator, n: int, n_x: int) -> Squares:
    """A term that keeps u near where it starts, on sets without bounds."""
    return Squares(np.eye(n)[:n_x], 0.3 * rng.normal(size=n_x), rng.uniform(8, 20))


def corners(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    """A largest piece of n + 1 whose slopes sum to zero, so that it has a lowest corner; by chance ‖·‖₁ on top."""
    A = rng.normal(size=(n, n))
    pointed = Largest(np.vstack([A, -A.sum(axis=0)]), 0.3 * rng.normal(size=n + 1))
    return (pointed, convex_term(rng, n, "corners")) if rng.uniform() < 0.3 else (pointed,)


def some_terms(rng: np.random.Generator, n: int, n_x: int, wavy: int, convex: int) -> tuple[Any, ...]:
    """That many random terms of either sort."""
    terms = [wavy_term(rng, n, n_x, str(k)) for k in rng.choice(WAVE_KINDS, size=wavy)]
    return (*terms, *(convex_term(rng, n, str(k)) for k in rng.choice(CONVEX_KINDS, size=convex)))
