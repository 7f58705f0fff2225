"""Origins and windows whose steps were recorded: nothing is fitted to what was filled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from simmst.errors import DataError
from simmst.traffic.dataset import TrafficData
from simmst.traffic.gap import each_node
from simmst.traffic.windows import WindowDataset

#: Why a few nodes can cost a file all its hours.
HOW_GAPS_MEET = "A declared gap counts for all nodes of a service, also where only some lacked its values"


def recorded_whole(
    filled: npt.NDArray[np.bool_], origins: npt.NDArray[np.integer], horizon: int
) -> npt.NDArray[np.bool_]:
    """Tell of which nodes the H steps from an origin were recorded, of all services.

    Parameters
    ----------
    filled : bool array `[T, S]` or `[T, N, S]`
        Steps that were filled, of all nodes or of each.
    origins : int array `[O]`
        First steps.
    horizon : int
        Number of steps H.

    Returns
    -------
    bool array `[O, 1]` or `[O, N]`
    """
    lost = each_node(filled).any(axis=2)
    before = np.concatenate([np.zeros((1, lost.shape[1]), dtype=np.int32), lost.cumsum(axis=0, dtype=np.int32)])
    return np.asarray(before[origins + horizon] == before[origins])


def recorded_origins(
    filled: npt.NDArray[np.bool_], origins: npt.NDArray[np.int64], horizon: int
) -> npt.NDArray[np.int64]:
    """Origins whose H steps were recorded, of all services, at one node at least; as `recorded_whole`."""
    kept: npt.NDArray[np.int64] = origins[recorded_whole(filled, origins, horizon).any(axis=1)]
    return kept


def ridge_origins(data: TrafficData, origins: npt.NDArray[np.int64], horizon: int) -> npt.NDArray[np.int64]:
    """Keep the training origins that the ridge can be fitted at.

    Raises
    ------
    DataError
        If there are none.
    """
    kept = recorded_origins(data.unrecorded, origins, horizon)
    if len(origins) and not kept.size:
        raise DataError(
            f"gaps: after its lags no {horizon} hours in a row of the training days were recorded, so the ridge "
            "cannot be fitted; choose other services, a shorter horizon or a file with other days"
        )
    return kept


def recorded(windows: WindowDataset, data: TrafficData, part: str) -> WindowDataset:
    """Keep the windows whose targets were recorded, of all services: a node's gap costs the node its hours alone.

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
    whole = recorded_whole(data.unrecorded, windows.origins, windows.horizon)
    some = whole.any(axis=1)
    if not some.any():
        raise DataError(
            f"gaps: every window of {windows.horizon} hours of the {part} days holds filled values, so nothing "
            f"can be learnt from them. {HOW_GAPS_MEET}: leave out the nodes that were down when you write the "
            "file, choose other services, a shorter horizon or a file with other days"
        )
    if whole.all():
        return windows
    kept = None if whole[some].all() else np.flatnonzero(whole[some])
    return replace(windows, origins=windows.origins[some], kept=kept)
