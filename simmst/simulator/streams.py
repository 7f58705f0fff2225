"""Random streams by name, so that a new draw moves no other draw."""

from __future__ import annotations

import zlib

import numpy as np


def stream(seed: np.random.SeedSequence | int, name: str) -> np.random.Generator:
    """
    Generator of a stream of its own: a function of seed and name alone.

    Parameters
    ----------
    seed
        Seed of a world or of its scenario; it is left as it is.
    name
        What is drawn, such as the name of a parameter.
    """
    parent = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    # Keys of spawned children count from 0, far below a checksum.
    key = (*parent.spawn_key, zlib.crc32(name.encode()))
    return np.random.default_rng(np.random.SeedSequence(parent.entropy, spawn_key=key))
