"""Origins and windows whose steps were recorded: nothing is fitted to what was filled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from simmst.errors import DataError
from simmst.traffic.dataset import TrafficData
from simmst.traffic.windows import WindowDataset

#: Why a few nodes can cost a file all its hours.
HOW_GAPS_MEET = "A gap counts for all nodes of a service, also where a single node lacked its values"


def recorded_origins(
    filled: npt.NDArray[np.bool_], origins: npt.NDArray[np.int64], horizon: int
) -> npt.NDArray[np.int64]:
    """Origins whose H steps were recorded, of all services, by filled steps [T, S]."""
    targets = filled[origins[:, None] + np.arange(horizon)]  # [O, H, S]
    kept: npt.NDArray[np.int64] = origins[~np.any(targets, axis=(1, 2))]
    return kept


def ridge_origins(data: TrafficData, origins: npt.NDArray[np.int64], horizon: int) -> npt.NDArray[np.int64]:
    """Keep the training origins that the ridge can be fitted at.

    Raises
    ------
    DataError
        If there are none.
    """
    kept = recorded_origins(data.filled, origins, horizon)
    if len(origins) and not kept.size:
        raise DataError(
            f"gaps: after its lags no {horizon} hours in a row of the training days were recorded, so the ridge "
            "cannot be fitted; choose other services, a shorter horizon or a file with other days"
        )
    return kept


def recorded(windows: WindowDataset, data: TrafficData, part: str) -> WindowDataset:
    """Keep the windows whose targets were recorded, of all services.

    Parameters
    ----------
    windows : WindowDataset
        Windows of one part.
    data : TrafficData
        What they were cut from.
    part : str
        Which days they are of, "training" or "validation", for the message.

    Raises
    ------
    DataError
        If there are none.
    """
    kept = recorded_origins(data.filled, windows.origins, windows.horizon)
    if not kept.size:
        raise DataError(
            f"gaps: every window of {windows.horizon} hours of the {part} days holds filled values, so nothing "
            f"can be learnt from them. {HOW_GAPS_MEET}: leave out the nodes that were down when you write the "
            "file, choose other services, a shorter horizon or a file with other days"
        )
    return windows if len(kept) == len(windows.origins) else replace(windows, origins=kept)
