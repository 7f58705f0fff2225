"""The autoregression on departures from the mean of the last seven same hours, pooled over nodes."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from simmst.forecasting.past import DAY, Array, Flags, Past, spread_of
from simmst.traffic.ridge import NormalEquations

LAGS, LEADS = 8, DAY
_SAME_HOURS = 7
_PENALTY = 1.0
# Of so many nodes, spread evenly, the coefficients are learnt: more hardly move them.
_MOST_NODES = 500


def chosen_nodes(nodes: int) -> NDArray[np.int64]:
    """Which of a city's nodes are learnt from."""
    return np.linspace(0, nodes - 1, min(nodes, _MOST_NODES)).astype(np.int64)


def learn(past: Past) -> Array:
    """Fit a ridge for each lead and service.

    Z-scores of log(0.05 + traffic / mean), less the mean of the last seven same hours (fewer at first), are
    regressed on the last eight of them and a constant. What is unknown is no target, and 0 as input.

    Returns
    -------
    float64 array [24, 9, S]
        By lead; the newest departure comes last, then the constant. 0 where the history has no such departure:
        a day is read before the first one, or as much as half of the history, up to a week.
    """
    services = past.values.shape[2]
    away, known = _departures(past)
    unseen = int(np.argmax(past.known.any(axis=(1, 2))))  # hours before the first
    first = unseen + DAY * max(1, min(_SAME_HOURS, (len(away) - unseen) // (2 * DAY)))
    away, known = away[first:], known[first:]
    out = np.zeros((LEADS, LAGS + 1, services))
    for lead in range(LEADS):
        origins = len(away) - LAGS - lead
        if origins < 1:
            break
        for s in range(services):
            lagged = sliding_window_view(away[:, :, s], LAGS, axis=0)[:origins]  # [O, n, 8]
            inputs = np.concatenate([lagged, np.ones((*lagged.shape[:2], 1))], axis=2).reshape(-1, LAGS + 1)
            target, there = away[LAGS + lead :, :, s].reshape(-1), known[LAGS + lead :, :, s].reshape(-1)
            equations = NormalEquations(LAGS + 1, 1)
            equations.add(inputs[there], target[there, None])
            out[lead, :, s] = equations.solve(_PENALTY)[:, 0]
    return out


def forecast(past: Past, coefficients: Array, horizon: int) -> Array:
    """Forecast `[H, N, S]`; leads after the first day take the coefficients of the 24th hour.

    Parameters
    ----------
    past : Past
    coefficients : float64 array [24, 9, S]
        From `learn`.
    horizon : int
        Hours H.
    """
    scaled, centre, spread = _scaled(past)
    days = min(_SAME_HOURS, past.days)
    last, seen = past.by_day(scaled)[-days:], past.by_day(past.known)[-days:]
    usual = (last * seen).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)  # [24, N, S]
    away = _last_departures(scaled, past.known)
    inputs = np.concatenate([away, np.ones((1, *away.shape[1:]))])
    expected = np.einsum("kls,lns->kns", coefficients, inputs)
    lead = np.arange(horizon)
    found = usual[lead % DAY] + expected[np.minimum(lead, LEADS - 1)]
    return np.where(past.known.any(axis=0), past.from_logs(found * spread + centre), 0.0)


def _scaled(past: Past) -> tuple[Array, Array, Array]:
    """Z-scores, 0 where unknown, with centre and spread `[N, S]`."""
    logs = past.logs()
    centre = logs.sum(axis=0) / np.maximum(past.known.sum(axis=0), 1)
    spread = spread_of(logs - centre, past.known)
    return np.where(past.known, (logs - centre) / spread, 0.0), centre, spread


def _departures(past: Past) -> tuple[Array, Flags]:
    """How far each hour lay from the mean of the seven same hours before it, 0 where either is unknown."""
    scaled, _, _ = _scaled(past)
    total, count = np.zeros_like(scaled), np.zeros(scaled.shape, dtype=np.int64)
    for back in range(DAY, DAY * (_SAME_HOURS + 1), DAY):
        total[back:] += scaled[:-back]
        count[back:] += past.known[:-back]
    there: Flags = past.known & (count > 0)
    return np.where(there, scaled - total / np.maximum(count, 1), 0.0), there


def _last_departures(scaled: Array, known: Flags) -> Array:
    """The last eight of `_departures`, oldest first."""
    out = np.zeros((LAGS, *scaled.shape[1:]))
    for i in range(LAGS):
        at = len(scaled) - LAGS + i
        before = np.arange(at - DAY, max(at - DAY * (_SAME_HOURS + 1), -1), -DAY)
        before = before[before >= 0]
        count = known[before].sum(axis=0)
        usual = scaled[before].sum(axis=0) / np.maximum(count, 1)
        out[i] = np.where(known[at] & (count > 0), scaled[at] - usual, 0.0)
    return out
