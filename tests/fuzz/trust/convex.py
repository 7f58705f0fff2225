"""Random convex bi-level problems in unit variables (u, v), and the same problems as the library is given them.

The library sees x = scale_x·u, y = scale_y·v and scale_f·F; the reference is solved in u and v, so that no scale
can spoil it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cutplane import (
    BilevelProblem,
    BilevelSolver,
    LinearConstraint,
    QuadraticLevel,
    SolutionMap,
    Stationarity,
    ValueFunction,
)

from . import places
from .terms import CONVEX_KINDS, Array, Squares, Sum, convex_term

METHODS = ("primal-dual", "linear", "level", "proximal")
FOLLOWERS = ("plain", "squared", "quadratic", "value", "stationarity")
MASTERS = {"max_iterations": 250}
EFFORT = {
    "primal-dual": {"max_iterations": 600, "phase1_iterations": 100}, "linear": MASTERS, "level": MASTERS,
    "proximal": MASTERS,
}  # fmt: skip
"""Few iterations, so that thousands of cases are a matter of minutes: a run that was cut short claims a bound at
most. One run in 44 of the primal-dual method is a long one."""


def effort(method: str, seed: int) -> dict[str, int]:
    """Options for the length of a run."""
    return EFFORT[method] | ({"max_iterations": 3000} if seed % 44 == 0 else {})


@dataclass(frozen=True)
class Curved:
    """The constraint factor·(term(z) − right) ≤ 0."""

    term: Any
    right: float
    factor: float


@dataclass(frozen=True)
class Case:
    """One problem.

    Attributes
    ----------
    reaction, shift : ndarray of shapes (n_y, n_x) and (n_y,)
        v*(u) = reaction u + shift.
    hessian : ndarray of shape (n_y, n_y)
        Of the follower's objective, where it has one.
    metric, reach : ndarray and float
        The gap is at most ε where ‖metric (v − v*)‖ ≤ reach.
    rows : ndarray of shape (k, n), right : ndarray of shape (k,)
        Linear coupled constraints rows z ≤ right.
    feasible : bool
        Whether the problem has a feasible point.
    """

    seed: int
    fun: Sum
    follower: str
    reaction: Array
    shift: Array
    hessian: Array
    metric: Array
    reach: float
    place_x: places.Place
    place_y: places.Place
    curved: tuple[Curved, ...]
    rows: Array
    right: Array
    scale_x: float
    scale_y: float
    scale_f: float
    solver: BilevelSolver
    start: tuple[Array, Array]
    feasible: bool

    @property
    def n_x(self) -> int:
        """Length of u."""
        return self.reaction.shape[1]

    def answer(self, u: Array) -> Array:
        """v*(u)."""
        return self.reaction @ u + self.shift

    def unit(self, x: Array, y: Array) -> Array:
        """z = (u, v) of the library's (x, y)."""
        return np.concatenate([x / self.scale_x, y / self.scale_y])

    def traits(self) -> str:
        """The case in a few words."""
        kinds = "+".join(type(t).__name__ for t in self.fun.terms)
        scales = f"{self.scale_x:.0e}/{self.scale_y:.0e}/{self.scale_f:.0e}"
        coupled = f"{len(self.curved)} curved {len(self.right)} rows" if len(self.curved) + len(self.right) else ""
        return f"{self.follower} x:{self.place_x.kind} y:{self.place_y.kind} {kinds} {scales} {coupled}".strip()


def make_case(seed: int) -> Case:
    """The problem of a seed."""
    rng = np.random.default_rng([seed, 1])
    method, formulation = METHODS[seed % 4], ("joint", "reduced")[seed // 4 % 2]
    n_x, n_y = (1 + int(8 * share**2) for share in rng.uniform(size=2))  # 1 to 8, more often few
    followers = FOLLOWERS if formulation == "joint" else FOLLOWERS[:4]
    follower = str(rng.choice(followers, p=[0.4, *[0.6 / (len(followers) - 1)] * (len(followers) - 1)]))
    kind = str(rng.choice(places.KINDS))
    place_x = places.make_place(rng, n_x, kind)
    reaction = rng.normal(size=(n_y, n_x)) / np.sqrt(n_x)
    shift = rng.normal(size=n_y) * rng.choice([0.0, 0.5])
    root = rng.normal(size=(n_y, n_y)) / np.sqrt(n_y)
    hessian = root @ root.T + 0.2 * np.eye(n_y)
    kind_y = str(rng.choice(places.KINDS, p=[0.15, 0.1, 0.05, 0.1, 0.1, 0.5]))
    if kind_y == "simplex" and n_y == 1:
        kind_y = "box"
    if kind_y == "simplex":  # every answer sums to one, and is positive where u is small
        reaction = 0.5 * (reaction - reaction.mean(axis=0))
        shift = np.full(n_y, 1 / n_y) - reaction @ place_x.inside
    v = reaction @ place_x.inside + shift
    place_y = places.make_place(rng, n_y, kind_y, v)
    z, n = np.concatenate([place_x.inside, v]), n_x + n_y

    kinds = rng.choice(CONVEX_KINDS, size=int(rng.integers(1, 4)))
    terms = [convex_term(rng, n, str(k)) for k in kinds]
    if not place_x.bounded:  # coercive, so that there is an optimum
        terms.append(Squares(np.eye(n)[:n_x], rng.normal(size=n_x), 10 ** rng.uniform(-1.5, 0.5)))
    curved, rows, right = [], np.zeros((0, n)), np.zeros(0)
    if rng.uniform() < 0.35:
        for k in rng.choice(("squares", "length", "corners", "largest"), size=int(rng.integers(1, 3))):
            term = convex_term(rng, n, str(k))
            level = float(term.values(z[None])[0]) + rng.uniform(0.02, 0.5)
            curved.append(Curved(term, level, 10 ** rng.uniform(-2, 2)))
    if rng.uniform() < 0.35:
        rows = rng.normal(size=(int(rng.integers(1, 4)), n))
        right = rows @ z + rng.uniform(0.02, 0.5, size=len(rows))
    feasible = rng.uniform() >= 0.07
    if not feasible:
        curved, rows, right = _contradiction(rng, z, place_x, reaction, shift)

    scale_x, scale_y, given = 1.0, 1.0, dict[str, Any]()
    draw = rng.uniform()
    if draw < 0.5:
        scale_x, scale_y = 10 ** rng.uniform(-8, 8, size=2)
        near_x, near_y = 10 ** rng.uniform(-0.5, 0.5, size=2)
        given = {"x_scale": scale_x * near_x, "y_scale": scale_y * near_y}
    elif draw < 0.8:
        scale_x, scale_y = 10 ** rng.uniform(-1.5, 1.5, size=2)
    scale_f = 10 ** rng.uniform(-3, 6) if rng.uniform() < 0.6 else 1.0
    epsilon = 1e-10 * {"plain": scale_y, "squared": scale_y**2, "stationarity": scale_y**-2}.get(follower, 1.0)
    if not given and 0.1 <= scale_y <= 10:
        epsilon = 1e-10  # the default
    metric, reach = {
        "plain": (np.eye(n_y), epsilon / scale_y),
        "squared": (np.eye(n_y), np.sqrt(epsilon) / scale_y),
        "stationarity": (hessian, np.sqrt(epsilon) * scale_y),
    }.get(follower, (np.linalg.cholesky(hessian).T, np.sqrt(2 * epsilon)))
    solver = BilevelSolver(
        method=method, formulation=formulation, epsilon=epsilon, **effort(method, seed), **given
    )
    u0 = place_x.inside if rng.uniform() < 0.5 else place_x.sample(rng, 1)[0]
    v0 = v if rng.uniform() < 0.5 else place_y.sample(rng, 1)[0]
    return Case(
        seed, Sum(tuple(terms)), follower, reaction, shift, hessian, metric, float(reach), place_x, place_y,
        tuple(curved), rows, right, float(scale_x), float(scale_y), float(scale_f), solver, (u0, v0), feasible,
    )  # fmt: skip


def _contradiction(
    rng: np.random.Generator, z: Array, place: places.Place, reaction: Array, shift: Array
) -> tuple[list[Curved], Array, Array]:
    """Constraints that no point meets: two rows of u or of v that exclude each other, or two balls apart."""
    n, n_x, margin = z.size, place.inside.size, 10 ** rng.uniform(-2, 0)
    row = np.zeros(n)
    part = slice(0, n_x) if rng.uniform() < 0.5 else slice(n_x, n)
    row[part] = rng.normal(size=row[part].size)
    row /= np.linalg.norm(row)
    if rng.uniform() < 0.5:
        # row z ≤ row z₀ − margin and row z ≥ row z₀ + margin
        return [], np.vstack([row, -row]), np.array([row @ z - margin, -(row @ z) - margin])
    near = Squares(np.eye(n), z)  # ½‖z − z₀‖² ≤ ½ and the same around a point 2 + margin away: unit balls
    far = Squares(np.eye(n), z + (2 + margin) * row)
    return [Curved(near, 0.5, 1.0), Curved(far, 0.5, 1.0)], np.zeros((0, n)), np.zeros(0)


def library_problem(case: Case) -> BilevelProblem:
    """The case as the library is given it."""
    n_x, s_x, s_y, s_f = case.n_x, case.scale_x, case.scale_y, case.scale_f

    def split(gradient: Array) -> tuple[Array, Array]:
        return gradient[..., :n_x] / s_x, gradient[..., n_x:] / s_y

    def upper(x: Array, y: Array) -> tuple[float, Array, Array]:
        z = case.unit(x, y)
        return s_f * case.fun.value(z), *split(s_f * case.fun.gradient(z))

    def coupled(c: Curved) -> Any:
        def constraint(x: Array, y: Array) -> tuple[Array, Array, Array]:
            z = case.unit(x, y)
            value = c.factor * (c.term.values(z[None]) - c.right)
            j_x, j_y = split(c.factor * c.term.gradient(z)[None])
            return value, j_x, j_y

        return constraint

    constraints = [coupled(c) for c in case.curved]
    if len(case.right):
        constraints.append(LinearConstraint(case.rows[:, :n_x] / s_x, case.rows[:, n_x:] / s_y, case.right))
    return BilevelProblem(
        upper, library_follower(case), case.place_x.library(s_x), case.place_y.library(s_y), tuple(constraints),
        convex=True,
    )  # fmt: skip


def library_follower(case: Case) -> Any:
    """The lower level with v*(u) = reaction u + shift, in one of its forms."""
    s_x, s_y, M, m, H = case.scale_x, case.scale_y, case.reaction, case.shift, case.hessian
    if case.follower in ("plain", "squared"):
        return SolutionMap(
            lambda x: s_y * case.answer(x / s_x), lambda x, v: s_y * (M.T @ v) / s_x, norm=case.follower
        )
    if case.follower == "quadratic":
        return QuadraticLevel(Q=H / s_y**2, P=-H @ M / (s_x * s_y), c=-H @ m / s_y)

    def off(x: Array, y: Array) -> Array:
        return y / s_y - case.answer(x / s_x)

    if case.follower == "stationarity":
        return Stationarity(
            lambda x, y: H @ off(x, y) / s_y, lambda x, y, v: H @ v / s_y**2,
            lambda x, y, v: -M.T @ (H @ v) / (s_x * s_y),
        )  # fmt: skip

    def g(x: Array, y: Array) -> tuple[float, Array, Array]:
        r = off(x, y)
        return float(0.5 * r @ H @ r + x.sum() / s_x), 1 / s_x - M.T @ (H @ r) / s_x, H @ r / s_y

    return ValueFunction(
        g, lambda x: s_y * case.answer(x / s_x), hessians=lambda x, y, m: (H / s_y**2, -H @ M / (s_x * s_y))
    )
