"""Two ready callbacks: a progress bar, and a log of one JSON object a line."""

import json
import math
import os
from dataclasses import asdict
from types import TracebackType
from typing import Any, TextIO

from cutplane._install import install_command
from cutplane.errors import CutplaneError
from cutplane.history import Record


class ProgressBar:
    """A rich progress bar: iterations, upper value, gap, planes. Use it in a ``with`` statement.

    Parameters
    ----------
    max_iterations : int
        Length of the bar; the solver's own limit.

    Raises
    ------
    CutplaneError
        Where rich is not installed.
    """

    def __init__(self, max_iterations: int) -> None:
        try:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
        except ModuleNotFoundError:
            raise CutplaneError(f"ProgressBar needs rich: {install_command('plot')}") from None
        text = TextColumn("F {task.fields[fun]}  gap {task.fields[gap]}  planes {task.fields[planes]}")
        self._progress = Progress(BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), text, transient=False)
        self._task = self._progress.add_task("", total=max_iterations, fun="-", gap="-", planes=0)
        self._gap = "-"

    def __enter__(self) -> "ProgressBar":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, record: Record) -> None:
        """Show one iteration."""
        if not math.isnan(record.lower_gap):
            self._gap = f"{record.lower_gap:.2e}"
        self._progress.update(
            self._task, completed=record.iteration, fun=f"{record.fun:.6g}", gap=self._gap, planes=record.planes
        )


class JsonLines:
    """Append each iteration to a file, one JSON object a line; non-finite numbers are null.

    Parameters
    ----------
    path : path-like
        Opened at once for appending, so that a resumed run goes on in the same file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._file: TextIO = open(path, "a", encoding="utf-8")

    def __enter__(self) -> "JsonLines":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __call__(self, record: Record) -> None:
        """Write one iteration and flush, so that a killed run loses no line."""
        row: dict[str, Any] = asdict(record)
        clean = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
        self._file.write(json.dumps(clean) + "\n")
        self._file.flush()
