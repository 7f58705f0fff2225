"""Bounds: monotone while planes are only added, below the optimum always, and lost to nothing that is dropped."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutplane import BilevelProblem, BilevelSolver, Box, Polyhedron, SolutionMap, Status
from cutplane.core.pool import Kind, Plane
from cutplane.masters.certificate import relaxed_bound
from cutplane.masters.linear import LinearMaster

SEEDS = st.integers(0, 10**6)
MASTERS = ("linear", "level", "proximal")


@pytest.mark.parametrize("formulation", ["joint", "reduced"])
@pytest.mark.parametrize("method", MASTERS)
@settings(max_examples=5)
@given(seed=SEEDS, norm=st.sampled_from(["plain", "squared"]))
def test_relaxed_optimum_rises_while_only_implied_planes_leave(quadratic_bilevel, method, formulation, seed, norm):
    case = quadratic_bilevel(seed, norm=norm, x_set=Box(-1, 1), y_set=Box(-20, 20))
    truth = min(
        BilevelSolver(method="proximal", formulation="reduced", tolerance=1e-10)
        .solve(case.problem, np.zeros(3), np.zeros(4)).fun, np.inf,
    )  # fmt: skip
    solver = BilevelSolver(method=method, formulation=formulation, epsilon=1e-8, patience=10**6, max_iterations=40)
    state = solver.init(case.problem, np.zeros(3), np.zeros(4))
    model, last = state.runtime["model"], -np.inf
    while state.status is Status.RUNNING:
        solver.step(case.problem, state)
        bound = relaxed_bound(model, state.pool, state.best).value
        assert bound >= last - 1e-8
        assert bound <= truth + 1e-7
        last = bound


@settings(max_examples=25)
@given(seed=SEEDS, method=st.sampled_from(["primal-dual", *MASTERS]), convex_y=st.booleans())
def test_bound_below_optimum_below_value(quadratic_bilevel, seed, method, convex_y):
    box = {"x_set": Box(-5, 5), "y_set": Box(-40, 40)} if convex_y else {}
    case = quadratic_bilevel(seed, gamma=1.0, **box)
    if np.abs(case.x).max() > 5:
        return
    solver = BilevelSolver(method=method, epsilon=1e-9, max_iterations=400)
    result = solver.solve(case.problem, np.zeros(3), np.zeros(4))
    assert result.bound is not None
    # ε and the feasibility allow the value to dip below by the price of the gap
    assert result.bound <= case.fun + 1e-9 and case.fun <= result.fun + 1e-6
    assert result.gap >= 0


def random_master(seed, n, planes):
    rng = np.random.default_rng(seed)
    pool, inside = Polyhedron(n), rng.uniform(-0.5, 0.5, size=n)
    for _ in range(planes):
        pool.add(Plane(Kind.OBJECTIVE, rng.normal(size=n), rng.normal()))
        normal = rng.normal(size=n)
        pool.add(Plane(Kind.GAP, normal, -float(normal @ inside) - rng.uniform(0, 0.5)))
    problem = BilevelProblem(
        lambda x, y: (0.0, 0 * x, 0 * y), SolutionMap(lambda x: x, lambda x, v: v), Box(-1, 1), convex=True
    )
    model = BilevelSolver(formulation="reduced").init(problem, np.zeros(n), np.zeros(n)).runtime["model"]
    return model, pool


@given(SEEDS, st.integers(2, 6), st.integers(2, 10))
def test_dropping_inactive_planes_keeps_the_optimum(seed, n, planes):
    model, pool = random_master(seed, n, planes)
    master = LinearMaster(model)
    solution = master.solve(pool, model.lower, model.upper, {})
    pool.note_activity(solution.multipliers > 0)
    pool.drop_inactive(patience=1)
    assert pool.size == np.sum(solution.multipliers > 0)
    after = master.solve(pool, model.lower, model.upper, {})
    assert after.height == pytest.approx(solution.height, abs=1e-8)


@given(SEEDS, st.integers(2, 6), st.integers(2, 10))
def test_dropping_dominated_and_redundant_planes_keeps_the_optimum(seed, n, planes):
    model, pool = random_master(seed, n, planes)
    before = LinearMaster(model).solve(pool, model.lower, model.upper, {}).height
    pool.drop_dominated(model.lower, model.upper)
    pool.drop(pool.redundant(model.lower, model.upper))
    assert LinearMaster(model).solve(pool, model.lower, model.upper, {}).height == pytest.approx(before, abs=1e-8)


@given(SEEDS, st.integers(2, 6), st.integers(2, 10))
def test_merged_planes_are_implied_and_keep_the_certificate(seed, n, planes):
    model, pool = random_master(seed, n, planes)
    solution = LinearMaster(model).solve(pool, model.lower, model.upper, {})
    pool.multipliers[:] = solution.multipliers
    old = Polyhedron.from_arrays(pool.to_arrays())
    while np.sum(pool.multipliers > 0) > 2:
        kinds = pool.kinds[pool.multipliers > 0]
        kind = int(np.bincount(kinds).argmax())
        active = np.flatnonzero((pool.multipliers > 0) & (pool.kinds == kind))
        if active.size < 2 or (kind == Kind.GAP and not pool._can_merge(*active[:2])):
            break
        pool.aggregate(active[:2])
    pool.drop(np.flatnonzero(pool.multipliers == 0))
    rng = np.random.default_rng(seed)
    for z in rng.uniform(-1, 1, size=(200, n)):
        if np.all(old.residuals(z)[old.bounding] <= 0):
            assert np.all(pool.residuals(z)[pool.bounding] <= 1e-9)
        top, old_top = pool.residuals(z)[~pool.bounding].max(), old.residuals(z)[~old.bounding].max()
        assert top <= old_top + 1e-9
    after = LinearMaster(model).solve(pool, model.lower, model.upper, {})
    assert after.height == pytest.approx(solution.height, abs=1e-7)


@settings(max_examples=10)
@given(seed=SEEDS, method=st.sampled_from(["linear", "proximal"]))
def test_a_small_pool_still_converges(quadratic_bilevel, seed, method):
    case = quadratic_bilevel(seed, 2, 2)
    solver = BilevelSolver(method=method, epsilon=1e-8, max_planes=8, max_iterations=2000)
    result = solver.solve(case.problem, np.zeros(2), np.zeros(2))
    assert result.fun == pytest.approx(case.fun, abs=1e-5)
    assert result.bound is None or result.bound <= case.fun + 1e-9
