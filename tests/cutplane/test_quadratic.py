"""The quadratic master on problems whose answer is known by hand."""

import numpy as np
import pytest

from cutplane.quadratic import nearest_point

OPEN = np.full(2, -np.inf), np.full(2, np.inf)
NO_ROWS, NO_RHS = np.zeros((0, 2)), np.zeros(0)


def test_without_rows_the_answer_is_the_clipped_center():
    solution = nearest_point(
        np.array([3.0, -3.0]), NO_ROWS, NO_RHS, NO_ROWS, NO_RHS, np.array([-np.inf, 0.0]), np.array([1.0, np.inf])
    )
    np.testing.assert_allclose(solution.point, [1.0, 0.0], atol=1e-12)


def test_one_row_is_an_orthogonal_projection_with_its_multiplier():
    solution = nearest_point(
        np.array([1.0, 1.0]), np.array([[1.0, 0.0]]), np.array([0.25]), NO_ROWS, NO_RHS, *OPEN
    )
    np.testing.assert_allclose(solution.point, [0.25, 1.0], atol=1e-12)
    np.testing.assert_allclose(solution.multipliers, [0.75], atol=1e-12)
    assert solution.residual <= 1e-12


def test_an_equality_may_have_a_negative_multiplier():
    solution = nearest_point(np.zeros(2), NO_ROWS, NO_RHS, np.array([[1.0, 1.0]]), np.array([2.0]), *OPEN)
    np.testing.assert_allclose(solution.point, [1.0, 1.0], atol=1e-9)
    np.testing.assert_allclose(solution.equality_multipliers, [-1.0], atol=1e-9)


def test_fixed_variables_are_taken_out():
    fixed = np.array([2.0, -np.inf]), np.array([2.0, np.inf])
    solution = nearest_point(np.zeros(2), np.array([[1.0, 1.0]]), np.array([1.0]), NO_ROWS, NO_RHS, *fixed)
    np.testing.assert_allclose(solution.point, [2.0, -1.0], atol=1e-10)


def test_the_epigraph_is_the_proximal_point():
    # min ½‖z‖² + 2 t with t ≥ 1 − z₁, t ≥ −5: z₁ = 2 would be the free step, and t = −1 there
    rows, rhs = np.array([[-1.0, 0.0], [0.0, 0.0]]), np.array([-1.0, 5.0])
    solution = nearest_point(np.zeros(2), rows, rhs, NO_ROWS, NO_RHS, *OPEN, epigraph=np.ones(2), weight=2.0)
    np.testing.assert_allclose(solution.point, [2.0, 0.0], atol=1e-9)
    assert solution.height == pytest.approx(-1.0, abs=1e-9)
    np.testing.assert_allclose(solution.multipliers, [2.0, 0.0], atol=1e-9)


def test_an_empty_polyhedron_leaves_a_large_residual():
    rows, rhs = np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([-1.0, -1.0])
    assert nearest_point(np.zeros(2), rows, rhs, NO_ROWS, NO_RHS, *OPEN).residual > 1e-3


def test_parallel_rows_do_not_spoil_the_answer():
    rows = np.ones((40, 2)) / np.sqrt(2)
    rhs = 1.0 + np.linspace(0, 1e-9, 40)
    point = nearest_point(np.array([2.0, 2.0]), rows, rhs, NO_ROWS, NO_RHS, *OPEN).point
    np.testing.assert_allclose(point, np.full(2, 1 / np.sqrt(2)), atol=1e-8)
