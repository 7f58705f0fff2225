"""One row over bounds: closed forms, breakpoints, and the optimality conditions on random instances."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutplane import Polytope
from cutplane.programs.knapsack import nearest_on_row

OPEN = (np.full(2, -np.inf), np.full(2, np.inf))


def test_without_bounds_it_is_the_foot_of_the_perpendicular():
    np.testing.assert_allclose(nearest_on_row(np.array([3.0, 1.0]), np.ones(2), 2.0, *OPEN), [2, 0], atol=1e-15)


def test_an_entry_at_its_bound_leaves_the_rest_to_the_others():
    point = nearest_on_row(np.array([5.0, 0.0, 0.0]), np.ones(3), 2.0, np.zeros(3), np.ones(3))
    np.testing.assert_allclose(point, [1.0, 0.5, 0.5], atol=1e-15)


def test_a_row_that_only_the_corner_meets_gives_the_corner():
    corner = nearest_on_row(np.array([0.3, -7.0]), np.array([2.0, -1.0]), 2.0, np.zeros(2), np.ones(2))
    np.testing.assert_allclose(corner, [1, 0], atol=1e-15)


def test_an_entry_without_weight_is_only_clipped():
    point = nearest_on_row(np.array([9.0, 9.0]), np.array([0.0, 1.0]), 0.5, np.zeros(2), np.ones(2))
    np.testing.assert_allclose(point, [1.0, 0.5], atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_budget_is_left_alone_where_it_does_not_bind_and_keeps_its_precision(dtype):
    budget = Polytope(np.ones((1, 3)), [2.0], lower=0, upper=1)
    v = np.array([0.5, 2.0, -1.0], dtype=dtype)
    point = budget.project(v)
    np.testing.assert_array_equal(point, [0.5, 1, 0])
    assert point.dtype == dtype


@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(-2, 8))
def test_the_point_meets_the_row_and_the_optimality_conditions(seed, n, decades):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n) * (rng.random(n) < 0.8)
    a[rng.integers(n)] = 1.0
    inside, width = rng.normal(size=n), rng.random((2, n)) * rng.integers(0, 2, size=(2, n))
    lower = np.where(rng.random(n) < 0.7, inside - width[0], -np.inf)
    upper = np.where(rng.random(n) < 0.7, inside + width[1], np.inf)
    v, b = inside + 10.0**decades * rng.normal(size=n), float(a @ inside)
    point = nearest_on_row(v, a, b, lower, upper)
    size = 1 + np.abs(v).max()
    assert np.all((point >= lower) & (point <= upper))
    assert abs(a @ point - b) <= 1e-13 * n * size
    free = (point > lower) & (point < upper) & (a != 0)
    if free.any():  # one multiplier explains every entry
        tau = float(np.median((v - point)[free] / a[free]))
        slack = 1e-10 * size / np.abs(a[free]).min()
        np.testing.assert_allclose(point, np.clip(v - tau * a, lower, upper), atol=slack)
