"""The gradient of an optimal value by the multipliers of the rows x̂ = x and z = x·A(y)."""

import numpy as np
import pytest

from cutplane import InputError

cp = pytest.importorskip("cvxpy")

from cutplane.oracles.cvxpy_form import form, problem  # noqa: E402

TIGHT = {"solver": "CLARABEL", "tol_gap_abs": 1e-10, "tol_gap_rel": 1e-10, "tol_feas": 1e-10}


def slope(objective, x, at, rows=(), equal=()):
    made = form(objective, list(rows), list(equal), x)
    x.value = np.asarray(at, dtype=float).reshape(x.shape)
    solved = problem(made)
    solved.solve(**TIGHT)
    return solved.value, made.slope(np.atleast_1d(np.asarray(at, dtype=float))), made


def test_x_and_y_in_one_nonsmooth_atom():
    # |y − x| + y²/10: y = x for |x| < 5, v = x²/10; then y = ±5, v = |x| − 5/2
    for at, value, right in ((1.0, 0.1, 0.2), (-2.0, 0.4, -0.4), (7.0, 4.5, 1.0), (-7.0, 4.5, -1.0)):
        x, y = cp.Parameter(), cp.Variable()
        found = slope(cp.norm1(y - x) + 0.1 * cp.sum_squares(y), x, at)
        assert found[0] == pytest.approx(value, abs=1e-8) and found[1] == pytest.approx([right], abs=1e-7)
        assert found[2].convex_in_x


def test_a_product_in_a_nonsmooth_atom():
    # |xy − 1| + y²/10 with x = 2: y = ½, v = 1/(10x²), slope −1/(5x³)
    x, y = cp.Parameter(), cp.Variable()
    value, found, made = slope(cp.abs(x * y - 1) + 0.1 * cp.square(y), x, 2.0)
    assert value == pytest.approx(0.025, abs=1e-8) and found == pytest.approx([-0.025], abs=1e-7)
    assert not made.convex_in_x


@pytest.mark.parametrize("at", [0.0, 0.5, 3.0])
def test_a_product_with_a_function_that_is_not_affine(at):
    # x|y − 2| + y² with x ≥ 0: y = min(x/2, 2), v = 2x − x²/4 up to x = 4
    x, y = cp.Parameter(nonneg=True), cp.Variable()
    value, found, _ = slope(x * cp.abs(y - 2) + cp.square(y), x, at)
    assert value == pytest.approx(2 * at - at**2 / 4, abs=1e-8) and found == pytest.approx([2 - at / 2], abs=1e-6)


def test_a_nonpositive_factor_of_a_concave_function():
    # −p(−√y) for p ≤ 0 … written as p·√y: min p√y + y has y = p²/4 and v = −p²/4
    x, y = cp.Parameter(nonpos=True), cp.Variable()
    value, found, _ = slope(x * cp.sqrt(y) + y, x, -3.0)
    assert value == pytest.approx(-2.25, abs=1e-7) and found == pytest.approx([1.5], abs=1e-6)


def test_matrix_products_rows_and_equalities():
    # min ‖y‖² with x₁(y₁ + y₂) = x₂: y = x₂/(2x₁), v = x₂²/(2x₁²)
    x, y = cp.Parameter(2), cp.Variable(2)
    found = slope(cp.sum_squares(y), x, [2.0, 3.0], [x[0] * cp.sum(y) - x[1]], [True])
    assert found[0] == pytest.approx(9 / 8, abs=1e-8)
    np.testing.assert_allclose(found[1], [-9 / 8, 3 / 4], atol=1e-7)
    # min ½‖y‖² − (Mx)·y: y = Mx, v = −½‖Mx‖²
    M, x, y = np.array([[1.0, 2.0], [0.0, -1.0]]), cp.Parameter(2), cp.Variable(2)
    found = slope(cp.sum_squares(y) / 2 - (M @ x) @ y, x, [1.0, -2.0])
    np.testing.assert_allclose(found[1], -M.T @ M @ [1.0, -2.0], atol=1e-7)


def test_a_sign_that_convexity_rests_on_is_kept():
    # (x + |y|)² + (y − 1)² with x ≥ 0: 2(x + y) + 2(y − 1) = 0 at y = (1 − x)/2, v = (x + 1)²/2 up to x = 1
    x, y = cp.Parameter(nonneg=True), cp.Variable()
    value, found, _ = slope(cp.square(x + cp.abs(y)) + cp.square(y - 1), x, 0.5)
    assert value == pytest.approx(1.125, abs=1e-8) and found == pytest.approx([1.5], abs=1e-6)


def test_what_no_dual_differentiates_is_refused():
    # DPP by the sign of x, a product in a place that needs it: square of (x·|y| + 1) is convex for x ≥ 0 alone
    x, y = cp.Parameter(nonneg=True), cp.Variable()
    objective = cp.square(x * cp.abs(y) + cp.abs(y))
    assert cp.Problem(cp.Minimize(objective)).is_dcp(dpp=True)
    with pytest.raises(InputError, match="no dual gives the gradient in x"):
        form(objective, [], [], x)
