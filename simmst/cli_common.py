"""What the commands share: plain lines, a refusing disk in one of them, a stop that says how to go on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

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


def say(console: Console, text: str) -> None:
    """Print a text as it is: no colours, no markup, no line broken."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def announce(console: Console, text: str) -> None:
    """Print a line of progress where no terminal shows a bar: in a log, or a pipe."""
    if not console.is_terminal:
        say(console, text)


@contextmanager
def stoppable(how: str) -> Iterator[None]:
    """Let Ctrl-C end the command with a line on how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write(f"stopped; {how}\n")
        raise typer.Exit(INTERRUPTED) from None
