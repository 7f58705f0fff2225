"""Patches are the neighbours on a grid, and keep their directions among scattered nodes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from simmst.errors import ConfigError
from simmst.traffic.dataset import TrafficData
from simmst.traffic.neighbours import neighbour_patches, patches_from_positions


def grid_patch(node, rows, columns, size):
    """Neighbours by counting rows and columns; row 0 is the northernmost."""
    row, column = divmod(node, columns)
    half = size // 2
    patch = []
    for r in range(row - half, row + half + 1):
        for c in range(column - half, column + half + 1):
            patch.append(r * columns + c if 0 <= r < rows and 0 <= c < columns else node)
    return patch


@pytest.mark.parametrize("size", [1, 3, 5])
def test_on_a_grid_the_patches_are_the_grid_neighbours(grid, size):
    expected = [grid_patch(node, 6, 7, size) for node in range(42)]
    np.testing.assert_array_equal(neighbour_patches(grid(6, 7, steps=2), size), expected)


@settings(max_examples=30, deadline=None)
@given(
    arrays(float, st.tuples(st.integers(1, 25), st.just(2)), elements=st.floats(-50, 50)),
    st.sampled_from([3, 5]),
)
def test_a_patch_of_scattered_nodes_has_its_centre_and_no_neighbour_twice(positions, size):
    patches = patches_from_positions(positions, size)
    for node, patch in enumerate(patches):
        assert patch[size * size // 2] == node
        others = patch[patch != node]
        assert len(set(others)) == len(others)


def test_slots_of_scattered_nodes_look_in_their_direction():
    positions = np.array([[0, 0], [3, 0.4], [9, 0], [0.2, 5], [-2, -2.1]])
    patch = patches_from_positions(positions, 3)[0].reshape(3, 3)
    np.testing.assert_array_equal(patch, [[0, 3, 0], [0, 0, 1], [4, 0, 0]])


def test_without_coordinates_a_patch_repeats_its_node():
    day = np.datetime64("2024-01-01", "m")
    data = TrafficData(np.ones((3, 2, 1), np.float32), day, 60, ("a",), ("x", "y"))
    np.testing.assert_array_equal(neighbour_patches(data, 3), np.repeat([[0], [1]], 9, axis=1))


def test_an_even_patch_is_refused(grid):
    with pytest.raises(ConfigError, match="odd"):
        neighbour_patches(grid(), 4)
