"""All nodes together: totals of hours and of the day, with intervals that held-back totals measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simmst.errors import ConfigError
from simmst.forecasting.forecast import Forecast
from simmst.forecasting.held_back import HeldBack
from simmst.pretraining.reading import LEVELS, MEDIAN

Array = npt.NDArray[np.float64]
_DAY = 24
_NOMINAL = LEVELS[-1] - LEVELS[0]
_FEWEST = 9  # totals without which 90 % of them cannot be counted


@dataclass(frozen=True, slots=True)
class Total:
    """One service over all nodes, in the first day of a forecast.

    Attributes
    ----------
    service : str
    averaged : bool
        Whether figures are means over nodes and hours, as of a load, and not sums.
    day, busiest : tuple of float
        Value, lower and upper end of a 90 % interval: of the day, and of its busiest hour.
    hour : datetime64
        The busiest hour.
    measured : bool
        Whether held-back totals say how wide the intervals are. Else they are as wide as if all nodes erred
        together, which is as wide as they can be.
    """

    service: str
    averaged: bool
    day: tuple[float, float, float]
    busiest: tuple[float, float, float]
    hour: np.datetime64
    measured: bool


def totals(forecast: Forecast, held: HeldBack | None = None) -> list[Total]:
    """Total of each service.

    The ends of the nodes' intervals do not add up to those of their sum, since errors of nodes cancel in part.
    So the sum of the distances from ends to medians is multiplied by the factor that held-back totals ask for:
    the k-th smallest of n ratios of an error of a total to that sum, k = ceil(0.9 (n + 1)).

    Parameters
    ----------
    forecast : Forecast
        With quantiles.
    held : HeldBack, optional
        Of the same services.

    Raises
    ------
    ConfigError
        If the forecast has no intervals.
    """
    if forecast.quantiles is None:
        raise ConfigError("totals: this forecast has no intervals")
    data = forecast.history
    found = forecast.quantiles[:_DAY]
    median = found[..., MEDIAN]
    sides = median - found[..., 0], found[..., -1] - median  # [H, N, S]
    out = []
    for s, service in enumerate(data.services):
        averaged = service in data.averaged
        over = np.mean if averaged else np.sum
        by_hour = over(median[..., s], axis=1)
        busy = int(by_hour.argmax())
        hourly, daily = (1.0, 1.0) if held is None else _factors(held, held.before.services.index(service))
        widths = [over(side[..., s], axis=1) for side in sides]
        out.append(
            Total(
                service,
                averaged,
                _ends(float(over(by_hour)), [daily * float(over(one)) for one in widths]),
                _ends(float(by_hour[busy]), [hourly * float(one[busy]) for one in widths]),
                forecast.times[busy],
                held is not None and daily < 1.0,
            )
        )
    return out


def _ends(value: float, sides: list[float]) -> tuple[float, float, float]:
    return value, max(value - sides[0], 0.0), value + sides[1]


def _factors(held: HeldBack, s: int) -> tuple[float, float]:
    """Of the hours' and of the days' totals of a service; 1, the widest, where too few are known."""
    truth, found = held.truth[..., s].astype(np.float64), held.quantiles[..., s, :].astype(np.float64)
    known = np.isfinite(truth)[..., None]  # nodes that are not known count on neither side
    error = np.nansum(truth - found[..., MEDIAN], axis=2)  # [O, H]
    below = np.where(known, found[..., MEDIAN, None] - found[..., :1], 0.0).sum(axis=(2, 3))
    above = np.where(known, found[..., -1:] - found[..., MEDIAN, None], 0.0).sum(axis=(2, 3))
    hours = _least(error.ravel(), below.ravel(), above.ravel())
    return hours, _least(error.sum(axis=1), below.sum(axis=1), above.sum(axis=1))


def _least(error: Array, below: Array, above: Array) -> float:
    side = np.where(error < 0, below, above)
    ratios = np.sort(np.abs(error[side > 0]) / side[side > 0])
    if len(ratios) < _FEWEST:
        return 1.0
    k = int(np.ceil(_NOMINAL * (len(ratios) + 1)))
    return float(min(ratios[min(k, len(ratios)) - 1], 1.0))
