"""The folder of a saved forecaster: a JSON note of what it is, and arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from simmst.errors import ConfigError, DataError
from simmst.io.atomic import atomically
from simmst.io.npz import Arrays, read_npz, save_npz

NOTE, ARRAYS = "forecaster.json", "forecaster.npz"
_FORMAT = 1


def new_folder(folder: str | PathLike[str]) -> Path:
    """Make a folder for one forecaster.

    Raises
    ------
    ConfigError
        If it holds anything, or cannot be made.
    """
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        full = any(path.iterdir())
    except OSError as error:
        raise ConfigError(f"folder {path}: cannot be written ({error.strerror})") from None
    if full:
        raise ConfigError(f"folder {path}: is not empty; name a new one")
    return path


def write_folder(folder: Path, note: Mapping[str, Any], arrays: Arrays) -> None:
    """Write arrays and, last, the note: where it is, the forecaster is whole."""
    save_npz(folder / ARRAYS, arrays)
    text = json.dumps({"format": _FORMAT, **note}, indent=1) + "\n"
    atomically(folder / NOTE, lambda path: path.write_text(text, encoding="utf-8"))


def read_note(folder: Path) -> dict[str, Any]:
    """Read the note.

    Raises
    ------
    DataError
        If it is missing, damaged or of a newer version.
    """
    try:
        note = json.loads((folder / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{folder / NOTE}: cannot be read ({type(error).__name__})") from None
    if not isinstance(note, dict) or not isinstance(note.get("kind"), str):
        raise DataError(f"{folder / NOTE}: damaged; it does not say what it is of")
    if note.get("format") != _FORMAT:
        raise DataError(f"{folder / NOTE}: format {note.get('format')!r}, this version reads {_FORMAT}")
    return note


def read_folder(folder: Path, kind: str) -> tuple[dict[str, Any], Arrays]:
    """Read what `write_folder` wrote.

    Raises
    ------
    DataError
        If a file is missing or damaged, or it is a forecaster of another kind.
    """
    note = read_note(folder)
    if note["kind"] != kind:
        raise DataError(f"{folder}: holds a forecaster of kind {note['kind']!r}, not {kind!r}")
    return note, read_npz(folder / ARRAYS)
