"""What a service answers from: a forecaster and the newest traffic, read again when their files are replaced."""

from __future__ import annotations

import hashlib
import logging
import threading
from dataclasses import dataclass
from pathlib import Path

from simmst.errors import ConfigError, DataError
from simmst.experiments.config import RunConfig
from simmst.experiments.load import load
from simmst.experiments.rundir import CONFIG
from simmst.experiments.short_run import SELECTED
from simmst.experiments.target import load_target
from simmst.forecasting.folder import ARRAYS, NOTE
from simmst.forecasting.forecaster import Forecaster
from simmst.forecasting.generations import LOG
from simmst.forecasting.saved import CHECKPOINT, SERVING
from simmst.forecasting.selected import Selected
from simmst.traffic.dataset import TrafficData

_LOG = logging.getLogger("simmst.serving")
REPORT = "report.html"
_FILES = (CHECKPOINT, SERVING, CONFIG, NOTE, ARRAYS, LOG)  # the log names what an update left to forecast by
_TRIES = 3
_CHANGED = "the files were being replaced while they were read"


@dataclass(frozen=True, slots=True)
class Served:
    """One state of a source; requests under way keep theirs while a newer one is read.

    Attributes
    ----------
    name : str
        Of the run directory or the traffic file, without its folder.
    forecaster : Forecaster
    data : TrafficData
        The newest traffic.
    generation : str
        Twelve hex digits of the SHA-256 of the files that it was read from.
    """

    name: str
    forecaster: Forecaster
    data: TrafficData
    generation: str


class Source:
    """A run, or a traffic file for the pretrained network and simple rows beside it.

    Parameters
    ----------
    run : Path, optional
        Directory of a finished run or of a saved forecaster.
    data : Path, optional
        Traffic file; by default the one that the run was trained on.

    Raises
    ------
    SimmstError
        If neither is given, or the files cannot be used.
    """

    def __init__(self, run: Path | None, data: Path | None) -> None:
        if run is None and data is None:
            raise ConfigError("data: name a run, a traffic file, or both")
        if run is not None and not run.is_dir():
            raise ConfigError(f"run {run}: no such directory; name that of a finished run")
        self.run = None if run is None else (run / SELECTED if (run / SELECTED / NOTE).is_file() else run)
        self.data = data
        self.folder = run
        if data is None and run is not None and not (run / CONFIG).is_file():
            raise ConfigError(f"data: {run} is no run directory (no {CONFIG}), which names traffic; give a file")
        self._lock = threading.Lock()
        self._seen: tuple[tuple[int, ...], ...] = ()
        self.refused: str | None = None
        self.served = self._read()

    def current(self) -> Served:
        """Return the newest state that can be read whole; where the newest cannot, the one before it."""
        with self._lock:
            if self.changed():
                try:
                    self.served = self._read()
                    self.refused = None
                except (DataError, ConfigError, OSError) as error:
                    self.refused = str(error)
                    _LOG.warning("newer files cannot be read, the older state is served: %s", error)
            return self.served

    def changed(self) -> bool:
        """Whether a file was replaced since it was read."""
        return self._stamps() != self._seen

    def report(self) -> bytes | None:
        """Return the run's own page, if it has one."""
        page = None if self.folder is None else self.folder / REPORT
        return page.read_bytes() if page is not None and page.is_file() else None

    def _paths(self) -> list[Path]:
        """Files that a state is read from."""
        folders = [] if self.run is None else [self.run]
        if self.folder is not None and self.folder != self.run:
            folders.append(self.folder)
        found = [folder / name for folder in folders for name in _FILES]
        file = self._traffic_file()
        return found if file is None else [*found, file]

    def _traffic_file(self) -> Path | None:
        if self.data is not None or self.folder is None:
            return self.data
        config = RunConfig.read(self.folder / CONFIG)
        return None if config.data is None else Path(config.data)

    def _stamps(self) -> tuple[tuple[int, ...], ...]:
        try:
            return tuple(_stamp(path) for path in self._paths())
        except (DataError, ConfigError, OSError):  # caught half-way: to be looked at again
            return ()

    def _read(self) -> Served:
        for _ in range(_TRIES):
            before = self._stamps()
            made = self._read_once()
            if before and before == self._stamps():
                self._seen = before
                return made
        raise DataError(f"{_CHANGED}; try again")

    def _read_once(self) -> Served:
        paths = self._paths()
        if self.folder is None or self.run is None:
            assert self.data is not None
            data = TrafficData.load(self.data)
            return Served(self.data.name, Selected().fit(data), data, _digest(paths))
        forecaster = load(self.folder)
        file = self._traffic_file()
        if file is None:
            data = load_target(RunConfig.read(self.folder / CONFIG)).data
        else:
            data = TrafficData.load(file)
            if (self.folder / CONFIG).is_file():
                data = data.select(services=RunConfig.read(self.folder / CONFIG).services)
        return Served(self.folder.resolve().name, forecaster, data, _digest(paths))


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return (0, 0, 0)
    return found.st_mtime_ns, found.st_size, found.st_ino


def _digest(paths: list[Path]) -> str:
    total = hashlib.sha256()
    for path in paths:
        if path.is_file():
            with path.open("rb") as stream:
                total.update(hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()[:12]
