"""The page of a back-test: scores of each forecaster, and forecasts against what came."""

from __future__ import annotations

from html import escape
from os import PathLike
from pathlib import Path

import numpy as np

from simmst.evaluation.backtest import Backtest
from simmst.io.atomic import atomically
from simmst.io.versions import versions
from simmst.reports.page import definitions, page, quiet
from simmst.reports.svg import forecast_figure, forecast_legend
from simmst.traffic.dataset import hourly_units

_SHOWN = 3  # forecasters, in a picture


def write_backtest(result: Backtest, path: str | PathLike[str]) -> None:
    """
    Write a back-test as one self-contained HTML page.

    Parameters
    ----------
    result
        From `backtest`.
    path
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
    about = (
        f"Means over origins, nodes and the {hours} hours of each forecast, of what was recorded. WAPE = sum of "
        f"absolute errors over sum of traffic. Coverage: part of the truth in the {result.level:.0%} intervals."
    )
    return page(
        f"Back-test of {', '.join(result.forecasts)}",
        [definitions(facts), "<h2>Errors</h2>", quiet(about), _scores(result), *_pictures(result)],
    )


def _scores(result: Backtest) -> str:
    """Return the table, the lowest error of each service and measure marked."""
    rows = result.scores().rows(named=True)
    best = {
        (row["service"], measure): min(
            (one[measure] for one in rows if one["service"] == row["service"] and one[measure] is not None),
            default=None,
        )
        for row in rows
        for measure in ("mae", "rmse", "wape")
    }
    body = []
    for row in rows:
        cells = []
        for measure in ("mae", "rmse", "wape"):
            figure = row[measure]
            style = ' class="best"' if figure is not None and figure == best[row["service"], measure] else ""
            cells.append(f"<td{style}>{'&ndash;' if figure is None else f'{figure:.4g}'}</td>")
        names = f"<th>{escape(row['service'])}</th><td>{escape(row['forecaster'])}</td>"
        body.append(f"<tr>{names}{''.join(cells)}<td>{row['coverage']:.1%}</td></tr>")
    head = "<tr><th>service</th><th>forecaster</th><th>MAE</th><th>RMSE</th><th>WAPE</th><th>coverage</th></tr>"
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>{"".join(body)}</tbody></table></div>'


def _pictures(result: Backtest) -> list[str]:
    """Return forecasts of the first hours of each origin, up to the next one, at the node of median traffic."""
    data, origins = result.traffic, result.origins
    step = min(
        int(origins[1] - origins[0]) if len(origins) > 1 else result.actual.shape[1], result.actual.shape[1]
    )
    level = data.values.mean(axis=(0, 2))
    node = int(np.argsort(level, kind="stable")[len(level) // 2])
    times = data.times[origins[:, None] + np.arange(step)].ravel()
    shown = list(result.forecasts)[:_SHOWN]
    known = np.ones(result.actual.shape[:2] + result.actual.shape[3:], bool)
    known = known if result.recorded is None else result.recorded
    figures = []
    for s, service in enumerate(data.services):
        lines = {"truth": np.where(known[:, :step, s], result.actual[:, :step, node, s], np.nan).ravel()}
        lines |= {name: result.forecasts[name][:, :step, node, s].ravel() for name in shown}
        title = f"{service}: node {data.node_ids[node]}"
        figures.append(f"<figure>{forecast_figure(title, hourly_units(data), times, lines)}</figure>")
    return [
        "<h2>Forecasts against truth</h2>",
        forecast_legend(["truth", *shown]),
        f'<div class="figures">{"".join(figures)}</div>',
    ]
