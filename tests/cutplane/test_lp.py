"""The linear master: rows come and go in place, the basis stays, an empty one names its planes."""

import highspy
import numpy as np
import pytest

from cutplane import BilevelProblem, Box, Polyhedron, Polytope, Simplex, SolutionMap
from cutplane.lp import LinearMaster
from cutplane.masters import master_of
from cutplane.model import Reduced
from cutplane.polyhedron import Kind, Plane


def reduced_model(x_set, n):
    lower = SolutionMap(lambda x: x, lambda x, v: v)
    problem = BilevelProblem(lambda x, y: (0.0, 0 * x, 0 * y), lower, x_set)
    return Reduced(problem, n, n, (1.0, 1.0))


def random_pool(rng, n, planes):
    pool = Polyhedron(n)
    for _ in range(planes):
        pool.add(Plane(Kind.OBJECTIVE, rng.normal(size=n), rng.normal()))
        pool.add(Plane(Kind.GAP, rng.normal(size=n), -rng.uniform(0.5, 2)))
    return pool


def test_a_solve_after_adding_or_dropping_a_plane_takes_few_iterations():
    rng = np.random.default_rng(1)
    n = 40
    model, pool = reduced_model(Box(-1, 1), n), random_pool(rng, n, 60)
    master, warm = LinearMaster(model), {}
    cold = master.solve(pool, model.lower, model.upper, warm).iterations
    assert cold > 40
    for change in range(10):
        solution = master.solve(pool, model.lower, model.upper, warm)
        if change % 2:
            pool.drop(np.flatnonzero(solution.multipliers == 0)[:3])
        else:
            pool.add(Plane(Kind.GAP, solution.point, -0.9 * float(solution.point @ solution.point)))
        solution = master.solve(pool, model.lower, model.upper, warm)
        assert solution.status == "optimal" and solution.iterations <= (1 if change % 2 else cold / 4)
        fresh = LinearMaster(model).solve(pool, model.lower, model.upper, {})
        assert solution.height == pytest.approx(fresh.height, abs=1e-9)


def test_rows_are_added_and_deleted_in_place(monkeypatch):
    rng = np.random.default_rng(2)
    model, pool = reduced_model(Box(-1, 1), 5), random_pool(rng, 5, 4)
    calls = []
    for name in ("addRow", "deleteRows"):
        original = getattr(highspy.Highs, name)
        monkeypatch.setattr(
            highspy.Highs,
            name,
            lambda self, *a, original=original, name=name: calls.append(name) or original(self, *a),
        )
    master = LinearMaster(model)
    master.solve(pool, model.lower, model.upper, {})
    assert calls == ["addRow"] * 8
    pool.drop(np.array([0, 3]))
    pool.add(Plane(Kind.GAP, np.ones(5), -1.0))
    calls.clear()
    master.solve(pool, model.lower, model.upper, {})
    assert calls == ["deleteRows", "addRow"]


def test_a_handed_back_basis_makes_two_masters_agree_to_the_bit():
    rng = np.random.default_rng(3)
    model, pool = reduced_model(Simplex(1.0), 8), random_pool(rng, 8, 6)
    first, warm = LinearMaster(model), {}
    first.solve(pool, model.lower, model.upper, warm)
    copied = {key: value.copy() for key, value in warm.items()}
    pool.add(Plane(Kind.OBJECTIVE, rng.normal(size=8), 1.0))
    kept = first.solve(pool, model.lower, model.upper, warm)
    resumed = LinearMaster(model).solve(pool, model.lower, model.upper, copied)
    assert np.array_equal(kept.point, resumed.point) and kept.height == resumed.height
    assert np.array_equal(kept.multipliers, resumed.multipliers) and kept.iterations == resumed.iterations


def test_the_conflicting_planes_are_named():
    model, pool = reduced_model(Box(-1, 1), 2), Polyhedron(2)
    pool.add(Plane(Kind.OBJECTIVE, np.ones(2), 0.0))
    pool.add(Plane(Kind.GAP, np.array([0.0, 1.0]), 0.0))
    pool.add(Plane(Kind.GAP, np.array([1.0, 0.0]), 0.5))
    pool.add(Plane(Kind.GAP, np.array([-1.0, 0.0]), 0.5))
    solution = LinearMaster(model).solve(pool, model.lower, model.upper, {})
    assert solution.status == "infeasible" and set(solution.conflict) == {2, 3}


def test_without_objective_planes_there_is_no_bottom_unless_t_is_held():
    model, pool = reduced_model(Box(0, 1), 2), Polyhedron(2)
    pool.add(Plane(Kind.GAP, np.ones(2), -1.0))
    master = LinearMaster(model)
    assert master.solve(pool, model.lower, model.upper, {}).status == "unbounded"
    assert master.solve(pool, model.lower, model.upper, {}, has_objective=False).status == "optimal"


def test_the_rows_of_the_set_have_multipliers():
    model = reduced_model(Polytope([[1.0, 1.0]], [1.0], [[1.0, -1.0]], [0.0], lower=0, upper=1), 2)
    pool = Polyhedron(2)
    pool.add(Plane(Kind.OBJECTIVE, np.array([-1.0, -1.0]), 0.0))
    master = LinearMaster(model)
    solution = master.solve(pool, model.lower, model.upper, {})
    np.testing.assert_allclose(solution.point, [0.5, 0.5], atol=1e-9)
    assert master.set_multipliers[0] == pytest.approx(1.0)


def test_a_run_keeps_one_master():
    model, runtime = reduced_model(Box(0, 1), 2), {}
    assert master_of(model, runtime) is master_of(model, runtime)


def test_an_answer_highs_gives_up_on_is_tried_again_in_other_ways(monkeypatch):
    model, pool = reduced_model(Box(0, 1), 2), Polyhedron(2)
    pool.add(Plane(Kind.OBJECTIVE, np.ones(2), 0.0))
    master = LinearMaster(model)
    answers = iter(["failed", "failed", "optimal"])
    monkeypatch.setattr(master, "_status", lambda: next(answers))
    assert master.solve(pool, model.lower, model.upper, {}).status == "optimal"
    assert master._h.getOptionValue("simplex_strategy")[1] == 1
