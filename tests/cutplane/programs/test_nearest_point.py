"""The quadratic master on problems whose answer is known by hand, and against its own conditions of optimality."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutplane.programs import nearest_point as quadratic
from cutplane.programs.nearest_point import nearest_point

OPEN = np.full(2, -np.inf), np.full(2, np.inf)
NO_ROWS = (np.zeros((0, 2)),)


def test_without_rows_the_answer_is_the_clipped_center():
    bounds = np.array([-np.inf, 0.0]), np.array([1.0, np.inf])
    solution = nearest_point(np.array([3.0, -3.0]), NO_ROWS, np.zeros(0), *bounds)
    np.testing.assert_array_equal(solution.point, [1.0, 0.0])
    assert solution.residual == 0


def test_one_row_is_an_orthogonal_projection_with_its_multiplier():
    solution = nearest_point(np.array([1.0, 1.0]), [np.array([[2.0, 0.0]])], np.array([0.5]), *OPEN)
    np.testing.assert_allclose(solution.point, [0.25, 1.0], atol=1e-12)
    np.testing.assert_allclose(solution.multipliers, [0.375], atol=1e-12)
    assert solution.residual <= 1e-12


def test_an_equality_may_have_a_negative_multiplier():
    solution = nearest_point(np.zeros(2), [np.array([[1.0, 1.0]])], np.array([2.0]), *OPEN, equalities=1)
    np.testing.assert_allclose(solution.point, [1.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(solution.multipliers, [-1.0], atol=1e-12)


def test_fixed_variables_stay_where_they_are():
    fixed = np.array([2.0, -np.inf]), np.array([2.0, np.inf])
    solution = nearest_point(np.zeros(2), [np.array([[1.0, 1.0]])], np.array([1.0]), *fixed)
    np.testing.assert_allclose(solution.point, [2.0, -1.0], atol=1e-12)


def test_the_epigraph_is_the_proximal_point():
    # min ½‖z‖² + 2 t with t ≥ 1 − z₁, t ≥ −5: z₁ = 2 would be the free step, and t = −1 there
    rows, rhs = np.array([[-1.0, 0.0], [0.0, 0.0]]), np.array([-1.0, 5.0])
    solution = nearest_point(np.zeros(2), [rows], rhs, *OPEN, epigraph=np.ones(2), weight=2.0)
    np.testing.assert_allclose(solution.point, [2.0, 0.0], atol=1e-12)
    assert solution.height == pytest.approx(-1.0, abs=1e-12)
    np.testing.assert_allclose(solution.multipliers, [2.0, 0.0], atol=1e-12)


def test_an_empty_polyhedron_leaves_a_large_residual():
    rows, rhs = np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([-1.0, -1.0])
    assert nearest_point(np.zeros(2), [rows], rhs, *OPEN).residual > 1e-3


def test_parallel_rows_do_not_spoil_the_answer():
    rows = np.ones((40, 2)) / np.sqrt(2)
    rhs = 1.0 + np.linspace(0, 1e-9, 40)
    point = nearest_point(np.array([2.0, 2.0]), [rows], rhs, *OPEN).point
    np.testing.assert_allclose(point, np.full(2, 1 / np.sqrt(2)), atol=1e-12)


def test_a_tight_polytope_far_away_is_met_though_its_multipliers_are_not_unique():
    # four rows and two bounds through one point, the center 1e8 away: steps run along the rows' dependence
    rows = np.array([[1.0, 1.0], [1.0, -1.0], [2.0, 1.0], [1.0, 3.0]])
    solution = nearest_point(1e8 * np.array([1.0, 0.3]), [rows], np.zeros(4), np.zeros(2), np.ones(2))
    np.testing.assert_allclose(solution.point, 0.0, atol=1e-7)
    assert solution.residual <= 1e-12


def random_master(seed, n, epigraph, dtype=float):
    rng = np.random.default_rng(seed)
    m, p = int(rng.integers(1, 9)), int(rng.integers(0, 3))
    rows = [rng.normal(size=(k, n)).astype(dtype) for k in (m, p)]
    inside = rng.uniform(-0.5, 0.5, n)
    rhs = np.concatenate([rows[0] @ inside + rng.uniform(0, 1, m), rows[1] @ inside])
    e = np.concatenate([rng.integers(0, 2, m), np.zeros(p)]) if epigraph else None
    if epigraph:
        e[0] = 1
    bounds = np.where(rng.random(n) < 0.7, -1.0, -np.inf), np.where(rng.random(n) < 0.7, 1.0, np.inf)
    options = {"equalities": p, "epigraph": e, "weight": rng.uniform(0.1, 5.0) if epigraph else 0.0}
    return (3 * rng.normal(size=n), rows, rhs, *bounds), options


@given(st.integers(0, 10**6), st.integers(1, 30), st.booleans())
def test_all_conditions_of_optimality_hold(seed, n, epigraph):
    (center, rows, rhs, lower, upper), options = random_master(seed, max(n, 4), epigraph)
    solution = nearest_point(center, rows, rhs, lower, upper, **options)
    A, mult, p = np.vstack(rows), solution.multipliers, options["equalities"]
    e = np.zeros(rhs.size) if options["epigraph"] is None else options["epigraph"]
    scale = 1e-8 * (1 + np.abs(mult).max() + np.abs(center).max())
    np.testing.assert_allclose(solution.point, np.clip(center - A.T @ mult, lower, upper), atol=scale)
    slack = rhs + e * solution.height - A @ solution.point
    m = rhs.size - p
    assert mult[:m].min() >= 0 and slack[:m].min() >= -scale
    assert np.minimum(mult[:m], slack[:m]).max() <= scale and np.abs(slack[m:]).max(initial=0.0) <= scale
    assert float(e @ mult) == pytest.approx(options["weight"], abs=scale)


@given(st.integers(0, 10**6), st.booleans(), st.floats(0.0, 3.0))
def test_any_guess_of_the_multipliers_leads_to_the_same_point(seed, epigraph, spread):
    master, options = random_master(seed, 9, epigraph)
    guess = spread * np.random.default_rng(seed).normal(size=master[2].size)
    cold, warm = nearest_point(*master, **options), nearest_point(*master, start=guess, **options)
    np.testing.assert_allclose(warm.point, cold.point, atol=1e-6)


@pytest.mark.parametrize("epigraph", [False, True])
def test_its_own_multipliers_are_a_guess_that_needs_no_step(epigraph):
    master, options = random_master(3, 40, epigraph)
    solved = nearest_point(*master, **options)
    again = nearest_point(*master, start=solved.multipliers, **options | {"max_iterations": 0})
    assert again.residual <= 1e-10
    np.testing.assert_allclose(again.point, solved.point, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_answer_does_not_depend_on_the_tiles(dtype, monkeypatch):
    master, options = random_master(5, 3000, False, dtype)
    whole = nearest_point(*master, **options)
    monkeypatch.setattr(quadratic, "_TILE", 1)
    tiled = nearest_point(*master, **options)
    assert len(quadratic._Dual(*whole_of(master, options)).parts) == 6
    np.testing.assert_allclose(tiled.point, whole.point, atol=1e-10)
    assert tiled.residual <= 1e-12


def whole_of(master, options):
    center, rows, rhs, lower, upper = master
    signed = np.arange(rhs.size) < rhs.size - options["equalities"]
    return rows, rhs, signed, np.zeros(rhs.size, dtype=bool), 0.0, center, lower, upper


@pytest.mark.parametrize("price", [1e3, 1e4, 1e6])
def test_a_price_that_drives_most_columns_to_their_bounds(price):
    """Newton's method alone ends far from the optimum here, with a residual that is small beside the price."""
    rng = np.random.default_rng(8)
    n, m = 300, 60
    rows, offsets = rng.normal(size=(m, n)), rng.normal(size=m)
    on_t = np.arange(m) < m // 2
    rhs = np.where(on_t, -offsets, np.abs(offsets))
    found = nearest_point(np.zeros(n), [rows], rhs, -np.ones(n), np.ones(n), 0, on_t.astype(float), price)
    pull = -rows.T @ found.multipliers
    excess = rows @ found.point - rhs - on_t * found.height
    assert found.residual <= 1e-10 and excess.max() <= 1e-9 * price**0.5
    assert found.multipliers[on_t].sum() == pytest.approx(price) and found.multipliers.min() >= 0
    np.testing.assert_allclose(found.point, np.clip(pull, -1, 1), atol=1e-6)
    np.testing.assert_allclose(found.multipliers * excess, 0.0, atol=1e-7 * price)


@pytest.mark.parametrize("seed", range(3))
def test_a_box_with_more_rows_than_columns_far_from_the_center(seed):
    rng = np.random.default_rng(seed)
    n, m = 40, 80
    rows, rhs = rng.normal(size=(m, n)), rng.uniform(0, 1, m)
    center = 1e4 * rng.normal(size=n)
    found = nearest_point(center, [rows], rhs, -np.ones(n), np.ones(n))
    assert found.residual <= 1e-12 and (rows @ found.point - rhs).max() <= 1e-8
    # nothing feasible lies nearer: the optimality condition of a projection, over a grid of feasible points
    other = rng.uniform(-1, 1, (200, n)) * 0.01
    inside = other[(other @ rows.T <= rhs).all(axis=1)]
    assert len(inside) and ((inside - found.point) @ (center - found.point)).max() <= 1e-4


def test_rows_of_extreme_float32_are_not_lost():
    rows = np.array([[1e20, 0.0], [0.0, 1e-25]], dtype=np.float32)
    found = nearest_point(np.array([2.0, 3.0]), [rows], np.array([1e20, 1e-25]), np.full(2, -9.0), np.full(2, 9.0))
    np.testing.assert_allclose(found.point, [1.0, 1.0], rtol=1e-6)


def test_one_plane_far_steeper_than_the_others_does_not_set_the_accuracy():
    # t ≥ |v| and t ≥ -1e7 v - 1e9 (never at work): the point is v = 3 - weight
    planes = np.array([[1.0, 0.0], [-1.0, 0.0], [-1e7, 0.0]])
    solution = nearest_point(
        np.array([3.0, 0.0]), [planes], np.array([0.0, 0.0, 1e9]), *OPEN, epigraph=np.ones(3), weight=1.0
    )
    np.testing.assert_allclose(solution.point, [2.0, 0.0], atol=1e-9)
    assert solution.height == pytest.approx(2.0, abs=1e-9)
