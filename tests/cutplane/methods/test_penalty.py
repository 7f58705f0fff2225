"""Phase 2 and the hand-over between the phases."""

from itertools import pairwise

import numpy as np
import pytest

from cutplane import BilevelProblem, BilevelSolver, Box, MuCut, PrimalDual, SolutionMap, Status
from cutplane.core.pool import Kind, Plane
from cutplane.methods.penalty import Penalty


def upper(x, y):
    return float((y - 3) @ (y - 3)) / 2, 0 * x, y - 3


@pytest.fixture
def problem():
    return BilevelProblem(upper, SolutionMap(lambda x: x.copy(), lambda x, v: v), Box(0, 1), convex=True)


def test_the_penalty_starts_at_one_over_c1_and_grows(problem):
    solver = BilevelSolver(PrimalDual(regularisation=0.01, phase1_iterations=5, penalty_growth=4.0), epsilon=0.1)
    state = solver.init(problem, [0.5], [0.5])
    seen = []
    while state.status is Status.RUNNING and len(seen) < 3000:
        solver.step(problem, state)
        if state.phase == 2:
            seen.append(float(state.memory["rho"]))
    assert seen[0] == 100.0
    jumps = {round(b / a, 6) for a, b in pairwise(seen) if b > a}
    assert jumps == {4.0}


def test_phase_2_minimises_the_penalised_objective_on_the_planes_as_they_are(problem):
    solver = BilevelSolver(epsilon=0.1)
    state = solver.init(problem, [0.2], [0.0])
    a = np.array([-1.0, 1.0]) / np.sqrt(2)
    state.pool.add(Plane(Kind.GAP, a, 0.0))
    model, penalty = state.runtime["model"], Penalty(0.1, 10.0)
    penalty.start(model, state)
    rho = float(state.memory["rho"])
    while float(state.memory["rho"]) == rho:
        before = state.point.copy()
        penalty.move(model, state, solver)
    # x = 1 at its bound; (y − 3) + ρ [a·z]₊ a_y = 0
    excess = a @ before
    assert before[0] == pytest.approx(1.0)
    assert (before[1] - 3) + rho * excess * a[1] == pytest.approx(0.0, abs=1e-5)
    assert state.pool.size == 1


def test_a_gap_that_the_planes_miss_starts_another_round(problem):
    solver = BilevelSolver(PrimalDual(phase1_iterations=10, cut_every=50), epsilon=1e-6)
    result = solver.solve(problem, [0.5], [0.0])
    phases = result.history.to_dict()["phase"]
    rounds = int(np.sum((phases[1:] == 1) & (phases[:-1] == 2)))
    assert rounds >= 1 and result.success
    assert result.fun == pytest.approx(2.0, abs=1e-4)


def test_the_point_returned_is_the_one_it_came_to_even_if_the_oracle_cannot_restore():
    class GapOnly:
        def gap(self, x, y):
            return float((y - x) @ (y - x)), -2 * (y - x), 2 * (y - x)

    for convex in (True, False):
        problem = BilevelProblem(upper, GapOnly(), Box(0, 1), convex=convex)
        result = BilevelSolver(epsilon=0.25).solve(problem, [0.5], [0.5])
        assert result.success and result.fun == pytest.approx(1.125, abs=1e-6)
        assert result.lower_gap <= 0.25 + 1e-7


def test_a_point_that_no_valid_mu_cut_can_mend_is_not_called_a_success():
    class GapOnly:
        def gap(self, x, y):
            return float((y - x) @ (y - x)), -2 * (y - x), 2 * (y - x)

    problem = BilevelProblem(upper, GapOnly(), Box(0, 1))
    solver = BilevelSolver(PrimalDual(phase1_iterations=50), epsilon=0.01, cut=MuCut(1.0, 1.0))
    result = solver.solve(problem, [0.5], [0.5])
    assert result.status is Status.STALLED and not result.success
    # valid cuts alone reach h ≤ ε + (μ/2) Δ² at best
    assert 0.01 < result.lower_gap <= 0.01 + 0.5 + 1e-2
