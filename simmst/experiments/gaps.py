"""What gaps that were filled mean for a run: said before its figures, and left out of what is counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from simmst.data.dataset import TrafficData
from simmst.data.windows import WindowDataset
from simmst.errors import DataError
from simmst.experiments.protocol import Protocol, recorded_origins
from simmst.experiments.target import Target

#: Why a few nodes can cost a file all its hours.
HOW_GAPS_MEET = "A gap counts for all nodes of a service, also where a single node lacked its values"
_PARTS = {"train": "training", "validation": "validation", "test": "test"}


def mark_gaps(target: Target, protocol: Protocol) -> Target:
    """
    Add a notice of the gaps in each part, if there are any.

    Parameters
    ----------
    target
        Hourly traffic.
    protocol
        Its parts.

    Raises
    ------
    DataError
        If every hour of the test part is a gap of a service.
    """
    data, filled = target.data, target.data.filled
    shares, gone = [], []
    for s, service in enumerate(data.services):
        counts = {words: filled[getattr(protocol, part).steps, s] for part, words in _PARTS.items()}
        if counts["test"].all():
            gone.append(repr(service))
        words = [f"{one.sum()} of {len(one)} {part} hours" for part, one in counts.items() if one.any()]
        if words:
            shares.append(f"{service}: {', '.join(words)}")
    if gone:
        raise DataError(
            f"{target.name}: every hour of the test days is declared a gap of {', '.join(gone)}, so that nothing "
            f"can be measured. {HOW_GAPS_MEET}: leave out the nodes that were down when you write the file, "
            "choose other services, or give a file with other days"
        )
    if not shares:
        return target
    notice = (
        f"The file declares gaps whose values were filled (by its own word: {data.fill}). {'; '.join(shares)}. "
        "Models read the filled values as if they were traffic; what they are fitted to, the choice of the epoch, "
        "the intervals and the errors on the test days leave them out."
    )
    return replace(target, notices=(*target.notices, notice))


def ridge_origins(data: TrafficData, origins: npt.NDArray[np.int64], horizon: int) -> npt.NDArray[np.int64]:
    """
    Keep the training origins that the ridge can be fitted at.

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
    """
    Keep the windows whose targets were recorded, of all services.

    Parameters
    ----------
    windows
        Windows of one part.
    data
        What they were cut from.
    part
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
