"""Outer approximation against enumeration, and a run that stops, goes on, is refused or proves nothing."""

import itertools

import numpy as np
import pytest

from cutplane import (
    BilevelProblem,
    BilevelSolver,
    Box,
    InputError,
    OuterApproximation,
    Polytope,
    SolutionMap,
    State,
    Status,
    minimise,
)
from cutplane.sets import fixed, violation


def random_problem(seed):
    """A convex problem of up to six whole numbers, its set and the value at every point of it."""
    rng = np.random.default_rng(seed)
    n, n_y, kind, binary = (
        int(rng.integers(1, 7)),
        int(rng.integers(1, 4)),
        int(rng.integers(3)),
        rng.random() < 0.5,
    )
    lower = np.zeros(n) if binary else rng.integers(-2, 2, size=n).astype(float)
    upper = lower + (1.0 if binary else rng.integers(0, 4, size=n))
    M, c, g, t = rng.normal(size=(n_y, n)), rng.normal(size=n_y), rng.normal(size=n), 2 * rng.normal(size=n_y)
    H = (lambda Q: Q.T @ Q + 0.1 * np.eye(n_y))(rng.normal(size=(n_y, n_y)))

    def fun(x, y):
        r = y - t
        if kind == 0:
            return float(r @ H @ r / 2 + g @ x), g.copy(), H @ r
        if kind == 1:
            return float(np.abs(r).sum() + g @ x), g.copy(), np.sign(r)
        return float(np.exp(r).sum() + g @ x + x @ x), g + 2 * x, np.exp(r)

    if binary and n > 2 and rng.random() < 0.5:
        k = int(rng.integers(1, n))
        x_set = Polytope(A_eq=np.ones((1, n)), b_eq=[k], lower=lower, upper=upper, integer=True)
    elif rng.random() < 0.4:
        A = rng.normal(size=(2, n))
        b = A @ np.rint((lower + upper) / 2) + rng.uniform(0.01, 1, size=2)
        x_set = Polytope(A_ub=A, b_ub=b, lower=lower, upper=upper, integer=True)
    else:
        x_set = Box(lower, upper, integer=True)
    lower_level = SolutionMap(lambda x: M @ x + c, lambda x, v: M.T @ v)
    problem = BilevelProblem(fun, lower_level, x_set=x_set, convex=True)
    points = itertools.product(*[np.arange(a, b + 1) for a, b in zip(lower, upper, strict=True)])
    inside = [p for p in map(np.array, points) if violation(x_set, p) <= 1e-9]
    return problem, n, min(fun(p, M @ p + c)[0] for p in inside)


def against_enumeration(seed, formulation):
    problem, n, truth = random_problem(seed)
    x0 = problem.x_set.project(np.zeros(n))
    result = BilevelSolver("outer", formulation=formulation).solve(problem, x0, problem.lower.solution(x0))
    size = max(1.0, abs(truth))
    assert result.status is Status.OPTIMAL, (seed, result.message)
    assert abs(result.fun - truth) <= 2e-6 * size and result.gap <= 2e-6 * size
    # in the joint form y may miss its answer by the feasibility, and F is bounded over that
    assert result.bound <= truth + (1e-9 if formulation == "reduced" else 0.0) * size
    assert np.array_equal(result.x, np.rint(result.x)) and violation(problem.x_set, result.x) <= 1e-9


@pytest.mark.parametrize("seed", range(500, 512))
def test_it_is_the_best_of_all_points(seed):
    against_enumeration(seed, "reduced")


@pytest.mark.parametrize("seed", range(600, 604))
def test_it_is_the_best_of_all_points_in_the_joint_form(seed):
    against_enumeration(seed, "joint")


@pytest.mark.slow
@pytest.mark.parametrize("formulation", ["reduced", "joint"])
def test_five_hundred_problems_against_enumeration(formulation):
    for seed in range(500):
        against_enumeration(seed, formulation)


def mixed(seed=1):
    rng = np.random.default_rng(seed)
    M, c, t, g = rng.normal(size=(3, 4)), rng.normal(size=3), 2 * rng.normal(size=3), rng.normal(size=4)
    H = (lambda Q: Q.T @ Q + 0.3 * np.eye(3))(rng.normal(size=(3, 3)))
    return BilevelProblem(
        lambda x, y: (float((y - t) @ H @ (y - t) / 2 + g @ x), g.copy(), H @ (y - t)),
        SolutionMap(lambda x: M @ x + c, lambda x, v: M.T @ v),
        x_set=Polytope(
            rng.normal(size=(1, 4)), [0.7], lower=0, upper=1, integer=np.array([1, 0, 1, 0], dtype=bool)
        ),
        convex=True,
    )


@pytest.mark.parametrize("formulation", ["reduced", "joint"])
def test_other_entries_beside_whole_numbers(formulation):
    problem, least = mixed(), np.inf
    for i, j in itertools.product((0.0, 1.0), repeat=2):
        try:
            part = fixed(problem.x_set, np.array([i, 0.0, j, 0.0]))
        except InputError:
            continue
        held = BilevelProblem(problem.upper, problem.lower, part, convex=True)
        x0 = part.project(np.zeros(4))
        solver = BilevelSolver("level", formulation="reduced", tolerance=1e-7)
        least = min(least, solver.solve(held, x0, held.lower.solution(x0)).fun)
    x0 = problem.x_set.project(np.zeros(4))
    result = BilevelSolver("outer", formulation=formulation).solve(problem, x0, problem.lower.solution(x0))
    assert result.success and result.fun == pytest.approx(least, abs=2e-6 * max(1, abs(least)))


def test_whole_numbers_are_whole_under_any_scale():
    problem, n, truth = random_problem(503)
    x0 = problem.x_set.project(np.zeros(n))
    solver = BilevelSolver("outer", formulation="reduced", x_scale=0.3)
    result = solver.solve(problem, x0, problem.lower.solution(x0))
    assert result.fun == pytest.approx(truth, abs=1e-5) and np.allclose(result.x, np.rint(result.x), atol=1e-9)


def test_a_state_goes_on_to_the_same_bits(tmp_path):
    problem = mixed()
    x0 = problem.x_set.project(np.zeros(4))
    y0 = problem.lower.solution(x0)
    whole = BilevelSolver("outer", formulation="reduced").solve(problem, x0, y0)
    seen = {record.phase for record in whole.history}
    assert seen == {1, 2}
    for stop in sorted({1, whole.nit // 2, whole.nit - 2, whole.nit - 1}):
        part = BilevelSolver("outer", formulation="reduced", max_iterations=stop).solve(problem, x0, y0)
        part.state.save(tmp_path / "state.npz")
        rest = BilevelSolver("outer", formulation="reduced").solve(
            problem, state=State.load(tmp_path / "state.npz")
        )
        assert rest.x.tobytes() == whole.x.tobytes() and (rest.nit, rest.nfev) == (whole.nit, whole.nfev)
        assert rest.bound == whole.bound


def test_a_callback_stops_it_and_the_value_is_kept():
    problem = mixed()
    x0 = problem.x_set.project(np.zeros(4))
    result = BilevelSolver("outer", formulation="reduced").solve(
        problem, x0, problem.lower.solution(x0), callback=lambda record: record.phase == 2
    )
    assert result.status is Status.CALLBACK and result.bound <= result.fun
    assert np.array_equal(result.x[[0, 2]], np.rint(result.x[[0, 2]]))


def test_minimise_takes_it_and_others_refuse_by_name():
    problem, n, truth = random_problem(501)
    x0 = problem.x_set.project(np.zeros(n))
    found = minimise(problem, x0, problem.lower.solution(x0))
    assert found.message.startswith("outer, reduced") and found.fun == pytest.approx(truth, abs=1e-5)
    for method in ("primal-dual", "linear", "level", "proximal"):
        with pytest.raises(InputError, match="method='outer'"):
            BilevelSolver(method).solve(problem, x0, problem.lower.solution(x0))
    plain = BilevelProblem(problem.upper, problem.lower, Box(0, 1), convex=True)
    with pytest.raises(InputError, match="x_set has none"):
        BilevelSolver(OuterApproximation()).solve(plain, np.zeros(n), problem.lower.solution(x0))
    with pytest.raises(InputError, match=r"problem\.x_set\.project"):
        BilevelSolver("outer").solve(problem, x0 + 0.5, problem.lower.solution(x0))


def bent(convex):
    """F = −Σ (x − 0.4)² + x₁: concave in x, least at (0, 1, 1, 1)."""
    return BilevelProblem(
        lambda x, y: (float(-((y - 0.4) ** 2).sum() + x[0]), np.eye(4)[0], -2 * (y - 0.4)),
        SolutionMap(lambda x: x, lambda x, v: v), Box(0, 1, integer=True), convex=convex,
    )  # fmt: skip


def test_without_a_declaration_there_is_no_bound():
    result = BilevelSolver("outer", formulation="reduced").solve(bent(False), np.zeros(4), np.zeros(4))
    assert result.status is Status.TESTED and result.bound is None
    assert result.fun == pytest.approx(-0.16 - 3 * 0.36) and result.x.tolist() == [0, 1, 1, 1]


def test_a_wrong_declaration_is_no_bound():
    result = BilevelSolver("outer", formulation="reduced").solve(bent(True), np.zeros(4), np.zeros(4))
    assert result.status is Status.NOT_CONVEX and result.bound is None and not result.success


def test_no_whole_point_between_the_planes_is_said():
    problem = BilevelProblem(
        lambda x, y: (float(x[0]), np.ones(1), np.zeros(1)), SolutionMap(lambda x: x, lambda x, v: v),
        Box(0, 1, integer=True),
        constraints=(lambda x, y: (np.abs(y - 0.5) - 0.3, np.zeros((1, 1)), np.sign(y - 0.5)[None]),),
        convex=True,
    )  # fmt: skip
    result = BilevelSolver("outer", formulation="reduced").solve(problem, [0.0], [0.0])
    assert result.status is Status.EMPTY and not result.success


def test_a_pool_too_small_is_an_error_by_name():
    problem, n, _ = random_problem(504)
    x0 = problem.x_set.project(np.zeros(n))
    result = BilevelSolver("outer", formulation="reduced", max_planes=3).solve(
        problem, x0, problem.lower.solution(x0)
    )
    assert result.status is Status.FAILED and "raise max_planes" in result.message
