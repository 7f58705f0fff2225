"""Forecasts of a network in the units of the traffic, from any origin of it."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from simmst.errors import ConfigError
from simmst.traffic.dataset import TrafficData
from simmst.traffic.neighbours import neighbour_patches
from simmst.traffic.scaling import NodeScaler
from simmst.traffic.windows import WindowDataset, calendar_marks, needed_steps
from simmst.training.trainer import to_tensors

_BATCH = 512


def forecast_windows(
    data: TrafficData,
    scaler: NodeScaler,
    origins: npt.NDArray[np.int64],
    lookback: int,
    horizon: int,
    season: int | None = None,
) -> WindowDataset:
    """Windows for forecasting: their horizon may reach past the end of the data.

    Parameters
    ----------
    data : TrafficData
    scaler : NodeScaler
        Fitted on the training part.
    origins : int array [O]
        First forecast step of each, from `lookback` (or `season`, if that is less) to the number of steps.
    lookback, horizon : int
    season : int, optional
        As in `WindowDataset.cut`.

    Returns
    -------
    WindowDataset
        Its targets past the end are 0 and mean nothing; the calendar marks go on.
    """
    needed = needed_steps(lookback, season)
    if len(origins) and not needed <= origins.min() <= origins.max() <= len(data.values):
        raise ConfigError(
            f"origins {origins.min()} to {origins.max()}: must lie between {needed}, the history that a forecast "
            f"needs, and {len(data.values)}, the end of the data"
        )
    steps = np.timedelta64(data.step_minutes, "m") * np.arange(len(data.values) + horizon)
    scaled = scaler.transform(data.values)
    return WindowDataset(
        scaled=np.concatenate([scaled, np.zeros((horizon, *scaled.shape[1:]), np.float32)]),
        marks=calendar_marks(data.start + steps),
        patches=neighbour_patches(data),
        origins=origins,
        lookback=lookback,
        horizon=horizon,
        season=season,
    )


def network_forecast(
    model: nn.Module,
    windows: WindowDataset,
    scaler: NodeScaler,
    progress: Callable[[int, int], None] | None = None,
) -> npt.NDArray[np.float32]:
    """Forecast every window, in evaluation mode, on the device that the model is on.

    Parameters
    ----------
    model : Module
        ``model(history, history_marks, future_marks) -> [B, H, S]`` in scaled units.
    windows : WindowDataset
    scaler : NodeScaler
        That the windows were scaled by.
    progress : callable, optional
        Called with the number of windows done and their total.

    Returns
    -------
    array [O, H, N, S]
        In the units of the traffic, >= 0.
    """
    nodes, services = windows.scaled.shape[1:]
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    flat = np.empty((len(windows), windows.horizon, services), dtype=np.float32)
    model.eval()
    with torch.no_grad():
        for first in range(0, len(windows), _BATCH):
            batch = windows.batch(np.arange(first, min(first + _BATCH, len(windows))))
            inputs, _ = to_tensors(batch, device)
            flat[first : first + _BATCH] = scaler.inverse(model(*inputs).cpu().numpy(), batch.node)
            if progress is not None:
                progress(min(first + _BATCH, len(windows)), len(windows))
    return flat.reshape(len(windows.origins), nodes, windows.horizon, services).transpose(0, 2, 1, 3)
