"""What a cell cost, over all the calls that worked at it."""

from __future__ import annotations

import json
import time
from pathlib import Path

from simmst.errors import DataError
from simmst.experiments.tables.simulated import Watch
from simmst.io.atomic import atomically

_EVERY = 5.0  # seconds: so much at most is forgotten where a process is killed


class Clock:
    """Wall and processor seconds, those of earlier calls included.

    Parameters
    ----------
    path : Path
        Where they are kept.

    Raises
    ------
    DataError
        If what was kept is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._before = path, (0.0, 0.0)
        if path.is_file():
            try:
                wall, processor = json.loads(path.read_text(encoding="utf-8"))
                self._before = float(wall), float(processor)
            except (ValueError, TypeError, RecursionError):
                raise DataError(f"{path}: damaged; delete the folder {path.parent} and call again") from None
        self._start, self._kept = (time.perf_counter(), time.process_time()), time.perf_counter()

    def _read(self) -> tuple[float, float]:
        wall, processor = time.perf_counter() - self._start[0], time.process_time() - self._start[1]
        return self._before[0] + wall, self._before[1] + processor

    def read(self) -> dict[str, float]:
        """Return both."""
        return dict(zip(("wall_seconds", "processor_seconds"), self._read(), strict=True))

    def keep(self) -> None:
        """Write both down."""
        text = json.dumps(self._read())
        atomically(self._path, lambda path: path.write_text(text, encoding="utf-8"))
        self._kept = time.perf_counter()

    def watching(self, watch: Watch) -> Watch:
        """Write both down now and then, when a sign of life comes."""

        def also(stage: str, done: int, total: int, note: str) -> None:
            if time.perf_counter() - self._kept > _EVERY:
                self.keep()
            watch(stage, done, total, note)

        return also
