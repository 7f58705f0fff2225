"""What gaps that were filled mean for a run: said before its figures, and left out of what is counted."""

from __future__ import annotations

from dataclasses import replace

from simmst.errors import DataError
from simmst.evaluation.target import Target
from simmst.traffic.recorded import HOW_GAPS_MEET
from simmst.traffic.split import Protocol

_PARTS = {"train": "training", "validation": "validation", "test": "test"}


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
