"""How right a finished run was, in the sentences that open the page of a forecast by it."""

from __future__ import annotations

import json
from pathlib import Path

from simmst.forecasting.saved import CHECKPOINT
from simmst.reports.right import sentences
from simmst.reports.run import verdict

_UNKNOWN = "The run's folder does not say how right its forecasts were, so nothing says how sure this one is."


def kept_sentences(checkpoint: Path) -> list[str]:
    """Read what a run wrote of its test days, or a run on a short file of the days that it held back.

    Parameters
    ----------
    checkpoint : Path
        The run's directory, or the checkpoint in it. Runs before 0.2.0 and forecasters that Python saved wrote
        nothing of it; then a sentence says that it is not known.
    """
    folder = checkpoint.parent if checkpoint.name == CHECKPOINT else checkpoint
    try:
        found = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        days = "the test days of the run" if "horizons" in found else "the days that the run held back"
        said = sentences(days, found["intervals"], found["reliability"])
        if "horizons" in found:
            said.append(f"On them, {verdict(found['horizons'][max(found['horizons'], key=int)])}")
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return [_UNKNOWN]
    return said or [_UNKNOWN]
