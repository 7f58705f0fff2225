"""A finished table as one self-contained HTML page, the paper's printed figures beside ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from simmst.evaluation.compare import COMPARED, Row, horizons, lowest, tasks
from simmst.io.versions import versions
from simmst.reports.page import definitions, notice, page, quiet
from simmst.reports.printed import PRINTED, SLIPS, why_not_comparable
from simmst.reports.svg import forecast_legend
from simmst.reports.table_files import Table, shown
from simmst.reports.table_pictures import error_figure, forecast_figures

_MEASURES = {"mae": "MAE", "rmse": "RMSE"}
_OVERALL = {"wape": "WAPE", "mase": "MASE", "r2": "R²", "z_mae": "z-MAE", "mae_10min": "MAE of 10 min"}


def table_page(table: Table) -> str:
    """Return the page of a table."""
    comparable = [row for row in table.rows if not row.cells[0].cell.days or _all_scarce(table.rows)]
    parts = [
        *map(notice, table.benchmark.target.notices),
        _settings(table.settings),
        *map(quiet, table.notes()[len(table.benchmark.target.notices) :]),
        "<h2>Errors on the test days</h2>",
        f"<figure>{error_figure(table.rows)}</figure>",
    ]
    for horizon in horizons(table.rows):
        span = "1 step ahead" if horizon == 1 else f"1 to {horizon} steps ahead"
        parts += [f"<h3>{span}</h3>", _figures(table.rows, horizon)]
    parts += [_comparisons(table), _printed(table), _left_out(table.skipped)]
    if any(row.ours for row in comparable) and not all(row.ours for row in comparable):
        parts.append(_forecasts(table, comparable))
    return page(table.title, parts)


def figure_page(table: Table) -> str:
    """Return the page of figure 2 alone."""
    return page(
        table.title, [_settings(table.settings), *map(quiet, table.notes()), _forecasts(table, table.rows)]
    )


def _all_scarce(rows: Sequence[Row]) -> bool:
    return all(row.cells[0].cell.days for row in rows)


def _settings(settings: Mapping[str, object]) -> str:
    used = ", ".join(f"{name} {number}" for name, number in versions().items())
    return definitions({**settings, "versions": used})


def _figures(rows: Sequence[Row], horizon: int) -> str:
    groups = [(task, _MEASURES) for task in tasks(rows)] + [(None, _OVERALL)]
    columns = [(task, measure) for task, measures in groups for measure in measures]
    best = [lowest(rows, horizon, *column) for column in columns]
    head = "".join(
        f'<th colspan="{len(measures)}">{escape(task or "mean over tasks")}</th>' for task, measures in groups
    )
    names = "".join(f"<th>{escape((_MEASURES | _OVERALL)[measure])}</th>" for _, measure in columns)
    body = []
    for row in rows:
        cells = []
        for (task, measure), low in zip(columns, best, strict=True):
            style = ' class="best"' if row.mean(horizon, task, measure) == low is not None else ""
            cells.append(f"<td{style}>{escape(shown(row, horizon, task, measure, low))}</td>")
        kind = "ours" if row.ours else "other"
        body.append(f'<tr class="{kind}"><th>{escape(row.label)}</th>{"".join(cells)}</tr>')
    return _framed(
        f'<tr><th class="corner"></th>{head}</tr><tr><th class="corner">model</th>{names}</tr>', "".join(body)
    )


def _comparisons(table: Table) -> str:
    if not table.comparisons:
        return ""
    body = "".join(
        f"<tr><th>{escape(c.task)}</th><td>{escape(c.best)}</td><td>{escape(c.row)}</td><td>{c.difference:.3g}</td>"
        f"<td>{c.interval}</td><td>{c.p_nodes:.2g}</td><td>{c.verdict}</td></tr>"
        for c in table.comparisons
    )
    names = ("task", "best", "row", "difference", "95 % interval", "p (nodes)", "real")
    head = "<tr>" + "".join(f"<th>{name}</th>" for name in names) + "</tr>"
    return f'<h2>Which differences are real</h2><p class="quiet">{escape(COMPARED)}</p>{_framed(head, body)}'


def _printed(table: Table) -> str:
    """Set the paper's figures beside our best and our own row of the same task, where there is one."""
    why = why_not_comparable(table.benchmark)
    last = horizons(table.rows)[0]
    body = []
    for one in PRINTED:
        same = one.city.lower() in table.benchmark.target.name.lower() and one.task in tasks(table.rows)
        ours = [row for row in table.rows if row.ours] if "Sim-MSTNet" == one.rows else None
        chosen = ours if ours is not None else [row for row in table.rows if not row.ours]
        figures = [v for row in chosen if same and (v := row.mean(last, one.task, "mae_10min")) is not None]
        here = f"{min(figures):.2f} to {max(figures):.2f}" if figures else "–"
        body.append(
            f"<tr><th>{escape(one.city)}, {escape(one.task)}</th><td>{escape(one.rows)}</td>"
            f"<td>{escape(one.mae)}</td><td>{escape(one.rmse) or '–'}</td><td>{here}</td>"
            f"<td>not comparable: {escape(why[one.city])}</td></tr>"
        )
    names = ("city, task", "rows", "MAE printed", "RMSE printed", f"MAE of 10 min here, {last} h", "")
    head = "<tr>" + "".join(f"<th>{escape(name)}</th>" for name in names) + "</tr>"
    slips = "".join(f"<li>{escape(slip)}</li>" for slip in SLIPS)
    return (
        "<h2>Beside the figures that the paper prints</h2>"
        f'<p class="quiet">arXiv 2601.21384, as ranges over its rows.</p>{_framed(head, "".join(body))}'
        f"<ul>{slips}</ul>"
    )


def _left_out(skipped: Mapping[str, str]) -> str:
    if not skipped:
        return ""
    items = "".join(f"<li>{escape(row)}: {escape(reason)}</li>" for row, reason in skipped.items())
    return f"<h2>Rows left out</h2><ul>{items}</ul>"


def _forecasts(table: Table, rows: Sequence[Row]) -> str:
    pictures, seconds = forecast_figures(table.benchmark, rows)
    best = min((row for row in rows if row.ours), key=lambda row: row.mean(horizons(rows)[-1], None, "mae") or 0.0)
    names = ", ".join(f"{task}: {name}" for task, name in seconds.items())
    legend = forecast_legend(["truth", best.label, "best other row"])
    framed = "".join(f"<figure>{picture}</figure>" for picture in pictures)
    return (
        "<h2>Forecasts against truth over the test days</h2>"
        f'<p class="quiet">First seed. Best other row by task: {escape(names)}.</p>{legend}'
        f'<div class="figures">{framed}</div>'
    )


def _framed(head: str, body: str) -> str:
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>{body}</tbody></table></div>'
