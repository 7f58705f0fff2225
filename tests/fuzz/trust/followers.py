"""Followers whose answer to any u is known in closed form, or by trying all active sets, for many u at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from cutplane import QuadraticLevel, SolutionMap, ValueFunction

from .terms import Array

Function = Callable[[Array], Array]
KINDS = ("affine", "curve", "curve value", "pieces", "rows", "linear rows", "tie", "edge")


@dataclass(frozen=True)
class Follower:
    """A lower level in unit variables.

    Attributes
    ----------
    kind : str
    ties : int
        Parameters that the answer is free in: 0 where it is unique. Each lies in [0, 1].
    answers : callable
        ``answers(U, T) -> V`` for U [k, n_x] and T [k, ties]; NaN where there is no answer.
    tie_of : callable
        ``tie_of(u, v) -> t`` [ties]: the answer's parameters that fit v best.
    gap : callable
        ``gap(u, v) -> (value, slope, missed)``: the library's gap there, the length of its gradient, and by how
        much v misses the follower's rows.
    library : callable
        ``library(scale_x, scale_y, sign) -> oracle``; with sign −1 its `vjp` has the wrong sign.
    """

    kind: str
    ties: int
    answers: Callable[[Array, Array], Array]
    tie_of: Callable[[Array, Array], Array]
    gap: Callable[[Array, Array], tuple[float, float, float]]
    library: Callable[[float, float, float], Any]
    unit: Callable[[float], float] = field(default=lambda scale_y: 1.0)
    """Factor of epsilon for a scale of y, so that it means the same for v."""


def _no_tie(u: Array, v: Array) -> Array:
    return np.zeros(0)


def by_map(kind: str, norm: str, forward: Function, jacobian: Function) -> Follower:
    """A follower given by v*(u) for many u, and its Jacobian (an element of it) at one."""

    def gap(u: Array, v: Array) -> tuple[float, float, float]:
        off = v - forward(u[None])[0]
        length = float(np.linalg.norm(off))
        slope = float(np.sqrt(1 + np.linalg.norm(jacobian(u), 2) ** 2))
        return (length, slope, 0.0) if norm == "plain" else (length**2, 2 * length * slope, 0.0)

    def library(s_x: float, s_y: float, sign: float) -> SolutionMap:
        return SolutionMap(
            lambda x: s_y * forward((x / s_x)[None])[0],
            lambda x, v: sign * s_y / s_x * (jacobian(x / s_x).T @ v), norm=norm,
        )  # fmt: skip

    power = 1 if norm == "plain" else 2
    return Follower(
        f"{kind} {norm}", 0, lambda U, T: forward(U), _no_tie, gap, library, lambda scale_y: scale_y**power
    )


def by_value(kind: str, forward: Function, jacobian: Function, H: Array) -> Follower:
    """min over v of ½ (v − v*(u))ᵀH(v − v*(u)), as functions with a closed form."""

    def gap(u: Array, v: Array) -> tuple[float, float, float]:
        off = v - forward(u[None])[0]
        pull = H @ off
        slope = np.linalg.norm(np.concatenate([pull, jacobian(u).T @ pull]))
        return 0.5 * float(off @ pull), float(slope), 0.0

    def library(s_x: float, s_y: float, sign: float) -> ValueFunction:
        def g(x: Array, y: Array) -> tuple[float, Array, Array]:
            off = y / s_y - forward((x / s_x)[None])[0]
            pull = H @ off
            return 0.5 * float(off @ pull), -jacobian(x / s_x).T @ pull / s_x, pull / s_y

        def hessians(x: Array, y: Array, multipliers: Array) -> tuple[Array, Array]:
            return H / s_y**2, -sign * H @ jacobian(x / s_x) / (s_x * s_y)

        return ValueFunction(g, lambda x: s_y * forward((x / s_x)[None])[0], hessians=hessians)

    return Follower(kind, 0, lambda U, T: forward(U), _no_tie, gap, library)


def by_rows(kind: str, Q: Array, P: Array, c: Array, A: Array, B: Array, b: Array) -> Follower:
    """min ½vᵀQv + (c + Pu)ᵀv s.t. Av + Bu ≤ b, with a unique answer; solved by trying all active sets."""
    n_y, k = c.size, b.size
    systems = []
    for size in range(n_y + 1):
        for active in combinations(range(k), size):
            rows = A[list(active)]
            matrix = np.block([[Q, rows.T], [rows, np.zeros((size, size))]])
            if np.linalg.cond(matrix) < 1e10:
                systems.append((list(active), np.linalg.inv(matrix)))

    def answers(U: Array, T: Array) -> Array:
        V, left = np.full((len(U), n_y), np.nan), np.ones(len(U), dtype=bool)
        cost, right = c + U @ P.T, b - U @ B.T
        for active, inverse in systems:
            if not left.any():
                break
            solved = np.hstack([-cost[left], right[left][:, active]]) @ inverse.T
            v, multipliers = solved[:, :n_y], solved[:, n_y:]
            good = np.all(v @ A.T <= right[left] + 1e-9, axis=1) & np.all(multipliers >= -1e-9, axis=1)
            index = np.flatnonzero(left)[good]
            V[index], left[index] = v[good], False
        return V

    def g(u: Array, v: Array) -> float:
        return float(0.5 * v @ Q @ v + (c + P @ u) @ v)

    def gap(u: Array, v: Array) -> tuple[float, float, float]:
        best = answers(u[None], np.zeros((1, 0)))[0]
        missed = float(np.max((A @ v + B @ u - b) / np.linalg.norm(np.hstack([A, B]), axis=1), initial=0.0))
        return g(u, v) - g(u, best), float(np.linalg.norm(Q @ v + c + P @ u)), missed

    def library(s_x: float, s_y: float, sign: float) -> QuadraticLevel:
        level = QuadraticLevel(
            Q=Q / s_y**2 if Q.any() else None, P=P / (s_x * s_y), c=c / s_y, A=A / s_y, B=B / s_x, b=b
        )
        return level if sign > 0 else _WrongWay(level)

    return Follower(kind, 0, answers, _no_tie, gap, library)


def with_tie(rng: np.random.Generator, n_x: int, base: Follower) -> Follower:
    """The answers of a follower with one more v, of which the lower level knows bounds alone."""
    low, high = -rng.uniform(0.2, 1), rng.uniform(0.2, 1)

    def answers(U: Array, T: Array) -> Array:
        return np.hstack([base.answers(U, T[:, 1:]), low + (high - low) * T[:, :1]])

    def tie_of(u: Array, v: Array) -> Array:
        return np.clip((v[-1:] - low) / (high - low), 0, 1)

    def gap(u: Array, v: Array) -> tuple[float, float, float]:
        value, slope, missed = base.gap(u, v[:-1])
        return value, slope, max(missed, float(low - v[-1]), float(v[-1] - high))

    def library(s_x: float, s_y: float, sign: float) -> QuadraticLevel:
        inner = base.library(s_x, s_y, 1.0)
        n = inner.c.size + 1
        Q, P, A = np.zeros((n, n)), np.zeros((n, n_x)), np.zeros((len(inner.b), n))
        Q[:-1, :-1], P[:-1], A[:, :-1] = inner.Q, inner.P, inner.A
        level = QuadraticLevel(
            Q=Q if Q.any() else None, P=P, c=np.append(inner.c, 0.0), A=A, B=inner.B, b=inner.b,
            lower=np.append(np.full(n - 1, -np.inf), low * s_y),
            upper=np.append(np.full(n - 1, np.inf), high * s_y),
        )  # fmt: skip
        return level if sign > 0 else _WrongWay(level)

    return Follower("tie", 1, answers, tie_of, gap, library)


class _WrongWay:
    """An oracle whose `vjp` has the wrong sign."""

    def __init__(self, level: QuadraticLevel) -> None:
        self.gap, self.solution, self.restore = level.gap, level.solution, level.restore
        self.constraints, self._vjp = level.constraints, level.vjp

    def vjp(self, x: Array, v: Array) -> Array:
        """Minus what it should be."""
        return -self._vjp(x, v)


def on_an_edge(rng: np.random.Generator, n_x: int, inside: Array) -> Follower:
    """min v₁ + v₂ s.t. v₁ + v₂ ≥ r(u), 0 ≤ v ≤ high: every v of sum r(u) is an answer where 0 ≤ r ≤ 2·high."""
    slope, right = rng.normal(size=n_x) / np.sqrt(n_x), rng.uniform(0.3, 1)
    high = max(rng.uniform(0.6, 1.5), 0.7 * float(slope @ inside + right))  # so that `inside` has an answer
    eye, ones = np.eye(2), np.ones((1, 2))
    A = np.vstack([-ones, -eye, eye])
    B = np.vstack([slope[None], np.zeros((4, n_x))])
    b = np.concatenate([[-right], np.zeros(2), np.full(2, high)])

    def ends(U: Array) -> tuple[Array, Array, Array]:
        r = np.maximum(U @ slope + right, 0.0)
        return r, np.maximum(r - high, 0.0), np.minimum(r, high)

    def answers(U: Array, T: Array) -> Array:
        r, low, top = ends(U)
        first = low + (top - low) * T[:, 0]
        return np.where((r <= 2 * high)[:, None], np.column_stack([first, r - first]), np.nan)

    def tie_of(u: Array, v: Array) -> Array:
        _, low, top = ends(u[None])
        return np.clip((v[:1] - low) / np.maximum(top - low, 1e-12), 0, 1)

    def gap(u: Array, v: Array) -> tuple[float, float, float]:
        missed = float(np.max((A @ v + B @ u - b) / np.linalg.norm(np.hstack([A, B]), axis=1), initial=0.0))
        return float(v.sum() - ends(u[None])[0][0]), float(np.sqrt(2)), missed

    def library(s_x: float, s_y: float, sign: float) -> Any:
        level = QuadraticLevel(c=np.ones(2) / s_y, A=A / s_y, B=B / s_x, b=b)
        return level if sign > 0 else _WrongWay(level)

    return Follower("edge", 1, answers, tie_of, gap, library)


def make_follower(rng: np.random.Generator, n_x: int, n_y: int, kind: str, inside: Array) -> Follower:
    """A random follower of a kind, of answers about 1; with rows it has an answer wherever u is near `inside`."""
    reaction, shift = rng.normal(size=(n_y, n_x)) / np.sqrt(n_x), 0.5 * rng.normal(size=n_y)
    norm = "plain" if rng.uniform() < 0.7 else "squared"
    if kind == "affine":
        return by_map(kind, norm, lambda U: U @ reaction.T + shift, lambda u: reaction)
    if kind in ("curve", "curve value"):
        shape, slope = _curve(rng)

        def forward(U: Array) -> Array:
            return shape(U @ reaction.T + shift)

        def jacobian(u: Array) -> Array:
            return slope(reaction @ u + shift)[:, None] * reaction

        if kind == "curve":
            return by_map(kind, norm, forward, jacobian)
        root = rng.normal(size=(n_y, n_y)) / np.sqrt(n_y)
        return by_value(kind, forward, jacobian, root @ root.T + 0.3 * np.eye(n_y))
    if kind == "pieces":  # each v is the smallest or the largest of some affine pieces
        pieces, right = rng.normal(size=(n_y, 3, n_x)), 0.4 * rng.normal(size=(n_y, 3))
        sign = np.where(rng.uniform(size=n_y) < 0.5, 1.0, -1.0)

        def kinked(U: Array) -> Array:
            return sign * np.max(sign[:, None] * (np.einsum("jpi,ki->kjp", pieces, U) + right), axis=2)

        def active(u: Array) -> Array:
            which = np.argmax(sign[:, None] * (pieces @ u + right), axis=1)
            return pieces[np.arange(n_y), which]

        return by_map(kind, norm, kinked, active)
    if kind == "edge":
        return on_an_edge(rng, n_x, inside)
    root = rng.normal(size=(n_y, n_y))
    Q = root @ root.T / n_y + 0.3 * np.eye(n_y) if kind != "linear rows" else np.zeros((n_y, n_y))
    P, c = (rng.normal(size=(n_y, n_x)) if Q.any() else np.zeros((n_y, n_x))), rng.normal(size=n_y)
    k = int(rng.integers(1, 4))
    A, B = rng.normal(size=(k, n_y)), rng.normal(size=(k, n_x))
    b = B @ inside + rng.uniform(0.05, 0.6, size=k)
    A, B = np.vstack([A, np.eye(n_y), -np.eye(n_y)]), np.vstack([B, np.zeros((2 * n_y, n_x))])
    b = np.concatenate([b, np.full(2 * n_y, rng.uniform(0.5, 2))])
    base = by_rows(kind, Q, P, c, A, B, b)
    return with_tie(rng, n_x, base) if kind == "tie" else base


def _curve(rng: np.random.Generator) -> tuple[Function, Function]:
    """A function of one number, for arrays, and its derivative."""
    pace = rng.uniform(1, 4)
    return [
        (lambda s: np.sin(pace * s), lambda s: pace * np.cos(pace * s)),
        (lambda s: np.tanh(pace * s), lambda s: pace / np.cosh(pace * s) ** 2),
        (lambda s: s**2 - 0.5, lambda s: 2 * s),
        (lambda s: -(s**2), lambda s: -2 * s),
        (lambda s: s**3, lambda s: 3 * s**2),
        (lambda s: np.abs(s), lambda s: np.sign(s)),
    ][int(rng.integers(6))]
