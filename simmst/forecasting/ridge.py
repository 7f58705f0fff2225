"""The ridge on lags: one linear model per forecast step and service, pooled over nodes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simmst.errors import SimmstError
from simmst.traffic.recorded import recorded_whole
from simmst.traffic.ridge import NormalEquations
from simmst.traffic.scaling import NodeScaler

Array = npt.NDArray[np.float64]
_CHUNK = 32  # origins per block of features: bounds the memory on a city of thousands of nodes


def default_lags(steps_per_day: int) -> tuple[int, ...]:
    """Lags 1..48, one day and one week, in steps; on hourly data this is 1..48 and 168."""
    return tuple(sorted({*range(1, 49), steps_per_day, 7 * steps_per_day}))


@dataclass(frozen=True, slots=True)
class RidgeFit:
    """A fitted ridge; `fit_ridge` makes one.

    Attributes
    ----------
    lags : tuple of int
        Steps before the origin that enter, ascending.
    scaler : NodeScaler
        Z-scores, per node and service.
    coefficients : array [len(lags) * S + 1, H * S]
        Last row is the constant.
    """

    lags: tuple[int, ...]
    scaler: NodeScaler
    coefficients: Array

    def predict(self, values: npt.NDArray[np.floating], origins: npt.NDArray[np.integer]) -> Array:
        """Forecast from each origin.

        Parameters
        ----------
        values : array [T, N, S]
            Traffic in raw units, the same nodes and services as in the fit; only steps before an origin
            are read for it.
        origins : int array [O]

        Returns
        -------
        array [O, H, N, S]
            In the units of `values`, >= 0.
        """
        scaled = self.scaler.transform(values)
        rows = [_features(scaled, part, self.lags) @ self.coefficients for part in _chunks(origins)]
        nodes, services = scaled.shape[1:]
        forecast = np.concatenate(rows).reshape(len(origins), nodes, -1, services).transpose(0, 2, 1, 3)
        return self.scaler.inverse(forecast)


def fit_ridge(
    values: npt.NDArray[np.floating],
    scale_steps: slice,
    origins: npt.NDArray[np.integer],
    horizon: int,
    lags: tuple[int, ...],
    penalty: float = 10.0,
    filled: npt.NDArray[np.bool_] | None = None,
) -> RidgeFit:
    """Fit by the normal equations, in float64 and in blocks of origins.

    Parameters
    ----------
    values : array [T, N, S]
        Traffic in raw units, >= 0.
    scale_steps : slice
        Steps on which the z-scores (`NodeScaler`) are fitted, per node and service.
    origins : int array [O]
        Origins whose forecast steps ``t .. t + H - 1`` are the targets.
    horizon : int
        Number of forecast steps H.
    lags : tuple of int
        Steps before the origin that enter, of all services.
    penalty : float
        On the squares of all coefficients, the constant too.
    filled : bool array [T, S] or [T, N, S], optional
        Steps that were not recorded, of all nodes or of each: neither the z-scores nor the targets are fitted to
        them. Such lags are read as they are.

    Returns
    -------
    RidgeFit

    Raises
    ------
    SimmstError
        If there is no origin, or one lies too near either end of `values`.
    """
    if len(origins) == 0:
        raise SimmstError("origins: the ridge needs an origin to fit on; give a longer training part")
    if origins.min() < max(lags) or origins.max() + horizon > len(values):
        raise SimmstError(
            f"origins: the ridge needs {max(lags)} steps before and {horizon} steps from each origin within "
            f"{len(values)} steps, the origins run from {origins.min()} to {origins.max()}"
        )
    scaler = NodeScaler.fit(values[scale_steps], None if filled is None else filled[scale_steps])
    scaled = scaler.transform(values)
    services = scaled.shape[2]
    equations = NormalEquations(len(lags) * services + 1, horizon * services)
    for part in _chunks(origins):
        inputs = _features(scaled, part, lags)
        targets = scaled[part[:, None] + np.arange(horizon)].transpose(0, 2, 1, 3).reshape(len(inputs), -1)
        if filled is not None and filled.any():
            kept = np.broadcast_to(recorded_whole(filled, part, horizon), (len(part), scaled.shape[1])).ravel()
            inputs, targets = inputs[kept], targets[kept]
        equations.add(inputs, targets)
    return RidgeFit(lags, scaler, equations.solve(penalty))


def _chunks(origins: npt.NDArray[np.integer]) -> list[npt.NDArray[np.integer]]:
    return [origins[i : i + _CHUNK] for i in range(0, len(origins), _CHUNK)]


def _features(scaled: npt.NDArray[np.float32], origins: npt.NDArray[np.integer], lags: tuple[int, ...]) -> Array:
    """Lagged values of all services and a constant: [O * N, len(lags) * S + 1], node fastest."""
    lagged = scaled[origins[:, None] - np.asarray(lags)]  # [O, lags, N, S]
    flat = lagged.transpose(0, 2, 1, 3).reshape(len(origins) * scaled.shape[1], -1)
    return np.concatenate([flat.astype(np.float64), np.ones((len(flat), 1))], axis=1)
