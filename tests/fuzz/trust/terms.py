"""Convex terms of an objective in z = (u, v): values of many points, one subgradient, and the same for CVXPY."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import cvxpy as cp
import numpy as np

Array = np.ndarray


class Term(Protocol):
    """A function of z."""

    def values(self, Z: Array) -> Array:
        """Values [k] at the rows of Z [k, n]."""

    def gradient(self, z: Array) -> Array:
        """Gradient [n], or one subgradient."""


@dataclass(frozen=True)
class Squares:
    """weight/2 ‖Az − b‖²."""

    A: Array
    b: Array
    weight: float = 1.0

    def values(self, Z: Array) -> Array:
        return 0.5 * self.weight * np.sum((Z @ self.A.T - self.b) ** 2, axis=1)

    def gradient(self, z: Array) -> Array:
        return self.weight * self.A.T @ (self.A @ z - self.b)

    def expr(self, z: Any) -> Any:
        return 0.5 * self.weight * cp.sum_squares(self.A @ z - self.b)


@dataclass(frozen=True)
class Largest:
    """max over i of (Az − b)_i; flat where the largest row is one of zeros."""

    A: Array
    b: Array

    def values(self, Z: Array) -> Array:
        return np.max(Z @ self.A.T - self.b, axis=1)

    def gradient(self, z: Array) -> Array:
        return self.A[int(np.argmax(self.A @ z - self.b))].copy()

    def expr(self, z: Any) -> Any:
        return cp.max(self.A @ z - self.b)


@dataclass(frozen=True)
class Length:
    """max(0, ‖Az − b‖ − flat): a cone, with a flat bottom where `flat` > 0."""

    A: Array
    b: Array
    flat: float = 0.0

    def values(self, Z: Array) -> Array:
        return np.maximum(np.linalg.norm(Z @ self.A.T - self.b, axis=1) - self.flat, 0.0)

    def gradient(self, z: Array) -> Array:
        away = self.A @ z - self.b
        length = float(np.linalg.norm(away))
        return self.A.T @ away / length if length > self.flat else np.zeros(z.size)

    def expr(self, z: Any) -> Any:
        return cp.pos(cp.norm(self.A @ z - self.b) - self.flat)


@dataclass(frozen=True)
class Corners:
    """‖Az − b‖₁."""

    A: Array
    b: Array

    def values(self, Z: Array) -> Array:
        return np.sum(np.abs(Z @ self.A.T - self.b), axis=1)

    def gradient(self, z: Array) -> Array:
        return self.A.T @ np.sign(self.A @ z - self.b)

    def expr(self, z: Any) -> Any:
        return cp.norm1(self.A @ z - self.b)


@dataclass(frozen=True)
class Quartic:
    """weight Σ (Az − b)⁴: hardly any slope near its minimum."""

    A: Array
    b: Array
    weight: float = 0.1

    def values(self, Z: Array) -> Array:
        return self.weight * np.sum((Z @ self.A.T - self.b) ** 4, axis=1)

    def gradient(self, z: Array) -> Array:
        return 4 * self.weight * self.A.T @ (self.A @ z - self.b) ** 3

    def expr(self, z: Any) -> Any:
        return self.weight * cp.sum(cp.power(self.A @ z - self.b, 4))


@dataclass(frozen=True)
class Sum:
    """Σ of terms."""

    terms: tuple[Any, ...]

    def values(self, Z: Array) -> Array:
        return np.sum([t.values(Z) for t in self.terms], axis=0)

    def value(self, z: Array) -> float:
        """Value at one point."""
        return float(self.values(z[None])[0])

    def gradient(self, z: Array) -> Array:
        return np.sum([t.gradient(z) for t in self.terms], axis=0)

    def expr(self, z: Any) -> Any:
        return sum(t.expr(z) for t in self.terms)


def convex_term(rng: np.random.Generator, n: int, kind: str) -> Any:
    """A random convex term in n variables, of values and slopes about 1 on the unit box."""
    k = int(rng.integers(1, n + 2))
    A = rng.normal(size=(k, n)) / np.sqrt(n)
    b = rng.normal(size=k) * rng.choice([0.3, 1.0])
    if kind == "squares":
        return Squares(A, b, 10 ** rng.uniform(-1, 1))
    if kind == "largest":
        return Largest(np.vstack([A, -A[:1]]), np.append(b, rng.normal()))
    if kind == "flat":
        return Largest(np.vstack([A, np.zeros((1, n))]), np.append(b, rng.uniform(-0.5, 0.5)))
    if kind == "length":
        return Length(A, b)
    if kind == "bowl":
        return Length(A, b, rng.uniform(0.1, 1.0))
    if kind == "corners":
        return Corners(A, b)
    if kind == "quartic":
        return Quartic(A, b)
    return Squares(np.zeros((1, n)), np.zeros(1)) if kind == "none" else Largest(A[:1], b[:1])  # linear


CONVEX_KINDS = ("squares", "largest", "flat", "length", "bowl", "corners", "quartic", "linear")
