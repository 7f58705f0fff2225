"""The judges of the fuzz: references are right, and what is planted is found."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize

pytest.importorskip("cvxpy")
from trust import convex, followers, misdeclared, places, small, undeclared
from trust.descent import way_down
from trust.judge import Report, solve, time_limit
from trust.judge_convex import judge
from trust.reference import optimum
from trust.terms import CONVEX_KINDS, convex_term
from trust.waves import WAVE_KINDS, wavy_term

from cutplane import Status


@pytest.mark.parametrize("kind", CONVEX_KINDS + WAVE_KINDS)
def test_gradients_are_the_slopes_of_the_values(kind):
    rng = np.random.default_rng(5)
    for _ in range(5):
        term = convex_term(rng, 4, kind) if kind in CONVEX_KINDS else wavy_term(rng, 4, 2, kind)
        z, h = rng.uniform(-1, 1, size=4), 1e-6
        slopes = (term.values(z + h * np.eye(4)) - term.values(z - h * np.eye(4))) / (2 * h)
        np.testing.assert_allclose(term.gradient(z), slopes, atol=1e-6 * (1 + np.abs(slopes).max()))


@pytest.mark.parametrize("kind", places.KINDS)
def test_samples_lie_in_the_set_and_the_library_agrees(kind):
    rng = np.random.default_rng(6)
    for n in (2, 3, 5):
        place = places.make_place(rng, n, kind)
        points = place.sample(rng, 200)
        assert place.violations(points).max() <= 1e-9
        library = place.library(1e3)
        for u in points[:20]:
            np.testing.assert_allclose(library.project(1e3 * u), 1e3 * u, atol=1e-7)
        for u in place.inside + 3 * rng.normal(size=(20, n)):
            nearest = library.project(1e3 * u) / 1e3
            assert place.violation(nearest) <= 1e-9
            # a set holds u where its nearest point is u itself
            assert (place.violation(u) <= 1e-9) == bool(np.linalg.norm(nearest - u) <= 1e-8)


@pytest.mark.parametrize("kind", followers.KINDS)
def test_followers_answers_are_the_librarys(kind):
    rng = np.random.default_rng(7)
    for _ in range(4):
        inside = rng.uniform(-0.3, 0.3, size=2)
        follower = followers.make_follower(rng, 2, 2, kind, inside)
        level = follower.library(10.0, 0.1, 1.0)
        for u in inside + 0.1 * rng.normal(size=(5, 2)):
            found = np.asarray(level.solution(10.0 * u)) / 0.1
            v = follower.answers(u[None], follower.tie_of(u, found)[None])[0]
            np.testing.assert_allclose(found, v, atol=1e-7)
            assert follower.gap(u, v)[0] == pytest.approx(0, abs=1e-9)
            for t in rng.uniform(size=(3, follower.ties)):  # every answer of a tie is one by the library's word
                y = 0.1 * follower.answers(u[None], t[None])[0]
                assert level.gap(10.0 * u, y)[0] <= 1e-9


def free_case(seed):
    """A smooth case without constraints and with x in R^n, whose optimum scipy finds as well."""
    cases = (convex.make_case(s) for s in range(seed, seed + 4000))
    case = next(c for c in cases if c.place_x.kind == "free" and c.feasible)
    return replace(case, curved=(), rows=np.zeros((0, case.rows.shape[1])), right=np.zeros(0),
                   place_y=places.make_place(np.random.default_rng(0), case.shift.size, "free"))  # fmt: skip


@pytest.mark.parametrize("seed", [0, 400, 800, 1200])
def test_the_reference_is_no_better_and_no_worse_than_a_direct_search(seed):
    case = free_case(seed)
    best = optimum(case, relaxed=False)

    def value(u):
        return case.fun.value(np.concatenate([u, case.answer(u)]))

    assert best.accuracy <= 1e-7
    assert value(best.z[: case.n_x]) == pytest.approx(best.value, abs=1e-7)
    found = min(
        (optimize.minimize(value, best.z[: case.n_x] + 0.1 * k, method="Nelder-Mead").fun for k in range(3)),
    )  # fmt: skip
    assert found >= best.value - 1e-7


def test_every_case_starts_in_its_sets_and_has_a_feasible_point():
    for seed in range(200):
        for convex_declared, stream in ((False, 3), (True, 2)):
            case = small.make_small(seed, convex_declared, ("linear",), stream, 4)
            middle = np.full((1, case.follower.ties), 0.5)
            assert np.isfinite(case.values(case.place_x.inside[None], middle)).all(), case.traits()
            assert case.place_x.violation(case.start[0]) <= 1e-9 and case.place_y.violation(case.start[1]) <= 1e-9
        convex_case = convex.make_case(seed)
        z = np.concatenate([convex_case.place_x.inside, convex_case.answer(convex_case.place_x.inside)])
        coupled = [float(c.term.values(z[None])[0]) - c.right for c in convex_case.curved]
        met = max([*coupled, *(convex_case.rows @ z - convex_case.right), -1.0]) < 0
        assert met or not convex_case.feasible
        if not convex_case.feasible:
            assert optimum(convex_case, relaxed=True).status.startswith("infeasible")


def judged(case, result):
    report = Report("convex", case.seed)
    judge(report, case, result)
    return {name for name, _ in report.failures}


def test_a_planted_error_in_a_convex_case_is_found():
    case = next(c for s in range(2, 400, 8) if (c := convex.make_case(s)).feasible and c.place_x.kind == "box")
    s_x, s_y = case.scale_x, case.scale_y
    start = s_x * case.start[0], s_y * case.start[1]
    result = solve(Report("convex", case.seed), case.solver, convex.library_problem(case), *start, 5.0)
    assert result is not None and result.success and judged(case, result) == set()
    much = 1e-3 * max(1.0, abs(result.fun))
    assert "false bound" in judged(case, replace(result, bound=result.fun + much))
    assert "value" in judged(case, replace(result, fun=result.fun + much))
    assert "success at an infeasible point" in judged(case, replace(result, x=result.x + 10 * s_x))
    assert "success at an infeasible point" in judged(case, replace(result, y=result.y + 1e-5 * s_y))
    assert any(name.startswith("EMPTY") for name in judged(case, replace(result, status=Status.EMPTY)))


def simple_cases():
    """Undeclared cases on boxes without further constraints."""
    cases = (small.make_small(s, False, ("primal-dual", "linear"), 3, 3) for s in range(400))
    return [c for c in cases if c.place_x.kind == "box" and c.place_y.kind == "free" and not c.constraints][:25]


def test_the_search_for_a_way_down_finds_none_at_minima_and_one_elsewhere():
    cases, downhill = simple_cases(), 0
    for case in cases:
        _, _, u, t = misdeclared.lowest(case)
        assert way_down(case, u, case.follower.answers(u[None], t[None])[0]) == "", case.traits()
        # the worst of many points is no minimum, but it may be flat
        rng = np.random.default_rng(case.seed)
        U, T = case.place_x.sample(rng, 500), rng.uniform(size=(500, case.follower.ties))
        values = case.values(U, T)
        worst = int(np.argmax(np.where(np.isfinite(values), values, -np.inf)))
        downhill += way_down(case, U[worst], case.follower.answers(U[worst][None], T[worst][None])[0]) != ""
    assert downhill >= 0.9 * len(cases)


def test_a_planted_error_in_a_case_that_is_not_convex_is_found():
    found = 0
    for case in simple_cases()[:12]:
        start = case.scale_x * case.start[0], case.scale_y * case.start[1]
        result = solve(Report("", case.seed), case.solver, small.library_problem(case), *start, 5.0)
        if result is None or not result.success:
            continue
        found += 1
        for judge_small, planted, name in (
            (undeclared.judge, {"y": result.y + 1e-3 * case.scale_y}, "success at an infeasible point"),
            (undeclared.judge, {"fun": result.fun - 1.0}, "value"),
            (undeclared.judge, {"bound": result.fun}, "a bound without a declaration"),
            (misdeclared.judge, {"bound": result.fun + 100.0 * case.scale_f}, "false bound"),
        ):
            report = Report("", case.seed)
            judge_small(report, case, replace(result, **planted))
            assert name in {n for n, _ in report.failures}, (case.traits(), name)
    assert found >= 5


def test_the_clock_ends_a_case():
    from trust.judge import CaseTimeout

    with pytest.raises(CaseTimeout), time_limit(0.05):
        while True:
            pass
