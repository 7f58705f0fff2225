"""Simulated worlds as one file: the traffic of the sites, the maps, and the parameters beside them."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simmst.errors import DataError
from simmst.io.atomic import atomic_file
from simmst.io.npz import check_array, read_npz
from simmst.simulator.city import SimulatedWorlds
from simmst.simulator.prior.scenario import Scenario
from simmst.simulator.world import MARGIN, World

_FORMAT = 1
_KEYS = ("format", "services", "names", "theta", "first_site", "sites", "spread", "squares")


def save_worlds(worlds: SimulatedWorlds, path: str | os.PathLike[str]) -> None:
    """
    Write worlds to an npz file; it appears whole or not at all.

    The file keeps sites, not squares: `sites` `[T, sum of B, S]`, `spread` `[Q, sum of B]`, where world `i` has
    the sites `first_site[i] .. first_site[i + 1] - 1`, and `theta` `[W, n]` under `names`.

    Parameters
    ----------
    worlds
        The worlds.
    path
        The file.

    Raises
    ------
    ConfigError
        If the worlds are not hourly.
    """
    for world in worlds.worlds:
        world.check_hourly("a file holds")
    names, theta = worlds.parameters()
    counts = [world.sites.shape[1] for world in worlds.worlds]
    with atomic_file(Path(path)) as stream:
        # Not compressed: that halves the file, but takes some 25 times as long to write.
        np.savez(
            stream,
            format=np.array(_FORMAT),
            services=np.array(worlds.services),
            names=np.array(names),
            theta=theta,
            first_site=np.cumsum([0, *counts]),
            sites=np.concatenate([world.sites for world in worlds.worlds], axis=1),
            spread=np.concatenate([world.spread for world in worlds.worlds], axis=1),
            squares=np.stack([world.squares for world in worlds.worlds]),
        )


def load_worlds(path: str | os.PathLike[str]) -> SimulatedWorlds:
    """
    Read the worlds of `save_worlds`.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    DataError
        If the file is missing or damaged, is not one of worlds, or was written by a newer version.
    """
    keys = read_npz(path, _KEYS)
    missing = [key for key in _KEYS if key not in keys]
    if missing:
        raise DataError(f"{path}: not a file of simulated worlds: lacks {', '.join(missing)}")
    if keys["format"].ndim == 0 and keys["format"].dtype.kind in "iu" and keys["format"] > _FORMAT:
        raise DataError(f"{path}: written by a newer version (format {keys['format']}); update")
    try:
        _check(keys)
    except DataError as error:
        raise DataError(f"{path}: damaged: its arrays do not fit each other ({error})") from None
    services = tuple(str(name) for name in keys["services"])
    names = [str(name) for name in keys["names"]]
    first = keys["first_site"].tolist()
    return SimulatedWorlds(
        tuple(
            World(
                Scenario(services, dict(zip(names, theta.tolist(), strict=True))),
                np.ascontiguousarray(keys["sites"][:, a:b]),
                np.ascontiguousarray(keys["spread"][:, a:b]),
                squares,
            )
            for theta, a, b, squares in zip(keys["theta"], first[:-1], first[1:], keys["squares"], strict=True)
        )
    )


def _check(keys: dict[str, NDArray[Any]]) -> None:
    """Refuse arrays that do not fit together."""
    check_array("format", keys["format"], "iu")
    check_array("services", keys["services"], "U", None)
    check_array("names", keys["names"], "U", None)
    check_array("squares", keys["squares"], "f", None, None, 2)
    worlds, squares = keys["squares"].shape[:2]
    if math.isqrt(squares) ** 2 != squares or math.isqrt(squares) <= 2 * MARGIN:
        raise DataError(f"squares: {squares} are no square grid with {MARGIN} rings around a node")
    check_array("first_site", keys["first_site"], "iu", worlds + 1)
    first = keys["first_site"].astype(np.int64)
    if first[0] != 0 or (np.diff(first) < 1).any():
        raise DataError("first_site: must begin with 0 and ascend")
    check_array("sites", keys["sites"], "f", None, int(first[-1]), len(keys["services"]))
    check_array("spread", keys["spread"], "f", squares, int(first[-1]))
    if keys["sites"].min() < 0 or keys["spread"].min() < 0:
        raise DataError("sites, spread: hold negative traffic")
    if keys["theta"].dtype.kind != "f" or keys["theta"].shape != (worlds, len(keys["names"])):
        raise DataError(f"theta: must be floats {(worlds, len(keys['names']))}")
    start = keys["theta"][:, keys["names"] == "start_hour"]
    if start.shape[1] != 1 or not ((start >= 0) & (start < 168)).all():
        raise DataError("theta: must hold start_hour, an hour of the week")
