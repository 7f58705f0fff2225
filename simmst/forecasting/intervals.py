"""Split-conformal intervals of z-scores, from errors on days that nothing was fitted to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from simmst.errors import ConfigError
from simmst.pretraining.reading import LEVELS, MEDIAN
from simmst.traffic.scaling import NodeScaler

# How many windows of the usual error stand beside a node's own: a day of origins. So a node of few windows, or one
# that has not moved yet, does not get an interval without width.
_OTHERS = 24


@dataclass(frozen=True, slots=True)
class Intervals:
    """Absolute errors of z-scores on held-out origins, each over the spread of its node.

    The spread of a node is its mean error over that of all nodes, of the same step and service, shrunk towards 1:
    a node that is hard to forecast has a wide interval, and one that is easy a narrow one.

    Attributes
    ----------
    residuals : float32 array `[n, H, S]`
        Each step and service in ascending order.
    spread : float64 array `[N, S]`
        Of each node and service, above 0. Files of before have none: 1 means what they meant.
    """

    residuals: npt.NDArray[np.float32]
    spread: npt.NDArray[np.float64]

    @classmethod
    def of(cls, scaler: NodeScaler, forecast: npt.NDArray[np.floating], actual: npt.NDArray[np.floating]) -> Self:
        """Collect the errors of forecasts.

        Parameters
        ----------
        scaler : NodeScaler
            Of the forecaster's training days.
        forecast, actual : float array `[O, H, N, S]`
            In the units of the traffic. Where the truth is NaN, that origin of that node is left out.
        """
        errors = np.abs(scaler.transform(forecast) - scaler.transform(actual)).transpose(0, 2, 1, 3)
        origins, nodes = errors.shape[:2]
        windows, node = errors.reshape(-1, *errors.shape[2:]), np.tile(np.arange(nodes), origins)
        known = ~np.isnan(windows).any(axis=(1, 2))
        return cls.of_windows(windows[known], node[known], nodes)

    @classmethod
    def of_windows(cls, errors: npt.NDArray[np.float32], node: npt.NDArray[np.int64], nodes: int) -> Self:
        """Collect the errors of windows.

        Parameters
        ----------
        errors : float32 array `[n, H, S]`
            Absolute errors of z-scores.
        node : int64 array `[n]`
            The node of each window.
        nodes : int
            Number of nodes N; one without a window has the spread 1.
        """
        usual = errors.mean(axis=0, dtype=np.float64)
        relative = (errors / np.where(usual > 0, usual, 1.0)).mean(axis=1)  # [n, S]
        total = np.zeros((nodes, errors.shape[2]))
        np.add.at(total, node, relative)
        count = np.bincount(node, minlength=nodes)[:, None]
        spread = (total + _OTHERS) / (count + _OTHERS)
        return cls(np.sort(errors / spread[node][:, None], axis=0).astype(np.float32), spread)

    def width(self, level: float) -> npt.NDArray[np.float64]:
        """Half-width `[H, S]` of the interval of z-scores of a node whose spread is 1.

        The k-th smallest residual, k = ceil((n + 1) level), of each step and service over all nodes. Were the
        residuals exchangeable with those to come, the interval would cover at least `level` of them, over nodes
        and times together. They are not quite: hours follow each other, the spreads are of the same days, and the
        validation days also chose the epoch. Errors over a scale of their own are those of locally weighted
        conformal prediction (Lei et al., JASA 2018, section 5.2).

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
            most = math.floor(count / (count + 1) * 1e4) / 1e4  # down, so that it is then taken
            raise ConfigError(f"level {level:g}: too high for {count} validation windows; at most {most:g}")
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
        width = self.width(level)[: len(values), None] * self.spread
        scaled = scaler.transform(values).astype(np.float64)
        lower, upper = (scaler.inverse(scaled + sign * width) for sign in (-1, 1))
        return np.minimum(lower, values), np.maximum(upper, values)

    def quantiles(self, scaler: NodeScaler, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Quantiles `[H, N, S, Q]` at `LEVELS`: ends of central intervals around the forecast, as the median.

        Where there are too few residuals for a level, the largest stands for it.

        Parameters
        ----------
        scaler : NodeScaler
            As in `of`.
        values : float64 array
            As in `around`.
        """
        count = len(self.residuals)
        most = count / (count + 1)
        out = np.repeat(values[..., None], len(LEVELS), axis=-1)
        for low in range(MEDIAN):
            ends = self.around(scaler, values, min(1 - 2 * LEVELS[low], most))
            out[..., low], out[..., -1 - low] = ends
        return np.maximum.accumulate(np.maximum(out, 0.0), axis=-1)
