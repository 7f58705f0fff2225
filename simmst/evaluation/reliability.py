"""Whether probabilities come true as often as they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from simmst.forecasting.held_back import HeldBack
from simmst.forecasting.risk import exceedance

#: Shares of a node's own hours before the first origin that lie below the thresholds that are asked about.
ASKED = (0.8, 0.95, 0.99)
_BINS = np.array([0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])


def reliability(held: HeldBack) -> dict[str, Any] | None:
    """Hold probabilities of exceeding each node's own high values against what came.

    Parameters
    ----------
    held : HeldBack

    Returns
    -------
    dict or None
        `thresholds`; `bins`, {from, to, said, came, hours} where hours were so judged: the mean probability and
        the share of those hours that were above; `brier`, the mean squared error of the probabilities, and
        `brier_usual`, of the share of the same hours of the day that were above before the first origin. None if
        nothing is known.
    """
    known = np.isfinite(held.truth)
    if not known.any():
        return None
    past = np.where(held.before.known, held.before.values, np.nan)
    hour = (held.before.start_hour + np.arange(len(past))) % 24
    at = held.hour_of_day()
    said, came, usual = [], [], []
    for share in ASKED:
        limits = _quantile(past, share)
        above = np.where(np.isnan(past), np.nan, past > limits)
        by_hour = np.stack([_mean(above[hour == h]) for h in range(24)])
        use = known & ~np.isnan(limits) & ~np.isnan(by_hour[at])
        said.append(exceedance(held.quantiles, limits)[use])
        came.append((held.truth > limits)[use])
        usual.append(by_hour[at][use])
    probability, truth, base = (np.concatenate(one).astype(np.float64) for one in (said, came, usual))
    if not len(truth):
        return None
    place = np.clip(np.digitize(probability, _BINS) - 1, 0, len(_BINS) - 2)
    bins = [
        {
            "from": float(_BINS[i]),
            "to": float(_BINS[i + 1]),
            "said": float(probability[place == i].mean()),
            "came": float(truth[place == i].mean()),
            "hours": int((place == i).sum()),
        }
        for i in range(len(_BINS) - 1)
        if (place == i).any()
    ]
    return {
        "thresholds": [f"each node's own {100 * share:g} % of hours" for share in ASKED],
        "bins": bins,
        "brier": float(np.square(probability - truth).mean()),
        "brier_usual": float(np.square(base - truth).mean()),
    }


def _quantile(past: npt.NDArray[np.floating], share: float) -> npt.NDArray[np.float64]:
    """Of the known hours, `[N, S]`; NaN where there is none."""
    out = np.full(past.shape[1:], np.nan)
    some = np.isfinite(past).any(axis=0)
    out[some] = np.nanquantile(past[:, some], share, axis=0)
    return out


def _mean(above: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    count = np.isfinite(above).sum(axis=0)
    nothing = np.full(count.shape, np.nan)
    return np.asarray(np.divide(np.nansum(above, axis=0), count, out=nothing, where=count > 0))
