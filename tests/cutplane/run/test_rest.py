"""What a rest is worth: gaps closed or said, points without an answer, planes that contradict each other."""

import time

import numpy as np
import pytest

from cutplane import (
    BilevelProblem,
    BilevelSolver,
    Box,
    InputError,
    LinearConstraint,
    MuCut,
    NoAnswerError,
    OracleError,
    QuadraticLevel,
    SolutionMap,
    Status,
)

BOTH = ("joint", "reduced")
LOCAL = ("linear", "primal-dual")
ALL = ("linear", "primal-dual", "level", "proximal")


def identity():
    return SolutionMap(lambda x: x.copy(), lambda x, v: v)


def towards(target):
    return lambda x, y: (float((y - target) @ (y - target)), 0 * x, 2 * (y - target))


# --- convex: a gap that is known is within the tolerance, or there is no success --------------------------------


@pytest.mark.parametrize("formulation", BOTH)
@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("seed", range(2))
def test_no_success_with_a_certified_gap_above_the_tolerance(method, formulation, seed):
    """max |a·y| over five rows: a polyhedral F, with its minimum 0 at 0, where smooth steps rest."""
    rows = np.random.default_rng(seed).normal(size=(5, 2))

    def upper(x, y):
        values = rows @ y
        k = int(np.argmax(np.abs(values)))
        return float(abs(values[k])), 0 * x, np.sign(values[k]) * rows[k]

    problem = BilevelProblem(upper, identity(), Box(-2, 3), convex=True)
    solver = BilevelSolver(method=method, formulation=formulation, max_iterations=3000)
    result = solver.solve(problem, [1.5, -1.0], [1.5, -1.0])
    assert not result.success or (result.gap <= 2e-6 and result.fun <= 2e-6)
    assert result.bound is None or result.bound <= 1e-12


def test_the_steps_that_close_a_gap_are_iterations_of_the_run_and_resume_to_the_bit(quadratic_bilevel, tmp_path):
    case, solver = quadratic_bilevel(0), BilevelSolver(epsilon=1e-8)
    state = solver.init(case.problem, np.zeros(3), np.zeros(4))
    halved = None
    while state.status is Status.RUNNING:
        solver.step(case.problem, state)
        if state.phase == 3 and halved is None and int(state.memory["closing"]) == 5:
            state.save(tmp_path / "closing.npz")
            halved = state.nit
    assert state.status is Status.OPTIMAL and halved is not None
    assert state.history[-1].phase == 3 and len(state.history) == state.nit
    again = solver.solve(case.problem, state=type(state).load(tmp_path / "closing.npz"))
    assert again.success and again.nit == state.nit and again.gap <= 2e-6
    np.testing.assert_array_equal(again.state.best, state.best)


# --- points without an answer -----------------------------------------------------------------------------------


def barrier(x, y):
    """−log(1 − y²) − y, finite for |y| < 1: 2y/(1 − y²) = 1 at √2 − 1."""
    if abs(y[0]) >= 1:
        return np.inf, 0 * x, 0 * y
    return float(-np.log(1 - y[0] ** 2) - y[0]), 0 * x, 2 * y / (1 - y**2) - 1


@pytest.mark.parametrize("formulation", BOTH)
@pytest.mark.parametrize("method", ALL)
def test_an_upper_objective_that_is_infinite_at_trial_points_is_a_null_step(method, formulation):
    problem = BilevelProblem(barrier, identity(), Box(-3, 3), convex=method in ("level", "proximal"))
    result = BilevelSolver(method=method, formulation=formulation).solve(problem, [0.0], [0.0])
    assert result.success and result.x[0] == pytest.approx(np.sqrt(2) - 1, abs=2e-3)


@pytest.mark.parametrize("convex", [True, False])
@pytest.mark.parametrize("method", LOCAL)
def test_a_follower_without_an_answer_at_a_trial_point_is_a_null_step(method, convex):
    """y* = √(x − 1) for x ≥ 1 alone; F = x + y² = 2x − 1 is least at the rim, where the follower ends."""

    def forward(x):
        if x[0] < 1:
            raise NoAnswerError("no root")
        return np.sqrt(x - 1)

    lower = SolutionMap(forward, lambda x, v: v / (2 * np.sqrt(np.maximum(x - 1, 1e-300))))
    problem = BilevelProblem(
        lambda x, y: (float(x[0] + y[0] ** 2), np.ones(1), 2 * y), lower, Box(-4, 4), convex=convex
    )
    solver = BilevelSolver(method=method, formulation="reduced", max_iterations=3000)
    result = solver.solve(problem, [3.0], [1.4])
    assert result.status is not Status.ORACLE and result.fun == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("method", LOCAL)
def test_x_without_a_feasible_y_is_cut_off_in_the_reduced_form(method):
    """0.2 + x/2 ≤ y ≤ x asks for x ≥ 0.4; F = (x + 1)² + y is least there: 1.96 + 0.4."""
    lower = QuadraticLevel(c=[1.0], A=[[1.0], [-1.0]], B=[[-1.0], [0.5]], b=[0.0, -0.2], lower=0.0)
    problem = BilevelProblem(
        lambda x, y: (float((x[0] + 1) ** 2 + y[0]), 2 * (x + 1), np.ones(1)), lower, Box(-3, 3), Box(0, 9)
    )
    for formulation in BOTH:
        result = BilevelSolver(method=method, formulation=formulation).solve(problem, [2.0], [1.2])
        assert result.success and result.fun == pytest.approx(2.36, abs=1e-4), result


def test_an_oracle_that_never_answers_again_ends_the_run():
    asked = 0

    def upper(x, y):
        nonlocal asked
        asked += 1
        return (np.nan if asked > 3 else float(y @ y)), 0 * x, 2 * y

    for method in LOCAL:
        asked = 0
        result = BilevelSolver(method=method).solve(BilevelProblem(upper, identity(), Box(-1, 1)), [0.5], [0.5])
        assert result.status is Status.ORACLE and "upper value is not finite" in result.message


# --- planes that contradict each other --------------------------------------------------------------------------


@pytest.mark.parametrize("formulation", BOTH)
def test_a_start_in_the_hole_of_a_ring_is_not_called_infeasible(formulation):
    """1 ≤ ‖x‖² ≤ 1.21: tangents made in the hole point one way out. The nearest to g = (2, ½) is 1.1 g/‖g‖."""
    goal = np.array([2.0, 0.5])

    def ring(x, y):
        return np.array([1 - x @ x, x @ x - 1.21]), np.stack([-2 * x, 2 * x]), np.zeros((2, 2))

    problem = BilevelProblem(
        lambda x, y: (float((x - goal) @ (x - goal)), 2 * (x - goal), 0 * y),
        identity(),
        Box(-2, 2),
        constraints=ring,
    )
    solver = BilevelSolver(method="linear", formulation=formulation)
    result = solver.solve(problem, [0.1, 0.0], [0.1, 0.0])
    assert result.success and result.x == pytest.approx(1.1 * goal / np.linalg.norm(goal), abs=1e-3)


@pytest.mark.parametrize("method", LOCAL)
def test_exact_rows_that_contradict_each_other_are_infeasible_all_the_same(method):
    rows = LinearConstraint([[1.0], [-1.0]], [[0.0], [0.0]], [-0.5, -0.5])
    problem = BilevelProblem(towards(2.0), identity(), Box(-1, 1), constraints=rows)
    result = BilevelSolver(method=method, max_iterations=3000).solve(problem, [0.0], [0.0])
    assert not result.success
    if method == "linear":
        assert result.status is Status.EMPTY and "0 (linear), 1 (linear)" in result.message


# --- scale, precision, noise ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ALL)
def test_a_tiny_set_of_y_holds_where_its_scale_is_given(method):
    """min (x − 1)², y* = c·x, y ≤ c/2 with c = 1e-9: x ≤ ½, and F = ¼."""
    c = 1e-9
    problem = BilevelProblem(
        lambda x, y: (float((x[0] - 1) ** 2), 2 * (x - 1), 0 * y),
        SolutionMap(lambda x: c * x, lambda x, v: c * v),
        Box(0, 2),
        Box(0, c / 2),
        convex=True,
    )
    solver = BilevelSolver(method=method, formulation="reduced", y_scale=c)
    result = solver.solve(problem, [0.1], [0.1 * c])
    assert result.success and result.fun == pytest.approx(0.25, abs=2e-6) and result.bound <= 0.25 + 1e-9
    # ε is a gap: a tenth of it in y is a tenth of c, and gives x ≤ 0.51
    joint = BilevelSolver(method=method, y_scale=c, epsilon=1e-2 * c).solve(problem, [0.1], [0.1 * c])
    assert joint.success and joint.fun == pytest.approx(0.49**2, abs=2e-6)


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("seed", range(4))
def test_single_precision_finds_no_empty_set_where_there_is_a_point(method, seed):
    """y = Mx in float32: planes of a gap that rounding moves leave nothing between them, taken as exact ones."""
    rng = np.random.default_rng(seed)
    matrix, target = rng.normal(size=(3, 3)).astype(np.float32), rng.normal(size=3).astype(np.float32)
    problem = BilevelProblem(
        lambda x, y: (np.float32((y - target) @ (y - target)), 0 * x, 2 * (y - target)),
        SolutionMap(lambda x: matrix @ x, lambda x, v: matrix.T @ v),
        Box(-1, 1),
        convex=seed % 2 == 0 or method in ALL[2:],
    )
    zero = np.zeros(3, dtype=np.float32)
    result = BilevelSolver(method=method, max_iterations=1500).solve(problem, zero, zero)
    assert result.status is not Status.EMPTY and result.x.dtype == np.float32 and result.bound is None
    double = BilevelProblem(
        lambda x, y: (float((y - target) @ (y - target)), 0 * x, 2 * (y - target.astype(float))),
        SolutionMap(lambda x: matrix.astype(float) @ x, lambda x, v: matrix.T.astype(float) @ v),
        Box(-1, 1),
        convex=True,
    )
    exact = BilevelSolver(method="level", formulation="reduced").solve(double, np.zeros(3), np.zeros(3))
    assert not result.success or result.fun == pytest.approx(exact.fun, abs=2e-4 * (1 + exact.fun))


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("seed", range(3))
def test_noise_in_a_gap_that_was_not_declared_is_no_success(method, seed):
    rng = np.random.default_rng(seed)

    class Noisy:
        def gap(self, x, y):
            away = y - x
            length = np.linalg.norm(away)
            return float(length + 1e-3 * abs(rng.normal())), -away / (length + 1e-30), away / (length + 1e-30)

    problem = BilevelProblem(towards(2.0), Noisy(), Box(0, 1), convex=True)
    result = BilevelSolver(method=method, epsilon=1e-2, max_iterations=1500).solve(problem, [0.5], [0.5])
    assert not result.success


@pytest.mark.parametrize("cut", [MuCut(1.0, 1.0), MuCut(0.5, 0.3), MuCut(0.2, 1.0, form="ball")])
@pytest.mark.parametrize(("a", "b"), [(0.5, 1.0), (1.0, 2.0), (0.3, 0.2)])
def test_a_mu_cut_that_no_longer_separates_ends_in_success_at_the_optimum(cut, a, b):
    """y* = a sin x + b x: one variable, so that a fine grid knows the optimum."""
    lower = SolutionMap(lambda x: a * np.sin(x) + b * x, lambda x, v: (a * np.cos(x) + b) * v)
    problem = BilevelProblem(
        lambda x, y: (float((y - 0.8) @ (y - 0.8) + 0.1 * x @ x), 0.2 * x, 2 * (y - 0.8)),
        lower,
        Box(-2, 2),
        Box(-5, 5),
    )
    grid = np.linspace(-2, 2, 400_001)
    best = np.min((a * np.sin(grid) + b * grid - 0.8) ** 2 + 0.1 * grid**2)
    result = BilevelSolver(method="linear", cut=cut).solve(problem, [0.3], [0.2])
    assert result.success and result.fun == pytest.approx(best, abs=2e-6)


# --- states, options, limits ------------------------------------------------------------------------------------


def test_a_state_of_another_lower_level_or_other_rows_is_refused():
    def problem(factor=1.0, upper=1.0, rows=None):
        lower = SolutionMap(lambda x: factor * x, lambda x, v: factor * v)
        return BilevelProblem(towards(2.0), lower, Box(0, upper), constraints=() if rows is None else rows)

    for formulation in BOTH:
        solver = BilevelSolver(method="linear", formulation=formulation)
        state = solver.solve(problem(), [0.5], [0.5]).state
        with pytest.raises(InputError, match="another lower level"):
            solver.solve(problem(factor=3.0), state=state.copy())
        with pytest.raises(InputError, match="other sets or other linear rows"):
            solver.solve(problem(upper=2.0), state=state.copy())
        row = LinearConstraint([[1.0]], [[1.0]], [0.3])
        with pytest.raises(InputError, match="other sets or other linear rows"):
            solver.solve(problem(rows=row), state=state.copy())
        assert solver.solve(problem(), state=state.copy()).success


def test_a_limit_of_time_stops_a_run_that_goes_on_later():
    def slow(x, y):
        time.sleep(0.02)
        return towards(2.0)(x, y)

    problem = BilevelProblem(slow, identity(), Box(0, 1))
    result = BilevelSolver(time_limit=0.3).solve(problem, [0.5], [0.5])
    assert result.status is Status.TIME_LIMIT and not result.success and 0 < result.nit < 400
    assert result.fun == pytest.approx(towards(2.0)(result.x, result.y)[0])
    quick = BilevelProblem(towards(2.0), identity(), Box(0, 1))
    assert BilevelSolver().solve(quick, state=result.state).success


# --- what an attack from outside found --------------------------------------------------------------------------


@pytest.mark.parametrize("far", [1e9, 1e18])
def test_a_side_that_is_slack_by_far_forgives_no_other_row(far):
    """y ≤ ½ and ½ ≤ y ≤ x beside a bound of 1e18: of rows so far apart none may borrow the other's rounding."""
    level = QuadraticLevel(c=[-1.0], Q=[[1.0]], A=[[1.0]], b=[0.5], lower=-far, n_x=1)
    assert level.solution([0.0]) == pytest.approx([0.5]) and level.gap([0.0], [0.5])[0] == pytest.approx(0.0)
    level = QuadraticLevel(c=[-3.0], Q=[[1.0]], A=[[1.0], [-1.0]], B=[[-1.0], [0.0]], b=[0.0, -0.5], upper=far)
    with pytest.raises(NoAnswerError, match="no feasible y"):
        level.solution([0.4999])
    problem = BilevelProblem(lambda x, y: (float(x[0]), np.ones(1), 0 * y), level, Box(0, 1))
    for formulation in BOTH:
        result = BilevelSolver(method="linear", formulation=formulation).solve(problem, [0.8], [0.6])
        assert result.success and result.fun == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("question", [30, 60, 150])
@pytest.mark.parametrize("method", LOCAL)
def test_a_gap_that_answers_otherwise_at_the_end_is_no_success(method, question):
    class Changes:
        asked = 0

        def gap(self, x, y):
            self.asked += 1
            off = y - x + (0.4 if self.asked > question else 0.0)
            return float(abs(off[0])), -np.sign(off), np.sign(off)

    problem = BilevelProblem(towards(0.7), Changes(), Box(-1, 1))
    result = BilevelSolver(method=method).solve(problem, [-0.3], [-0.3])
    assert not result.success or result.lower_gap <= 1e-7


def test_a_state_whose_problem_agrees_at_the_start_alone_is_refused():
    """y* = x and y* = 0.3 x agree at x = 0, where the run began, and not where it came to."""

    def problem(slope):
        return BilevelProblem(towards(0.9), SolutionMap(lambda x: slope * x, lambda x, v: slope * v), Box(0, 1))

    state = BilevelSolver(method="linear", max_iterations=40).solve(problem(1.0), [0.0], [0.0]).state
    with pytest.raises(InputError, match="at its best point they answered otherwise"):
        BilevelSolver(method="linear").solve(problem(0.3), state=state.copy())


@pytest.mark.parametrize("method", LOCAL)
def test_a_steep_valley_with_a_flat_way_down_is_followed(method):
    """100 |x₂ − x₁| + x₁ on [−1, 1]²: it falls along (−1, −1) alone, by 1 per unit, to −1."""

    def upper(x, y):
        side = 100.0 * np.sign(y[1] - y[0])
        return float(100.0 * abs(y[1] - y[0]) + y[0]), 0 * x, np.array([1.0 - side, side])

    problem = BilevelProblem(upper, identity(), Box(-1, 1))
    result = BilevelSolver(method=method, formulation="reduced").solve(problem, [0.9, 0.2], [0.9, 0.2])
    assert not result.success or result.fun == pytest.approx(-1.0, abs=1e-4)


@pytest.mark.parametrize("method", ALL)
def test_a_forgotten_gradient_gives_no_bound_on_a_convex_problem(method):
    class Squared:
        def gap(self, x, y):
            return float((y - x) @ (y - x)), -2 * (y - x), 2 * (y - x)

    forgot = BilevelProblem(
        lambda x, y: (float((y - 0.7) @ (y - 0.7)), 0 * x, 0 * y), Squared(), Box(-1, 1), convex=True
    )
    result = BilevelSolver(method=method, max_iterations=2000).solve(forgot, [0.0], [0.0])
    assert not result.success and result.bound is None


def test_a_rest_at_a_concave_kink_of_many_variables_is_left():
    """−|y₁| + Σ |yⱼ| with sign(0) = 0 as its gradient at the start, 0: it falls by 1 per unit along y₁, to −1."""
    problem = BilevelProblem(
        lambda x, y: (float(-abs(y[0]) + np.abs(y[1:]).sum()), 0 * x, np.append(-np.sign(y[0]), np.sign(y[1:]))),
        identity(),
        Box(-1, 1),
    )
    result = BilevelSolver(method="linear", formulation="reduced").solve(problem, np.zeros(60), np.zeros(60))
    assert not result.success or result.fun == pytest.approx(-1.0, abs=1e-6)


@pytest.mark.parametrize(
    ("gap", "value", "x0", "words"),
    [
        (-5.0, 1.0, [0.5], "a gap is at least 0"),
        (0.0, np.ma.masked, [0.5], "masked"),
        (0.0, 1.0, [], "x0 is empty"),
    ],
)
def test_answers_that_are_none_are_named(gap, value, x0, words):
    lower = type("Fixed", (), {"gap": lambda self, x, y: (gap, 0 * x, 0 * y)})()
    problem = BilevelProblem(lambda x, y: (value, 0 * x, 0 * y), lower)
    with pytest.raises((InputError, OracleError), match=words):
        BilevelSolver(method="linear").solve(problem, x0, [0.5])


def test_a_limit_of_time_holds_within_an_examination():
    def slow(x, y):
        time.sleep(0.05)
        return towards(0.7)(x, y)

    begun = time.monotonic()
    result = BilevelSolver(method="linear", time_limit=1.0).solve(
        BilevelProblem(slow, identity(), Box(-1, 1)), [0.0], [0.0]
    )
    assert result.success or result.status is Status.TIME_LIMIT
    assert time.monotonic() - begun < 30  # the limit is one of sense here, not of speed
