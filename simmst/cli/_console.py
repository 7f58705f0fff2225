"""What the commands share: plain lines, a refusing disk in one of them, a stop that says how to go on."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from types import FrameType
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TimeElapsedColumn

from simmst.errors import DataError

INTERRUPTED = 130
"""Exit code: 128 + SIGINT, as a shell reports it."""
TERMINATED = 143
"""Exit code: 128 + SIGTERM, which `kill`, systemd and a machine that goes down send."""


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


def progress(console: Console, *columns: ProgressColumn | str) -> Progress:
    """Bars with these columns after the name and the bar; off a terminal nothing."""
    return Progress("{task.description}", BarColumn(), *columns, console=console, disable=not console.is_terminal)


@contextmanager
def stoppable(how: str) -> Iterator[None]:
    """Let Ctrl-C or SIGTERM end the command with a line on how to go on."""
    terminated = False

    def terminate(number: int, frame: FrameType | None) -> None:
        """Do as Ctrl-C does, whatever that is at the moment: a step may be let come to its end first."""
        nonlocal terminated
        terminated = True
        interrupt = signal.getsignal(signal.SIGINT)
        if not callable(interrupt):  # ignored, as of a command in the background
            raise KeyboardInterrupt
        interrupt(signal.SIGINT, frame)

    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, terminate) if main else None
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write(f"stopped; {how}\n")
        raise typer.Exit(TERMINATED if terminated else INTERRUPTED) from None
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)


class Bars:
    """One progress bar a stage; off a terminal a line as each begins."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = progress(console, MofNCompleteColumn(), TimeElapsedColumn(), "{task.fields[note]}")
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def watch(self, stage: str, done: int, total: int, note: str) -> None:
        """Move the stage's bar."""
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, total=total, note=note)
            announce(self._console, f"{datetime.now():%H:%M:%S} {stage}")
        self._progress.update(self._tasks[stage], completed=done, total=total, note=note)
