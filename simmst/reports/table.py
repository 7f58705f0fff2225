"""A finished table as one self-contained HTML page, the paper's printed figures beside ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simmst.evaluation.compare import COMPARED, Row, horizons, lowest, services
from simmst.io.versions import versions
from simmst.reports.page import page
from simmst.reports.printed import PRINTED, SLIPS, why_not_comparable
from simmst.reports.svg import forecast_legend
from simmst.reports.table_files import Table, shown
from simmst.reports.table_pictures import error_figure, forecast_figures

_MEASURES = {"mae": "MAE", "rmse": "RMSE"}
_OVERALL = {"wape": "WAPE", "mase": "MASE", "r2": "R²", "z_mae": "z-MAE", "mae_10min": "MAE of 10 min"}


def table_page(table: Table) -> str:
    """Return the page of a table."""
    rows, notices = table.rows, table.benchmark.target.notices
    comparable = [row for row in rows if not row.cells[0].cell.days or _all_scarce(rows)]
    both = any(row.ours for row in comparable) and not all(row.ours for row in comparable)
    last = horizons(rows)[0]
    return page(
        "table.html.j2",
        title=table.title,
        notices=notices,
        settings=_settings(table),
        notes=table.notes()[len(notices) :],
        errors=error_figure(rows),
        tables=[_errors(rows, horizon) for horizon in horizons(rows)],
        compared=COMPARED,
        comparisons=[
            (c.service, c.best, c.row, f"{c.difference:.3g}", c.interval, f"{c.p_nodes:.2g}", c.verdict)
            for c in table.comparisons
        ],
        last=last,
        printed=_printed(table, last),
        slips=SLIPS,
        skipped=table.skipped,
        forecasts=_forecasts(table, comparable) if both else None,
    )


def figure_page(table: Table) -> str:
    """Return the page of figure 2 alone."""
    return page(
        "figure.html.j2",
        title=table.title,
        notices=[],
        settings=_settings(table),
        notes=table.notes(),
        forecasts=_forecasts(table, table.rows),
    )


def _all_scarce(rows: Sequence[Row]) -> bool:
    return all(row.cells[0].cell.days for row in rows)


def _settings(table: Table) -> dict[str, object]:
    return {**table.settings, "versions": ", ".join(f"{name} {number}" for name, number in versions().items())}


def _errors(rows: Sequence[Row], horizon: int) -> dict[str, Any]:
    """Return the table of one horizon: groups of columns, and rows of cells, the best of each column marked."""
    groups: list[tuple[str | None, Mapping[str, str]]] = [(service, _MEASURES) for service in services(rows)]
    groups.append((None, _OVERALL))
    best = {(service, m): lowest(rows, horizon, service, m) for service, measures in groups for m in measures}

    def cell(row: Row, service: str | None, measure: str) -> tuple[str, bool]:
        low = best[service, measure]
        return shown(row, horizon, service, measure, low), row.mean(horizon, service, measure) == low is not None

    return {
        "span": "1 step ahead" if horizon == 1 else f"1 to {horizon} steps ahead",
        "groups": [(service or "mean over services", list(measures.values())) for service, measures in groups],
        "rows": [
            {
                "name": row.label,
                "ours": row.ours,
                "groups": [[cell(row, service, measure) for measure in measures] for service, measures in groups],
            }
            for row in rows
        ],
    }


def _printed(table: Table, last: int) -> list[tuple[str, ...]]:
    """Set the paper's figures beside our best and our own row of the same service, where there is one."""
    why = why_not_comparable(table.benchmark)
    body: list[tuple[str, ...]] = []
    for one in PRINTED:
        same = one.city.lower() in table.benchmark.target.name.lower() and one.service in services(table.rows)
        ours = [row for row in table.rows if row.ours] if "Sim-MSTNet" == one.rows else None
        chosen = ours if ours is not None else [row for row in table.rows if not row.ours]
        figures = [v for row in chosen if same and (v := row.mean(last, one.service, "mae_10min")) is not None]
        here = f"{min(figures):.2f} to {max(figures):.2f}" if figures else "–"
        reason = f"not comparable: {why[one.city]}"
        body.append((f"{one.city}, {one.service}", one.rows, one.mae, one.rmse or "–", here, reason))
    return body


def _forecasts(table: Table, rows: Sequence[Row]) -> dict[str, Any]:
    pictures, seconds = forecast_figures(table.benchmark, rows)
    best = min((row for row in rows if row.ours), key=lambda row: row.mean(horizons(rows)[-1], None, "mae") or 0.0)
    return {
        "pictures": pictures,
        "seconds": ", ".join(f"{service}: {name}" for service, name in seconds.items()),
        "legend": forecast_legend(["truth", best.label, "best other row"]),
    }
