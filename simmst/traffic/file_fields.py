"""What the arrays of a traffic file mean: the arguments of `TrafficData`."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simmst.errors import DataError
from simmst.traffic.gap import Gap

#: Units that a service name may end in ("5g_down_MB"): they move to `TrafficData.units` where those are unknown.
UNIT_SUFFIXES = ("B", "KB", "MB", "GB", "TB", "kbit", "Mbit", "Gbit")
# The grid of the Telecom Italia Milano data [K]: 100 x 100 squares of 235 m, ids 1..10000 row by row from the
# south-west corner. Only neighbourhood is read from it, so the equirectangular approximation is ample.
_MILANO_SIDE = 100
_MILANO_CORNER = (9.0115, 45.3566)
_MILANO_STEP = (0.003010, 0.002115)


def fields_of(keys: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """Turn the arrays of a file into the arguments of `TrafficData`."""
    values = keys["values"]
    if values.ndim != 3 or values.dtype.kind not in "fiu":
        raise DataError(f"values: must be numbers [T, N, S], not {values.dtype} of shape {values.shape}")
    try:
        start = _time(keys["start"])
        step = int(keys["step_minutes"])
        if step != keys["step_minutes"]:
            raise ValueError
    except (ValueError, TypeError, OverflowError):
        raise DataError("start, step_minutes: must be one local time and one whole number") from None
    try:
        rows = keys.get("gaps", ())
        gaps = tuple(Gap(str(service), _time(first), _time(stop)) for service, first, stop in rows)
    except (ValueError, TypeError, OverflowError):
        raise DataError("gaps: must be rows of service, start and stop") from None
    services = tuple(str(name) for name in np.atleast_1d(keys["services"]))
    units = str(keys.get("units", "unknown"))
    if units == "unknown":  # else an ending that looks like a unit is part of the name
        services, units = _split_units(services)
    squares = keys.get("square_ids")
    names = keys.get("node_ids", squares if squares is not None else np.arange(values.shape[1]))
    coordinates = keys.get("lonlat")
    if coordinates is not None and coordinates.dtype.kind not in "fiu":
        raise DataError(f"lonlat: must be numbers [N, 2], not {coordinates.dtype}")
    if coordinates is None and squares is not None:
        coordinates = _milano_coordinates(squares)
    return {
        "values": values.astype(np.float32, copy=False),
        "start": start,
        "step_minutes": step,
        "services": services,
        "node_ids": tuple(str(name) for name in np.atleast_1d(names)),
        "coordinates": None if coordinates is None else np.asarray(coordinates, dtype=np.float64),
        "units": units,
        "gaps": gaps,
        "fill": str(keys.get("fill", "none")),
        "missing": keys.get("missing"),
        "averaged": tuple(str(name) for name in np.atleast_1d(keys.get("averaged", ()))),
    }


def _time(written: object) -> np.datetime64:
    """Read a time with a year of four digits: of longer ones NumPy makes another year, and says nothing."""
    text = str(written)
    if not re.match(r"\d{4}(?!\d)", text):
        raise ValueError
    return np.datetime64(text, "m")


def _split_units(services: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Move a unit that all the names end in out of them: ("5g_down_MB",) -> ("5g_down",), "MB"."""
    ends = {name.rpartition("_")[2] for name in services}
    if len(ends) == 1 and ends <= set(UNIT_SUFFIXES) and all("_" in name for name in services):
        return tuple(name.rpartition("_")[0] for name in services), ends.pop()
    return services, "unknown"


def _milano_coordinates(squares: NDArray[Any]) -> NDArray[np.float64] | None:
    ids = np.atleast_1d(squares)
    if ids.dtype.kind not in "iu" or ids.min() < 1 or ids.max() > _MILANO_SIDE**2:
        return None
    row, column = np.divmod(ids - 1, _MILANO_SIDE)
    cell = np.stack([column, row], axis=1) + 0.5
    return np.asarray(_MILANO_CORNER + cell * _MILANO_STEP, dtype=np.float64)
