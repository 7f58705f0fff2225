"""What a reader wants first: will a cell be full tomorrow, how much is to come, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from simmst.forecasting.forecast import Forecast
from simmst.forecasting.held_back import HeldBack
from simmst.forecasting.totals import Total, totals
from simmst.reports.cells import LIKELY, PERHAPS, cell_map, cell_picture, mark
from simmst.reports.page import page
from simmst.traffic.dataset import TrafficData
from simmst.traffic.hourly_units import hourly_units

_LISTED, _DRAWN, _MAPPED = 8, 120, 3000
_DAY, _PAST = 24, 72
_COLUMNS = ["cell", "service", "above in an hour", "at", "forecast", "upper end", "threshold", "highest seen"]

Array = npt.NDArray[np.float64]


def answer(
    forecast: Forecast, sure: Sequence[str], held: HeldBack | None = None, limits: Array | None = None
) -> dict[str, Any]:
    """Collect what the first screen of a page shows.

    Parameters
    ----------
    forecast : Forecast
        With quantiles.
    sure : sequence of str
        Sentences on how good it was lately.
    held : HeldBack, optional
        By which totals' intervals are measured.
    limits : float array `[N, S]`, optional
        Thresholds, NaN where there is none. By default the highest hour of each series' history.

    Returns
    -------
    dict
        For the template's macro `answer`.
    """
    data = forecast.history
    highest = _highest(data)
    asked = highest if limits is None else limits
    risk = forecast.risk(asked)
    probability = forecast.exceedance(asked)[:_DAY].max(axis=0)  # [N, S]
    cells = [*risk.iter_rows(named=True)]
    return {
        "when": f"{_said(forecast.times[0])} to {_said(forecast.times[min(_DAY, len(forecast.times)) - 1])}",
        "verdict": _verdict(cells, limits is not None, data),
        "sure": list(sure),
        "totals": [_total(one, data) for one in totals(forecast, held)],
        "measured": held is not None,
        "given": limits is not None,
        "columns": _COLUMNS if limits is not None else [name for name in _COLUMNS if name != "threshold"],
        "listed": [_listed(one, limits is not None) for one in cells[:_LISTED]],
        "map": _map(data, probability),
        "cells": _pictures(forecast, cells, asked),
        "of": len(cells),
    }


def answer_page(title: str, first: Mapping[str, Any], notices: Sequence[str], facts: Mapping[str, str]) -> str:
    """Write a page of an answer alone.

    Parameters
    ----------
    title : str
    first : mapping
        From `answer`.
    notices : sequence of str
    facts : mapping of str to str
        What was forecast, by what.
    """
    return page("answer_page.html.j2", title=title, answer=first, notices=notices, facts=facts)


def _highest(data: TrafficData) -> Array:
    return np.asarray(np.where(data.known, data.values, 0.0).max(axis=0), dtype=np.float64)


def _verdict(cells: Sequence[Mapping[str, Any]], given: bool, data: TrafficData) -> str:
    """Answer in words whether any cell will be full."""
    likely = [one for one in cells if one["probability"] >= LIKELY]
    perhaps = sum(PERHAPS <= one["probability"] < LIKELY for one in cells)
    above = "above its threshold" if given else f"above every hour of the {len(data.values) // _DAY} days seen"
    if not cells:
        return "No cell has a threshold."
    first = cells[0]
    things = "cells" if len({one["service"] for one in cells}) == 1 else "cells and services"
    which = (
        f"likeliest {first['node']}, {first['service']}, at {first['time']:%H:%M} on {first['time']:%A} "
        f"({100 * first['probability']:.0f} %)"
    )
    if likely:
        are = "is" if len(likely) == 1 else "are"
        words = (
            f"Yes: {len(likely)} of {len(cells)} {things} {are} likelier than not to have an hour {above}; "
            f"{which}. {perhaps} more may (10 to 50 %)."
        )
    elif perhaps:
        words = (
            f"Perhaps: none of {len(cells)} {things} is likelier than not to have an hour {above}, {perhaps} may "
            f"(10 to 50 %); {which}."
        )
    else:
        words = f"No: none of {len(cells)} {things} has more than 10 % in any hour to be {above}; {which}."
    return words if given else f"{words} No threshold was given, so this is not yet an answer to “full”."


def _said(time: np.datetime64) -> str:
    moment = time.astype("datetime64[m]").item()
    return f"{moment:%A %d %B %Y, %H:%M}"


def _total(one: Total, data: TrafficData) -> dict[str, str]:
    unit = data.unit_of(one.service)
    unit = "" if unit in ("unknown", "simulated") else f" {unit}"

    def figure(ends: tuple[float, float, float]) -> str:
        value, low, high = (f"{x:,.0f}" if ends[0] >= 1000 else f"{x:.3g}" for x in ends)
        return f"{value}{unit} ({low} to {high})"

    return {
        "service": one.service,
        "day": figure(one.day),
        "hour": f"{one.hour.astype('datetime64[m]').item():%H:%M}",
        "busiest": figure(one.busiest),
        "how": "mean over cells" if one.averaged else "all cells",
    }


def _listed(one: Mapping[str, Any], given: bool) -> list[str]:
    figures = ("forecast", "upper", *(["threshold"] if given else []), "highest_seen")
    return [
        one["node"], one["service"], f"{100 * one['probability']:.0f} %", f"{one['time']:%a %H:%M}",
        *(f"{one[name]:.4g}" for name in figures),
    ]  # fmt: skip


def _map(data: TrafficData, probability: Array) -> dict[str, Any] | None:
    if data.coordinates is None or len(data.node_ids) > _MAPPED:
        return None
    asked = ~np.isnan(probability)
    likeliest = np.where(asked, probability, -1.0).max(axis=1)
    return cell_map(data.coordinates, data.node_ids, likeliest)


def _pictures(forecast: Forecast, cells: Sequence[Mapping[str, Any]], limits: Array) -> list[dict[str, Any]]:
    """Draw small pictures of the likeliest, each with its own scale."""
    data = forecast.history
    past = np.where(data.known[-_PAST:], data.values[-_PAST:], np.nan).astype(np.float64)
    nodes = {name: i for i, name in enumerate(data.node_ids)}
    out = []
    for one in cells[:_DRAWN]:
        n, s = nodes[one["node"]], data.services.index(one["service"])
        ends = forecast.lower[:_DAY, n, s], forecast.upper[:_DAY, n, s]
        out.append(
            {
                "name": f"{one['node']} · {one['service']}",
                "title": f"{one['node']} {one['service']}: {_PAST} hours and the next {_DAY}",
                "unit": hourly_units(data, one["service"]),
                "peak": f"{forecast.values[:_DAY, n, s].max():.4g}",
                "probability": f"{100 * one['probability']:.0f} %",
                "mark": mark(one["probability"]),
                "picture": cell_picture(past[:, n, s], forecast.values[:_DAY, n, s], ends, float(limits[n, s])),
            }
        )
    return out
