"""Errors of a forecaster day by day, and whether the newest day was off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from simmst.forecasting.pretrained import known_hours
from simmst.traffic.dataset import TrafficData

Floats = npt.NDArray[np.float64]
_DAY = 24
#: Coverage of the intervals that are judged.
LEVEL = 0.9
# Hours between two forecasts: so far apart that each lead meets all hours of the day in time.
_APART = 5
# A day is off above the 99 % quantile of past days and half above their median: of few days the quantile is nearly
# their maximum, which each new day exceeds by chance once in a while. All four numbers are chosen, not measured.
_FEWEST, _MOST, _SHARE, _HALF_ABOVE, _COVERED = 5, 56, 0.99, 1.5, 0.7


class Forecasts(Protocol):
    """What forecasts hours of traffic that is there."""

    @property
    def horizon(self) -> int:
        """Hours H of a forecast."""
        ...

    @property
    def lookback(self) -> int:
        """Hours that must stand before an origin."""
        ...

    def forecast(self, data: TrafficData, origins: npt.NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
        """Forecast from origins: values, lower and upper ends of 90 % intervals, `[O, H, N, S]`."""
        ...


@dataclass(frozen=True, slots=True)
class DayErrors:
    """Means over the hours, nodes and leads of each day; NaN where nothing was recorded.

    Attributes
    ----------
    mae, covered, score : float array `[D, S]`
        Mean absolute error in the units of the traffic; share of the truth inside the 90 % intervals; interval
        score (width, and 20 times the distance of the truth outside), in these units too.
    """

    mae: Floats
    covered: Floats
    score: Floats

    def of(self, measure: str, level: Floats) -> float:
        """Mean over services, each in its mean traffic, of the last day; infinite where nothing is finite."""
        found = getattr(self, measure)[-1] / level
        return float(np.mean(found[np.isfinite(found)])) if np.isfinite(found).any() else float("inf")

    def plain(self, services: tuple[str, ...], day: int) -> dict[str, Any]:
        """One day as a log holds it: None where nothing was recorded."""
        return {
            name: {key: _plain(getattr(self, key)[day, s]) for key in ("mae", "covered")}
            for s, name in enumerate(services)
        }


def errors_by_day(forecaster: Forecasts, data: TrafficData, days: int) -> DayErrors:
    """Forecast the last days of whole days, each hour from before it.

    Parameters
    ----------
    forecaster : Forecasts
    data : TrafficData
        Whole days, of the forecaster's nodes and services.
    days : int
        So many at the end; more hours than the forecaster reads must stand before them.
    """
    hours, horizon = len(data.values), forecaster.horizon
    first = hours - days * _DAY
    origins = np.arange(hours - 1, max(first - horizon, forecaster.lookback - 1), -_APART)[::-1].copy()
    values, lower, upper = forecaster.forecast(data, origins)
    spans = origins[:, None] + np.arange(horizon)  # [O, H]
    inside = (spans >= first) & (spans < hours)
    at = spans[inside]  # [M]
    truth = data.values[at].astype(np.float64)
    values, lower, upper = (one[inside] for one in (values, lower, upper))  # [M, N, S]
    outside = np.maximum(lower - truth, 0) + np.maximum(truth - upper, 0)
    scores = upper - lower + 2 / (1 - LEVEL) * outside
    known, day = known_hours(data)[at], (at - first) // _DAY
    sums = np.zeros((4, days, data.values.shape[2]))
    for total, one in zip(sums, (np.abs(values - truth), outside == 0, scores, known), strict=True):
        np.add.at(total, day, np.where(known, one, 0.0).sum(axis=1))
    mae, covered, score = np.divide(sums[:3], sums[3], out=np.full(sums[:3].shape, np.nan), where=sums[3] > 0)
    return DayErrors(mae, covered, score)


def drift(daily: Mapping[str, Mapping[str, Mapping[str, float | None]]], day: str) -> list[str]:
    """Say of which services a day was off, by the errors of the days before it.

    Parameters
    ----------
    daily : mapping
        {day: {service: {mae, covered}}}, days as ISO dates.
    day : str
        The one that is judged.

    Returns
    -------
    list of str
        A sentence a service that was off; of fewer than five past days only the intervals speak.
    """
    said = []
    for service, found in daily[day].items():
        past = [daily[one].get(service, {}).get("mae") for one in sorted(daily) if one < day]
        errors = np.array([one for one in past if one is not None][-_MOST:])
        mae, covered, why = found["mae"], found["covered"], []
        if mae is not None and len(errors) >= _FEWEST:
            usual = max(float(np.quantile(errors, _SHARE)), _HALF_ABOVE * float(np.median(errors)))
            if mae > usual:
                why.append(f"MAE {mae:.4g}, above {usual:.4g}, which {len(errors)} past days allow")
        if covered is not None and covered < _COVERED:
            why.append(f"{100 * LEVEL:g} % intervals held {100 * covered:.0f} % (at least {100 * _COVERED:g} %)")
        if why:
            said.append(f"{service} on {day}: {'; '.join(why)}")
    return said


def _plain(number: float) -> float | None:
    return float(number) if np.isfinite(number) else None
