"""Path gains from outside (a ray tracer, a measurement): an array that takes the place of layout and path loss."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simmst.errors import DataError
from simmst.io.atomic import atomic_file
from simmst.io.npz import read_npz
from simmst.simulator.radio.coverage import SQUARE_KM

FloatArray = NDArray[np.float64]

_KEYS = ("gain_db", "sites_km", "units")
# Path gain between a site and the ground is negative, and below this no receiver hears it.
_LEAST_DB = -300.0
_FEWEST_SQUARES = 25  # one node and two rings around it


@dataclass(frozen=True, slots=True)
class PathGain:
    """Path gains between the sites and the squares of `M` maps; world `i` of a set takes map `i % M`.

    Parameters
    ----------
    gain_db : float64 array `[M, Q, B]`
        Path gain in dB (minus path loss, antenna gains included), finite, from -300 to 0. The `Q` squares are a
        full square grid, row by row from the south-west, at least 5 in a row: nodes, and two rings of squares
        around them.
    sites_km : float64 array `[M, B, 2]`
        East and north of the sites in km, the grid's centre at the origin.
    square_km : float
        Side of a square in km.

    Raises
    ------
    DataError
        If a shape or a value is impossible.
    """

    gain_db: FloatArray
    sites_km: FloatArray
    square_km: float = SQUARE_KM

    def __post_init__(self) -> None:
        gain, sites = self.gain_db, self.sites_km
        if gain.ndim != 3 or min(gain.shape) < 1:
            raise DataError(f"gain_db: must be maps x squares x sites [M, Q, B], not of shape {gain.shape}")
        n_maps, n_squares, n_sites = gain.shape
        if math.isqrt(n_squares) ** 2 != n_squares or n_squares < _FEWEST_SQUARES:
            raise DataError(
                f"gain_db: {n_squares} squares; they must be a square grid with at least 5 in a row (25, 36, ...)"
            )
        if sites.shape != (n_maps, n_sites, 2):
            raise DataError(f"sites_km: must be [M, B, 2] = {(n_maps, n_sites, 2)}, not {sites.shape}")
        if not np.isfinite(sites).all():
            raise DataError("sites_km: holds values that are not finite")
        odd = np.argwhere(~np.isfinite(gain))
        if len(odd):
            where = ", ".join(str(i) for i in odd[0])
            raise DataError(
                f"gain_db: {len(odd)} values are not finite, the first at [{where}]; where no path was found, put "
                "a gain that no receiver hears, such as -200"
            )
        if gain.max() > 0 or gain.min() < _LEAST_DB:
            raise DataError(
                f"gain_db: values from {gain.min():g} to {gain.max():g}; path gain in dB lies between "
                f"{_LEAST_DB:g} and 0 (minus path loss; 10 log10 of a linear gain)"
            )
        if not (np.isfinite(self.square_km) and 0 < self.square_km <= 10):
            raise DataError(f"square_km={self.square_km}: must be the side of a square in km, up to 10")

    @property
    def side(self) -> int:
        """Squares in a row."""
        return math.isqrt(self.gain_db.shape[1])


def save_path_gain(gain: PathGain, path: str | os.PathLike[str]) -> None:
    """Write path gains to an npz file; it appears whole or not at all.

    Parameters
    ----------
    gain : PathGain
        The path gains.
    path : path-like
        The file.
    """
    with atomic_file(Path(path)) as stream:
        np.savez(
            stream,
            gain_db=gain.gain_db,
            sites_km=gain.sites_km,
            square_km=np.array(gain.square_km),
            units=np.array("dB"),
        )


def load_path_gain(path: str | os.PathLike[str]) -> PathGain:
    """Read path gains from an npz file.

    Its keys are `gain_db` `[M, Q, B]` (or `[Q, B]` for one map), `sites_km` `[M, B, 2]` (or `[B, 2]`), `units`,
    which must be "dB", and optionally `square_km` (0.235, the Milano grid's, where it is missing).

    Parameters
    ----------
    path : path-like
        The file.

    Raises
    ------
    DataError
        If the file is missing or damaged, or `PathGain` refuses what is in it.
    """
    keys = read_npz(path, (*_KEYS, "square_km"))
    missing = [key for key in _KEYS if key not in keys]
    if missing:
        raise DataError(f"{path}: lacks {', '.join(missing)}; path gains need {', '.join(_KEYS)}")
    if str(keys["units"]) != "dB":
        raise DataError(f"{path}: units are {str(keys['units'])!r}; gain_db must be in 'dB'")
    for name in ("gain_db", "sites_km", "square_km"):
        if name in keys and (keys[name].dtype.kind not in "fiu" or (name == "square_km" and keys[name].ndim)):
            raise DataError(f"{path}: gain_db, sites_km and square_km must be numbers")
    gain, sites = (keys[key].astype(np.float64) for key in ("gain_db", "sites_km"))
    square_km = float(keys.get("square_km", SQUARE_KM))
    try:
        return PathGain(
            gain[None] if gain.ndim == 2 else gain, sites[None] if sites.ndim == 2 else sites, square_km
        )
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
