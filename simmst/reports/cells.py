"""Small pictures of single cells, and where they lie: the numbers of their SVG, which a template draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
_WIDTH, _HEIGHT, _MAP, _EDGE = 220.0, 64.0, 480.0, 16.0
#: From which probability on a cell's mark is that of "perhaps", and of "likely".
PERHAPS, LIKELY = 0.1, 0.5
_RADII = {"likely": 7.0, "perhaps": 5.0, "unlikely": 2.5}
_WORDS = {"likely": "50 % and more", "perhaps": "10 to 50 %", "unlikely": "less"}


def cell_picture(past: Array, forecast: Array, ends: tuple[Array, Array], limit: float) -> dict[str, Any]:
    """Lay out the last days of a cell, its forecast, the interval, and its threshold.

    Parameters
    ----------
    past, forecast : float array
        Hours; NaN in the past is a break of the line.
    ends : pair of float array
        Of the interval.
    limit : float

    Returns
    -------
    dict
        For the template's macro `picture`: a few hundred bytes of points.
    """
    high = 1.05 * max(limit, *(float(np.nanmax(one, initial=0.0)) for one in (past, forecast, ends[1]))) or 1.0
    at = _WIDTH / max(len(past) + len(forecast) - 1, 1) * np.arange(len(past) + len(forecast))
    ahead = at[len(past) :]

    def y(values: Array) -> Array:
        return np.asarray(_HEIGHT * (1 - np.asarray(values, dtype=np.float64) / high))

    known = np.isfinite(past)
    breaks = np.flatnonzero(np.diff(known.astype(np.int8))) + 1
    parts = [part for part in np.split(np.arange(len(past)), breaks) if len(part) and known[part[0]]]
    return {
        "width": _WIDTH,
        "height": _HEIGHT,
        "band": _points(np.concatenate([ahead, ahead[::-1]]), np.concatenate([y(ends[1]), y(ends[0])[::-1]])),
        "past": [_points(at[part], y(past[part])) for part in parts],
        "ahead": _points(ahead, y(forecast)),
        "limit": f"{float(y(np.array(limit))):.1f}",
    }


def _points(x: Array, y: Array) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))


def chance(probability: float) -> str:
    """Say a probability in whole per cent, and never that something is certain."""
    if probability < 0.005:
        return "below 1 %"
    return "above 99 %" if probability > 0.995 else f"{100 * probability:.0f} %"


def mark(probability: float) -> str:
    """Say in a word how likely: the class of a mark on the map, which differs in shape as well as in colour."""
    return "likely" if probability >= LIKELY else "perhaps" if probability >= PERHAPS else "unlikely"


def cell_map(coordinates: Array, names: Sequence[str], probability: Array) -> dict[str, Any]:
    """Lay out cells at their places, by how likely they exceed.

    Parameters
    ----------
    coordinates : float array `[N, 2]`
        Longitude and latitude.
    names : sequence of str
    probability : float array `[N]`

    Returns
    -------
    dict
        For the template's macro `map`.
    """
    lat = np.deg2rad(coordinates[:, 1].mean())
    place = np.stack([coordinates[:, 0] * np.cos(lat), -coordinates[:, 1]], axis=1)
    span = float(np.ptp(place, axis=0).max()) or 1.0
    xy = _EDGE + (_MAP - 2 * _EDGE) * (place - place.min(axis=0)) / span
    dots = [
        {
            "kind": (kind := mark(float(probability[i]))),
            "x": f"{xy[i, 0]:.1f}",
            "y": f"{xy[i, 1]:.1f}",
            "radius": _RADII[kind],
            "words": f"{names[i]}: {chance(float(probability[i]))}",
        }
        for i in np.argsort(probability, kind="stable")  # the likeliest on top
    ]
    legend = [
        {"kind": kind, "radius": radius, "words": _WORDS[kind], "count": sum(dot["kind"] == kind for dot in dots)}
        for kind, radius in _RADII.items()
    ]
    return {"width": _MAP, "height": f"{float(xy[:, 1].max()) + _EDGE:.0f}", "dots": dots, "legend": legend}
