"""What of a run forecasts after updates: the log of them names the folder, and is replaced last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simmst.errors import ConfigError

#: In a run directory: a line an update, the newest last, and the folder of what they wrote.
LOG, FOLDER = "updates.jsonl", "updates"
_FORMAT = 1


def read_log(run: Path) -> list[dict[str, Any]]:
    """Read what the updates of a run said of themselves, the newest last; nothing before the first.

    Raises
    ------
    ConfigError
        If the log is damaged or of a newer version.
    """
    path = run / LOG
    if not path.is_file():
        return []
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        if not lines or not all(isinstance(line, dict) for line in lines):
            raise ValueError("no mapping a line")
        newer = [line.get("format") for line in lines if line.get("format") != _FORMAT]
        last = lines[-1]
        if not newer and (type(last["generation"]) is not int or last["generation"] < 1):
            raise ValueError("generation")
        if not newer and not all(isinstance(last[name], str) for name in ("data_sha256", "last_day")):
            raise ValueError("data_sha256, last_day")
    except (OSError, ValueError, KeyError, RecursionError) as error:
        raise ConfigError(
            f"{path}: damaged ({' '.join(str(error).split())[:100]}); remove it, and the run forecasts as "
            "before its first update"
        ) from None
    if newer:
        raise ConfigError(f"{path}: format {newer[0]!r}, this version reads {_FORMAT}; update the program")
    return lines


def as_line(record: Mapping[str, Any]) -> str:
    """One line of the log."""
    return json.dumps({"format": _FORMAT, **record}, allow_nan=False) + "\n"


def generation_folder(run: Path, generation: int) -> Path:
    """Folder of what an update wrote."""
    return run / FOLDER / str(generation)


def served(run: Path) -> Path:
    """Return the folder that forecasts: that of the last update, or the run directory itself.

    Raises
    ------
    ConfigError
        If the log of the updates is damaged, or what it names is gone.
    """
    log = read_log(run)
    if not log:
        return run
    folder = generation_folder(run, log[-1]["generation"])
    if not folder.is_dir():
        raise ConfigError(
            f"{folder}: is gone, and {run / LOG} says that it forecasts; bring it back, or remove {LOG}, and the "
            "run forecasts as before its first update"
        )
    return folder
