"""Where the answer is known in closed form, every method and both formulations find it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutplane import BilevelProblem, BilevelSolver, Box, LinearConstraint, Polytope, SolutionMap
from cutplane.core.cuts import gradient_cut
from cutplane.core.pool import Kind, Polyhedron
from cutplane.methods import METHODS
from cutplane.sets import violation

CONTINUOUS = tuple(name for name in METHODS if name != "outer")  # which is for whole numbers

BOTH = ("joint", "reduced")
SEEDS = st.integers(0, 10**6)


@pytest.mark.parametrize("formulation", BOTH)
@pytest.mark.parametrize("method", CONTINUOUS)
@settings(max_examples=8)
@given(seed=SEEDS, n_x=st.integers(1, 4), n_y=st.integers(1, 4))
def test_random_quadratic_problems_to_the_closed_form(quadratic_bilevel, method, formulation, seed, n_x, n_y):
    case = quadratic_bilevel(seed, n_x, n_y)
    solver = BilevelSolver(method=method, formulation=formulation, epsilon=1e-8, max_iterations=6000)
    result = solver.solve(case.problem, np.zeros(n_x), np.zeros(n_y))
    assert result.fun == pytest.approx(case.fun, abs=2e-6)
    np.testing.assert_allclose(result.x, case.x, atol=2e-3)
    assert result.lower_gap <= 3e-8
    # the bound is one over {gap ≤ ε}: below the optimum, and below the value
    assert result.bound is not None and result.bound <= case.fun + 1e-9 and result.bound <= result.fun
    assert result.success or method == "primal-dual"


@settings(max_examples=12)
@given(seed=SEEDS, formulation=st.sampled_from(BOTH))
def test_level_certifies_a_relative_gap_of_1e_6(quadratic_bilevel, seed, formulation):
    case = quadratic_bilevel(seed, x_set=Box(-1, 1), y_set=Box(-20, 20))
    solver = BilevelSolver(method="level", formulation=formulation, epsilon=1e-9, tolerance=1e-6)
    result = solver.solve(case.problem, np.zeros(3), np.zeros(4))
    assert result.success and result.bound_radius == np.inf
    assert result.gap <= 1.01e-6 * max(1.0, abs(result.fun))


ORACLE_1 = [(2.0, 1.0, 1e-4), (1.5, 0.5, 0.25), (3.0, 2.0, 1e-6), (1.2, 0.9, 0.01)]


@pytest.mark.parametrize("method", CONTINUOUS)
@pytest.mark.parametrize(("t", "kappa", "epsilon"), ORACLE_1)
def test_the_relaxed_chain_has_its_closed_form(method, t, kappa, epsilon):
    """min (y − t)²/2 s.t. (y − κs)² ≤ ε, s ∈ [0, 1]: s* = 1, y* = κ + √ε where t exceeds that."""
    problem = BilevelProblem(
        lambda s, y: (float((y - t) @ (y - t)) / 2, 0 * s, y - t),
        SolutionMap(lambda s: kappa * s, lambda s, v: kappa * v, norm="squared"), Box(0, 1), convex=True,
    )  # fmt: skip
    result = BilevelSolver(method=method, epsilon=epsilon).solve(problem, [0.3], [0.0])
    assert result.success
    assert result.x[0] == pytest.approx(1.0, abs=1e-4)
    assert result.y[0] == pytest.approx(kappa + np.sqrt(epsilon), abs=1e-4)
    assert result.fun == pytest.approx((t - kappa - np.sqrt(epsilon)) ** 2 / 2, abs=1e-4)


@pytest.mark.parametrize("formulation", BOTH)
@pytest.mark.parametrize("method", CONTINUOUS)
def test_the_quadratic_problem_with_default_options(quadratic_bilevel, method, formulation):
    case = quadratic_bilevel(11)
    result = BilevelSolver(method=method, formulation=formulation).solve(case.problem, np.ones(3), np.zeros(4))
    assert result.success and result.fun == pytest.approx(case.fun, abs=1e-4)


@pytest.mark.parametrize("formulation", BOTH)
@pytest.mark.parametrize("method", CONTINUOUS)
@settings(max_examples=3)
@given(seed=SEEDS)
def test_every_iterate_lies_in_both_sets(quadratic_bilevel, method, formulation, seed):
    budget = Polytope(np.ones((1, 4)), [1.0], lower=0, upper=1)
    ball = Polytope(np.vstack([np.eye(3), -np.ones((1, 3))]), [0.4, 0.4, 0.4, 1.0])
    case = quadratic_bilevel(seed, 4, 3, x_set=budget, y_set=ball)
    solver = BilevelSolver(
        method=method, formulation=formulation, epsilon=1e-6, max_iterations=150, x_scale=3.0, y_scale=0.5,
        **({"phase1_iterations": 60} if method == "primal-dual" else {}),
    )  # fmt: skip
    state = solver.init(case.problem, np.full(4, 0.1), np.zeros(3))
    model = state.runtime["model"]
    while state.status.code == 0:
        solver.step(case.problem, state)
        x, y = model.split(state.point)
        assert violation(budget, x) <= 1e-9
        assert formulation == "reduced" or violation(ball, y) <= 1e-9
    result = solver.solve(case.problem, state=state)
    assert violation(budget, result.x) <= 1e-9


def hold_x_and_halve(norm, steps):
    """Project y on the newest cut at a fixed x, over and over: (y, distance) as it goes."""
    target = np.array([1.0, -2.0, 0.5])
    lower = SolutionMap(lambda x: target, lambda x, v: np.zeros(1), norm=norm)
    y, distances = np.array([5.0, 3.0, -4.0]), []
    for _ in range(steps):
        distances.append(float(np.linalg.norm(y - target)))
        value, _, gradient = lower.gap(np.zeros(1), y)
        if value == 0:
            break
        pool = Polyhedron(3)
        pool.add(gradient_cut(Kind.GAP, y, value, gradient))
        y = y - pool.residuals(y)[0] * pool.normals[0]
    return distances


def test_at_epsilon_zero_the_squared_norm_halves_and_the_plain_one_is_exact_in_one_cut():
    halving = hold_x_and_halve("squared", 20)
    np.testing.assert_allclose(np.array(halving[1:]) / halving[:-1], 0.5, rtol=1e-9)
    exact = hold_x_and_halve("plain", 3)
    assert exact[0] > 5 and exact[1] <= 1e-14 * exact[0]


@settings(max_examples=10)
@given(seed=SEEDS)
def test_a_linear_row_holds_exactly_and_at_the_optimum(quadratic_bilevel, seed):
    rng = np.random.default_rng(seed)
    A_x, A_y = rng.normal(size=(1, 3)), rng.normal(size=(1, 4))
    case = quadratic_bilevel(seed)
    b = float((A_x @ case.x + A_y @ case.y)[0]) - 0.3  # cuts the free optimum off
    problem = quadratic_bilevel(seed, constraints=LinearConstraint(A_x, A_y, [b])).problem
    row = (A_x + A_y @ case.reaction)[0]
    # min ½xᵀPx − qᵀx on row·x = b, by its optimality conditions
    P = case.reaction.T @ case.reaction + 0.5 * np.eye(3)
    shift = np.linalg.solve(P, row)
    x = case.x - shift * (row @ case.x - b) / (row @ shift)
    truth = problem.upper(x, case.reaction @ x)[0]
    for method in ("linear", "level", "proximal"):
        result = BilevelSolver(method=method, epsilon=1e-8).solve(problem, np.zeros(3) + x, case.reaction @ x)
        assert result.success and result.fun == pytest.approx(truth, abs=3e-6)
        assert (A_x @ result.x + A_y @ result.y)[0] <= b + 1e-7
