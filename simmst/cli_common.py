"""What the commands share: one line for a refusing disk, and a stop from the keyboard that says how to go on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from simmst.errors import DataError

INTERRUPTED = 130
"""Exit code: 128 + SIGINT, as a shell reports it."""


@contextmanager
def disk() -> Iterator[None]:
    """Turn what the disk or its permissions refuse into one line."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{error.filename or 'disk'}: {error.strerror or error}") from None


@contextmanager
def stoppable(how: str) -> Iterator[None]:
    """Let Ctrl-C end the command with a line on how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write(f"stopped; {how}\n")
        raise typer.Exit(INTERRUPTED) from None
