"""Scaling of traffic: z-scores of log(1 + traffic / unit), in a unit that each node and service has of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simmst.errors import DataError
from simmst.traffic.gap import each_node

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

#: The unit, in means of the training traffic. 0.01, 0.02, 0.05 and 0.1 differ by less than 1.2 % in the ridge's
#: error on the validation days of Jinan and Milano; the pretrained network has this one.
UNIT = 0.05
# A node that hardly moves would else have intervals as narrow as the noise of its counter, and z-scores without
# bound once it moves. No node of Jinan or Milano is below 0.2.
_LEAST_SCALE = 0.1


@dataclass(frozen=True, slots=True)
class NodeScaler:
    """Per-node and per-service z-scores of log(1 + traffic / unit).

    Traffic times any factor has the same z-scores under the scale that is fitted to it, and the inverse of
    z-scores is times that factor.

    Parameters
    ----------
    mean, scale : float64 array `[N, S]`
        Mean and standard deviation of log(1 + traffic / unit) over the steps it was fitted on. The deviation is
        0.1 at least; a series without traffic has scale 1.
    unit : float64 array `[N, S]`
        A twentieth of the mean traffic there, above 0; without traffic that of the service's mean node, and 1
        where the service has none at all. Files of before have none: 1 means what they meant.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    unit: NDArray[np.float64]

    @classmethod
    def fit(cls, values: NDArray[np.floating], filled: NDArray[np.bool_] | None = None) -> NodeScaler:
        """Fit on a training part only.

        Parameters
        ----------
        values : float array `[T, N, S]`
            Traffic of the training part; cut it before the call, so that nothing later leaks in.
        filled : bool array `[T, S]` or `[T, N, S]`, optional
            Steps that were not recorded, of all nodes or of each: they are left out. A node with fewer than two
            recorded steps has what is usual of the others: their median, in the unit of their mean.

        Raises
        ------
        DataError
            If no node has two recorded steps of a service.
        """
        if values.ndim != 3 or len(values) < 2:
            raise DataError(f"values: two or more steps [T, N, S] are needed for a scale, not {values.shape}")
        used: NDArray[np.bool_] | bool = True  # of [T, N, S]
        new = np.zeros(values.shape[1:], dtype=bool)  # nodes that nothing is known of
        if filled is not None and filled.any():
            used = np.broadcast_to(~each_node(filled), values.shape)
            new = used.sum(axis=0) < 2
            if new.all(axis=0).any():
                raise DataError(
                    "values: a service has fewer than two recorded steps in the training part; choose other "
                    "services or a file with other days"
                )
            used = used | new
        level = np.where(new, 0.0, values.mean(axis=0, dtype=np.float64, where=used))
        usual = np.where(level > 0, level, level.mean(axis=0, where=~new))
        unit = np.where(usual > 0, UNIT * usual, 1.0)
        logs = _relative_logs(values, unit)
        mean, spread = logs.mean(axis=0, where=used), logs.std(axis=0, where=used)
        scale = np.where(level > 0, np.maximum(spread, _LEAST_SCALE), 1.0)
        for fitted in (mean, scale) if new.any() else ():
            fitted[new] = np.broadcast_to(np.nanmedian(np.where(new, np.nan, fitted), axis=0), new.shape)[new]
        return cls(mean, scale, unit)

    def transform(self, values: NDArray[np.floating]) -> FloatArray:
        """Scale traffic `[..., N, S]` to z-scores of the same shape."""
        scaled = (_relative_logs(values, self.unit) - self.mean) / self.scale
        return np.asarray(scaled, dtype=np.float32)

    def inverse(self, scaled: NDArray[np.floating], node: IntArray | None = None) -> NDArray[np.float64]:
        """Traffic from z-scores; what would be negative becomes 0.

        Parameters
        ----------
        scaled : float array
            z-scores: `[..., N, S]` without `node`, else `[B, H, S]`.
        node : int64 array `[B]`, optional
            The node of each sample.
        """
        mean, scale, unit = self.mean, self.scale, self.unit
        if node is not None:
            mean, scale, unit = mean[node][:, None], scale[node][:, None], unit[node][:, None]
        return np.maximum(np.expm1(np.asarray(scaled, dtype=np.float64) * scale + mean) * unit, 0.0)


def _relative_logs(values: NDArray[np.floating], unit: NDArray[np.float64]) -> NDArray[np.float64]:
    logs: NDArray[np.float64] = np.divide(values, unit, dtype=np.float64)
    return np.log1p(logs, out=logs)
