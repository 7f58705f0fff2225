"""The loops under the pool: by NumPy, compiled, and as Python; each against the others and against formulas."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutplane import _compiled, _kernels


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("planes", [1, 4, 11])
@pytest.mark.parametrize("n", [5, 16384 + 3])
def test_one_sweep_is_the_projected_step_and_the_products(dtype, n, planes):
    rng = np.random.default_rng(0)
    A = rng.normal(size=(planes, n)).astype(dtype)
    multipliers = np.resize([0.5, 0.0, 2.0, 0.1], planes).astype(dtype)
    gradient, start = rng.normal(size=(2, n)).astype(dtype)
    steps = rng.uniform(0.1, 1.0, size=n).astype(dtype)
    lower, upper = np.full(n, -0.5, dtype), np.full(n, np.inf, dtype)
    found = []
    for kernel in (_kernels.primal_dual_sweep, _compiled.primal_dual_sweep, _compiled.primal_dual_sweep.py_func):
        point, activity = start.copy(), np.zeros(planes)
        moved = kernel(A, multipliers, gradient, steps, lower, upper, point, activity)
        found.append((point, activity, moved))
    expected = np.clip(start - steps * (gradient + multipliers @ A), lower, upper)
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    for point, activity, moved in found:
        assert point.dtype == dtype
        np.testing.assert_allclose(point, expected, atol=tolerance)
        np.testing.assert_allclose(activity, A @ expected, atol=tolerance * n)
        assert moved == pytest.approx(float((((expected - start) / steps) ** 2).sum()), rel=1e-4)
    np.testing.assert_allclose(found[1][0], found[2][0], atol=tolerance)


@pytest.fixture(params=["numpy", "compiled"])
def way(request, monkeypatch):
    """Small arrays by NumPy, or by the kernels of large ones."""
    if request.param == "compiled":
        monkeypatch.setattr(_kernels, "_SMALL", -1)


def test_dominated_planes_are_those_that_another_implies_on_the_box(way):
    A = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    offsets = np.array([-1.0, -2.0, -1.0, -1.0, -3.5])
    kinds = np.ones(5, dtype=np.int8)
    lower, upper = np.zeros(2), np.full(2, 2.0)
    out = _kernels.dominated(A, offsets, kinds, lower, upper)
    # 1 is weaker than 0, 3 equals 0, and x + y ≤ 3.5 follows from x ≤ 1 and y ≤ 2
    assert out.tolist() == [False, True, False, True, True]
    assert _kernels.implied(A, offsets, np.array([1, 2, 3]), 0, lower, upper).tolist() == [True, False, True]


def test_planes_of_different_kinds_and_on_open_boxes_do_not_dominate(way):
    A, offsets = np.array([[1.0], [0.5]]), np.array([0.0, -1.0])
    open_box = np.array([-np.inf]), np.array([np.inf])
    assert not _kernels.dominated(A, offsets, np.ones(2, dtype=np.int8), *open_box).any()
    assert not _kernels.dominated(A[[0, 0]], offsets, np.array([0, 1], dtype=np.int8), *open_box).any()
    assert not _kernels.dominated(A[:0], offsets[:0], np.array([], dtype=np.int8), *open_box).any()


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 4))
def test_both_ways_drop_the_same_planes(seed, planes, n):
    rng = np.random.default_rng(seed)
    A = rng.integers(-2, 3, (planes, n)).astype(float)  # small whole numbers: many planes are equal or implied
    offsets, kinds = rng.integers(-2, 3, planes).astype(float), rng.integers(0, 2, planes).astype(np.int8)
    lower, upper = np.zeros(n), np.where(rng.random(n) < 0.2, np.inf, 1.0)
    found = _kernels.dominated(A, offsets, kinds, lower, upper)
    expected = np.zeros(planes, dtype=np.bool_)
    _compiled.dominated(A, offsets, kinds, lower, upper, expected)
    assert found.tolist() == expected.tolist()
    rows = np.arange(planes)
    one = [_compiled.excess(A, offsets, l, 0, lower, upper) <= 0 for l in rows]
    assert _kernels.implied(A, offsets, rows, 0, lower, upper).tolist() == one


def test_the_excess_of_a_plane_over_another_is_its_maximum_over_the_corners():
    rng = np.random.default_rng(0)
    A, offsets = rng.normal(size=(2, 3)), rng.normal(size=2)
    lower, upper = -rng.uniform(size=3), rng.uniform(size=3)
    corners = np.array(np.meshgrid(*zip(lower, upper, strict=True))).reshape(3, -1)
    expected = np.max((A[0] - A[1]) @ corners) + offsets[0] - offsets[1]
    upwards = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    for kernel in (_compiled.excess, _compiled.excess.py_func):
        assert kernel(A, offsets, 0, 1, lower, upper) == pytest.approx(expected)
        assert kernel(upwards, offsets, 0, 1, lower, np.full(3, np.inf)) == np.inf
        assert kernel(A, offsets, 1, 1, lower, upper) == 0.0
