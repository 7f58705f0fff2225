"""Errors in every unit of the literature: raw, mean of ten minutes, per-cell z; and those without a unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simmst.evaluation.benchmark import Benchmark
from simmst.evaluation.scores import basic_figures, by_service

Values = npt.NDArray[np.floating]

#: Names in a table, in their order.
MEASURES: Mapping[str, str] = {
    "mae": "MAE",
    "rmse": "RMSE",
    "wape": "WAPE",
    "mase": "MASE",
    "r2": "R²",
    "mae_10min": "MAE, mean of 10 min",
    "rmse_10min": "RMSE, mean of 10 min",
    "z_mae": "z-MAE",
    "z_rmse": "z-RMSE",
}


@dataclass(frozen=True, slots=True)
class Reference:
    """What errors are held against, from the training part alone.

    Attributes
    ----------
    deviation : float64 array `[N, S]`
        Standard deviation of each series; 1 where a series is constant.
    naive : float64 array `[N, S]`
        Mean absolute error of the same hour yesterday.
    per_ten_minutes : float
        Number of ten-minute steps in one step.
    """

    deviation: npt.NDArray[np.float64]
    naive: npt.NDArray[np.float64]
    per_ten_minutes: float

    @classmethod
    def of(cls, benchmark: Benchmark) -> Reference:
        """Measure the training part, without what was filled (where anything was recorded)."""
        steps, day = benchmark.protocol.train.steps, benchmark.protocol.steps_per_day
        values = benchmark.data.values[steps].astype(np.float64)
        used = ~benchmark.data.unrecorded[steps]
        pairs = used[day:] & used[:-day]
        used, pairs = (mask | ~mask.any(axis=0) for mask in (used, pairs))
        deviation = values.std(axis=0, where=used)
        return cls(
            np.where(deviation > 0, deviation, 1.0),
            np.abs(values[day:] - values[:-day]).mean(axis=0, where=pairs),
            benchmark.data.step_minutes / 10,
        )


def measure(
    forecast: Values,
    actual: Values,
    services: tuple[str, ...],
    reference: Reference,
    kept: npt.NDArray[np.bool_] | None = None,
) -> dict[str, Any]:
    """Count errors by service, over all leads and by lead: `simmst.evaluation.scores.scores` and more.

    MAE, RMSE in the unit of the data, divided by the number of ten-minute steps in a step, and of z-scores by
    each node's training deviation. WAPE = sum |e| / sum |y|. MASE = mean over nodes of the MAE over that of the
    same hour yesterday on the training part (nodes where that is 0 are left out). R² = 1 - sum e² / sum (y - mean
    y)². Means run over origins, nodes and leads. None where a figure is not defined, or no truth was recorded.

    Parameters
    ----------
    forecast, actual : float array
        `[O, H, N, S]` in raw units.
    services : tuple of str
        Names along the last axis.
    reference : Reference
        From the training part.
    kept : bool array `[O, H, S]` or `[O, H, N, S]`, optional
        From `counted`: what is not kept is not counted. At least one step of every service must be.

    Returns
    -------
    dict
        ``{"tasks": {service: {measure: float, ..., "by_lead": {measure: [H]}}}, "mean": {measure: float}}``.

    Raises
    ------
    SimmstError
        If the shapes differ, or a forecast is not finite.
    """

    def figures(error: Values, true: Values, s: int) -> dict[str, float | None]:
        basic, absolute = basic_figures(error, true), np.abs(error)
        deviation, naive = reference.deviation[:, s], reference.naive[:, s]
        there = ~np.isnan(true)
        used = True if there.all() else there
        spread = float(np.square(true - true.mean(where=used)).sum(where=used))
        over = tuple(range(absolute.ndim - 1))
        known = (naive > 0) & there.any(axis=over)
        by_node = absolute[..., known].mean(axis=over, where=used if used is True else there[..., known])
        return basic | {
            "mase": float((by_node / naive[known]).mean()) if known.any() else None,
            "r2": 1 - float(np.square(error).sum(where=used)) / spread if spread > 0 else None,
            "mae_10min": float(absolute.mean(where=used)) / reference.per_ten_minutes,
            "rmse_10min": float(np.sqrt(np.square(error).mean(where=used))) / reference.per_ten_minutes,
            "z_mae": float((absolute / deviation).mean(where=used)),
            "z_rmse": float(np.sqrt(np.square(error / deviation).mean(where=used))),
        }

    return by_service(forecast, actual, services, kept, tuple(MEASURES), figures)
