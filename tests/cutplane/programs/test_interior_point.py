"""The interior point finds multipliers that Newton's method on the dual starts well from."""

import cvxpy
import numpy as np
import pytest

from cutplane.programs.interior_point import dual_start


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("with_t", [False, True])
def test_its_multipliers_are_those_of_another_solver(seed, with_t):
    rng = np.random.default_rng(seed)
    n, m, p = 12, 6, 2
    rows = rng.normal(size=(m + p, n))
    rhs = rows @ rng.uniform(-0.5, 0.5, n) + np.r_[rng.uniform(0, 0.1, m), np.zeros(p)]
    lower, upper = np.full(n, -1.0), np.ones(n)
    lower[0] = upper[0] = 0.25
    on_t = np.r_[np.arange(m) < 3, np.zeros(p, dtype=bool)] & with_t
    price = 2.0 * with_t
    z, t = cvxpy.Variable(n), cvxpy.Variable()
    below = rows[:m] @ z - cvxpy.multiply(on_t[:m].astype(float), t) <= rhs[:m]
    level = rows[m:] @ z == rhs[m:]
    goal = cvxpy.Minimize(0.5 * cvxpy.sum_squares(z) + price * t + (0 if with_t else 1.0 * cvxpy.square(t)))
    cvxpy.Problem(goal, [below, level, z >= lower, z <= upper]).solve(solver="CLARABEL")
    found = dual_start(rows, rhs, p, lower, upper, on_t, price)
    point = np.clip(-rows.T @ found, lower, upper)
    np.testing.assert_allclose(point, z.value, atol=1e-6)
    assert found[:m].min() >= 0


def test_nothing_binds_where_the_center_is_inside():
    found = dual_start(np.eye(3), np.ones(3), 0, -np.ones(3), np.ones(3), np.zeros(3, dtype=bool), 0.0)
    np.testing.assert_allclose(found, 0.0, atol=1e-9)
