"""The driver: options, callbacks, interrupts, oracles that fail, anchors that move, constraints, caps."""

import pickle
import re
from dataclasses import FrozenInstanceError, asdict, replace

import numpy as np
import pytest

from cutplane import (
    BilevelProblem,
    BilevelSolver,
    Box,
    EmptyPolyhedronError,
    InputError,
    Level,
    LinearConstraint,
    MuCut,
    OracleError,
    Polytope,
    PrimalDual,
    Proximal,
    SolutionMap,
    Status,
)
from cutplane.errors import ProjectionError
from cutplane.methods import METHODS

ALL = tuple(name for name in METHODS if name != "outer")  # which is for whole numbers


def own(method, **options):
    """Options of the primal-dual method, for it alone."""
    return options if method == "primal-dual" else {}


BOTH = ("joint", "reduced")


def identity(norm="plain"):
    return SolutionMap(lambda x: x.copy(), lambda x, v: v, norm=norm)


def upper(x, y):
    return float((y - 2) @ (y - 2)) / 2, 0 * x, y - 2


def test_an_unknown_option_is_never_ignored():
    with pytest.raises(TypeError, match="BilevelSolver has no option 'epsilom', and no method has"):
        BilevelSolver(epsilom=1e-6)


def test_a_solver_is_its_options_and_copies_with_others():
    solver = BilevelSolver(PrimalDual(cut_every=3), epsilon=1e-4, formulation="reduced")
    other = replace(solver, epsilon=1e-5)
    assert (other.method, other.epsilon, other.formulation) == (PrimalDual(cut_every=3), 1e-5, "reduced")
    assert solver == BilevelSolver("primal-dual", cut_every=3, epsilon=1e-4, formulation="reduced") != other
    assert pickle.loads(pickle.dumps(solver)) == solver
    with pytest.raises(FrozenInstanceError):
        solver.epsilon = 1.0
    # two methods without options are told apart where options are written down, too
    assert asdict(BilevelSolver(Level())) != asdict(BilevelSolver(Proximal()))


def test_requirements_that_contradict_each_other_are_refused():
    convex = BilevelProblem(upper, identity(), convex=True)
    with pytest.raises(InputError, match=r"cut=MuCut\(...\) is for weakly convex gaps"):
        BilevelSolver(cut=MuCut(1.0, 1.0)).init(convex, [0.0], [0.0])
    with pytest.raises(InputError, match="solve needs x0 and y0, or a state"):
        BilevelSolver().solve(convex, [0.0])
    with pytest.raises(InputError, match="y0 is not an array of numbers"):
        BilevelSolver(formulation="reduced").init(convex, [0.0], "abc")


@pytest.mark.parametrize("method", ALL)
def test_callbacks_see_each_record_and_may_stop_the_run(quadratic_bilevel, method):
    problem, seen = quadratic_bilevel(0).problem, []
    solver = BilevelSolver(method=method, epsilon=1e-8)
    result = solver.solve(
        problem, np.zeros(3), np.zeros(4), callback=[seen.append, lambda record: record.iteration == 4]
    )
    assert result.status is Status.CALLBACK and not result.success and result.nit == 4
    assert [record.iteration for record in seen] == [1, 2, 3, 4] and seen[-1] is result.history[-1]
    result = solver.solve(problem, state=result.state)
    assert result.success and result.nit > 4


def test_a_callback_does_not_take_a_success_away():
    problem, solver = BilevelProblem(upper, identity(), Box(0, 1), convex=True), BilevelSolver(method="linear")
    last = solver.solve(problem, [0.5], [0.5]).nit
    result = solver.solve(problem, [0.5], [0.5], callback=lambda record: record.iteration == last)
    assert result.status is Status.STATIONARY


@pytest.mark.parametrize("formulation", BOTH)
@pytest.mark.parametrize("method", ALL)
def test_an_interrupt_inside_an_oracle_keeps_the_run_and_it_goes_on(quadratic_bilevel, method, formulation):
    case = quadratic_bilevel(0)
    solver = BilevelSolver(method=method, formulation=formulation, epsilon=1e-8)
    for at in (4, 8, 502, 505):  # `init` asks F up to three times
        calls = 0

        def pressed(x, y, at=at):
            nonlocal calls
            calls += 1
            if calls == at:
                raise KeyboardInterrupt
            return case.problem.upper(x, y)

        problem = replace(case.problem, upper=pressed)
        state = solver.init(problem, np.zeros(3), np.zeros(4))
        result = solver.solve(problem, state=state)
        if calls < at:
            continue
        assert result.status is Status.INTERRUPTED or at > 400
        result = solver.solve(problem, state=result.state)
        assert result.success and result.fun == pytest.approx(case.fun, abs=2e-6)


def test_an_interrupt_while_certifying_gives_the_result_without_a_bound():
    calls = 0

    def forward(x):
        nonlocal calls
        calls += 1
        if calls == limit:
            raise KeyboardInterrupt
        return x.copy()

    problem = BilevelProblem(upper, SolutionMap(forward, lambda x, v: v), Box(0, 1), convex=True)
    solver = BilevelSolver(method="linear", formulation="reduced")
    limit = -1
    first = solver.solve(problem, [0.1], [0.0])
    calls, limit = 0, calls - 2
    result = solver.solve(problem, [0.1], [0.0])
    assert result.status is Status.INTERRUPTED and result.bound is None and result.fun == first.fun
    assert solver.solve(problem, state=result.state).success


@pytest.mark.parametrize("formulation", BOTH)
@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("part", ["upper", "lower"])
def test_an_oracle_that_breaks_is_named_with_its_iteration_and_the_state_is_kept(
    quadratic_bilevel, method, formulation, part
):
    case = quadratic_bilevel(1)
    broken = False

    def upper(x, y):
        value, g_x, g_y = case.problem.upper(x, y)
        return value, g_x, np.where(np.arange(4) == 2, np.nan, g_y) if broken and part == "upper" else g_y

    def forward(x):
        return (
            np.where(np.arange(4) == 2, np.inf, case.reaction @ x)
            if broken and part == "lower"
            else case.reaction @ x
        )

    def breaks(record):
        nonlocal broken
        broken = record.iteration >= 5

    lower = SolutionMap(forward, lambda x, v: case.reaction.T @ v)
    problem = BilevelProblem(upper, lower, convex=True)
    solver = BilevelSolver(
        method=method, formulation=formulation, epsilon=1e-8, tolerance=1e-10, **own(method, cut_every=1)
    )
    # a distance to infinity shows in the gap, an infinite solution in itself
    words = {"upper": r"upper gradient in y\[2\] is not finite",
             "lower": r"SolutionMap.forward returned a number that is not finite"}[part]  # fmt: skip
    with np.errstate(invalid="ignore"):
        result = solver.solve(problem, np.zeros(3), np.zeros(4), callback=breaks)
    # a map that answers at the last good point, which it remembers, and at none beside it leaves no way on
    assert not result.success and result.status in (Status.ORACLE, Status.STALLED)
    assert result.status is Status.ORACLE or part == "lower"
    assert result.bound is None or result.bound <= case.fun  # the planes it had are as good as before
    assert re.search(rf"({words})", result.message)
    assert result.status is Status.STALLED or "(iteration 6)" in result.message
    # how often it halves the way back to that point is a matter of rounding
    assert result.status is Status.STALLED or result.nit in (5, 6)
    assert len(result.history) == result.nit >= 5 and result.state.point.size in (3, 7)
    assert result.x.shape == (3,) and np.isfinite(result.x).all()


def test_an_answer_that_fails_only_at_the_end_is_no_success():
    calls = 0

    def upper_once(x, y):
        nonlocal calls
        calls += 1
        return np.nan if calls > limit else upper(x, y)[0], *upper(x, y)[1:]

    problem = BilevelProblem(upper_once, identity(), Box(0, 1))
    limit = 10**9
    state = BilevelSolver(method="linear").solve(problem, [0.5], [0.5]).state
    limit = 0
    result = BilevelSolver(method="linear").solve(problem, state=state)
    assert result.status is Status.ORACLE and not result.success and "upper value is not finite" in result.message


def test_a_wrong_answer_at_the_start_is_raised_at_once():
    problem = BilevelProblem(lambda x, y: (np.nan, x, y), identity())
    with pytest.raises(OracleError, match="upper value is not finite"):
        BilevelSolver().solve(problem, [0.0], [0.0])


@pytest.mark.parametrize("method", ALL)
def test_planes_that_contradict_each_other_are_named(method):
    problem = BilevelProblem(
        upper, identity(), Box(-1, 1), Box(-1, 1),
        constraints=LinearConstraint([[1.0], [-1.0]], [[0.0], [0.0]], [-0.5, -0.5]), convex=True,
    )  # fmt: skip
    solver = BilevelSolver(method=method, max_iterations=3000, **own(method, phase1_iterations=20))
    result = solver.solve(problem, [0.0], [0.0])
    assert not result.success and result.bound is None
    if method != "primal-dual":  # which has no master that could tell
        assert result.status is Status.EMPTY
        assert "planes in conflict: 0 (linear), 1 (linear)" in result.message


@pytest.mark.parametrize("formulation", BOTH)
@pytest.mark.parametrize("method", ALL)
def test_a_new_version_of_the_gap_clears_the_pool_and_the_history_says_so(quadratic_bilevel, method, formulation):
    case = quadratic_bilevel(0)
    shift = 0.0
    lower = SolutionMap(lambda x: case.reaction @ x + shift, lambda x, v: case.reaction.T @ v)
    lower.version = 0
    problem = replace(case.problem, lower=lower)

    def re_anchor(record):
        nonlocal shift
        if record.iteration == 6:
            shift, lower.version, lower._last = 1.0, 1, None

    solver = BilevelSolver(method=method, formulation=formulation, epsilon=1e-8, **own(method, cut_every=5))
    state = solver.init(problem, np.zeros(3), np.zeros(4))
    planes = [solver.step(problem, state).pool.size for _ in range(5)][-1]
    result = solver.solve(problem, state=state, callback=re_anchor)
    cleared = result.history.to_dict()["cleared"]
    assert np.flatnonzero(cleared).tolist() == ([6] if planes else [])
    # the optimum of the new problem: wanted − 1 in place of wanted
    check = BilevelSolver(method="level", formulation="reduced", tolerance=1e-9).solve(
        replace(problem, lower=SolutionMap(lambda x: case.reaction @ x + 1.0, lower.vjp)), np.zeros(3), np.zeros(4)
    )
    assert result.success and result.fun == pytest.approx(check.fun, abs=5e-6)


@pytest.mark.parametrize("formulation", BOTH)
@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("linear", [True, False])
def test_coupled_constraints_hold_at_the_result(method, formulation, linear):
    # min ½‖y − 2‖² + ½‖x − 2‖², y = x, x + y ≤ 1 or x² + y² ≤ 1/2: x = y = 1/2
    def both(x, y):
        return float((y - 2) @ (y - 2) + (x - 2) @ (x - 2)) / 2, x - 2, y - 2

    def disc(x, y):
        return float(x @ x + y @ y) - 0.5, 2 * x[None], 2 * y[None]

    constraint = LinearConstraint([[1.0]], [[1.0]], [1.0]) if linear else disc
    problem = BilevelProblem(both, identity(), constraints=(constraint,), convex=True)
    result = BilevelSolver(method=method, formulation=formulation, epsilon=1e-8).solve(problem, [0.0], [0.0])
    assert result.success and result.fun == pytest.approx(2.25, abs=1e-5)
    assert np.all(np.asarray(constraint(result.x, result.y)[0]) <= 2e-8)


@pytest.mark.parametrize("formulation", BOTH)
@pytest.mark.parametrize("method", ALL)
def test_y_set_binds_in_both_formulations(method, formulation):
    problem = BilevelProblem(upper, identity(), Box(0, 1), Box(0, 0.5), convex=True)
    result = BilevelSolver(method=method, formulation=formulation, epsilon=1e-8).solve(problem, [0.1], [0.1])
    assert result.fun == pytest.approx(1.125, abs=1e-6) and result.y[0] <= 0.5 + 1e-8


@pytest.mark.parametrize("formulation", BOTH)
@pytest.mark.parametrize("method", ALL)
def test_float32_is_kept_and_certifies_nothing(quadratic_bilevel, method, formulation):
    case = quadratic_bilevel(0)
    reaction = case.reaction.astype(np.float32)

    def upper(x, y):
        assert x.dtype == y.dtype == np.float32
        value, g_x, g_y = case.problem.upper(x, y)
        return value, g_x.astype(np.float32), g_y.astype(np.float32)

    problem = BilevelProblem(upper, SolutionMap(lambda x: reaction @ x, lambda x, v: reaction.T @ v), convex=True)
    solver = BilevelSolver(method=method, formulation=formulation, epsilon=1e-4, tolerance=1e-4, feasibility=1e-5)
    result = solver.solve(problem, np.zeros(3, np.float32), np.zeros(4, np.float32))
    state = result.state
    assert result.x.dtype == result.y.dtype == state.point.dtype == state.pool.normals.dtype == np.float32
    assert result.success and result.bound is None and result.fun == pytest.approx(case.fun, abs=2e-4)


@pytest.mark.parametrize("formulation", BOTH)
@pytest.mark.parametrize("method", ALL)
def test_the_cap_of_the_pool_holds_at_each_iteration(quadratic_bilevel, method, formulation):
    row = LinearConstraint(np.ones((1, 3)), np.ones((1, 4)), [50.0])
    case = quadratic_bilevel(0, norm="squared", constraints=(row,))
    solver = BilevelSolver(
        method=method, formulation=formulation, max_planes=6, max_iterations=120,
        **own(method, phase1_iterations=60, cut_every=2),
    )
    result = solver.solve(case.problem, np.zeros(3), np.zeros(4))
    linear = formulation == "joint"
    assert result.history.to_dict()["planes"].max() <= 6 + linear
    assert result.status is not Status.EMPTY and result.state.pool.kinds.tolist().count(3) == linear
    assert result.bound is None or result.bound <= case.fun + 1e-7


def test_the_same_loop_by_hand(quadratic_bilevel):
    case = quadratic_bilevel(2)
    solver = BilevelSolver(method="level", epsilon=1e-8)
    state = solver.init(case.problem, np.zeros(3), np.zeros(4))
    while state.status is Status.RUNNING:
        state = solver.step(case.problem, state)
    steps = state.nit
    assert solver.step(case.problem, state).nit == steps  # a finished run stands still
    result = solver.solve(case.problem, np.zeros(3), np.zeros(4))
    assert result.nit == steps and np.array_equal(result.state.best, state.best)


def test_the_iteration_limit_is_no_success_and_a_larger_one_goes_on(quadratic_bilevel):
    case = quadratic_bilevel(2)
    solver = BilevelSolver(method="level", epsilon=1e-8, max_iterations=3)
    result = solver.solve(case.problem, np.zeros(3), np.zeros(4))
    assert result.status is Status.MAX_ITERATIONS and not result.success and result.nit == 3
    assert solver.solve(case.problem, state=result.state).nit == 3
    assert replace(solver, max_iterations=500).solve(case.problem, state=result.state).success


def test_the_evaluations_of_the_run_are_counted(quadratic_bilevel):
    case, calls, at_the_end = quadratic_bilevel(2), [0], [0]

    def counted(x, y):
        calls[0] += 1
        return case.problem.upper(x, y)

    result = BilevelSolver(method="proximal", epsilon=1e-8).solve(
        replace(case.problem, upper=counted), np.zeros(3), np.zeros(4),
        callback=lambda record: at_the_end.__setitem__(0, calls[0]),
    )  # fmt: skip
    assert result.nfev == at_the_end[0] < calls[0]  # the final check is not counted


def test_a_resumed_run_leaves_the_first_result_alone_and_counts_like_an_unbroken_one(quadratic_bilevel):
    problem, start = quadratic_bilevel(2).problem, (np.zeros(3), np.zeros(4))
    solver = BilevelSolver(method="level", epsilon=1e-8)
    whole = solver.solve(problem, *start)
    part = replace(solver, max_iterations=4).solve(problem, *start)
    resumed = solver.solve(problem, state=part.state)
    assert len(part.history) == 4
    assert (resumed.nit, resumed.nfev, resumed.njev) == (whole.nit, whole.nfev, whole.njev)


def test_an_exception_in_an_oracle_keeps_what_was_reached_and_the_run_goes_on_when_it_is_mended(quadratic_bilevel):
    case, broken = quadratic_bilevel(2), [False]

    def upper(x, y):
        if broken[0]:
            raise ZeroDivisionError("one over nothing")
        return case.problem.upper(x, y)

    problem = replace(case.problem, upper=upper)
    solver = BilevelSolver(method="level", epsilon=1e-8)
    failed = solver.solve(
        problem, np.zeros(3), np.zeros(4), callback=lambda record: broken.__setitem__(0, record.iteration == 3)
    )
    assert failed.status is Status.ORACLE and "ZeroDivisionError" in failed.message and failed.nit == 3
    broken[0] = False
    assert solver.solve(problem, state=failed.state).success


def test_a_changed_version_voids_the_remembered_answer():
    level = SolutionMap(lambda x: 0 * x, lambda x, v: 0 * v)
    assert level.gap(np.zeros(1), np.zeros(1))[0] == 0.0
    level.forward, level.version = lambda x: 0 * x + 5, 1
    assert level.gap(np.zeros(1), np.zeros(1))[0] == 5.0


@pytest.mark.parametrize("method", ["level", "proximal", "linear", "primal-dual"])
def test_an_empty_polyhedron_names_the_rows_in_conflict_and_no_others(method):
    rows = LinearConstraint([[0.0]] * 14, [*([[1.0]] * 12), [1.0], [-1.0]], [*range(50, 62), -5.0, 4.0])
    problem = BilevelProblem(
        lambda x, y: (float(x @ x + y @ y), 2 * x, 2 * y), SolutionMap(lambda x: x, lambda x, v: v, "squared"),
        constraints=(rows,), convex=True,
    )  # fmt: skip
    result = BilevelSolver(method=method, max_iterations=3000).solve(problem, [0.0], [0.0])
    assert result.status is Status.EMPTY
    assert "12 (linear), 13 (linear)" in result.message and "0 (linear)," not in result.message


def test_a_projection_that_fails_ends_the_run_with_its_state(monkeypatch):
    budget = Polytope(np.ones((1, 2)), [1.0], lower=0, upper=1)
    problem = BilevelProblem(
        upper=lambda x, y: (float(x @ x + y @ y), 2 * x, 2 * y),
        lower=SolutionMap(forward=lambda x: x, vjp=lambda x, v: v), x_set=budget)  # fmt: skip

    calls = iter(range(1000))
    project = Polytope.project

    def fails_once(self, v):
        if next(calls) == 20:
            raise ProjectionError("Polytope.project did not converge")
        return project(self, v)

    monkeypatch.setattr(Polytope, "project", fails_once)
    result = BilevelSolver().solve(problem, np.zeros(2), np.ones(2))
    assert result.status is Status.STALLED and "did not converge" in result.message
    assert result.nit > 0


@pytest.mark.parametrize("norm", ["plain", "squared"])
@pytest.mark.parametrize("method", ["level", "proximal", "linear"])
@pytest.mark.parametrize("distance", [1e-2, 1e-3, 1e-4])
def test_a_start_at_the_upper_objectives_own_minimum_leads_to_the_optimum(method, norm, distance):
    """min ‖(x, y) − (0.2, 2.5)‖² in the band |y − 1.2 x| ≤ distance: a projection on its rim."""
    problem = BilevelProblem(
        lambda x, y: (float((y - 2.5) @ (y - 2.5) + (x - 0.2) @ (x - 0.2)), 2 * (x - 0.2), 2 * (y - 2.5)),
        SolutionMap(lambda x: 1.2 * x, lambda x, v: 1.2 * v, norm=norm), Box(0, 2), Box(0, 3), convex=True,
    )  # fmt: skip
    epsilon = distance if norm == "plain" else distance**2
    result = BilevelSolver(method=method, epsilon=epsilon).solve(problem, [0.2], [2.5])
    assert result.success, result.message
    assert result.fun == pytest.approx((2.5 - 0.24 - distance) ** 2 / 2.44, abs=1e-4)
    assert result.gap < 1e-3


def writes(function, where):
    """The same function, which spoils one of its arguments."""

    def spoiled(*arguments):
        answer = function(*arguments)
        arguments[where][:] = 0.5
        return answer

    return spoiled


@pytest.mark.parametrize("formulation", BOTH)
def test_a_function_that_writes_into_its_arguments_is_found(formulation):
    solver, lower = BilevelSolver(method="linear", formulation=formulation), identity()
    for problem in (
        BilevelProblem(writes(upper, 0), lower, Box(0, 1)),
        BilevelProblem(writes(upper, 1), SolutionMap(lambda x: 2 * x, lambda x, v: 2 * v), Box(0, 1)),
    ):
        with pytest.raises(OracleError, match=r"wrote into its argument|read-only"):
            solver.init(problem, np.ones(1), np.ones(1))
    # a SolutionMap hands copies over: what is done to them does no harm
    for problem in (
        BilevelProblem(upper, SolutionMap(writes(lambda x: 2 * x, 0), lambda x, v: 2 * v), Box(0, 1)),
        BilevelProblem(upper, SolutionMap(lambda x: 2 * x, writes(lambda x, v: 2 * v, 0)), Box(0, 1)),
    ):
        result = solver.solve(problem, np.full(1, 0.5), np.full(1, 0.5))
        assert result.success and result.x[0] == pytest.approx(1.0, abs=1e-3)


def test_a_problem_without_a_floor_is_told_apart_from_an_infeasible_one():
    def falls(x, y):
        return float(-x.sum()), -np.ones(2), np.zeros(2)

    problem = BilevelProblem(falls, identity(), convex=True)
    result = BilevelSolver(method="level").solve(problem, np.zeros(2), np.zeros(2))
    assert not result.success and "F may fall without end" in result.message


def test_at_the_limit_the_reduced_form_is_named_where_there_is_one():
    problem = BilevelProblem(upper, identity(), Box(0, 1))
    short = BilevelSolver(max_iterations=3).solve(problem, [0.1], [0.1])
    assert short.status is Status.MAX_ITERATIONS and "formulation='reduced'" in short.message
    reduced = BilevelSolver(max_iterations=1, formulation="reduced").solve(problem, [0.1], [0.1])
    assert "formulation" not in reduced.message


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("formulation", BOTH)
def test_single_precision_stays_single_and_reports_no_bound(method, formulation):
    matrix = np.array([[1.0, 0.5, 0.0], [0.0, 1.0, 2.0]])
    target = np.array([1.0, 2.0])
    problem = BilevelProblem(
        lambda x, y: (0.5 * (y - target) @ (y - target) + 0.05 * x @ x, 0.1 * x, y - target),
        SolutionMap(lambda x: matrix @ x, lambda x, v: matrix.T @ v), x_set=Box(0.0, 1.0), convex=True,
    )  # fmt: skip
    solver = BilevelSolver(method=method, formulation=formulation, tolerance=1e-4, epsilon=1e-6, feasibility=1e-6)
    result = solver.solve(problem, np.zeros(3, np.float32), np.zeros(2, np.float32))
    assert result.x.dtype == np.float32 and result.bound is None and result.status is not Status.NOT_CONVEX
    assert result.fun == pytest.approx(0.0640541, abs=1e-3)


def test_wrong_arguments_are_named():
    problem, solver = BilevelProblem(upper, identity(), Box(0, 1)), BilevelSolver()
    for call, words in (
        (lambda: solver.solve([0.1], [0.1], problem), "takes|problem must be"),
        (lambda: solver.init([0.1], [0.1], problem), "problem must be a BilevelProblem"),
        (lambda: solver.solve(problem, state="run.npz"), "state must be a State"),
        (lambda: solver.solve(problem, [0.1], [0.1], callback=3), "callback must be a function"),
        (lambda: BilevelProblem(upper, identity(), Box), "x_set must be"),
        (lambda: BilevelSolver(x_scale=np.ones(2)), "x_scale must be one number"),
    ):
        with pytest.raises((InputError, TypeError), match=words):
            call()


def test_a_result_prints_in_a_few_lines():
    problem = BilevelProblem(upper, identity(), Box(0, 1))
    text = repr(BilevelSolver().solve(problem, [0.1], [0.1]))
    assert "message" in text and "state:" not in text and len(text.splitlines()) < 20


def simple(**more):
    return BilevelProblem(upper, identity(), Box(0, 1), **({"convex": True} | more))


@pytest.mark.parametrize("method", ALL)
def test_a_restored_point_counts_only_if_its_gap_is_closed(method):
    class Silent:
        """Says that it restored a point, and hands it back as it was."""

        gap, restore = staticmethod(identity().gap), staticmethod(lambda x, y, epsilon: y)

    for convex in (True, False) if not METHODS[method].convex_only else (True,):
        problem = BilevelProblem(upper, Silent(), Box(0, 1), convex=convex)
        result = BilevelSolver(method=method, max_iterations=3000).solve(problem, [0.0], [0.0])
        assert result.lower_gap <= 1e-6 and result.fun == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize("method", ALL)
def test_a_set_no_wider_than_the_feasibility_is_refused_and_its_scale_mends_it(method):
    steep = SolutionMap(lambda x: 1e8 * x, lambda x, v: 1e8 * v)
    problem = BilevelProblem(upper, steep, Box(0, 1e-8), Box(-9, 9), convex=True)
    with pytest.raises(InputError, match=r"x_set is 1\.0e-08 wide .* set x_scale"):
        BilevelSolver(method=method).solve(problem, [0.0], [0.0])
    result = BilevelSolver(method=method, x_scale=1e-8).solve(problem, [0.0], [0.0])
    assert result.fun == pytest.approx(0.5, abs=1e-4) and result.lower_gap <= 1e-6


def test_an_objective_that_falls_without_end_is_no_success():
    problem = BilevelProblem(lambda x, y: (-float(y.sum()), 0 * x, -np.ones_like(y)), identity())
    result = BilevelSolver(formulation="reduced").solve(problem, [0.0], [0.0])
    assert not result.success and "fall without end" in result.message


def test_a_state_of_another_objective_is_no_success():
    result = BilevelSolver(method="linear").solve(simple(), [0.0], [0.0])
    other = BilevelProblem(
        lambda x, y: (float((y + 5) @ (y + 5)) / 2, 0 * x, y + 5), identity(), Box(0, 1), convex=True
    )
    with pytest.raises(InputError, match="another lower level, another F"):
        BilevelSolver(method="linear").solve(other, state=result.state)


def test_an_oracle_that_raises_far_away_does_not_lose_the_result():
    def far(x, y):
        if x[0] > 0.9:
            raise ValueError("no answer here")
        return float((y - 0.5) @ (y - 0.5)), 0 * x, 2 * (y - 0.5)

    result = BilevelSolver(method="level").solve(
        BilevelProblem(far, identity(), Box(0, 1), convex=True), [0.3], [0.3]
    )
    assert result.success and result.fun == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("size", [1e-7, 1e10, 1e16, 1e40])
@pytest.mark.parametrize("method", ["linear", "level"])
def test_slopes_far_from_1_are_in_the_masters_own_unit(method, size):
    # min size·(y − 2)² with y = x in [0, 1]: at y = 1, give or take the gap of 1e-10
    def upper(x, y):
        return float(size * (y - 2) @ (y - 2)), 0 * x, 2 * size * (y - 2)

    steep = BilevelProblem(upper, identity(), Box(0, 1), convex=True)
    result = BilevelSolver(method=method, tolerance=1e-6 * min(size, 1.0)).solve(steep, [0.0], [0.0])
    assert result.success and result.fun == pytest.approx(size, rel=1e-5)
    assert result.bound <= result.fun and result.bound == pytest.approx(size, rel=1e-5)


def test_a_convex_constraint_that_is_violated_without_a_slope_is_infeasible():
    never = simple(constraints=lambda x, y: (np.ones(1), np.zeros((1, 1)), np.zeros((1, 1))))
    with pytest.raises(EmptyPolyhedronError, match="met nowhere"):
        BilevelSolver(method="level").solve(never, [0.0], [0.0])


def test_a_callback_that_raises_stops_the_run_and_is_named():
    def broken(record):
        raise KeyError("lost")

    result = BilevelSolver(method="linear").solve(simple(), [0.0], [0.0], callback=broken)
    assert result.status is Status.ORACLE and "a callback raised KeyError: 'lost'" in result.message
    assert BilevelSolver(method="linear").solve(simple(), state=result.state).success


def test_a_smaller_pool_may_be_asked_for_on_resume(quadratic_bilevel):
    case = quadratic_bilevel(0)
    start = np.zeros(3), np.zeros(4)
    part = BilevelSolver(method="proximal", max_iterations=5, epsilon=1e-8).solve(case.problem, *start)
    assert part.state.pool.size > 8
    more = BilevelSolver(method="proximal", max_planes=8, epsilon=1e-8).solve(case.problem, state=part.state)
    assert more.state.pool.size <= 8 and more.fun == pytest.approx(case.fun, abs=1e-5)
    # so few planes in seven variables cannot certify what they found
    assert not more.success and "certified gap" in more.message


def test_a_contradicted_run_is_not_gone_on_with():
    hill = BilevelProblem(lambda x, y: (-float(y @ y), 0 * x, -2 * y), identity(), Box(-1, 2), convex=True)
    result = BilevelSolver(method="level").solve(hill, [0.0], [0.0])
    assert result.status is Status.NOT_CONVEX and result.state.status is Status.NOT_CONVEX


def test_a_component_that_is_nearly_fixed_is_no_thin_set():
    problem = BilevelProblem(upper, identity(), Box([0, 0.5], [1, 0.5 + 1e-9]), convex=True)
    assert BilevelSolver(method="level").solve(problem, [0.0, 0.5], [0.0, 0.5]).success
    assert BilevelSolver(method="level", feasibility=1e-3).solve(simple(), [0.0], [0.0]).success
