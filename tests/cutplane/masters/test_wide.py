"""The wide master: what the plain one solves, and which models get it."""

import numpy as np
import pytest

from cutplane import BilevelProblem, Box, Polyhedron, Polytope, SolutionMap
from cutplane.core.formulations import build_model
from cutplane.core.pool import Kind, Plane
from cutplane.masters import wide as masters
from cutplane.masters.linear import LinearMaster
from cutplane.masters.wide import WideMaster


def model_over(x_set, n):
    lower = SolutionMap(lambda x: x, lambda x, v: v)
    problem = BilevelProblem(lambda x, y: (0.0, 0 * x, 0 * y), lower, x_set)
    return build_model(problem, "reduced", n, n, (1.0, 1.0), 0.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("x_set", [
    Box(-1, 1), Polytope(np.ones((1, 40)), [3.0], lower=0, upper=1),
    Polytope(A_eq=np.ones((1, 40)), b_eq=[3.0], lower=0, upper=1),
])  # fmt: skip
def test_the_wide_master_solves_what_the_plain_one_solves(x_set, dtype):
    rng = np.random.default_rng(1)
    model = model_over(x_set, 40)
    pool = Polyhedron(40, dtype)
    for kind in (Kind.OBJECTIVE, Kind.OBJECTIVE, Kind.GAP, Kind.GAP):
        pool.add(Plane(kind, rng.normal(size=40), -1.0))
    wide, plain, warm = WideMaster(model), LinearMaster(model), {}
    first = wide.solve(pool, model.lower, model.upper, warm)
    pool.drop(np.array([0]))
    pool.add(Plane(Kind.GAP, rng.normal(size=40), -0.5))
    again = wide.solve(pool, model.lower, model.upper, warm)
    known = plain.solve(pool, model.lower, model.upper, {})
    assert first.status == again.status == known.status == "optimal"
    accuracy = 1e-5 if dtype == np.float32 else 1e-9
    assert again.height == pytest.approx(known.height, abs=accuracy)
    np.testing.assert_allclose(again.multipliers, known.multipliers, atol=100 * accuracy)
    np.testing.assert_allclose(wide.set_multipliers, plain.set_multipliers, atol=100 * accuracy)


def test_the_wide_master_names_the_planes_in_conflict():
    model = model_over(Box(-1, 1), 30)
    pool = Polyhedron(30)
    pool.add(Plane(Kind.OBJECTIVE, np.ones(30), 0.0))
    up, other, down = (pool.add(Plane(Kind.GAP, sign * np.eye(30)[i], c)) for sign, i, c in
                       ((1.0, 0, 0.5), (1.0, 1, -0.5), (-1.0, 0, 0.0)))  # fmt: skip
    solution = WideMaster(model).solve(pool, model.lower, model.upper, {})
    assert solution.status == "infeasible" and solution.conflict == (up, down) and other not in solution.conflict


def test_models_with_many_columns_get_the_wide_master(monkeypatch):
    model = model_over(Box(-1, 1), 3)
    assert isinstance(masters.make_master(model), LinearMaster)
    monkeypatch.setattr(masters, "WIDE", 3)
    assert isinstance(masters.make_master(model), WideMaster)
