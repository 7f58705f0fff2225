"""Scaling of traffic: z-scores of log(1 + traffic) for each node and service."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simmst.errors import DataError

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class NodeScaler:
    """Per-node and per-service z-scores of log(1 + traffic).

    Parameters
    ----------
    mean, scale : float64 array `[N, S]`
        Mean and standard deviation of log(1 + traffic) over the steps it was fitted on. A series that was constant
        there has scale 1.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def fit(cls, values: NDArray[np.floating], filled: NDArray[np.bool_] | None = None) -> NodeScaler:
        """Fit on a training part only.

        Parameters
        ----------
        values : float array `[T, N, S]`
            Traffic of the training part; cut it before the call, so that nothing later leaks in.
        filled : bool array `[T, S]`, optional
            Steps that were not recorded: they are left out.

        Raises
        ------
        DataError
            If there are fewer than two recorded steps.
        """
        if values.ndim != 3 or len(values) < 2:
            raise DataError(f"values: two or more steps [T, N, S] are needed for a scale, not {values.shape}")
        logs = np.log1p(values, dtype=np.float64)
        if filled is None or not filled.any():
            mean, spread = logs.mean(axis=0), logs.std(axis=0)
        else:
            if (~filled).sum(axis=0).min() < 2:
                raise DataError(
                    "values: a service has fewer than two recorded steps in the training part; choose other "
                    "services or a file with other days"
                )
            used = np.broadcast_to(~filled[:, None], logs.shape)
            mean, spread = logs.mean(axis=0, where=used), logs.std(axis=0, where=used)
        return cls(mean, np.where(spread > 1e-6, spread, 1.0))

    def transform(self, values: NDArray[np.floating]) -> FloatArray:
        """Scale traffic `[..., N, S]` to z-scores of the same shape."""
        scaled = (np.log1p(values, dtype=np.float64) - self.mean) / self.scale
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
        mean, scale = self.mean, self.scale
        if node is not None:
            mean, scale = mean[node][:, None], scale[node][:, None]
        return np.maximum(np.expm1(np.asarray(scaled, dtype=np.float64) * scale + mean), 0.0)
