"""Shows how training goes on: a bar on a terminal, elsewhere a line an epoch."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from simmst.training.config import Progress


class ProgressBar:
    """A callback of `Trainer.fit` that writes to stderr.

    Parameters
    ----------
    console : Console, optional
        Where to write instead.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        columns = (
            "epoch {task.fields[epoch]}",
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            "{task.fields[note]}",
        )
        self._bars = Bars(*columns, console=self._console, disable=not self._console.is_terminal)
        self._bar = self._bars.add_task("", total=None, epoch=1, note="")

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def __call__(self, progress: Progress) -> None:
        """Show a step, or the end of an epoch."""
        done, total = progress.epoch * progress.steps + progress.step, progress.epochs * progress.steps
        self._bars.update(self._bar, completed=done, total=total, epoch=progress.epoch + 1)
        if progress.record is not None:
            note = f"validation error {progress.record.error:.4g}"
            self._bars.update(self._bar, note=note)
            if not self._console.is_terminal:
                self._console.print(f"epoch {progress.epoch + 1} of {progress.epochs}: {note}", highlight=False)
