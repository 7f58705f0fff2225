"""Graphs and grids of places."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simmst.errors import ConfigError, DataError
from simmst.traffic.dataset import TrafficData
from simmst.traffic.graphs import city_graph, city_grid, grid_graph, neighbour_graph


def traffic(coordinates: np.ndarray | None, nodes: int | None = None) -> TrafficData:
    n = len(coordinates) if coordinates is not None else nodes or 4
    values = np.ones((4, n, 1), dtype=np.float32)
    return TrafficData(
        values, np.datetime64("2024-01-01T00:00", "m"), 60, ("a",), tuple(map(str, range(n))), coordinates
    )


def lattice(rows: int, columns: int, order: np.ndarray | None = None) -> np.ndarray:
    north, east = (axis.ravel() for axis in np.indices((rows, columns)))
    places = np.stack([9.0 + 0.003 * east, 45.0 + 0.002 * (rows - 1 - north)], axis=1)
    return places if order is None else places[order]


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_nodes_that_fill_a_grid_are_laid_out_north_up_in_any_order(rows: int, columns: int, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(rows * columns)
    grid = city_grid(traffic(lattice(rows, columns, order)))
    assert grid is not None and grid.shape == (rows, columns)
    np.testing.assert_array_equal(order[grid].ravel(), np.arange(rows * columns))


def test_scattered_nodes_a_grid_with_a_hole_and_nodes_without_places_are_no_grid() -> None:
    rng = np.random.default_rng(0)
    assert city_grid(traffic(rng.uniform(9, 9.1, (12, 2)))) is None
    assert city_grid(traffic(lattice(3, 4)[:-1])) is None
    assert city_grid(traffic(np.concatenate([lattice(2, 3), lattice(2, 3)[:1]]))) is None
    assert city_grid(traffic(None)) is None
    assert city_graph(traffic(None)) is None


def test_the_graph_of_a_grid_joins_the_eight_around_a_node() -> None:
    graph = grid_graph(np.array([[8, 1, 2], [3, 4, 5], [6, 7, 0]]))
    assert graph[4].sum() == 8 and graph[4, 4] == 0
    assert set(np.flatnonzero(graph[8])) == {1, 3, 4}
    np.testing.assert_array_equal(graph, graph.T)
    np.testing.assert_array_equal(city_graph(traffic(lattice(3, 3))), grid_graph(np.arange(9).reshape(3, 3)))


@given(st.integers(2, 30), st.integers(1, 10), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_a_graph_of_neighbours_is_symmetric_and_weighs_the_nearest_most(
    nodes: int, neighbours: int, seed: int
) -> None:
    places = np.random.default_rng(seed).uniform((9.0, 45.0), (9.2, 45.1), (nodes, 2))
    graph = neighbour_graph(places, neighbours)
    np.testing.assert_array_equal(graph, graph.T)
    assert not graph.diagonal().any() and (graph >= 0).all() and (graph <= 1).all()
    even = (places - 45.05) * [np.cos(np.deg2rad(places[:, 1].mean())), 1.0]
    distance = np.linalg.norm(even[:, None] - even, axis=-1) + np.diag(np.full(nodes, np.inf))
    nearest = graph[np.arange(nodes), distance.argmin(axis=1)]
    np.testing.assert_array_equal(nearest, graph.max(axis=1))


def test_the_weights_are_gaussian_in_the_distance_in_units_of_the_usual_one() -> None:
    # Three places on a meridian, 1 and 2 steps apart; each has one neighbour, 1, 1 and 2 steps away: σ = 1 step.
    places = np.array([[9.0, 45.0], [9.0, 45.01], [9.0, 45.03]])
    graph = neighbour_graph(places, neighbours=1)
    np.testing.assert_allclose(graph[0], [0, np.exp(-1.0), 0], rtol=1e-6)
    np.testing.assert_allclose(graph[1, 2], np.exp(-4.0), rtol=1e-6)


def test_the_graph_does_not_change_with_the_size_of_the_city() -> None:
    places = np.random.default_rng(3).uniform(-0.05, 0.05, (20, 2))
    np.testing.assert_allclose(neighbour_graph(places), neighbour_graph(places * 2), atol=1e-3)


def test_what_makes_no_graph_is_refused() -> None:
    with pytest.raises(ConfigError, match="neighbours=0"):
        neighbour_graph(lattice(2, 2), 0)
    with pytest.raises(DataError, match="same place"):
        neighbour_graph(np.ones((5, 2)))


def test_real_cities_milan_s_random_squares_are_scattered_and_the_centre_is_a_grid(real_data) -> None:
    scattered = TrafficData.load(real_data("milano_internet_100.npz"))
    assert city_grid(scattered) is None
    degree = (city_graph(scattered) > 0).sum(1)
    assert degree.min() >= 8 and degree.max() <= 30
    centre = city_grid(TrafficData.load(real_data("milano_internet_5x5.npz")))
    assert centre is not None and centre.shape == (5, 5)
