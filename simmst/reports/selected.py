"""The page of a run on a short file: what forecasts, and what the rows' errors were on held-back days."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from simmst.forecasting.choice import Choice
from simmst.reports.page import page


def render(
    title: str,
    metrics: Mapping[str, Any],
    facts: Mapping[str, str],
    units: str,
    choice: Choice,
    first: Mapping[str, Any],
    right: Mapping[str, Any] | None,
) -> str:
    """Write the page.

    Parameters
    ----------
    title : str
    metrics : mapping
        With ``notices``, a sequence of str, and ``forecast_by``, a str.
    facts : mapping of str to str
        What was run.
    units : str
    choice : Choice
        Of the forecaster.
    first : mapping
        From `simmst.reports.answer.answer`.
    right : mapping or None
        From `simmst.reports.right.how_right`, where days were held back.

    Returns
    -------
    str
        HTML without any reference to the network; every string is escaped.
    """
    low = np.where(np.isnan(choice.errors), np.inf, choice.errors).min(axis=0)

    def cell(r: int, s: int, g: int) -> tuple[str, bool]:
        error = choice.errors[r, s, g]
        star = " *" if choice.taken[s, g] == r else ""
        return (f"{error:.4g}{star}" if np.isfinite(error) else "–"), bool(error == low[s, g])

    services, groups = range(len(choice.services)), range(len(choice.groups))
    rows = [
        {"name": name, "ours": r == 0, "groups": [[cell(r, s, g) for g in groups] for s in services]}
        for r, name in enumerate(choice.rows)
    ]
    return page(
        "selected.html.j2",
        title=title,
        notices=metrics["notices"],
        facts=facts,
        said=metrics["forecast_by"],
        units=units,
        origins=choice.origins,
        groups=[(service, choice.groups) for service in choice.services],
        rows=rows,
        answer=first,
        right=right,
    )
