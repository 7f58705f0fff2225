"""Files that appear under their name whole or not at all, readable by whom the umask lets read."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO


@contextmanager
def atomic_file(target: Path) -> Iterator[BinaryIO]:
    """Open a temporary file for writing that takes the name `target` if the block ends without an error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(target)
    with _undone(target, temporary):
        with open(temporary, "xb") as stream:
            yield stream
        os.replace(temporary, target)


def atomically(target: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a temporary file beside `target`, then rename it: the target is whole or untouched."""
    temporary = _beside(target)
    with _undone(target, temporary):
        write(temporary)
        os.replace(temporary, target)


@contextmanager
def _undone(target: Path, temporary: Path) -> Iterator[None]:
    """Remove the temporary file after an error, and name the target where the system names no file (full disk)."""
    try:
        yield
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None and error.filename in (None, str(temporary)):
            error.filename = str(target)
        raise


def _beside(target: Path) -> Path:
    return target.parent / f".{target.name}.{secrets.token_hex(4)}.tmp"
