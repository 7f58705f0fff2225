"""Few rows, many columns: the answer of HiGHS on the whole programme, Farkas certificates, warm starts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from cutplane import InputError
from cutplane.programs import wide_lp
from cutplane.programs.wide_lp import solve_wide

STATUS = {0: "optimal", 2: "infeasible", 4: "infeasible"}


@st.composite
def programmes(draw):
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    n, rows = draw(st.sampled_from([1, 3, 30, 2500])), draw(st.integers(1, 8))
    A = rng.normal(size=(rows, n)) + draw(st.sampled_from([0.0, 5.0])) * rng.normal(size=n)
    cost = rng.normal(size=n) * draw(st.booleans())
    lower = -rng.random(n)
    upper = lower + 2 * rng.random(n) * rng.integers(0, 2, size=n)
    inside = lower + (upper - lower) * rng.random(n)
    rhs = A @ inside + rng.random(rows) * rng.integers(0, 2, size=rows)
    if draw(st.integers(0, 4)) == 0:
        rhs -= 0.4 * np.abs(A) @ (upper - lower)
    epigraph = np.append(1.0, rng.integers(0, 2, size=rows - 1)) if draw(st.booleans()) else None
    return cost, A, rhs, lower, upper, epigraph


def by_highs(cost, A, rhs, lower, upper, epigraph):
    bounds = list(zip(lower, upper, strict=True))
    if epigraph is not None:
        A, cost, bounds = np.column_stack([A, -epigraph]), np.append(cost, 1.0), [*bounds, (None, None)]
    return optimize.linprog(cost, A, rhs, bounds=bounds, method="highs")


@settings(max_examples=60, deadline=None)  # the first call compiles
@given(programmes())
def test_it_agrees_with_highs_on_the_whole_programme(programme):
    cost, A, rhs, lower, upper, epigraph = programme
    found, known = solve_wide(*programme), by_highs(*programme)
    assert found.status == STATUS[known.status]
    if found.status == "infeasible":
        # Farkas: a combination of the rows that the whole box exceeds
        pull, weights = found.multipliers @ A, found.multipliers
        assert weights.min() >= 0
        assert np.minimum(pull * lower, pull * upper).sum() > rhs @ weights
        assert epigraph is None or epigraph @ weights <= 1e-9 * weights.sum()
        return
    if epigraph is not None:
        assert epigraph @ found.multipliers == pytest.approx(1.0)
    height = 0.0 if epigraph is None else found.height * epigraph
    assert cost @ found.point + found.height == pytest.approx(known.fun, rel=1e-6, abs=1e-7)
    assert np.all((found.point >= lower) & (found.point <= upper))
    assert np.max(A @ found.point - height - rhs) <= 1e-7


def test_a_warm_start_changes_the_way_and_not_the_answer():
    rng = np.random.default_rng(0)
    n, A = 20000, rng.normal(size=(6, 20000))
    cost, lower, upper = rng.normal(size=n), np.full(n, -1.0), np.full(n, 1.0)
    rhs = A @ np.clip(-0.5 * cost, -1, 1)
    cold = solve_wide(cost, A, rhs, lower, upper)
    warm = solve_wide(cost, A, rhs, lower, upper, warm=(cold.multipliers, cold.width))
    assert cold.columns <= 1000 < n
    assert warm.status == "optimal" and cost @ warm.point == pytest.approx(cost @ cold.point, rel=1e-12)
    np.testing.assert_allclose(warm.multipliers, cold.multipliers, rtol=1e-6)


def test_a_guess_that_misleads_costs_no_more_than_a_cold_start(monkeypatch):
    rng = np.random.default_rng(3)
    A = rng.normal(size=(12, 20_000)) / 140
    cost, rhs, low, up = np.zeros(20_000), rng.normal(size=12), np.full(20_000, -1.0), np.full(20_000, 1.0)
    cold = solve_wide(cost, A, rhs, low, up, np.ones(12))
    # the smoothing stops at once, next to nothing is smooth, and the multipliers are those of one plane
    original = wide_lp._Dual.approach
    monkeypatch.setattr(wide_lp._Dual, "approach", lambda dual, wanted, warm: warm or original(dual, wanted, warm))
    misled = solve_wide(cost, A, rhs, low, up, np.ones(12), (np.eye(12)[0], 1e-12))
    assert misled.height == pytest.approx(cold.height, rel=1e-12)
    assert misled.columns == cold.columns


def test_open_bounds_and_an_empty_epigraph_are_refused():
    one = np.ones(1)
    with pytest.raises(InputError, match="finite"):
        solve_wide(one, one[None], one, -one, np.array([np.inf]))
    with pytest.raises(InputError, match="epigraph"):
        solve_wide(one, one[None], one, -one, one, np.zeros(1))


@pytest.mark.parametrize("unit", [1e-9, 1e-5, 1e6])
def test_the_units_of_the_objective_change_nothing(unit):
    rng = np.random.default_rng(3)
    n = 3000
    A, lower, upper = rng.normal(size=(6, n)), np.full(n, -1.0), np.full(n, 1.0)
    rhs, epigraph = np.append(rng.normal(size=5), 0.1), np.append(np.ones(5), 0.0)
    scale = np.append(np.full(5, unit), 1.0)  # the last row bounds the point
    plain = solve_wide(np.zeros(n), A, rhs, lower, upper, epigraph)
    found = solve_wide(np.zeros(n), scale[:, None] * A, scale * rhs, lower, upper, epigraph)
    assert found.status == plain.status == "optimal"
    assert found.height == pytest.approx(unit * plain.height, rel=1e-9)
    np.testing.assert_allclose(found.multipliers[:5], plain.multipliers[:5], atol=1e-8)
    np.testing.assert_allclose(found.multipliers[5], unit * plain.multipliers[5], rtol=1e-6)


def test_without_rows_every_column_goes_to_its_bound():
    cost = np.array([1.0, -2.0, 0.0])
    found = solve_wide(cost, np.zeros((0, 3)), np.zeros(0), np.full(3, -1.0), np.full(3, 1.0))
    assert found.status == "optimal" and cost @ found.point == -3.0


@pytest.mark.parametrize("size", [1e-300, 1e-12, 1e-9, 1e9, 1e15, 1e200])
def test_the_units_of_rows_and_of_costs_change_nothing(size):
    rng = np.random.default_rng(5)
    n = 2000
    A, cost, lower, upper = rng.normal(size=(6, n)), rng.normal(size=n), np.full(n, -1.0), np.full(n, 1.0)
    rhs = A @ rng.uniform(-0.5, 0.5, size=n)
    known = by_highs(cost, A, rhs, lower, upper, None).fun
    rows = np.where(np.arange(6) % 2, size, 1.0)
    in_rows = solve_wide(cost, rows[:, None] * A, rows * rhs, lower, upper)
    for found in (in_rows, solve_wide(size * cost, A, rhs, lower, upper)):
        assert found.status == "optimal" and cost @ found.point == pytest.approx(known, rel=1e-7)
        assert np.max(A @ found.point - rhs) <= 1e-7
