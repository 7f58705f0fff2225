"""Projections and masters against cvxpy, and feasibility of what comes out."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutplane import Ball, Box, Polyhedron, Polytope, Simplex
from cutplane.core.pool import Kind, Plane
from cutplane.masters.linear import LinearMaster
from cutplane.methods.base import nearest_in
from cutplane.programs.nearest_point import nearest_point
from cutplane.sets import violation
from cutplane.state import State

cp = pytest.importorskip("cvxpy")

SEEDS = st.integers(0, 10**6)


def solve(objective, constraints):
    problem = cp.Problem(cp.Minimize(objective), constraints)
    with warnings.catch_warnings():  # Clarabel calls itself inaccurate where it stops short of 1e-11
        warnings.simplefilter("ignore", UserWarning)
        problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    assert problem.status in ("optimal", "optimal_inaccurate")
    return problem.value


def random_polytope(rng, n):
    inside = rng.normal(size=n)
    A, E = rng.normal(size=(rng.integers(1, 6), n)), rng.normal(size=(rng.integers(0, n), n))
    b = A @ inside + rng.uniform(0, 1, size=len(A)) * rng.integers(0, 2, size=len(A))
    lower = np.where(rng.random(n) < 0.5, inside - rng.uniform(size=n), -np.inf)
    upper = np.where(rng.random(n) < 0.5, inside + rng.uniform(size=n), np.inf)
    if not len(E):
        return Polytope(A, b, lower=lower, upper=upper)
    return Polytope(A, b, E, E @ inside, lower, upper)


def random_set(rng, n):
    total = rng.uniform(0.1, n)
    return [
        Box(-rng.uniform(0, 1, n), rng.uniform(0, 1, n)),
        Simplex(total),
        Ball(total, rng.normal(size=n)),
        Polytope(np.ones((1, n)), [total], lower=0, upper=1),
        random_polytope(rng, n),
    ][rng.integers(5)]


def as_constraints(feasible, z, n):
    lower, upper = feasible.bounds(n)
    rows = feasible.rows(n)
    found = [z[i] >= v for i, v in enumerate(lower) if np.isfinite(v)]
    found += [z[i] <= v for i, v in enumerate(upper) if np.isfinite(v)]
    found += [rows.A_ub @ z <= rows.b_ub] if rows.b_ub.size else []
    found += [rows.A_eq @ z == rows.b_eq] if rows.b_eq.size else []
    found += [cp.norm(z - feasible.center) <= feasible.radius] if isinstance(feasible, Ball) else []
    return found


@given(SEEDS, st.integers(1, 7), st.sampled_from([0.1, 1.0, 30.0]))
def test_every_set_projects_as_cvxpy_does_and_exactly_into_itself(seed, n, far):
    rng = np.random.default_rng(seed)
    feasible, v = random_set(rng, n), far * rng.normal(size=n)
    point = feasible.project(v)
    assert violation(feasible, point) <= 1e-9
    z = cp.Variable(n)
    solve(cp.sum_squares(z - v), as_constraints(feasible, z, n))
    np.testing.assert_allclose(point, z.value, atol=1e-6 * max(1, far))


@given(SEEDS, st.integers(1, 12), st.integers(3, 8))
def test_from_far_away_a_polytope_still_projects_to_its_nearest_point(seed, n, decades):
    rng = np.random.default_rng(seed)
    polytope, v = random_polytope(rng, n), 10.0**decades * rng.normal(size=n)
    point = polytope.project(v)
    assert violation(polytope, point) <= 1e-11 * (1 + np.abs(point).max())
    # the angle at the nearest point is never acute, whichever other point of the set is looked at
    others = [polytope.project(scale * rng.normal(size=n)) for scale in (1.0, 10.0**decades)]
    for other in others:
        distance = np.linalg.norm(v - point)  # which is what the accuracy is relative to
        assert (v - point) @ (other - point) <= distance * (1e-9 + 1e-10 * distance)


@given(SEEDS, st.integers(1, 6), st.booleans())
def test_the_quadratic_master_agrees_with_cvxpy(seed, n, proximal):
    rng = np.random.default_rng(seed)
    feasible = random_polytope(rng, n)
    rows, (lower, upper) = feasible.rows(n), feasible.bounds(n)
    center, weight = 2 * rng.normal(size=n), rng.uniform(0.1, 10)
    slopes, offsets, p = rng.normal(size=(3, n)), rng.normal(size=3), rows.b_eq.size
    z = cp.Variable(n)
    if proximal:
        A, b = np.vstack([rows.A_ub, slopes]), np.concatenate([rows.b_ub, -offsets])
        epigraph = np.concatenate([np.zeros(rows.b_ub.size), np.ones(3), np.zeros(p)])
        b = np.concatenate([b, rows.b_eq])
        solution = nearest_point(center, (A, rows.A_eq), b, lower, upper, p, epigraph, weight)
        t = cp.Variable()
        objective, extra = cp.sum_squares(z - center) / 2 + weight * t, [slopes @ z + offsets <= t]
        assert solution.height == pytest.approx(float(np.max(slopes @ solution.point + offsets)), abs=1e-6)
    else:
        b = np.concatenate([rows.b_ub, rows.b_eq])
        solution = nearest_point(center, (rows.A_ub, rows.A_eq), b, lower, upper, p)
        objective, extra = cp.sum_squares(z - center) / 2, []
    solve(objective, as_constraints(feasible, z, n) + extra)
    np.testing.assert_allclose(solution.point, z.value, atol=1e-5)
    assert solution.multipliers[: b.size - p].min(initial=0.0) >= 0


class Plain:
    """The least that a master asks of a model."""

    def __init__(self, feasible, n):
        self.n, self.rows, self.feasible = n, feasible.rows(n), feasible
        self.lower, self.upper = feasible.bounds(n)

    def tangents(self, z):
        found = self.feasible.tangent(z)
        return [] if found is None else [Plane(Kind.CONSTRAINT, found[0], -found[1])]

    def project(self, z):
        return self.feasible.project(z)


def random_pool(rng, n):
    pool = Polyhedron(n)
    for _ in range(int(rng.integers(1, 5))):
        pool.add(Plane(Kind.OBJECTIVE, rng.normal(size=n), rng.normal()))
    inside = rng.uniform(0, 0.5, size=n)  # a point of every set below
    for _ in range(int(rng.integers(0, 6))):
        normal = 10.0 ** rng.integers(-3, 4) * rng.normal(size=n)
        pool.add(Plane(Kind.GAP, normal, -float(normal @ inside) - np.linalg.norm(normal) * rng.uniform(0, 1)))
    return pool, inside


def bounding(pool, z):
    use = pool.bounding
    return [pool.normals[use] @ z + pool.offsets[use] <= 0] if use.any() else []


@given(SEEDS, st.integers(2, 6))
def test_the_linear_master_agrees_with_cvxpy(seed, n):
    rng = np.random.default_rng(seed)
    pool, _ = random_pool(rng, n)
    feasible = Polytope(np.ones((1, n)), [0.75 * n], lower=0, upper=1)
    model = Plain(feasible, n)
    solution = LinearMaster(model).solve(pool, model.lower, model.upper, {})
    z, t = cp.Variable(n), cp.Variable()
    top = ~pool.bounding
    cons = [*as_constraints(feasible, z, n), *bounding(pool, z), pool.normals[top] @ z + pool.offsets[top] <= t]
    assert solution.height == pytest.approx(solve(t, cons), abs=1e-7)
    assert float(np.max(pool.residuals(solution.point)[pool.bounding], initial=0.0)) <= 1e-8
    assert float(np.max(pool.residuals(solution.point)[top])) == pytest.approx(solution.height, abs=1e-8)


@given(SEEDS, st.integers(2, 6), st.sampled_from(["project", "level", "proximal"]))
def test_masters_on_a_pool_and_a_curved_set_agree_with_cvxpy(seed, n, which):
    rng = np.random.default_rng(seed)
    pool, inside = random_pool(rng, n)
    feasible = Ball(0.6 * np.sqrt(n), 0.1)
    center = 2 * rng.normal(size=n)
    state = State(center, n, 0, pool, center)
    top = ~pool.bounding
    slopes, offsets = pool.normals[top].copy(), pool.offsets[top].copy()
    z, t = cp.Variable(n), cp.Variable()
    cons = [*as_constraints(feasible, z, n), *bounding(pool, z)]
    objective = cp.sum_squares(z - center) / 2
    options = {}
    if which == "level":
        options["level"] = float(np.max(slopes @ inside + offsets)) + 0.01
        cons.append(slopes @ z + offsets <= options["level"])
    elif which == "proximal":
        options["weight"] = float(rng.uniform(0.1, 5))
        objective = objective + options["weight"] * t
        cons.append(slopes @ z + offsets <= t)
    point = nearest_in(Plain(feasible, n), state, center, **options)
    solve(objective, cons)
    assert violation(feasible, point) <= 1e-9
    np.testing.assert_allclose(point, z.value, atol=2e-5)
    assert pool.multipliers.min() >= 0
    if which == "proximal":
        assert pool.multipliers[~pool.bounding].sum() == pytest.approx(options["weight"], rel=1e-6)
