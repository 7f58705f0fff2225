"""The ridge by normal equations, against least squares with rows for the penalty."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simmst.errors import ConfigError
from simmst.traffic.ridge import NormalEquations, solved


def samples(seed: int, count: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, 4)), rng.standard_normal((count, 3)), rng.uniform(0, 2, count)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.integers(1, 30))
def test_batches_add_up_to_the_ridge_of_least_squares(seed, weighted, batch):
    a, y, s = samples(seed)
    s = s if weighted else np.ones(len(a))
    penalty = np.random.default_rng(seed).uniform(0.1, 5, 4)
    equations = NormalEquations(4, 3)
    for first in range(0, len(a), batch):
        part = slice(first, first + batch)
        equations.add(a[part], y[part], s[part] if weighted else None)
    rows = np.concatenate([np.sqrt(s)[:, None] * a, np.diag(np.sqrt(penalty))])
    right = np.concatenate([np.sqrt(s)[:, None] * y, np.zeros((4, 3))])
    np.testing.assert_allclose(equations.solve(penalty), np.linalg.lstsq(rows, right)[0], atol=1e-10)


def test_the_factor_solves_for_other_right_sides_too():
    a, y, s = samples(1)
    equations = NormalEquations(4, 3)
    equations.add(a, y, s)
    other = np.arange(8.0).reshape(4, 2)
    matrix = (a * s[:, None]).T @ a + 0.5 * np.eye(4)
    np.testing.assert_allclose(matrix @ solved(equations.factor(0.5), other), other, atol=1e-10)


def test_sums_of_single_precision_samples_do_not_lose_what_comes_last():
    # 1 + 2^-24 is 1 in float32: sums must not be kept in it.
    equations = NormalEquations(1, 1)
    for size in (1.0, *[2.0**-12] * 64):
        equations.add(np.array([[size]], np.float32), np.array([[size]], np.float32))
    assert equations.gram[0, 0] == equations.moment[0, 0] == 1 + 64 * 2.0**-24


def test_no_sample_gives_no_coefficient():
    np.testing.assert_array_equal(NormalEquations(2, 1).solve(1.0), np.zeros((2, 1)))


def test_a_penalty_that_rounding_swallows_is_refused_in_words():
    equations = NormalEquations(2, 1)
    equations.add(np.array([[1.0, -1.0]] * 3) * 1e8, np.ones((3, 1)))
    with pytest.raises(ConfigError, match="penalty: 1e-09 is lost in the rounding"):
        equations.solve(1e-9)
