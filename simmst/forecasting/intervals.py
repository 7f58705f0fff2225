"""Split-conformal intervals of z-scores, from errors on days that nothing was fitted to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from simmst.errors import ConfigError
from simmst.traffic.scaling import NodeScaler


@dataclass(frozen=True, slots=True)
class Intervals:
    """Absolute errors of z-scores on held-out origins.

    Attributes
    ----------
    residuals : float32 array `[n, H, S]`
        Each step and service in ascending order.
    """

    residuals: npt.NDArray[np.float32]

    @classmethod
    def of(
        cls, scaler: NodeScaler, forecast: npt.NDArray[np.floating], actual: npt.NDArray[np.floating]
    ) -> Self:
        """Collect the errors of forecasts.

        Parameters
        ----------
        scaler : NodeScaler
            Of the forecaster's training days.
        forecast, actual : float array `[O, H, N, S]`
            In the units of the traffic.
        """
        errors = np.abs(scaler.transform(forecast) - scaler.transform(actual)).transpose(0, 2, 1, 3)
        return cls(np.sort(errors.reshape(-1, *errors.shape[2:]), axis=0))

    def width(self, level: float) -> npt.NDArray[np.float64]:
        """Half-width `[H, S]` of the interval of z-scores.

        The k-th smallest residual, k = ceil((n + 1) level), of each step and service over all nodes. Were the
        residuals exchangeable with those to come, the interval would cover at least `level` of them, over nodes
        and times together. They are not quite: hours follow each other, and the validation days also chose the
        epoch.

        Parameters
        ----------
        level : float
            Wanted coverage, in (0, 1).

        Raises
        ------
        ConfigError
            If there are too few residuals for it.
        """
        if not 0 < level < 1:
            raise ConfigError(f"level {level:g}: must lie between 0 and 1")
        count = len(self.residuals)
        k = math.ceil((count + 1) * level)
        if k > count:
            raise ConfigError(
                f"level {level:g}: too high for {count} validation windows; at most {count / (count + 1):.4g}"
            )
        return np.asarray(self.residuals[k - 1], dtype=np.float64)

    def around(
        self, scaler: NodeScaler, values: npt.NDArray[np.float64], level: float
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Lower and upper end, `[H, N, S]` each, in the units of the traffic.

        Parameters
        ----------
        scaler : NodeScaler
            As in `of`.
        values : float64 array
            A forecast `[H, N, S]`, at most as many hours as the residuals have.
        level : float
            As in `width`.
        """
        width = self.width(level)[: len(values)]
        scaled = scaler.transform(values).astype(np.float64)
        lower, upper = (scaler.inverse(scaled + sign * width[:, None]) for sign in (-1, 1))
        return np.minimum(lower, values), np.maximum(upper, values)
