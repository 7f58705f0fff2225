"""Whether any cell will be full, in words: a sentence, what stands behind it, and how the like did lately."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simmst.forecasting.held_back import HeldBack
from simmst.forecasting.risk import LEAST, exceedance
from simmst.reports.cells import LIKELY, PERHAPS, chance

Array = npt.NDArray[np.float64]
_SOME = 0.1  # cells expected above, from which on "perhaps" is said


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer.

    Attributes
    ----------
    word : str
        Yes, probably, perhaps or unlikely.
    sentence : str
        Begins with it.
    behind : tuple of str
        The likeliest, and what stands in for a threshold.
    """

    word: str
    sentence: str
    behind: tuple[str, ...]


def verdict(cells: Sequence[Mapping[str, Any]], given: bool, days: int) -> Verdict:
    """Answer whether any cell will be above.

    Many cells that are each unlikely make one of them likely, so the sum of the probabilities counts as well as
    the largest: it is the expected number of cells above in their likeliest hours, however they go together.

    Parameters
    ----------
    cells : sequence of mapping
        Rows of `Forecast.risk`, likeliest first.
    given : bool
        Whether there are thresholds; else the highest hour of the history stands in.
    days : int
        Of history.
    """
    if not cells:
        return Verdict("Nothing", "Nothing was asked: no cell has a threshold.", ())
    probability = np.array([one["probability"] for one in cells])
    likely, expected = int((probability >= LIKELY).sum()), expected_above(probability)
    perhaps = int((probability >= PERHAPS).sum()) - likely
    above = "above its threshold" if given else f"above every hour of the {days} days seen"
    things = "cells" if len({one["service"] for one in cells}) == 1 else "cells and services"
    of = f"of {len(cells):,} {things}"
    if likely:
        are = "is" if likely == 1 else "are"
        word, rest = "Yes", f"{likely:,} {of} {are} likelier than not to have an hour {above}."
    elif expected >= 1:
        word = "Probably"
        rest = f"about {expected:,.0f} or more {of} should have an hour {above}; no single one is likely to."
    elif perhaps or expected >= _SOME:
        word = "Perhaps"
        rest = f"none {of} is likelier than not to have an hour {above}, but it cannot be ruled out."
    else:
        word, rest = "Unlikely", f"none {of} is to be expected to have an hour {above}."
    first = cells[0]
    when = f"at {first['time']:%H:%M} on {first['time']:%A}"
    behind = [f"Likeliest: {first['node']}, {first['service']}, {when} ({chance(first['probability'])})."]
    if perhaps:
        behind[0] += f" {perhaps:,} {'more ' * bool(likely)}have 10 to 50 %."
    if not given:
        behind.append(
            "No threshold was given, so this is not yet an answer to “full”: simmst forecast --threshold "
            "SERVICE=VALUE --report FILE gives it."
        )
    return Verdict(word, f"{word}: {rest}", tuple(behind))


def expected_above(probability: Array) -> float:
    """Sum probabilities, without those that only say "less than what was ever measured"."""
    return float(probability[probability > LEAST].sum())


def lately(held: HeldBack, asked: Array | None, nodes: Sequence[str], services: Sequence[str]) -> str:
    """Say how many cells were expected above on held-back days, and how many were.

    Parameters
    ----------
    held : HeldBack
    asked : float array `[N, S]` or None
        Thresholds; None for the highest hour before the held-back days.
    nodes, services : sequence of str
        Of the thresholds.
    """
    before = held.before
    if asked is None:
        limits = highest(before.values, before.known)
    else:
        at = {name: i for i, name in enumerate(nodes)}
        places = [at[one] for one in before.node_ids], [list(services).index(one) for one in before.services]
        limits = asked[np.ix_(*places)]
    said, came = [], []
    for quantiles, truth in zip(held.quantiles, held.truth, strict=True):
        probability = np.where(np.isfinite(truth), exceedance(quantiles, limits), np.nan)
        each = np.nanmax(probability, axis=0, initial=0.0)
        said.append(expected_above(each))
        came.append(int(((truth > limits) & np.isfinite(truth)).any(axis=0).sum()))
    days = sum(one > 0 for one in came)
    part = "" if before.node_ids == tuple(nodes) else f" of {len(before.node_ids):,} cells that were looked at"
    what = "the highest hour before those days" if asked is None else "their thresholds"
    ever = "none ever" if not days else f"one or more in {days} of the {len(came)}"
    return (
        f"In {len(came)} forecasts of held-back days {_number(np.mean(said))}{part} were to be expected above "
        f"{what} on average; {_number(np.mean(came))} were, {ever}."
    )


def highest(values: npt.NDArray[np.floating], known: npt.NDArray[np.bool_]) -> Array:
    """Highest known hour `[N, S]` of each series; NaN where none is known."""
    found = np.where(known, values, -np.inf).max(axis=0)
    return np.asarray(np.where(np.isfinite(found), found, np.nan), dtype=np.float64)


def _number(number: np.floating) -> str:
    return f"{number:,.0f}" if number >= 10 or number < 0.05 else f"{number:.1f}"
