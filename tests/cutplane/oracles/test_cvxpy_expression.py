"""Values and joint subgradients of CVXPY expressions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutplane import OracleError

cp = pytest.importorskip("cvxpy")

from cutplane.oracles.cvxpy_expression import Differentiable  # noqa: E402

CONVEX = {
    "norm1": cp.norm1,
    "norm2": cp.norm2,
    "norm_inf": cp.norm_inf,
    "max": cp.max,
    "abs": lambda u: cp.sum(cp.abs(u)),
    "pos": lambda u: cp.sum(cp.pos(u)),
    "huber": lambda u: cp.sum(cp.huber(u)),
    "squares": cp.sum_squares,
    "squared hinge": lambda u: cp.sum_squares(cp.pos(u)),
    "log_sum_exp": cp.log_sum_exp,
    "maximum": lambda u: cp.maximum(u[0], 2 * u[1], -u[0] - u[1]),
    "sum_largest": lambda u: cp.sum_largest(u, 2),
    "total variation": cp.tv,
    "rows' maxima": lambda u: cp.sum(cp.norm_inf(cp.vstack([u, 2 - u]), axis=0)),
    "quadratic form": lambda u: cp.quad_form(u, np.diag([1.0, 2.0, 0.0])),
    "power 3/2": lambda u: cp.sum(cp.power(cp.abs(u), 1.5)),
    "power 4": lambda u: cp.sum(cp.power(u, 4)) / 10,
    "cubed hinge": lambda u: cp.sum(cp.power(cp.pos(u), 3)) / 10,
    "weighted sum": lambda u: 2 * cp.norm1(u) - 3 * cp.min(u) + u[0] - 4,
}


@pytest.mark.parametrize("name", CONVEX)
def test_a_gradient_is_one_subgradient_in_all_variables_at_kinks_too(name):
    # f(v) ≥ f(z) + s·(v − z) for all v: the definition, at points where u = A y + B x has zeros and ties
    rng = np.random.default_rng(0)
    x, y = cp.Variable(2), cp.Variable(3)
    B = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]])
    function = Differentiable(CONVEX[name](y - B @ x), [x, y])
    for at in (np.zeros(5), np.array([1.0, 2, 1, 2, -1]), np.array([0.0, 1, 1, 1, 0]), rng.normal(size=5)):
        value, slope = function(at)
        assert function.value(at) == pytest.approx(value, abs=1e-14)
        for size in (1e-3, 1.0, 10.0):
            for _ in range(20):
                away = size * rng.normal(size=5)
                assert function.value(at + away)[0] >= value[0] + slope[0] @ away - 1e-9 * size


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_products_and_vectors_agree_with_differences(seed):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(3, 2))
    x, y, t = cp.Variable(2), cp.Variable(3), cp.Variable()
    expression = cp.hstack(
        [
            cp.multiply(y, A @ x + t), (A @ x) @ y, t * cp.sum(cp.exp(y)), cp.sum_squares(y - t) / 3,
            x[0] * cp.norm(y) + cp.square(x[1]),
        ]
    )  # fmt: skip
    function = Differentiable(expression, [x, y, t])
    z, step = rng.normal(size=6), 1e-6
    value, slope = function(z)
    # the same numbers by hand
    X, Y, T = z[:2], z[2:5], z[5]
    by_hand = [
        *(Y * (A @ X + T)), A @ X @ Y, T * np.exp(Y).sum(), ((Y - T) ** 2).sum() / 3,
        X[0] * np.linalg.norm(Y) + X[1] ** 2,
    ]  # fmt: skip
    np.testing.assert_allclose(value, by_hand, rtol=1e-12, atol=1e-12)
    numeric = [(function.value(z + d) - function.value(z - d)) / (2 * step) for d in step * np.eye(6)]
    np.testing.assert_allclose(np.array(numeric).T, slope, atol=1e-7)


def test_affine_parts_are_differentiated_once(monkeypatch):
    x, y = cp.Variable(2), cp.Variable(3)
    A = np.arange(6.0).reshape(3, 2)
    function = Differentiable(3 * (y - A @ x) + 1, [x, y])
    monkeypatch.setattr(type(y), "value", property(lambda self: pytest.fail("CVXPY was asked again")))
    value, slope = function(np.ones(5))
    np.testing.assert_allclose(value, 3 * (1 - A.sum(axis=1)) + 1)
    np.testing.assert_allclose(slope, np.hstack([-3 * A, 3 * np.eye(3)]))


def test_points_without_a_gradient_are_named():
    y = cp.Variable(2)
    root = Differentiable(cp.sum(cp.sqrt(y)), [y])
    with pytest.raises(OracleError, match="no gradient"):
        root(np.array([0.0, 1.0]))
    assert np.isnan(root.value(np.array([-1.0, 1.0]))[0])


def test_a_gradient_that_cvxpy_cannot_give_is_named(monkeypatch):
    def broken(self, values):
        raise IndexError("tuple index out of range")

    monkeypatch.setattr(cp.log_sum_exp, "_grad", broken)
    y = cp.Variable(2)
    with pytest.raises(OracleError, match=r"no gradient of log_sum_exp.*IndexError"):
        Differentiable(cp.log_sum_exp(y), [y])(np.zeros(2))
