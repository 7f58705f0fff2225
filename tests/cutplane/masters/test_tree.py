"""The bound over whole numbers, recomputed: never above the truth, and at it where the tree ends."""

import itertools

import numpy as np
import pytest

from cutplane import BilevelProblem, Box, Polyhedron, SolutionMap
from cutplane.core.formulations import Reduced
from cutplane.core.pool import Kind, Plane
from cutplane.masters.milp import solve_integer
from cutplane.masters.tree import integer_bound


def case(seed, n=5):
    """Random planes over {0, 1, 2}ⁿ, some of which cut points off; the least height by enumeration."""
    rng = np.random.default_rng(seed)
    pool = Polyhedron(n)
    for _ in range(6):
        pool.add(Plane(Kind.OBJECTIVE, rng.normal(size=n), rng.normal()))
    for _ in range(2):
        normal = rng.normal(size=n)
        pool.add(Plane(Kind.CONSTRAINT, normal, -float(normal @ rng.integers(0, 3, size=n)) - 0.2))
    lower = SolutionMap(lambda x: x, lambda x, v: v)
    model = Reduced(BilevelProblem(lambda x, y: None, lower, Box(0, 2, integer=True)), n, n, (1.0, 1.0))
    heights = []
    for point in itertools.product(range(3), repeat=n):
        residuals = pool.residuals(np.array(point, dtype=float))
        if (residuals[pool.bounding] <= 1e-12).all():
            heights.append(residuals[~pool.bounding].max())
    return model, pool, min(heights, default=np.inf)


@pytest.mark.parametrize("seed", range(10))
def test_it_is_the_least_of_all_points(seed):
    model, pool, truth = case(seed)
    bound, whole = integer_bound(model, pool, np.ones(5), np.inf)
    assert whole and bound.value <= truth
    assert bound.value == pytest.approx(truth, abs=1e-8)
    found = solve_integer(model, pool, model.lower, model.upper)
    assert found is None if truth == np.inf else found.bound == pytest.approx(truth, abs=1e-6)


@pytest.mark.parametrize("nodes", [1, 2, 5, 20])
def test_a_tree_that_was_cut_short_is_below(nodes):
    for seed in range(5):
        model, pool, truth = case(seed)
        bound, whole = integer_bound(model, pool, np.ones(5), np.inf, nodes)
        assert bound.value <= truth
        assert not whole or bound.value == pytest.approx(truth, abs=1e-8)


def test_the_relaxation_alone_is_lower():
    gaps = []
    for seed in range(5):
        model, pool, truth = case(seed)
        gaps.append(truth - integer_bound(model, pool, np.ones(5), np.inf, 1)[0].value)
    assert max(gaps) > 1e-3
