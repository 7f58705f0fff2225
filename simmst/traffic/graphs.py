"""Graphs and grids from the places of the nodes: who is beside whom."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simmst.errors import ConfigError, DataError
from simmst.traffic.dataset import TrafficData

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

_KM_PER_DEGREE = 111.2


def city_graph(data: TrafficData, neighbours: int = 8) -> NDArray[np.float32] | None:
    """Weighted adjacency of the nodes: that of the grid if they lie on one, else of the nearest neighbours.

    Parameters
    ----------
    data : TrafficData
        The traffic, for its `coordinates`.
    neighbours : int
        For `neighbour_graph`.

    Returns
    -------
    ndarray or None
        float32 `[N, N]`, symmetric, 0 on the diagonal; None where no coordinates are known.
    """
    if data.coordinates is None:
        return None
    grid = city_grid(data)
    graph = neighbour_graph(data.coordinates, neighbours) if grid is None else grid_graph(grid)
    return graph.astype(np.float32)


def neighbour_graph(coordinates: Array, neighbours: int = 8) -> Array:
    """Gaussian weights exp(−d² / σ²) to the nearest neighbours; an edge counts if either end has it.

    σ is the median of the distances to those neighbours, so that the graph does not change with the size of
    the city. (The traffic literature thresholds the weights of all pairs instead; on cells drawn at random over a
    city that links some to hundreds of others and some to none.)

    Parameters
    ----------
    coordinates : float64 array `[N, 2]`
        Longitude and latitude in degrees.
    neighbours : int
        Of each node; no more than there are others.

    Returns
    -------
    ndarray
        `[N, N]`, symmetric, in [0, 1], 0 on the diagonal.
    """
    if neighbours < 1:
        raise ConfigError(f"neighbours={neighbours}: must be at least 1")
    place = _kilometres(coordinates)
    distance = np.linalg.norm(place[:, None] - place[None, :], axis=-1)
    count = min(neighbours, len(place) - 1)
    others = distance + np.diag(np.full(len(place), np.inf))
    nearest = np.argsort(others, axis=1, kind="stable")[:, :count]
    edge = np.zeros(distance.shape, dtype=bool)
    np.put_along_axis(edge, nearest, True, axis=1)
    edge |= edge.T
    if count == 0:
        return np.zeros_like(distance)
    spread = float(np.median(np.take_along_axis(distance, nearest, axis=1)))
    if spread == 0:
        raise DataError("coordinates: most nodes lie at the same place, no graph can be made of them")
    return np.where(edge, np.exp(-np.square(distance / spread)), 0.0)


def grid_graph(grid: IntArray) -> Array:
    """Weight 1 between each node of a grid `[R, C]` and its up to 8 neighbours: `[N, N]`."""
    rows, columns = (axis.ravel() for axis in np.indices(grid.shape))
    near = np.maximum(np.abs(rows[:, None] - rows), np.abs(columns[:, None] - columns)) == 1
    graph = np.zeros(near.shape)
    order = grid.ravel()
    graph[np.ix_(order, order)] = near
    return graph


def city_grid(data: TrafficData) -> IntArray | None:
    """Lay the nodes out as an image, if they fill a regular grid of parallels and meridians.

    Parameters
    ----------
    data : TrafficData
        The traffic, for its `coordinates`.

    Returns
    -------
    ndarray or None
        Number of the node at each place, int64 `[R, C]`, row 0 in the north and column 0 in the west; None
        where the nodes are scattered, a place is empty, or no coordinates are known.
    """
    if data.coordinates is None:
        return None
    places = [_regular(axis) for axis in data.coordinates.T]
    column, row = places
    if column is None or row is None:
        return None
    shape = int(row.max()) + 1, int(column.max()) + 1
    if shape[0] * shape[1] != len(row):
        return None
    grid = np.full(shape, -1, dtype=np.int64)
    grid[row.max() - row, column] = np.arange(len(row))
    return None if (grid < 0).any() else grid


def _regular(values: Array) -> IntArray | None:
    """Number of each value on an even scale without holes, or None if they lie on none."""
    step = np.diff(np.sort(values)).max(initial=0.0)
    if step == 0:
        return np.zeros(len(values), dtype=np.int64)
    place = (values - values.min()) / step
    if np.abs(place - np.round(place)).max() > 0.1:
        return None
    return np.asarray(np.round(place), dtype=np.int64)


def _kilometres(coordinates: Array) -> Array:
    """East and north of the mean, in km: an even map, which is ample within a city."""
    longitude, latitude = (coordinates - coordinates.mean(axis=0)).T * _KM_PER_DEGREE
    return np.stack([longitude * np.cos(np.deg2rad(coordinates[:, 1].mean())), latitude], axis=1)
