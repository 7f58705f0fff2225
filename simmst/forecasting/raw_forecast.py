"""Windows and forecasts of networks that are trained on the scale of the traffic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from simmst.forecasting.network import forecast_windows
from simmst.models.card import ModelCard
from simmst.traffic.dataset import TrafficData
from simmst.traffic.scaling import NodeScaler
from simmst.traffic.windows import WindowDataset
from simmst.training.raw_scale import RawScale, RawWindows, RealScales
from simmst.training.trainer import to_tensors

_CITIES, _NODES = 16, 512  # a batch


@dataclass(frozen=True, slots=True)
class RawReader:
    """How a row of the tables reads traffic.

    Attributes
    ----------
    card : ModelCard
        Of the row.
    scaler : NodeScaler
        Of the training days.
    scales : RealScales
        Of the training days.
    lookback, horizon : int
        Steps before an origin that may be read, and steps forecast.
    season : int, optional
        As in `WindowDataset.cut`.
    picked : int64 array, optional
        Which of the last `lookback` steps are seen, int; None for all.
    """

    card: ModelCard
    scaler: NodeScaler
    scales: RealScales
    lookback: int
    horizon: int
    season: int | None = None
    picked: npt.NDArray[np.int64] | None = None

    def windows(self, cut: WindowDataset, service: int | None) -> RawWindows:
        """Put windows of z-scores, of one service or of all (None), into the shape that the model is fed."""
        return RawWindows(self.card.windows(cut), self.scales, self.picked, service)

    def forecast(
        self,
        model: RawScale,
        service: int | None,
        data: TrafficData,
        origins: npt.NDArray[np.int64],
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> npt.NDArray[np.float32]:
        """Forecast `[O, H, N, S]`, in the units of the traffic, 0 at least.

        Parameters
        ----------
        model : RawScale
            In any mode; it is left in evaluation mode.
        service : int or None
            The one that it forecasts; None for all.
        data : TrafficData
            Hourly traffic of the nodes and services that the scales are of.
        origins : int64 array `[O]`
            First forecast steps.
        progress : callable
            Called with the number of windows done and their total.
        """
        cut = forecast_windows(data, self.scaler, origins, self.lookback, self.horizon, self.season)
        windows = self.windows(cut, service)
        size = _CITIES if self.card.feed == "graph" else _NODES
        parts = []
        model.eval()
        with torch.no_grad():
            for first in range(0, len(windows), size):
                batch = windows.batch(np.arange(first, min(first + size, len(windows))))
                inputs, _ = to_tensors(batch, torch.device("cpu"))
                parts.append(model(*inputs).numpy())
                progress(first + len(batch.origin), len(windows))
        unit = self.scales.table[2] * self.scaler.unit  # of the loss, the same at all nodes but for rounding
        if service is not None:
            unit = unit[:, service : service + 1]
        out = np.concatenate(parts)
        if self.card.feed != "graph":  # [O N, H, (1,) S]
            out = out.reshape(len(origins), len(unit), self.horizon, -1).transpose(0, 2, 1, 3)
        return np.asarray(out * unit, dtype=np.float32)
