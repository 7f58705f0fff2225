"""Phase 1 at rest is the penalty's stationary point at ρ = 1/c₁."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cutplane import BilevelSolver, Box
from cutplane.core.pool import Kind, Plane
from cutplane.methods.penalty import Penalty
from cutplane.methods.phase1 import Phase1


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), c1=st.sampled_from([0.03, 0.1, 1.0]), boxed=st.booleans())
def test_a_fixed_point_of_phase_1_is_stationary_for_the_penalty(quadratic_bilevel, seed, c1, boxed):
    rng = np.random.default_rng(seed)
    case = quadratic_bilevel(seed, x_set=Box(-0.3, 0.3) if boxed else None)
    solver = BilevelSolver()
    state = solver.init(case.problem, np.zeros(3), np.zeros(4))
    for _ in range(3):
        state.pool.add(Plane(Kind.GAP, rng.normal(size=7), rng.normal()))
    # the planes stay as they are
    model, phase1 = state.runtime["model"], Phase1(10**9, None, None, None, regularisation=c1)
    for _ in range(20_000):
        if phase1.move(model, state, solver).step <= 1e-12:
            break
        state.nit += 1
    excess = np.maximum(state.pool.residuals(state.point), 0.0)
    np.testing.assert_allclose(state.pool.multipliers, excess / c1, atol=1e-6)
    _, gradient = model.objective(state.point)
    slope = gradient + state.pool.normals.T @ (excess / c1)
    at_rest = model.project(state.point - slope) - state.point
    assert np.linalg.norm(at_rest) <= 1e-5

    # and the hand-over starts there: the penalty phase has nowhere to go at this ρ
    before, penalty = state.point.copy(), Penalty(c1, 10.0)
    penalty.start(model, state)
    assert float(state.memory["rho"]) == 1 / c1
    penalty.move(model, state, solver)
    assert np.linalg.norm(state.point - before) <= 1e-4
