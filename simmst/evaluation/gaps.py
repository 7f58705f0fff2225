"""What gaps that were filled mean for a run: said before its figures, and left out of what is counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simmst.errors import DataError
from simmst.evaluation.target import Target
from simmst.traffic.anomalies import few
from simmst.traffic.dataset import TrafficData
from simmst.traffic.recorded import HOW_GAPS_MEET
from simmst.traffic.split import Protocol

_PARTS = {"train": "training", "validation": "validation", "test": "test"}
_LEFT_OUT = (
    "Models read the filled values as if they were traffic; what they are fitted to, the choice of the epoch, the "
    "intervals and the errors on the test days leave them out."
)


def mark_gaps(target: Target, protocol: Protocol) -> Target:
    """Add a notice of the gaps in each part, if there are any.

    Parameters
    ----------
    target : Target
        Hourly traffic.
    protocol : Protocol
        Its parts.

    Raises
    ------
    DataError
        If every hour of the test part is a gap of a service.
    """
    data, filled, lost = target.data, target.data.filled, target.data.unrecorded
    shares, gone = [], []
    for s, service in enumerate(data.services):
        counts = {words: filled[getattr(protocol, part).steps, s] for part, words in _PARTS.items()}
        if lost[protocol.test.steps, :, s].all():
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
    notices = list(target.notices)
    if shares:
        notices.append(
            f"The file declares gaps whose values were filled (by its own word: {data.fill}). "
            f"{'; '.join(shares)}. {_LEFT_OUT}"
        )
    if single := _single(data, protocol):
        notices.append(f"{single} {_LEFT_OUT}")
    return replace(target, notices=tuple(notices))


def _single(data: TrafficData, protocol: Protocol) -> str:
    """Say what single nodes lack, and which of them have nothing in the training or the test days."""
    if data.missing is None or not data.missing.any():
        return ""
    count = data.missing.sum(axis=(0, 2))
    worst = np.argsort(-count, kind="stable")
    names = [f"{data.node_ids[n]} ({count[n] / data.missing[:, n].size:.1%})" for n in worst if count[n]]
    said = f"Single values of {len(names)} nodes were filled ({data.missing.mean():.2%} of all): {few(names)}."
    for part in ("train", "test"):
        lacking = data.unrecorded[getattr(protocol, part).steps].all(axis=0).any(axis=1)
        if lacking.any():
            nodes = few([data.node_ids[n] for n in np.flatnonzero(lacking)])
            what = {"train": "their scale is what is usual of the others", "test": "they are not measured"}[part]
            said += f" Of {nodes} nothing was recorded in the {_PARTS[part]} days: {what}."
    return said
