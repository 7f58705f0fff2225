"""The lower level by its solution map."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutplane import InputError, OracleError
from cutplane.errors import NoAnswerError
from cutplane.oracles import SolutionMap

M = np.array([[1.0, 2.0], [0.0, -1.0], [3.0, 0.5]])


def forward(x):
    return M @ x


def vjp(x, v):
    return M.T @ v


numbers = st.lists(st.floats(-3, 3), min_size=5, max_size=5)


@settings(max_examples=40, deadline=None)
@given(numbers, st.sampled_from(["plain", "squared"]), st.sampled_from([1e-10, 1e-4, 1.0]))
def test_restored_points_have_the_gap_that_is_allowed(values, norm, epsilon):
    oracle = SolutionMap(forward, vjp, norm)
    x, y = np.array(values[:2]), np.array(values[2:])
    before, after = oracle.gap(x, y)[0], oracle.gap(x, oracle.restore(x, y, epsilon))[0]
    assert after <= epsilon
    # the rounding of a point of size 10 is 1e-5 of a distance of 1e-10
    assert after == pytest.approx(min(before, epsilon), rel=1e-3, abs=1e-14)


def test_lists_are_taken_and_wrong_lengths_named():
    oracle = SolutionMap(forward, lambda x, v: M.T.dot(v))
    assert oracle.gap([1, 0], [1, 0, 4])[0] == pytest.approx(1.0)
    np.testing.assert_array_equal(oracle.solution([1, 0]), [1.0, 0.0, 3.0])
    np.testing.assert_allclose(oracle.restore([1, 0], [1, 0, 4], 0.5), [1.0, 0.0, 3.5])
    # the user's own function sees vectors: 2 * [1, 2] would be [1, 2, 1, 2]
    np.testing.assert_array_equal(SolutionMap(lambda x: 2 * x, lambda x, v: 2 * v).vjp([1, 2], [3, 4]), [6.0, 8.0])
    for call in (lambda: oracle.gap([1, 0], [1, 0]), lambda: oracle.restore([1, 0], [1, 0], 1.0)):
        with pytest.raises(OracleError, match="shape"):
            call()
    with pytest.raises(InputError, match="v has 2 entries, 3 were expected"):
        oracle.vjp([1, 0], [1, 0])


def test_a_solution_that_is_not_finite_is_no_answer():
    oracle = SolutionMap(lambda x: 1 / x, lambda x, v: -v / x**2)
    with np.errstate(divide="ignore"), pytest.raises(NoAnswerError, match="not finite"):
        oracle.gap([0.0], [1.0])


def test_maps_are_copied_pickled_and_compared_by_their_functions():
    oracle = SolutionMap(forward, vjp)
    for other in (copy.copy(oracle), pickle.loads(pickle.dumps(oracle)), SolutionMap(forward, vjp)):
        assert other == oracle
        np.testing.assert_array_equal(other.vjp([1, 0], [1, 0, 0]), [1.0, 2.0])
    assert SolutionMap(forward, lambda x, v: v) != oracle


def test_an_unknown_norm_is_refused():
    with pytest.raises(InputError, match="norm is"):
        SolutionMap(forward, vjp, "max")
