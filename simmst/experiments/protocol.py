"""Who trains, validates and tests on which days (Protocol J, generalised)."""

import numpy as np
import numpy.typing as npt

from simmst.forecasting.naive import naive_periods, seasonal_naive
from simmst.forecasting.ridge import default_lags, fit_ridge
from simmst.traffic.recorded import recorded_origins
from simmst.traffic.split import Protocol

Values = npt.NDArray[np.floating]


def table_horizons(horizon: int) -> tuple[int, ...]:
    """Horizons that get a table: 1, 6 and 24 steps as far as the network reaches, and its own."""
    return (*(h for h in (1, 6, 24) if h < horizon), horizon)


def truth(values: Values, origins: npt.NDArray[np.integer], horizon: int) -> Values:
    """What was to be forecast: [O, H, N, S] from values [T, N, S]."""
    actual: Values = values[origins[:, None] + np.arange(horizon)]
    return actual


def counted(
    filled: npt.NDArray[np.bool_], origins: npt.NDArray[np.integer], horizon: int
) -> npt.NDArray[np.bool_] | None:
    """Which forecasts have a recorded truth: bool [O, H, S] from filled steps [T, S]; None for all of them."""
    if not filled.any():
        return None
    recorded: npt.NDArray[np.bool_] = ~filled[origins[:, None] + np.arange(horizon)]
    return recorded


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
    filled : bool array [T, S]
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
