"""The seasonal naive forecast: the value of the same phase of the last whole period, three ways."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from simmst.errors import SimmstError


def seasonal_naive(
    values: npt.NDArray[np.floating], origins: npt.NDArray[np.integer], horizon: int, period: int
) -> npt.NDArray[np.floating]:
    """Repeat the last `period` steps before each origin.

    The forecast of step ``t + h`` made at origin ``t`` (the steps before ``t`` are known) is the newest
    known value that lies a whole number of periods before it. A period of one step gives the last value.

    Parameters
    ----------
    values : array [T, N, S]
        Traffic of all steps; only steps before an origin are read for it.
    origins : int array [O]
        First forecast step of each forecast.
    horizon : int
        Number of forecast steps H.
    period : int
        Season in steps: 1 (last value), a day, or a week.

    Returns
    -------
    array [O, H, N, S]
        In the units of `values`.

    Raises
    ------
    SimmstError
        If an origin has less than one period before it.
    """
    if len(origins) and origins.min() < period:
        raise SimmstError(
            f"origins: a naive forecast of period {period} needs {period} steps before each origin, "
            f"the first has {origins.min()}"
        )
    lead = np.arange(horizon)
    back = period * (lead // period + 1)  # whole periods that reach before the origin
    forecast: npt.NDArray[np.floating] = values[origins[:, None] + (lead - back)[None, :]]
    return forecast


def naive_periods(steps_per_day: int) -> Mapping[str, int]:
    """Return the periods, in steps, of the three naive rows every table carries."""
    return {
        "last value": 1,
        "same hour yesterday": steps_per_day,
        "same hour last week": 7 * steps_per_day,
    }
