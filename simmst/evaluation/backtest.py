"""One back-test for everything that forecasts: the same origins, the same truth, the same measures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from simmst.errors import ConfigError
from simmst.evaluation.scores import counted, scores, truth
from simmst.forecasting.forecaster import Forecaster
from simmst.traffic.dataset import TrafficData


@dataclass(frozen=True, slots=True)
class Backtest:
    """Forecasts of several forecasters from the same origins, and the truth.

    Attributes
    ----------
    traffic : TrafficData
        Hourly traffic.
    origins : int64 array `[O]`
        First forecast steps.
    level : float
        Of the intervals.
    actual : float64 array `[O, H, N, S]`
    forecasts, lower, upper : dict of str to float64 array
        By forecaster, `[O, H, N, S]` each.
    recorded : bool array `[O, H, N, S]` or None
        Which of the truth was recorded; None for all of it. What was filled is not counted.
    """

    traffic: TrafficData
    origins: npt.NDArray[np.int64]
    level: float
    actual: npt.NDArray[np.float64]
    forecasts: dict[str, npt.NDArray[np.float64]]
    lower: dict[str, npt.NDArray[np.float64]]
    upper: dict[str, npt.NDArray[np.float64]]
    recorded: npt.NDArray[np.bool_] | None

    def scores(self) -> pl.DataFrame:
        """Return a line a forecaster and service: MAE, RMSE, WAPE, and the part of the truth in the intervals."""
        services, rows = self.traffic.services, []
        for name, forecast in self.forecasts.items():
            found = scores(forecast, self.actual, services, self.recorded)["tasks"]
            inside = (self.lower[name] <= self.actual) & (self.actual <= self.upper[name])
            for s, service in enumerate(services):
                one = inside[..., s] if self.recorded is None else inside[..., s][self.recorded[..., s]]
                figures = {measure: found[service][measure] for measure in ("mae", "rmse", "wape")}
                rows.append({"forecaster": name, "service": service, **figures, "coverage": float(one.mean())})
        return pl.DataFrame(rows)

    def to_long(self) -> pl.DataFrame:
        """Return the long form of Nixtla's cross-validation: unique_id, ds, cutoff, y, and each forecaster."""
        count, hours, nodes, services = self.actual.shape
        steps = self.origins[:, None] + np.arange(hours)
        times, cutoffs = self.traffic.times[steps], self.traffic.times[self.origins - 1]
        ids = [f"{node}/{service}" for node in self.traffic.node_ids for service in self.traffic.services]
        frame = pl.DataFrame(
            {
                "unique_id": np.tile(np.array(ids), count * hours),
                "ds": np.repeat(times.ravel().astype("datetime64[us]"), nodes * services),
                "cutoff": np.repeat(cutoffs.astype("datetime64[us]"), hours * nodes * services),
                "y": self.actual.ravel(),
                **{name: forecast.ravel() for name, forecast in self.forecasts.items()},
            }
        )
        return frame.sort("unique_id", "cutoff", "ds")


def backtest(
    forecasters: Sequence[Forecaster],
    traffic: TrafficData,
    horizon: int = 24,
    step: int = 24,
    start: int | str | np.datetime64 | None = None,
    level: float = 0.9,
    progress: Callable[[int, int], None] | None = None,
) -> Backtest:
    """Forecast again and again, each time knowing only what lies before, and hold all against what came.

    Parameters
    ----------
    forecasters : sequence of Forecaster
        Fitted ones. What they were fitted on should end before `start`, else they are judged on what they know.
    traffic : TrafficData
        With the services and nodes of all of them.
    horizon : int
        Hours forecast from each origin.
    step : int
        Hours from one origin to the next.
    start : int or str or datetime64, optional
        The first origin: a step number or a local time; by default as late as the last seven days allow.
    level : float
        Of the intervals.
    progress : callable, optional
        Called with the number of forecasts done and their total.

    Raises
    ------
    SimmstError
        If no origin fits, or a forecaster refuses.
    """
    names = [one.name for one in forecasters]
    if not names or len(set(names)) < len(names):
        raise ConfigError(f"forecasters: must be one or more of different names, got {', '.join(names) or 'none'}")
    for argument, value in (("horizon", horizon), ("step", step)):
        if value < 1:
            raise ConfigError(f"{argument} {value}: must be at least 1")
    data = traffic.hourly()
    hours = len(data.values)
    first = max(1, hours - 168 - horizon + 1) if start is None else hours - len(data.select(start=start).values)
    origins = np.arange(max(first, 1), hours - horizon + 1, step)
    if not len(origins):
        raise ConfigError(f"start {start}: no origin leaves {horizon} hours before the end of the traffic")
    found: dict[str, list[tuple[npt.NDArray[np.float64], ...]]] = {name: [] for name in names}
    for done, origin in enumerate(origins):
        before = data.select(stop=int(origin))
        for one in forecasters:
            made = one.predict(before, horizon, level)
            if made.history.node_ids != data.node_ids or made.history.services != data.services:
                raise ConfigError(
                    f"traffic: {one.name} was fitted on other nodes or services; select its own, in its order"
                )
            found[one.name].append((made.values, made.lower, made.upper))
        if progress is not None:
            progress(done + 1, len(origins))
    values, lower, upper = (
        {name: np.stack([one[part] for one in rows]) for name, rows in found.items()} for part in range(3)
    )
    actual = truth(data.values, origins, horizon).astype(np.float64)
    return Backtest(data, origins, level, actual, values, lower, upper, counted(data.unrecorded, origins, horizon))
