"""The neighbours of each node as a square patch, on a grid and among scattered nodes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simmst.errors import ConfigError
from simmst.traffic.dataset import TrafficData

IntArray = NDArray[np.int64]


def neighbour_patches(data: TrafficData, size: int = 3) -> IntArray:
    """Indices of the nodes in a square patch around each node.

    See `patches_from_positions`; positions come from the coordinates. Without coordinates no neighbour is
    known, so every slot repeats the centre.

    Parameters
    ----------
    data : TrafficData
        The traffic, for its `coordinates`.
    size : int
        Side of the patch, odd.

    Returns
    -------
    ndarray
        int64 `[N, P]` with `P = size * size`, row-major from the north-west; slot `P // 2` is the node.
    """
    n_nodes = data.values.shape[1]
    if data.coordinates is None:
        _check_size(size)
        return np.repeat(np.arange(n_nodes)[:, None], size * size, axis=1)
    longitude, latitude = data.coordinates.T
    east = (longitude - longitude.mean()) * np.cos(np.deg2rad(latitude.mean()))
    return patches_from_positions(np.stack([east, latitude - latitude.mean()], axis=1), size)


def patches_from_positions(positions: NDArray[np.float64], size: int = 3) -> IntArray:
    """Indices of the nodes in a square patch around each node of the plane.

    The slots of ring r (r = 1 .. size // 2) look in the directions of a square lattice's ring r. Each slot
    takes the nearest node of its sector that no inner ring has taken; an empty sector repeats the centre. On
    a regular grid this gives exactly the grid's neighbours, elsewhere the slots keep their direction.

    Parameters
    ----------
    positions : float64 array `[N, 2]`
        East and north, in any one unit.
    size : int
        Side of the patch, odd.

    Returns
    -------
    ndarray
        int64 `[N, P]` with `P = size * size`, row-major from the north-west; slot `P // 2` is the node.
    """
    _check_size(size)
    half = size // 2
    rings = [_ring(r, half) for r in range(1, half + 1)]
    patches = np.repeat(np.arange(len(positions))[:, None], size * size, axis=1)
    for node in range(len(positions)):
        east, north = (positions - positions[node]).T
        order = np.argsort(np.hypot(east, north), kind="stable")
        order = order[order != node]
        bearing = np.arctan2(north[order], east[order])
        free = np.ones(len(order), dtype=bool)
        for slots, angles in rings:
            candidates = np.flatnonzero(free)
            turn = np.abs(np.angle(np.exp(1j * (bearing[candidates, None] - angles))))
            # The first of each sector is the nearest, because the candidates are ordered by distance.
            sectors, first = np.unique(turn.argmin(axis=1), return_index=True)
            patches[node, slots[sectors]] = order[candidates[first]]
            free[candidates[first]] = False
    return patches


def _ring(r: int, half: int) -> tuple[IntArray, NDArray[np.float64]]:
    """Slots of ring `r` and the directions in which they look."""
    side = np.arange(-r, r + 1)
    east, north = (axis.ravel() for axis in np.meshgrid(side, side))
    edge = np.maximum(np.abs(east), np.abs(north)) == r
    east, north = east[edge], north[edge]
    return (half - north) * (2 * half + 1) + half + east, np.arctan2(north, east)


def _check_size(size: int) -> None:
    if size < 1 or size % 2 == 0:
        raise ConfigError(f"patch size={size}: must be an odd number, so that a node is its patch's centre")
