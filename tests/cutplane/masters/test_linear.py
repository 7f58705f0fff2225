"""The linear master: rows come and go in place, the basis stays, an empty one names its planes."""

from types import SimpleNamespace

import highspy
import numpy as np
import pytest

from cutplane import BilevelProblem, Box, Polyhedron, Polytope, Simplex, SolutionMap
from cutplane.core.formulations import Reduced
from cutplane.core.pool import Kind, Plane
from cutplane.errors import MasterError
from cutplane.masters.linear import LinearMaster
from cutplane.masters.wide import master_of


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


@pytest.mark.parametrize("unit", [1e-200, 1e-12, 1e-8, 1e-5, 1e8, 1e12, 1e40])
def test_the_unit_of_the_objective_changes_nothing(unit):
    # HiGHS drops entries up to 1e-9 and refuses those from 1e15 on; F divided by its unit is F
    rng = np.random.default_rng(4)
    model = reduced_model(Polytope(np.ones((1, 4)), [1.0], lower=-1, upper=1), 4)
    normals, offsets, gap = rng.normal(size=(6, 4)), rng.normal(size=6), rng.normal(size=4)
    answers = []
    for size in (1.0, unit):
        pool = Polyhedron(4)
        pool.add(Plane(Kind.GAP, gap, -0.2))
        # the first planes come in the plain unit: the model changes its own when the others arrive
        planes = [Plane(Kind.OBJECTIVE, size * a, size * c) for a, c in zip(normals, offsets, strict=True)]
        master, warm = LinearMaster(model), {}
        pool.add(planes[0])
        master.solve(pool, model.lower, model.upper, warm)
        for plane in planes[1:]:
            pool.add(plane)
        answers.append((master.solve(pool, model.lower, model.upper, warm), master.set_multipliers, pool.kinds))
    (plain, on_set, kinds), (found, on_set_too, kinds_too) = answers
    assert found.status == plain.status == "optimal"
    assert found.height == pytest.approx(unit * plain.height, rel=1e-9)
    if kinds.size == kinds_too.size:  # tiny planes of about the same height are one to the pool
        on_t = kinds == Kind.OBJECTIVE
        np.testing.assert_allclose(found.multipliers[on_t], plain.multipliers[on_t], atol=1e-9)
        np.testing.assert_allclose(found.multipliers[~on_t], unit * plain.multipliers[~on_t], rtol=1e-7)
        np.testing.assert_allclose(on_set_too, unit * on_set, rtol=1e-7)


def lopsided(upper):
    """Minimise −1e-9·y where x + 1e-13·y ≤ 0.5, 0 ≤ x ≤ 1, −1 ≤ y ≤ upper."""
    model, pool = reduced_model(Box([0, -1], [1, upper]), 2), Polyhedron(2)
    pool.add(Plane(Kind.OBJECTIVE, np.array([0.0, -1e-9]), 0.0))
    pool.add(Plane(Kind.GAP, np.array([1.0, 1e-13]), -0.5))
    return LinearMaster(model).solve(pool, model.lower, model.upper, {})


def test_an_entry_that_is_lost_beside_another_is_an_error_where_it_matters():
    # y = 10 adds 1e-12 to the row, which is rounding; y = 1e13 misses it by 0.5
    assert lopsided(10.0).point[1] == 10.0
    with pytest.raises(MasterError, match="x_scale"):
        lopsided(1e13)


def test_a_plane_that_highs_refuses_is_named():
    model, pool = reduced_model(Box(0, 1), 1), Polyhedron(1)
    pool.add(Plane(Kind.OBJECTIVE, np.ones(1), 1e25))
    with pytest.raises(MasterError, match=r"slope 1e.00 and side -1e.25; divide F"):
        LinearMaster(model).solve(pool, model.lower, model.upper, {})


def test_tiny_rows_of_the_set_hold():
    # x ≤ 0.5 written in units of 1e-12
    model, pool = reduced_model(Polytope([[1e-12]], [0.5e-12], lower=0, upper=1), 1), Polyhedron(1)
    pool.add(Plane(Kind.OBJECTIVE, -np.ones(1), 0.0))
    assert LinearMaster(model).solve(pool, model.lower, model.upper, {}).point == pytest.approx([0.5])


@pytest.mark.parametrize("shift", [1e-3, -1e-3])
def test_an_answer_of_highs_that_misses_a_row_is_not_believed(monkeypatch, shift):
    # min t over t ≥ x and x ≥ 0.5: (0.5, 0.5); moved by 1e-3 either x misses its plane or t does
    model, pool = reduced_model(Box(0, 1), 1), Polyhedron(1)
    pool.add(Plane(Kind.OBJECTIVE, np.ones(1), 0.0))
    pool.add(Plane(Kind.GAP, -np.ones(1), 0.5))
    original = highspy.Highs.getSolution

    def crooked(h):
        solution = original(h)
        x, t = solution.col_value
        return SimpleNamespace(col_value=[x + shift, t], row_dual=solution.row_dual)

    monkeypatch.setattr(highspy.Highs, "getSolution", crooked)
    solution = LinearMaster(model).solve(pool, model.lower, model.upper, {})
    assert solution.status == "failed"
    with pytest.raises(MasterError, match="the linear master is failed; divide F"):
        solution.refuse()
