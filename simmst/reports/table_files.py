"""A finished table as Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from simmst.evaluation.benchmark import Benchmark
from simmst.evaluation.compare import COMPARED, Comparison, Row, as_records, horizons, lowest, services
from simmst.evaluation.target import PRIOR_NOTICE, prior_has_seen
from simmst.io.atomic import atomically
from simmst.io.versions import versions
from simmst.traffic.hourly_units import hourly_units

_COLUMNS = {"mae": "MAE", "rmse": "RMSE"}
#: States of a network before any training, see `simmst.experiments.tables.training.Training`.
STARTS: Mapping[str, str] = {
    "yesterday": "“same hour yesterday”",
    "start": "the ridge of the simulated windows in its highway",
}
_CELL_KEYS = ("seed", "key", "parameters", "training", "kept", "time")


@dataclass(frozen=True, slots=True)
class Table:
    """A finished table.

    Attributes
    ----------
    title : str
        What it shows.
    benchmark : Benchmark
        Data and protocol.
    rows : sequence of Row
        In order.
    comparisons : sequence of Comparison
        Against the best row of each service.
    skipped : mapping of str to str
        Rows that could not be had, and why.
    settings : mapping of str to object
        Command, preset, budget, seeds, times.
    """

    title: str
    benchmark: Benchmark
    rows: Sequence[Row]
    comparisons: Sequence[Comparison]
    skipped: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def notes(self) -> list[str]:
        """What a reader must know before the figures."""
        b, described = self.benchmark, self.benchmark.describe()
        days = ", ".join(f"{name} {' to '.join(described[name][:2])}" for name in ("train", "validation", "test"))
        history = f"lags {', '.join(map(str, b.lags))}" if b.lags else f"the last {b.lookback} h"
        notes = [
            *b.target.notices,
            f"Protocol {b.name} ({described['rule']}): {days}. From {history} to the next {b.horizon} h; every "
            "step of the test part from which the horizon fits is an origin; means run over all of them.",
            f"Scales are fitted on the training part, losses and the choice of the epoch are on the scale of the "
            f"traffic; figures are in {hourly_units(b.data)}. Preset {self.settings['preset']}, budget a model "
            f"{self.settings['budget']}, seeds {self.settings['seeds']} (figures: mean ± standard deviation).",
        ]
        notes += [*_own_histories(self.rows), *_only_started(self.rows)]
        if any(row.cells[0].cell.kind != "real" for row in self.rows) and prior_has_seen(b.target.data):
            notes.append(PRIOR_NOTICE)
        for scarce in sorted({row.cells[0].cell.days or 0 for row in self.rows} - {0}):
            notes.append(
                f"Rows marked “{scarce} d” know only the last {scarce} training days: scales, training and inputs "
                "see nothing before them, so their history may be shorter than the others'."
            )
        return notes


def _own_histories(rows: Sequence[Row]) -> list[str]:
    """Name the rows whose history may begin before the data."""
    labels: dict[str, list[str]] = {}
    for row in rows:
        seen = row.cells[0].result["benchmark"]
        if seen["season"] is not None:
            labels.setdefault(f"{seen['history']} h", []).append(row.label)
    return [
        f"The last {history} are seen by {', '.join(who)}; before the first known day that day is repeated."
        for history, who in labels.items()
    ]


def _only_started(rows: Sequence[Row]) -> list[str]:
    """Name the rows whose networks, or some of them, no training made better."""
    found = []
    for row in rows:
        kept = [one["stage"] for cell in row.cells for one in cell.result.get("kept", ())]
        if early := [stage for stage in kept if stage in STARTS]:
            found.append(
                f"{row.label}: in {len(early)} of {len(kept)} networks no training lowered the error on the "
                f"validation days below that of the start, which is what the row shows ({STARTS[early[0]]})."
            )
    return found


def write_table(table: Table, folder: Path) -> None:
    """Write table.md, table.csv and results.json."""
    _write(folder / "table.md", markdown(table))
    records = as_records(table.rows)
    atomically(folder / "table.csv", lambda path: _csv(path, records))
    described = {days: None for days in (row.cells[0].cell.days for row in table.rows)}
    content = {
        "title": table.title,
        "settings": dict(table.settings),
        "benchmarks": {
            str(days or "all"): next(
                row.cells[0].result["benchmark"] for row in table.rows if row.cells[0].cell.days == days
            )
            for days in described
        },
        "versions": versions(),
        "skipped": dict(table.skipped),
        "rows": records,
        "comparisons": [_compared(one) for one in table.comparisons],
        "cells": [
            {"label": row.label, **{key: cell.result.get(key) for key in _CELL_KEYS}}
            for row in table.rows
            for cell in row.cells
        ],
    }
    _write(folder / "results.json", json.dumps(content, indent=1, allow_nan=False) + "\n")


def _compared(one: Comparison) -> dict[str, Any]:
    told = asdict(one)
    return {"task": told.pop("service"), **told, "real": one.real}  # the file's word for a service


def markdown(table: Table) -> str:
    """Return the table as Markdown: a block a horizon, the best of each column bold."""
    lines = [f"# {_plain(table.title)}", "", *(line for note in table.notes() for line in (_plain(note), ""))]
    for horizon in horizons(table.rows):
        span = "1 step ahead" if horizon == 1 else f"1 to {horizon} steps ahead"
        lines += [f"## {span}", "", *_block(table.rows, horizon), ""]
    if table.comparisons:
        lines += ["## Which differences are real", "", *_comparisons(table.comparisons), ""]
    if table.skipped:
        lines += [
            "## Rows left out",
            "",
            *_left_out(table.skipped),
            "",
        ]
    return "\n".join(lines)


def shown(row: Row, horizon: int, service: str | None, measure: str, low: float | None) -> str:
    """Return a figure with its spread, in the decimals that the column's best needs.

    Parameters
    ----------
    row : Row
        Whose figure.
    horizon : int
        As in `Row.mean`.
    service : str or None
        As in `Row.mean`.
    measure : str
        As in `Row.mean`.
    low : float or None
        The column's best figure; None where there is none.
    """
    mean, spread = row.mean(horizon, service, measure), row.spread(horizon, service, measure)
    if mean is None or low is None:
        return "–"
    decimals = 2 if abs(low) >= 0.1 or low == 0 else 1 - int(np.floor(np.log10(abs(low))))
    return f"{mean:.{decimals}f}" + (f" ± {spread:.{decimals}f}" if spread is not None else "")


def _block(rows: Sequence[Row], horizon: int) -> list[str]:
    columns: list[tuple[str | None, str]] = [(service, m) for service in services(rows) for m in _COLUMNS]
    columns += [(None, m) for m in ("mase", "r2", "z_mae", "mae_10min")]
    names = {"mase": "MASE", "r2": "R²", "z_mae": "z-MAE", "mae_10min": "MAE of 10 min"}
    head = [f"{_plain(service)} {_COLUMNS[m]}" if service else names[m] for service, m in columns]
    best = [lowest(rows, horizon, *column) for column in columns]
    lines = [f"| model | {' | '.join(head)} |", "|---|" + "---:|" * len(columns)]
    for row in rows:
        cells = []
        for (service, m), low in zip(columns, best, strict=True):
            text = shown(row, horizon, service, m, low)
            cells.append(f"**{text}**" if row.mean(horizon, service, m) == low is not None else text)
        lines.append(f"| {_plain(row.label)} | {' | '.join(cells)} |")
    return lines


def _comparisons(found: Sequence[Comparison]) -> list[str]:
    return [
        COMPARED,
        "",
        "| service | best | row | difference | 95 % interval | p (nodes) | real |",
        "|---|---|---|---:|---:|---:|---|",
        *(
            f"| {_plain(c.service)} | {_plain(c.best)} | {_plain(c.row)} | {c.difference:.3g} | {c.interval} | "
            f"{c.p_nodes:.2g} | {c.verdict} |"
            for c in found
        ),
    ]


def _left_out(skipped: Mapping[str, str]) -> list[str]:
    return [f"- {_plain(row)}: {_plain(reason)}" for row, reason in skipped.items()]


def _plain(text: str) -> str:
    """Text that Markdown shows as it is: names come from a file, and may hold its signs."""
    return re.sub(r"([\\|*`\[\]])", r"\\\1", escape(" ".join(text.split()), quote=False))


def _csv(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        names = [name for name in records[0] if name != "seeds"]
        writer.writerow([*names, "seeds"])
        for record in records:
            values = ["" if record[name] is None else record[name] for name in names]
            seeds = " ".join("" if v is None else repr(v) for v in record["seeds"])
            writer.writerow([*values, seeds])


def _write(target: Path, text: str) -> None:
    atomically(target, lambda path: path.write_text(text, encoding="utf-8"))
