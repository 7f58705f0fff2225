"""What a reader wants first: will a cell be full tomorrow, how much is to come, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from simmst.forecasting.forecast import Forecast
from simmst.forecasting.held_back import HeldBack
from simmst.forecasting.totals import Total, totals
from simmst.reports.cells import cell_map, cell_picture, chance, mark
from simmst.reports.page import page
from simmst.reports.verdict import highest, lately, verdict
from simmst.traffic.dataset import TrafficData
from simmst.traffic.hourly_units import hourly_units

_LISTED, _DRAWN, _MAPPED, _FOUND = 8, 120, 3000, 5000
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
        With quantiles; of a longer one the first day is shown.
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
    forecast = _first_day(forecast)
    data = forecast.history
    asked = highest(data.values, data.known) if limits is None else limits
    given = limits is not None
    cells = [*forecast.risk(asked).iter_rows(named=True)] if np.isfinite(asked).any() else []
    found = verdict(cells, given, len(data.values) // _DAY)
    hours = len(forecast.times)
    how_lately = [] if held is None else [lately(held, limits, data.node_ids, data.services)]
    return {
        "question": "Will any cell be full?" if given else "Will any cell be busier than ever seen?",
        "when": _span(forecast.times[0], forecast.times[-1]),
        "verdict": found.sentence,
        "kind": found.word.lower(),
        "behind": found.behind,
        "sure": [*how_lately, *sure],
        "span": "all day" if hours == _DAY else f"{hours} hours" if hours > 1 else "one hour",
        "totals": [_total(one, data) for one in totals(forecast, held)],
        "measured": held is not None,
        "level": f"{100 * forecast.level:g} %",
        "given": given,
        "columns": _COLUMNS if given else [name for name in _COLUMNS if name != "threshold"],
        "listed": [_listed(one, given) for one in cells[:_LISTED]],
        "map": _map(data, cells),
        "cells": _pictures(forecast, cells[:_DRAWN], asked),
        "rest": [_line(one) for one in cells[_DRAWN : _DRAWN + _FOUND]],
        "of": len(cells),
    }


def answer_page(
    title: str,
    first: Mapping[str, Any],
    notices: Sequence[str],
    facts: Mapping[str, str],
    right: Mapping[str, Any] | None = None,
) -> str:
    """Write a page of an answer alone.

    Parameters
    ----------
    title : str
    first : mapping
        From `answer`.
    notices : sequence of str
    facts : mapping of str to str
        What was forecast, by what.
    right : mapping, optional
        From `simmst.reports.right.how_right`, where days were held back.
    """
    return page("answer_page.html.j2", title=title, answer=first, notices=notices, facts=facts, right=right)


def _first_day(forecast: Forecast) -> Forecast:
    """Cut a longer forecast: what is said of a day is of its hours alone."""
    parts = {name: getattr(forecast, name)[:_DAY] for name in ("times", "values", "lower", "upper")}
    return replace(forecast, **parts, quantiles=None if forecast.quantiles is None else forecast.quantiles[:_DAY])


def rounded(number: float) -> str:
    """Four digits that count, without an exponent."""
    if number == 0 or not np.isfinite(number):
        return "0" if number == 0 else "–"
    places = 3 - int(np.floor(np.log10(abs(number))))
    text = f"{round(number, places):,.{max(places, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _span(first: np.datetime64, last: np.datetime64) -> str:
    """Say which hours: the last one is the hour that begins then."""
    start, stop = (one.astype("datetime64[m]").item() for one in (first, last))
    if start.date() == stop.date():
        return f"{start:%A %d %B %Y}, hours from {start:%H:%M} to {stop:%H:%M}"
    return f"{start:%A %d %B %Y}, {start:%H:%M}, to {stop:%A %d %B}, {stop:%H:%M}"


def _total(one: Total, data: TrafficData) -> dict[str, str]:
    unit = data.unit_of(one.service)
    unit = "" if unit in ("unknown", "simulated") else f" {unit}"

    value, low, high = (rounded(x) for x in one.day)
    busy, least, most = (rounded(x) for x in one.busiest)
    return {
        "service": one.service,
        "of": "mean over cells and hours" if one.averaged else "",
        "day": f"{value}{unit}",
        "day_ends": f"{low} to {high}",
        "hour": f"{one.hour.astype('datetime64[m]').item():%H:%M}",
        "busiest": f"{busy}{unit}",
        "busiest_ends": f"{least} to {most}",
    }


def _listed(one: Mapping[str, Any], given: bool) -> list[str]:
    figures = ("forecast", "upper", *(["threshold"] if given else []), "highest_seen")
    return [
        one["node"], one["service"], chance(one["probability"]), f"{one['time']:%a %H:%M}",
        *(rounded(one[name]) for name in figures),
    ]  # fmt: skip


def _line(one: Mapping[str, Any]) -> str:
    """Say of a cell that is not drawn what its picture would show."""
    return (
        f"{one['node']} · {one['service']}: {chance(one['probability'])} at {one['time']:%H:%M}, "
        f"{rounded(one['forecast'])} (up to {rounded(one['upper'])})"
    )


def _map(data: TrafficData, cells: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    if data.coordinates is None or len(data.node_ids) > _MAPPED or not cells:
        return None
    likeliest: dict[str, float] = {}
    for one in cells:  # likeliest first
        likeliest.setdefault(one["node"], one["probability"])
    asked = [i for i, name in enumerate(data.node_ids) if name in likeliest]
    names = [data.node_ids[i] for i in asked]
    return cell_map(data.coordinates[asked], names, np.array([likeliest[name] for name in names]))


def _pictures(forecast: Forecast, cells: Sequence[Mapping[str, Any]], limits: Array) -> list[dict[str, Any]]:
    """Draw small pictures of the likeliest, each with its own scale."""
    data = forecast.history
    past = np.where(data.known[-_PAST:], data.values[-_PAST:], np.nan).astype(np.float64)
    nodes = {name: i for i, name in enumerate(data.node_ids)}
    out = []
    for one in cells:
        n, s = nodes[one["node"]], data.services.index(one["service"])
        ends = forecast.lower[:, n, s], forecast.upper[:, n, s]
        out.append(
            {
                "name": f"{one['node']} · {one['service']}",
                "title": f"{one['node']} {one['service']}: {len(past)} hours and the next {len(forecast.times)}",
                "unit": hourly_units(data, one["service"]),
                "peak": rounded(float(forecast.values[:, n, s].max())),
                "probability": chance(one["probability"]),
                "mark": mark(one["probability"]),
                "picture": cell_picture(past[:, n, s], forecast.values[:, n, s], ends, float(limits[n, s])),
            }
        )
    return out
