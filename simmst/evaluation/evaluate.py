"""Score the network beside the rows that every table carries, on the test days."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from simmst.evaluation.scores import counted, scores, table_horizons, truth
from simmst.forecasting.naive import naive_periods, seasonal_naive
from simmst.forecasting.ridge import default_lags, fit_ridge
from simmst.traffic.gap import each_node
from simmst.traffic.recorded import recorded_origins
from simmst.traffic.split import Protocol

Values = npt.NDArray[np.floating]
OURS = "Sim-MSTNet"


def evaluate(
    values: Values,
    services: Sequence[str],
    protocol: Protocol,
    forecast: Values,
    filled: npt.NDArray[np.bool_],
    others: Mapping[str, Values] | None = None,
) -> Mapping[int, Mapping[str, Any]]:
    """Score all rows at each of `table_horizons`.

    Parameters
    ----------
    values : array [T, N, S]
        Traffic in raw units.
    services : sequence of str
    protocol : Protocol
    forecast : array [O, H, N, S]
        Of the network, from every step of the test part; steps past its end are not scored.
    filled : bool array [T, S] or [T, N, S]
        Steps that were not recorded, of all nodes or of each; no row is scored there.
    others : mapping of str to array [O, H, N, S], optional
        More rows, like `forecast`.

    Returns
    -------
    mapping of int to mapping of str to `scores`
        By horizon and row; the network's row comes last.
    """
    result = {}
    for horizon in table_horizons(forecast.shape[1]):
        origins = protocol.test.origins(horizon)
        actual, kept = truth(values, origins, horizon), counted(filled, origins, horizon)
        rows = dict(baseline_forecasts(values, protocol, horizon, filled))
        rows |= {name: other[: len(origins), :horizon] for name, other in (others or {}).items()}
        rows[OURS] = forecast[: len(origins), :horizon]
        result[horizon] = {name: scores(row, actual, services, kept) for name, row in rows.items()}
    return result


def issued_daily(
    values: Values, protocol: Protocol, forecast: Values, filled: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], Mapping[str, Values]]:
    """Forecasts issued every H steps (at most a day) of the test part, end to end, beside the truth.

    Parameters
    ----------
    values, forecast : float array
        As in `evaluate`.
    protocol : Protocol
        As in `evaluate`.
    filled : bool array
        As in `evaluate`.

    Returns
    -------
    tuple
        The steps [T'] and, by row, "truth" first, their values [T', N, S]; NaN in the truth that was filled.
    """
    horizon = min(forecast.shape[1], protocol.steps_per_day)
    every = np.arange(0, len(protocol.test.origins(horizon)), horizon)
    steps = protocol.test.start + np.arange(len(every) * horizon)
    base = baseline_forecasts(values, protocol, horizon, filled)
    rows = {OURS: forecast[:, :horizon], **{name: base[name] for name in ("ridge", "same hour yesterday")}}
    joined = {name: row[every].reshape(len(steps), *values.shape[1:]) for name, row in rows.items()}
    known = np.where(each_node(filled)[steps], np.nan, values[steps])  # a filled value is no truth
    return steps, {"truth": known, **joined}


def baseline_forecasts(
    values: Values, protocol: Protocol, horizon: int, filled: npt.NDArray[np.bool_]
) -> dict[str, Values]:
    """Forecast the test part by the rows every table carries: three naive ones and the ridge.

    Parameters
    ----------
    values : array [T, N, S]
        Traffic in raw units.
    protocol : Protocol
    horizon : int
        Number of forecast steps H. The ridge is fitted on targets of this horizon.
    filled : bool array [T, S] or [T, N, S]
        Steps that were not recorded; the ridge is not fitted to them.

    Returns
    -------
    dict of str to array [O, H, N, S]
        In the order of the table.
    """
    origins = protocol.test.origins(horizon)
    periods = naive_periods(protocol.steps_per_day)
    rows: dict[str, Values] = {
        name: seasonal_naive(values, origins, horizon, period) for name, period in periods.items()
    }
    lags = default_lags(protocol.steps_per_day)
    fit = recorded_origins(filled, protocol.fit_origins(horizon), horizon)
    ridge = fit_ridge(values, protocol.train.steps, fit, horizon, lags, filled=filled)
    rows["ridge"] = ridge.predict(values, origins)
    return rows
