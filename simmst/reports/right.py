"""How right intervals and probabilities were, in sentences and two pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from simmst.forecasting.choice import AND, GROUPS, Choice
from simmst.reports.svg import MODEL, MUTED, RIDGE, inline_svg

_EVEN = 0.5
_WORST = 5


def sentences(days: str, intervals: Mapping[str, Any], reliability: Mapping[str, Any] | None) -> list[str]:
    """Say how sure a forecast is, by what was right lately.

    Parameters
    ----------
    days : str
        Which, such as "the last week, held back".
    intervals : mapping
        From `simmst.evaluation.coverage.coverage`.
    reliability : mapping or None
        From `simmst.evaluation.reliability.reliability`.
    """
    out = []
    if intervals["pooled"] is not None:
        out.append(
            f"On {days}, 90 % intervals held {100 * intervals['pooled']:.0f} % of the hours; of "
            f"{100 * intervals['nodes_right']:.0f} % of the cells they held 80 % and more."
        )
    likely = [] if reliability is None else [one for one in reliability["bins"] if one["from"] >= _EVEN]
    hours = sum(one["hours"] for one in likely)
    if hours:
        said, came = (sum(one[name] * one["hours"] for one in likely) / hours for name in ("said", "came"))
        out.append(
            f"Of hours that were said to be above a cell's usual high values with 50 % and more "
            f"({100 * said:.0f} % on average), {100 * came:.0f} % were."
        )
    return out


def beside(choice: Choice | None, horizon: int) -> list[str]:
    """Say how what forecasts did on the held-back days, beside the best row that stood alone.

    Parameters
    ----------
    choice : Choice or None
        Its first row is the network; means of it with another are no simple rows.
    horizon : int
        Hours that were forecast.
    """
    if choice is None or not choice.origins:
        return []
    hours = np.array([min(GROUPS[name].stop, horizon) - GROUPS[name].start for name in choice.groups])
    over = (choice.errors * hours).sum(axis=2) / hours.sum()  # [R, S]; NaN where a group has none
    taken = (np.take_along_axis(choice.errors, choice.taken[None], axis=0)[0] * hours).sum(axis=1) / hours.sum()
    simple = [r for r, name in enumerate(choice.rows) if r and choice.rows[0] not in name.split(AND)]
    said = []
    for s, service in enumerate(choice.services):
        least = min(simple, key=lambda r: np.nan_to_num(over[r, s], nan=np.inf))
        if not np.isfinite(over[least, s]) or not np.isfinite(taken[s]) or over[least, s] == 0:
            continue
        share = taken[s] / over[least, s] - 1
        where = "that of" if share == 0 else f"{100 * abs(share):.0f} % {'below' if share < 0 else 'above'}"
        said.append(f"{service} {where} “{choice.rows[least]}”")
    if not said:
        return []
    return [
        f"Mean absolute error beside the best simple row there: {', '.join(said)}; a little too good, for these "
        "days chose what forecasts."
    ]


def how_right(days: str, intervals: Mapping[str, Any], reliability: Mapping[str, Any] | None) -> dict[str, Any]:
    """Collect what the template's macro `how_right` shows; parameters as in `sentences`."""
    worst = [
        [one["node"], one["service"], f"{100 * one['covered']:.0f} %", str(one["hours"])]
        for one in intervals["worst"][:_WORST]
    ]
    return {"days": days, "pictures": pictures(intervals, reliability), "worst": worst}


def pictures(intervals: Mapping[str, Any], reliability: Mapping[str, Any] | None) -> list[str]:
    """Draw what was said against what came, and coverage by the hour of the day: <svg> elements."""
    out = []
    if reliability is not None:
        out.append(_reliability(reliability))
    if any(one is not None for one in intervals["by_hour_of_day"]):
        out.append(_by_hour(intervals))
    return out


def _reliability(found: Mapping[str, Any]) -> str:
    bins = found["bins"]

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=MUTED, linestyle="--", linewidth=1)
        sizes = [12 + 60 * (one["hours"] / max(each["hours"] for each in bins)) ** 0.5 for one in bins]
        axes.plot([one["said"] for one in bins], [one["came"] for one in bins], color=MODEL)
        axes.scatter([one["said"] for one in bins], [one["came"] for one in bins], s=sizes, color=MODEL, zorder=3)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.set_xlabel("probability that was said")
        axes.set_ylabel("share that came")

    return inline_svg("Do probabilities come true?", draw)


def _by_hour(found: Mapping[str, Any]) -> str:
    hours = [(h, 100 * one) for h, one in enumerate(found["by_hour_of_day"]) if one is not None]

    def draw(axes: Axes) -> None:
        axes.bar([h for h, _ in hours], [share for _, share in hours], color=MODEL, width=0.8)
        axes.axhline(100 * found["level"], color=RIDGE, linestyle="--", linewidth=1.1)
        axes.set_ylim(0, 100)
        axes.set_xticks(range(0, 24, 4))
        axes.set_xlabel("hour of the day, local time")
        axes.set_ylabel("covered, per cent")

    return inline_svg("90 % intervals by the hour of the day", draw)
