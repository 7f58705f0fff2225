"""The zoo: known values hold by means that share no code with the solver, and every method finds them."""

import itertools
import re
import sys

import numpy as np
import pytest
from scipy import optimize

from cutplane import zoo
from cutplane.__main__ import main
from cutplane.oracles import QuadraticLevel

ENTRIES = {entry.name: entry for entry in zoo.problems()}


@pytest.fixture(autouse=True)
def one_thread():
    """Threads cost more than they bring on matrices of ten rows, and most of all on a busy machine."""
    threadpoolctl = pytest.importorskip("threadpoolctl")
    with threadpoolctl.threadpool_limits(1):
        yield


def entries(*tags, without=()):
    return [e for e in ENTRIES.values() if set(tags) <= set(e.tags) and not set(without) & set(e.tags)]


def name_of(entry):
    return entry.name


def reduced(entry):
    """F(x, y*(x)) and its gradient."""

    def fun(x):
        value, g_x, g_y = entry.problem.upper(x, entry.problem.lower.solution(x))
        return value, g_x + entry.problem.lower.vjp(x, g_y)

    return fun


class TestKnownValues:
    @pytest.mark.parametrize("entry", [e for e in ENTRIES.values() if e.x is not None], ids=name_of)
    def test_the_known_x_attains_the_known_value(self, entry):
        if entry.name in ("bard-1991", "mitsos-barton-3.14"):
            pytest.skip("the follower has two solutions there, the optimistic one is not the oracle's")
        y = entry.problem.lower.solution(entry.x) if hasattr(entry.problem.lower, "solution") else None
        if y is None:
            pytest.skip("this oracle has no solution map")
        assert entry.problem.upper(entry.x, y)[0] == pytest.approx(entry.fun, rel=1e-7, abs=1e-7)

    @pytest.mark.parametrize("entry", list(ENTRIES.values()), ids=name_of)
    def test_no_random_feasible_point_beats_the_known_value(self, entry):
        if not hasattr(entry.problem.lower, "solution"):
            pytest.skip("this oracle has no solution map")
        rng = np.random.default_rng(0)
        centre = entry.x0 if entry.x is None else entry.x
        for k in range(300):
            spread = 10.0 ** rng.uniform(-3, 1)
            x = entry.problem.x_set.project(centre + spread * rng.normal(size=centre.size) * (k > 0))
            try:
                y = entry.problem.lower.solution(x)
            except ArithmeticError:
                continue  # a follower without a feasible point
            missed = [np.max(c(x, y)[0]) for c in entry.problem.constraints]
            if max(missed, default=0.0) <= 0 and np.allclose(entry.problem.y_set.project(y), y):
                assert entry.problem.upper(x, y)[0] >= min(entry.fun, *entry.local, np.inf) - 1e-7

    @pytest.mark.parametrize("entry", [e for e in ENTRIES.values() if type(e.problem.lower) is QuadraticLevel
                                       and "nonconvex" in e.tags], ids=name_of)  # fmt: skip
    def test_linear_problems_by_enumeration_of_complementary_rows(self, entry):
        """min F over (x, y, μ): Ay + Bx ≤ b, c + Px + Aᵀμ = 0, and for each row either μ = 0 or equality."""
        level, problem = entry.problem.lower, entry.problem
        n_x, n_y, k = level.n_x, level.c.size, level.b.size
        _, on_x, on_y = problem.upper(entry.x0, entry.y0)
        cost = np.concatenate([on_x, on_y, np.zeros(k)])
        stationary = np.hstack([level.P, np.zeros((n_y, n_y)), level.A.T])
        rows = [np.hstack([level.B, level.A, np.zeros((k, k))])]
        right = [level.b]
        for c in problem.constraints:
            rows.append(np.hstack([c.A_x, c.A_y, np.zeros((c.b.size, k))]))
            right.append(c.b)
        low, high = problem.x_set.bounds(n_x)
        best = np.inf
        for held in itertools.product((False, True), repeat=k):
            held = np.array(held)
            equal = np.vstack([stationary, rows[0][held]])
            bounds = [*zip(low, high, strict=True), *[(None, None)] * n_y, *[(0, None if h else 0) for h in held]]
            found = optimize.linprog(
                cost,
                np.vstack(rows),
                np.concatenate(right),
                equal,
                np.concatenate([-level.c, level.b[held]]),
                bounds,
            )
            if found.status == 0:
                best = min(best, found.fun)
        assert best == pytest.approx(entry.fun, abs=1e-7)

    @pytest.mark.parametrize(
        ("name", "follower", "allowed"),
        [
            ("bard-1988", lambda x: min(1 + 0.75 * x, 3 * x - 3, 7 - x), lambda x, y: y >= max(0, 2 * x - 8)),
            ("clark-westerberg-1990", lambda x: min(5, 2 * x + 1, 7 - x / 2), lambda x, y: True),
            ("shimizu-aiyoshi-1981", lambda x: min(15 - x / 2, 20 - x), lambda x, y: y <= x),
            ("gumus-floudas-2001", lambda x: min(20 - x, 50 - 4 * x), lambda x, y: y <= 4 * x),
            ("toll", lambda x: min(3 - x, 2), lambda x, y: True),
            ("stackelberg", lambda x: (8 - x) / 2, lambda x, y: True),
        ],
    )
    def test_one_variable_by_a_grid_and_the_follower_by_hand(self, name, follower, allowed):
        entry = ENTRIES[name]
        low, high = (float(v[0]) for v in entry.problem.x_set.bounds(1))
        values = []
        for x in np.linspace(low, high, 4001):
            y = follower(x)
            np.testing.assert_allclose(entry.problem.lower.solution(np.array([x])), [y], atol=1e-8)
            feasible = allowed(x, y)
            values.append(entry.problem.upper(np.array([x]), np.array([y]))[0] if feasible else np.inf)
        values = np.array(values)
        inner = (values <= np.roll(values, 1)) & (values <= np.roll(values, -1)) & np.isfinite(values)
        inner[[0, -1]] = values[0] <= values[1], values[-1] <= values[-2]
        assert values.min() == pytest.approx(entry.fun, rel=1e-3)
        for local in entry.local:
            assert np.abs(values[inner] - local).min() <= 1e-2 * local

    @pytest.mark.parametrize("entry", [e for e in ENTRIES.values() if e.name.startswith("mitsos")], ids=name_of)
    def test_nonconvex_followers_by_brute_force(self, entry):
        """Both levels on grids; of the follower's near-ties the leader takes the best."""
        low, high = (float(v[0]) for v in entry.problem.y_set.bounds(1))
        ys = np.linspace(low, high, 801)
        start, stop = (float(v[0]) for v in entry.problem.x_set.bounds(1))
        best = np.inf
        for x in np.linspace(start, stop, 401):
            at = np.array([x])
            g = np.array([entry.problem.lower.objective(at, np.array([y]))[0] for y in ys])
            ties = ys[g <= g.min() + 1e-5]
            best = min(best, *(entry.problem.upper(at, np.array([y]))[0] for y in ties))
        assert best == pytest.approx(entry.fun, abs=0.03)

    def test_shen_chen_by_the_reduced_formula(self):
        def formula(x):
            return np.cos(2 - 4 * x) / (1 + np.exp(2 - 4 * x)) + np.log((4 * x - 2) ** 2 + 1) / 2

        entry = ENTRIES["shen-chen-0.1"]
        for guess, known in ((0.38, entry.local[0]), (1.215, entry.fun), (2.83, entry.local[1])):
            found = optimize.minimize_scalar(formula, bounds=(guess - 0.1, guess + 0.1), method="bounded")
            assert found.fun == pytest.approx(known, abs=1e-9)

    def test_the_ridge_penalty_by_a_scalar_search(self):
        entry = ENTRIES["ridge-penalty"]
        found = optimize.minimize_scalar(
            lambda t: reduced(entry)(np.array([t]))[0], bounds=(-8, 4), method="bounded", options={"xatol": 1e-9}
        )
        assert found.fun == pytest.approx(entry.fun, rel=1e-9)

    def test_feature_penalties_by_a_quasi_newton_search(self):
        entry = ENTRIES["per-feature-penalty"]
        found = optimize.minimize(reduced(entry), entry.x0, jac=True, bounds=[(-8, 4)] * 8, method="L-BFGS-B",
                                  options={"ftol": 1e-15, "gtol": 1e-9})  # fmt: skip
        assert found.fun == pytest.approx(entry.fun, rel=1e-6)

    def test_hyper_cleaning_by_sequential_quadratic_programming(self):
        pytest.importorskip("sklearn")
        entry = ENTRIES["hyper-cleaning"]
        budget = {"type": "ineq", "fun": lambda s: 40 - s.sum(), "jac": lambda s: -np.ones(60)}
        found = optimize.minimize(reduced(entry), entry.x0, jac=True, bounds=[(0, 1)] * 60, method="SLSQP",
                                  constraints=[budget], options={"ftol": 1e-13, "maxiter": 1000})  # fmt: skip
        assert found.fun == pytest.approx(entry.fun, rel=1e-6)
        wrong = np.arange(60) % 3 == 0
        assert found.x[wrong].mean() < 0.05 < 0.5 < found.x[~wrong].mean()


class TestRuns:
    @pytest.mark.slow  # 88 of these runs are held to the digit by test_golden.py
    @pytest.mark.parametrize("entry", list(ENTRIES.values()), ids=name_of)
    def test_every_listed_method_finds_a_known_solution(self, entry):
        for method, formulation in entry.runs:
            outcome = zoo.solve(entry, method, formulation)
            found = f"{method}, {formulation}: F {outcome.result.fun}, {outcome.result.message}"
            assert outcome.ok, found
            if "convex" in entry.tags and method == "level":
                assert outcome.result.gap <= 1e-5 * max(1.0, abs(entry.fun)), found

    def test_there_are_enough_problems_of_each_kind(self):
        assert len(ENTRIES) == len(zoo.problems()) >= 28
        assert len({e.name for kind in ("convex", "smooth") for e in entries(kind)}) >= 25
        assert all(entries(kind) for kind in ("nonsmooth", "nonconvex", "constrained", "learning"))
        assert all(set(e.methods) >= {"level", "linear", "proximal"} for e in entries("convex"))

    def test_a_wrong_value_is_not_taken_for_a_solution(self):
        entry = ENTRIES["shen-chen-1.5"]
        assert entry.solved(entry.fun * (1 + 5e-5)) and entry.solved(entry.local[0])
        assert not entry.solved(entry.fun + 2e-4) and not entry.solved(np.nan)

    def test_problems_are_found_by_name(self):
        assert zoo.problem("bard-1988").fun == 17.0
        with pytest.raises(KeyError, match="no problem is called 'bard'"):
            zoo.problem("bard")

    def test_without_scikit_learn_the_digits_are_skipped_with_a_reason(self, monkeypatch, capsys):
        monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
        assert "scikit-learn" in zoo.skipped()["hyper-cleaning"]
        assert "hyper-cleaning" not in {e.name for e in zoo.problems()}
        with pytest.raises(ModuleNotFoundError, match="scikit-learn"):
            zoo.learning.hyper_cleaning()
        main(["zoo", "--name", "[bh]*-p*"])
        assert "hyper" not in capsys.readouterr().out


class TestCommandLine:
    def test_alone_it_prints_help(self, capsys):
        assert main([]) == 0
        assert "zoo" in capsys.readouterr().out

    def test_a_table_row_holds_what_was_found_and_known(self, capsys):
        assert main(["zoo", "--name", "median", "--method", "level"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert re.match(r"problem +method +form +F found +F known +gap +lower gap +iter +time/s +status", lines[0])
        assert re.match(r"median +level +joint +13(\.0\d*)? +13 +\S+e-\d+ .*optimal +ok$", lines[1])
        assert lines[-1].startswith("1 problems, 2 runs, 0 missed")

    def test_a_miss_sets_the_exit_code(self, capsys, monkeypatch):
        wrong = zoo.problem("median")
        object.__setattr__(wrong, "fun", 12.0)
        monkeypatch.setattr("cutplane.__main__.problems", lambda: (wrong,))
        assert main(["zoo", "--method", "linear"]) == 1
        assert "MISS" in capsys.readouterr().out

    def test_a_pattern_without_match_is_an_error(self, capsys):
        assert main(["zoo", "--name", "nothing*"]) == 2
        assert "no problem matches" in capsys.readouterr().err

    def test_skipped_problems_are_listed(self, capsys, monkeypatch):
        monkeypatch.setattr("cutplane.__main__.skipped", lambda: {"hyper-cleaning": "no data"})
        main(["zoo", "--name", "*e*an*"])
        assert "skipped: no data" in capsys.readouterr().out
