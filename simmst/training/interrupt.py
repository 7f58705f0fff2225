"""Ctrl-C that waits for the end of a step, so that what is saved is whole."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self


class DeferredInterrupt:
    """Within the block the first Ctrl-C only sets `pending`; a second one interrupts at once.

    After a second one `forced` is set: it may have come in the middle of a step, and nothing should be saved.

    In a thread other than the main one signals cannot be caught, and the block does nothing.

    Examples
    --------
    >>> with DeferredInterrupt() as interrupt:
    ...     for step in range(3):
    ...         interrupt.check()  # raises KeyboardInterrupt here, between steps
    """

    def __init__(self) -> None:
        self.pending = self.forced = False
        self._previous: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
            self._previous = None

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed: call it where the state is whole."""
        if self.pending:
            raise KeyboardInterrupt

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.pending:
            self.forced = True
            raise KeyboardInterrupt
        self.pending = True
