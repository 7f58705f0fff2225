"""Small bi-level problems that need not be convex, in unit variables, and the same as the library sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cutplane import BilevelProblem, BilevelSolver, LinearConstraint

from . import followers, places
from .convex import Curved, effort
from .terms import Array, Sum, convex_term
from .waves import coercive, corners, some_terms, wavy_term

WRONG = ("upper", "upper in x", "upper in y", "vjp", "constraints")


@dataclass(frozen=True)
class Small:
    """One problem.

    Attributes
    ----------
    constraints : tuple of Curved
    rows : ndarray of shape (k, n), right : ndarray of shape (k,)
        Linear coupled constraints rows z ≤ right.
    wrong : str
        Which gradient has the wrong sign; empty where none has.
    convex : bool
        What is declared.
    """

    seed: int
    fun: Sum
    follower: followers.Follower
    n_y: int
    place_x: places.Place
    place_y: places.Place
    constraints: tuple[Curved, ...]
    rows: Array
    right: Array
    scale_x: float
    scale_y: float
    scale_f: float
    solver: BilevelSolver
    start: tuple[Array, Array]
    convex: bool
    wrong: str = ""

    @property
    def n_x(self) -> int:
        """Length of u."""
        return self.place_x.inside.size

    def unit(self, x: Array, y: Array) -> tuple[Array, Array]:
        """(u, v) of the library's (x, y)."""
        return x / self.scale_x, y / self.scale_y

    def values(self, U: Array, T: Array) -> Array:
        """F [k] at the follower's answers to U [k, n_x] of parameters T [k, ties]; infinite where infeasible."""
        V = self.follower.answers(U, T)
        with np.errstate(invalid="ignore"):
            Z = np.hstack([U, V])
            off = np.isnan(V).any(axis=1) | (self.place_x.violations(U) > 1e-12)
            off |= np.nan_to_num(self.place_y.violations(V)) > 1e-12
            for c in self.constraints:
                off |= ~(c.term.values(Z) <= c.right)
            off |= ~np.all(Z @ self.rows.T <= self.right, axis=1)
            return np.where(off, np.inf, self.scale_f * self.fun.values(Z))

    def traits(self) -> str:
        """The case in a few words."""
        kinds = "+".join(type(t).__name__ for t in self.fun.terms)
        coupled = " s.t. " + "+".join(type(c.term).__name__ for c in self.constraints) if self.constraints else ""
        coupled += f" {len(self.right)} rows" if len(self.right) else ""
        wrong = f" WRONG {self.wrong}" if self.wrong else ""
        return (
            f"n {self.n_x}+{self.n_y} {self.follower.kind} x:{self.place_x.kind} y:{self.place_y.kind} {kinds}"
            f"{coupled} {self.scale_x:.0e}/{self.scale_y:.0e}/{self.scale_f:.0e}{wrong}"
        )


def make_small(seed: int, convex: bool, methods: tuple[str, ...], stream: int, largest: int) -> Small:
    """The problem of a seed."""
    rng = np.random.default_rng([seed, stream])
    method = methods[seed % len(methods)]
    formulation = ("joint", "reduced")[seed // len(methods) % 2]
    n_x, n_y = int(rng.integers(1, largest + 1)), int(rng.integers(1, 3))
    kind = str(rng.choice(followers.KINDS))
    place_x = places.make_place(rng, n_x, str(rng.choice(places.KINDS, p=[0.45, 0.05, 0.12, 0.15, 0.15, 0.08])))
    follower = followers.make_follower(rng, n_x, n_y, kind, place_x.inside)
    n_y = {"tie": n_y + 1, "edge": 2}.get(kind, n_y)
    n = n_x + n_y
    v = follower.answers(place_x.inside[None], np.full((1, follower.ties), 0.5))[0]
    kind_y = str(rng.choice(places.KINDS, p=[0.2, 0.05, 0.0, 0.1, 0.05, 0.6]))
    place_y = places.make_place(rng, n_y, kind_y, v)
    wavy = int(rng.integers(0 if kind != "affine" else 1, 3))
    fun = Sum((*some_terms(rng, n, n_x, wavy, int(rng.integers(1 if wavy == 0 else 0, 3))),))
    if seed % 5 == 4:  # corners alone: their slopes say nothing of how far the lowest one is
        fun = Sum(corners(np.random.default_rng([seed, stream, 1]), n))
    if not place_x.bounded:
        fun = Sum((*fun.terms, coercive(rng, n, n_x)))
    constraints, z = [], np.concatenate([place_x.inside, v])
    if rng.uniform() < 0.3:
        curvy = rng.uniform() < 0.7
        term: Any = (
            wavy_term(rng, n, n_x, str(rng.choice(("dome", "smallest", "wave", "saddle", "product", "wells"))))
            if curvy else convex_term(rng, n, str(rng.choice(("squares", "length", "largest"))))
        )  # fmt: skip
        constraints.append(Curved(term, float(term.values(z[None])[0]) + rng.uniform(0.05, 0.4), 1.0))
    rows = rng.normal(size=(int(rng.integers(1, 3)) if rng.uniform() < 0.2 else 0, n))
    right = rows @ z + rng.uniform(0.05, 0.5, size=len(rows))
    scale_x, scale_y, given = 1.0, 1.0, {}
    if rng.uniform() < 0.3:
        scale_x, scale_y = 10 ** rng.uniform(-4, 4, size=2)
        given = {"x_scale": scale_x, "y_scale": scale_y}
    scale_f = 10 ** rng.uniform(-2, 3) if rng.uniform() < 0.3 else 1.0
    solver = BilevelSolver(
        method=method, formulation=formulation, epsilon=1e-10 * follower.unit(scale_y), **effort(method, seed),
        **given,
    )  # fmt: skip
    u0 = place_x.sample(rng, 1)[0]
    if rng.uniform() < 0.4 or np.isnan(follower.answers(u0[None], np.full((1, follower.ties), 0.5))).any():
        u0 = place_x.inside
    v0 = v if rng.uniform() < 0.5 else place_y.sample(rng, 1)[0]
    wrong = str(rng.choice(WRONG if constraints else WRONG[:-1])) if not convex and rng.uniform() < 0.15 else ""
    return Small(
        seed, fun, follower, n_y, place_x, place_y, tuple(constraints), rows, right, float(scale_x),
        float(scale_y), float(scale_f), solver, (u0, v0), convex, wrong,
    )  # fmt: skip


def library_problem(case: Small) -> BilevelProblem:
    """The case as the library is given it."""
    n_x, s_x, s_y, s_f = case.n_x, case.scale_x, case.scale_y, case.scale_f
    sign_x = -1.0 if case.wrong in ("upper", "upper in x") else 1.0
    sign_y = -1.0 if case.wrong in ("upper", "upper in y") else 1.0
    sign_c = -1.0 if case.wrong == "constraints" else 1.0

    def upper(x: Array, y: Array) -> tuple[float, Array, Array]:
        z = np.concatenate(case.unit(x, y))
        gradient = s_f * case.fun.gradient(z)
        return s_f * case.fun.value(z), sign_x * gradient[:n_x] / s_x, sign_y * gradient[n_x:] / s_y

    def coupled(c: Curved) -> Any:
        def constraint(x: Array, y: Array) -> tuple[Array, Array, Array]:
            z = np.concatenate(case.unit(x, y))
            gradient = sign_c * c.term.gradient(z)[None]
            return c.term.values(z[None]) - c.right, gradient[:, :n_x] / s_x, gradient[:, n_x:] / s_y

        return constraint

    constraints = [coupled(c) for c in case.constraints]
    if len(case.right):
        constraints.append(LinearConstraint(case.rows[:, :n_x] / s_x, case.rows[:, n_x:] / s_y, case.right))
    return BilevelProblem(
        upper, case.follower.library(s_x, s_y, -1.0 if case.wrong == "vjp" else 1.0),
        case.place_x.library(s_x), case.place_y.library(s_y), tuple(constraints), convex=case.convex,
    )  # fmt: skip


def missed_by(case: Small, u: Array, v: Array) -> str:
    """What a point violates by more than it may, in words; distances in unit variables."""
    value, slope, missed = case.follower.gap(u, v)
    allowed = 3e-8 * (1 + float(np.abs(np.concatenate([u, v])).max()))
    z = np.concatenate([u, v])
    found = {"x_set": case.place_x.violation(u), "y_set": case.place_y.violation(v), "follower's rows": missed}
    for i, c in enumerate(case.constraints):
        length = float(np.linalg.norm(c.term.gradient(z)))
        found[f"constraint {i}"] = (float(c.term.values(z[None])[0]) - c.right) / max(length, 1e-9)
    for i, (row, right) in enumerate(zip(case.rows, case.right, strict=True)):
        found[f"row {i}"] = float(row @ z - right) / float(np.linalg.norm(row))
    words = [f"{name} by {size:.2e}" for name, size in found.items() if size > allowed]
    epsilon = case.solver.epsilon / case.follower.unit(case.scale_y)
    if not value <= epsilon + allowed * slope + 1e-13:
        words.append(f"gap {value:.2e} of slope {slope:.1e}")
    return ", ".join(words)
