"""What gaps that were filled mean for a run: said before its figures, and left out of what is counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from simmst.data.dataset import TrafficData
from simmst.data.windows import WindowDataset
from simmst.errors import DataError
from simmst.experiments.protocol import Protocol
from simmst.experiments.target import Target

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
        If nothing of a service was recorded in the test part.
    """
    data, filled = target.data, target.data.filled
    shares = []
    for s, service in enumerate(data.services):
        counts = {words: filled[getattr(protocol, part).steps, s] for part, words in _PARTS.items()}
        if counts["test"].all():
            raise DataError(
                f"{target.name}: no test day of {service!r} was recorded, its values are filled gaps; choose "
                "other services, or give a file with other days"
            )
        words = [f"{one.sum()} of {len(one)} {part} hours" for part, one in counts.items() if one.any()]
        if words:
            shares.append(f"{service}: {', '.join(words)}")
    if not shares:
        return target
    notice = (
        f"The file declares gaps whose values were filled (by its own word: {data.fill}). {'; '.join(shares)}. "
        "Models read and are fitted to the filled values as if they were traffic; the choice of the epoch, the "
        "intervals and the errors on the test days leave them out."
    )
    return replace(target, notices=(*target.notices, notice))


def recorded(windows: WindowDataset, data: TrafficData) -> WindowDataset:
    """
    Keep the windows whose targets were recorded, of all services.

    Raises
    ------
    DataError
        If there are none.
    """
    filled: npt.NDArray[np.bool_] = np.any(data.filled, axis=1)
    if not filled.any():
        return windows
    targets = filled[windows.origins[:, None] + np.arange(windows.horizon)]
    whole = np.flatnonzero(~np.any(targets, axis=1))
    if not whole.size:
        raise DataError(
            f"gaps: every window of {windows.horizon} hours of the validation days holds filled values, so "
            "nothing can be chosen by them; choose other services, a shorter horizon or a file with other days"
        )
    return replace(windows, origins=windows.origins[whole])
