"""The door: what becomes an array, and what is refused by the name of the argument."""

import numpy as np
import pytest
from scipy import sparse

from cutplane import InputError, LinearConstraint
from cutplane._arrays import direction, matrix, positive, row_lengths, scalar_or_vector, vector


class Grudging:
    """What refuses to be an array in the words of its own library, as a tensor with a gradient does."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("detach it first")


@pytest.mark.parametrize("check", [vector, matrix, scalar_or_vector])
@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("1.5", "holds text"),
        ([1 + 0j], "complex"),
        ([10**400], "too large"),
        (np.ma.masked_array([1.0], [True]), "masked"),
        (np.array([1], dtype="m8[s]"), "timedelta64"),
        (Grudging(), "detach it first"),
        ({"a": 1}, "not"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused_by_name(check, value, words):
    with pytest.raises(InputError, match=f"^it .*{words}"):
        check(value, "it")


def test_a_vector_is_a_copy_in_float64_or_float32():
    for given, dtype in ((np.ones(2), float), (np.ones(2, dtype=np.float32), np.float32), ([1, 2], float)):
        found = vector(given, "it")
        assert found.dtype == dtype and not (isinstance(given, np.ndarray) and np.shares_memory(found, given))
    big_endian = vector(np.array([1.0, 2.0], dtype=">f8"), "it")
    assert big_endian.dtype.isnative and big_endian.tolist() == [1.0, 2.0]


def test_a_masked_array_without_a_masked_entry_is_an_array():
    assert vector(np.ma.masked_array([1.0, 2.0], [False, False]), "it").tolist() == [1.0, 2.0]


def test_a_sparse_column_is_no_vector():
    with pytest.raises(InputError, match=r"b must be one-dimensional, its shape is \(2, 1\)"):
        LinearConstraint(np.eye(2), np.eye(2), sparse.csr_array(np.ones((2, 1))))


def test_a_huge_sparse_matrix_is_refused_before_it_is_written_out():
    for shape in ((2**14 + 1, 2**14), (1, 2**28 + 1)):  # 2³¹ bytes are 2²⁸ numbers
        with pytest.raises(InputError, match=r"A .* GiB .* leave rows out"):
            matrix(sparse.coo_array(shape), "A")


def test_a_direction_has_unit_length_at_any_size():
    for size in (1e-300, 1e-160, 1.0, 1e160, 1e300):
        unit, length = direction(size * np.array([3.0, 4.0]))
        np.testing.assert_allclose([*unit, length / size], [0.6, 0.8, 5.0], rtol=1e-14)
    assert direction(np.zeros(2))[1] == 0.0


def test_rows_have_their_length_at_any_size():
    sizes = np.array([[1e-300], [1e-160], [1.0], [1e160], [1e300]])
    np.testing.assert_allclose(row_lengths(sizes * [[3.0, 4.0]]), 5 * sizes[:, 0], rtol=1e-14)
    assert row_lengths(np.zeros((2, 3))).tolist() == [1.0, 1.0] and row_lengths(np.zeros((0, 3))).size == 0


@pytest.mark.parametrize("value", ["2", [2.0], np.array([2.0]), None, True + 1j, np.nan, np.inf, 0, -1, 10**400])
def test_a_positive_number_is_one_number(value):
    with pytest.raises(InputError, match="radius must be a positive finite number"):
        positive(value, "radius")
    assert positive(np.float32(2), "radius") == positive(np.array(2), "radius") == 2.0
