"""Linear programmes at any scale: SciPy's answer to the plain one, proofs of emptiness, checked answers."""

from types import SimpleNamespace

import highspy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from cutplane.programs.dense_lp import contradict, dual_value, minimise, scales


def programme(seed):
    """Random rows, some of them sparse, bounds partly open; about a third of the programmes are infeasible."""
    rng = np.random.default_rng(seed)
    n, m, p = rng.integers(1, 7), rng.integers(1, 9), rng.integers(0, 2)
    A = rng.normal(size=(m + p, n)) * (rng.random((m + p, n)) < 0.7)
    A[np.arange(m + p), rng.integers(0, n, size=m + p)] = 1.0
    b = rng.normal(size=m + p) + 0.5 * rng.integers(0, 2)
    lower = np.where(rng.random(n) < 0.8, -3 * rng.random(n), -np.inf)
    upper = np.where(rng.random(n) < 0.8, 3 * rng.random(n), np.inf)
    return rng, (rng.normal(size=n), A, b, lower, upper), p


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0, 4, 12]))
def test_units_of_rows_and_costs_change_nothing(seed, decades):
    rng, (cost, A, b, lower, upper), p = programme(seed)
    # the truth of feasibility from SciPy without a cost: with one it calls feasible but unbounded ones infeasible
    rows = {"A_ub": A[: len(b) - p], "b_ub": b[: len(b) - p], "A_eq": A[len(b) - p :], "b_eq": b[len(b) - p :]}
    bounds = np.column_stack([lower, upper])
    feasible = optimize.linprog(0 * cost, **rows, bounds=bounds, options={"presolve": False}).status == 0
    known = optimize.linprog(cost, **rows, bounds=bounds, options={"presolve": False})
    size = 10.0 ** rng.uniform(-decades, decades, size=b.size)
    unit = 10.0 ** rng.uniform(-decades, decades)
    found = minimise(unit * cost, size[:, None] * A, size * b, lower, upper, p)
    if not feasible:
        assert found.status == "infeasible"
        # Farkas, in the plain rows
        weights = found.multipliers * size
        assert np.all(weights[: b.size - p] >= 0) and contradict(A, b, lower, upper, weights)
    elif known.status == 0:
        assert found.status == "optimal"
        assert cost @ found.point == pytest.approx(known.fun, rel=1e-7, abs=1e-7)
        value, rounding, _ = dual_value(cost, A, b, lower, upper, found.multipliers * size / unit)
        assert abs(value - known.fun) <= rounding + 1e-6 * (1 + abs(known.fun))
    else:
        assert found.status == "unbounded"


@pytest.mark.parametrize(
    ("cost", "A", "b", "lower", "upper", "point"),
    [
        # HiGHS drops entries up to 1e-9 and refuses those from 1e15 on
        ([-1], [[1e-9]], [1e-9], [0], [10], [1]),
        ([-1], [[1e15]], [1e15], [0], [10], [1]),
        ([-1], [[1e-300]], [1e-300], [0], [10], [1]),
        ([1e300], [[-1e300]], [-1e300], [0], [10], [1]),
        # two columns whose units are 1e15 apart in one row: x = −1e-15·y, y = −1
        ([-1, 0], [[1e15, 1]], [0], [0, -1], [1, 1], [1e-15, -1]),
        # a cost 1e11 times smaller than another is below HiGHS's tolerance beside it
        ([-1, -1e-11], [[1, 1]], [30], [0, 0], [10, 10], [10, 10]),
        # sides from 1e20 on are none to HiGHS: x = 1e21
        ([-1], [[1]], [1e21], [0], [np.inf], [1e21]),
        ([1], [[-1]], [-1e21], [0], [np.inf], [1e21]),
        ([1], [[1]], [1e22], [1e21], [np.inf], [1e21]),
        # ... and where such a bound is far from the answer, it does not make small ones vanish
        ([1, 0], [[-1, 0]], [-1], [0, 0], [10, 1e25], [1, 0]),
    ],
)
def test_entries_sides_and_costs_of_any_size(cost, A, b, lower, upper, point):
    arrays = [np.array(v, dtype=float) for v in (cost, A, b, lower, upper)]
    found = minimise(*arrays)
    assert found.status == "optimal"
    np.testing.assert_allclose(found.point, point, rtol=1e-9)


@pytest.mark.parametrize(
    ("A", "b", "lower", "upper", "equalities"),
    [
        ([[-1.0]], [-1e21], 0.0, 1e20, 0),  # 1e21 ≤ x ≤ 1e20
        ([[1.0, 0.0]], [-1.0], 0.0, 1e25, 0),
        ([[1.0, 1.0]], [-1e21], 0.0, np.inf, 0),
        ([[0.0]], [1e-3], 0.0, 1.0, 1),  # 0 = 1e-3
        ([[0.0]], [-1e-3], 0.0, 1.0, 0),  # 0 ≤ −1e-3
    ],
)
def test_empty_ones_come_with_their_proof(A, b, lower, upper, equalities):
    A, b = np.array(A), np.array(b)
    n = A.shape[1]
    box = np.full(n, lower), np.full(n, upper)
    found = minimise(np.zeros(n), A, b, *box, equalities)
    assert found.status == "infeasible" and contradict(A, b, *box, found.multipliers)


def test_nothing_contradicts_where_there_is_a_point():
    rng = np.random.default_rng(0)
    for _ in range(300):
        A, inside = rng.normal(size=(5, 3)), rng.uniform(-1, 1, size=3)
        b = A @ inside + rng.random(5)
        weights = rng.random(5) * 10.0 ** rng.integers(-9, 9)
        assert not contradict(A, b, np.full(3, -1.0), np.ones(3), weights)


def test_the_dual_value_is_a_lower_bound_from_any_multipliers():
    # min x + y over x + y ≥ 1 in [0, 4]²: 1, with multiplier 1; half of it gives half, double of it 2 − 4 − 4
    arrays = np.ones(2), -np.ones((1, 2)), -np.ones(1), np.zeros(2), np.full(2, 4.0)
    assert [dual_value(*arrays, np.array([w]))[0] for w in (1.0, 0.5, 2.0)] == [1.0, 0.5, -6.0]
    free = np.ones(1), -np.ones((1, 1)), -np.ones(1), np.array([-np.inf]), np.array([np.inf])
    assert dual_value(*free, np.array([0.5]))[0] == -np.inf and dual_value(*free, np.ones(1))[0] == 1.0


@pytest.mark.parametrize("shift", [0.5, -0.5])
def test_an_answer_that_misses_rows_or_the_dual_value_is_not_believed(monkeypatch, shift):
    original = highspy.Highs.getSolution

    def crooked(h):
        solution = original(h)
        return SimpleNamespace(col_value=[v + shift for v in solution.col_value], row_dual=solution.row_dual)

    monkeypatch.setattr(highspy.Highs, "getSolution", crooked)
    # min −x over x ≤ 1 and 0 ≤ x ≤ 9: 1.5 misses the row, 0.5 the optimum
    assert minimise(-np.ones(1), np.ones((1, 1)), np.ones(1), np.zeros(1), np.full(1, 9.0)).status == "failed"


def test_scales_are_powers_of_two_and_columns_keep_theirs_where_nothing_is_lost():
    A = np.array([[3.0, 1e-5], [1e9, 2e9]])
    on_rows, on_columns = scales(A)
    assert on_rows.tolist() == [0.25, 2.0**-31] and on_columns.tolist() == [1.0, 1.0]
    wide = np.array([[1e12, 1.0], [1.0, 1e-12]])
    on_rows, on_columns = scales(wide)
    scaled = np.abs(on_rows[:, None] * wide * on_columns)
    assert scaled.max() <= 2 and scaled.min() >= 0.1 and set(np.frexp(on_columns)[0]) == {0.5}
    assert scales(np.zeros((2, 0)))[0].tolist() == [1.0, 1.0] and scales(np.zeros((1, 2)))[0].tolist() == [1.0]
