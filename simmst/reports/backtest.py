"""The page of a back-test: scores of each forecaster, and forecasts against what came."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from simmst.evaluation.backtest import Backtest
from simmst.io.atomic import atomically
from simmst.io.versions import versions
from simmst.reports.page import page
from simmst.reports.svg import forecast_figure, forecast_legend
from simmst.traffic.hourly_units import hourly_units

_SHOWN = 3  # forecasters, in a picture
_MEASURES = ("mae", "rmse", "wape")


def write_backtest(result: Backtest, path: str | PathLike[str]) -> None:
    """Write a back-test as one self-contained HTML page.

    Parameters
    ----------
    result : Backtest
        From `backtest`.
    path : path-like
        The file; it appears whole or not at all.
    """
    text = backtest_page(result)
    atomically(Path(path), lambda target: target.write_text(text, encoding="utf-8"))


def backtest_page(result: Backtest) -> str:
    """Return the page."""
    count, hours, nodes, services = result.actual.shape
    data, origins = result.traffic, result.origins
    facts = {
        "traffic": f"{nodes} nodes, {services} services, in {hourly_units(data)}",
        "origins": f"{count}, from {data.times[origins[0]]} to {data.times[origins[-1]]}",
        "horizon": f"{hours} h",
        "versions": ", ".join(f"{name} {number}" for name, number in versions().items()),
    }
    shown = list(result.forecasts)[:_SHOWN]
    return page(
        "backtest.html.j2",
        title=f"Back-test of {', '.join(result.forecasts)}",
        facts=facts,
        hours=hours,
        level=f"{result.level:.0%}",
        rows=_scores(result),
        legend=forecast_legend(["truth", *shown]),
        pictures=_pictures(result, shown),
    )


def _scores(result: Backtest) -> list[dict[str, Any]]:
    """Return the table's rows, the lowest error of each service and measure marked."""
    rows = result.scores().rows(named=True)
    best = {
        (row["service"], measure): min(
            (one[measure] for one in rows if one["service"] == row["service"] and one[measure] is not None),
            default=None,
        )
        for row in rows
        for measure in _MEASURES
    }
    return [
        {
            "service": row["service"],
            "forecaster": row["forecaster"],
            "cells": [
                ("–", False) if row[m] is None else (f"{row[m]:.4g}", row[m] == best[row["service"], m])
                for m in _MEASURES
            ],
            "coverage": f"{row['coverage']:.1%}",
        }
        for row in rows
    ]


def _pictures(result: Backtest, shown: Sequence[str]) -> list[str]:
    """Draw forecasts of the first hours of each origin, up to the next one, at the node of median traffic."""
    data, origins = result.traffic, result.origins
    step = min(
        int(origins[1] - origins[0]) if len(origins) > 1 else result.actual.shape[1], result.actual.shape[1]
    )
    level = data.values.mean(axis=(0, 2))
    node = int(np.argsort(level, kind="stable")[len(level) // 2])
    times = data.times[origins[:, None] + np.arange(step)].ravel()
    known = np.ones(result.actual.shape, bool)
    known = known if result.recorded is None else result.recorded
    figures = []
    for s, service in enumerate(data.services):
        lines = {"truth": np.where(known[:, :step, node, s], result.actual[:, :step, node, s], np.nan).ravel()}
        lines |= {name: result.forecasts[name][:, :step, node, s].ravel() for name in shown}
        title = f"{service}: node {data.node_ids[node]}"
        figures.append(forecast_figure(title, hourly_units(data, service), times, lines))
    return figures
