"""Simulated worlds as one file: the traffic of the sites, the maps, and the parameters beside them."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

from simmst.data.files import atomic_file
from simmst.errors import DataError
from simmst.simulator.city import SimulatedWorlds, World
from simmst.simulator.scenario import Scenario

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
    """
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
    if not Path(path).is_file():
        raise DataError(f"{path}: no such file")
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path}: not an npz file (or cut off)")
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [key for key in _KEYS if key not in archive.files]
            if missing:
                raise DataError(f"{path}: not a file of simulated worlds: lacks {', '.join(missing)}")
            if int(archive["format"]) > _FORMAT:
                raise DataError(f"{path}: written by a newer version (format {int(archive['format'])}); update")
            keys = {key: archive[key] for key in _KEYS}
    except DataError:
        raise
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: not a readable npz file: {error}") from None
    services = tuple(str(name) for name in keys["services"])
    names = [str(name) for name in keys["names"]]
    first = keys["first_site"].tolist()
    sizes = {first[-1], keys["sites"].shape[1], keys["spread"].shape[1]}
    if len(sizes) != 1 or {len(first) - 1, len(keys["theta"])} != {len(keys["squares"])}:
        raise DataError(f"{path}: damaged: its arrays do not fit each other")
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
