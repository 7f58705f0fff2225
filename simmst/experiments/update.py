"""Newer days for a finished run: each part moves if the error on the newest day, held back, falls."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from simmst.errors import ConfigError, DataError, SimmstError
from simmst.experiments.config import RunConfig
from simmst.experiments.rundir import RunDirectory
from simmst.experiments.short_run import SELECTED
from simmst.experiments.target import file_digest
from simmst.experiments.updating.chosen import Chosen
from simmst.experiments.updating.judge import DayErrors, drift, errors_by_day
from simmst.experiments.updating.seen import Seen, whole_days
from simmst.experiments.updating.trained import Trained
from simmst.forecasting.folder import NOTE
from simmst.forecasting.generations import FOLDER, LOG, as_line, generation_folder, read_log, served
from simmst.io.npz import load_npz, save_npz
from simmst.traffic.anomalies import few
from simmst.traffic.dataset import TrafficData

Watch = Callable[[str, int, int, str], None]
Record = dict[str, Any]
_DAY, _SEEN = 24, "days.npz"
# Days before the new ones that the first update judges too: as many as validated and tested, at most.
_HISTORY, _SHARE, _RECENT = 14, 8 / 22, 28


@dataclass(frozen=True, slots=True)
class Updated:
    """What an update did.

    Attributes
    ----------
    new : bool
        Whether there was a new whole day; else nothing was done.
    record : mapping
        The last line of the log; empty where there is none.
    said : tuple of str
        Why nothing was done, or what is odd in the file.
    """

    new: bool
    record: Mapping[str, Any]
    said: tuple[str, ...]

    @property
    def drift(self) -> list[str]:
        """How the newest day was off, a sentence a service; of the last update where there is nothing new."""
        return list(self.record.get("drift", ()))


def update(run: Path, file: Path, watch: Watch) -> Updated:
    """Take newer days into a finished run.

    What forecasts is replaced at the very end, in one step: a process that is killed before it has changed
    nothing, and the same call begins again. The same file again does nothing.

    Parameters
    ----------
    run : Path
        Directory of a finished run on a traffic file.
    file : Path
        Traffic of its services, with newer days; nodes may have come or gone.
    watch : callable
        ``watch(part, done, total, note)``.

    Returns
    -------
    Updated

    Raises
    ------
    SimmstError
        If the run is not finished or of a synthetic city, another process is at work in it, or the file cannot be
        used or ends before days that the run has taken in.
    """
    directory, config = RunDirectory.open(run, "run")
    if config.data is None:
        raise ConfigError(f"run {run}: is of a synthetic city, which has no newer days; run on a traffic file")
    torch.set_num_threads(1)
    with directory.held():
        log, digest = read_log(run), file_digest(file)
        if digest == (log[-1]["data_sha256"] if log else config.data_sha256):
            return Updated(False, log[-1] if log else {}, (f"{file}: is the file of before; nothing was done",))
        folder = served(run)
        current = (Chosen if (folder / SELECTED / NOTE).is_file() else Trained).open(folder, config)
        night = _Night(directory, config, file, log, current, watch)
        record = night.taken()
        if record is None:
            return Updated(False, log[-1] if log else {}, tuple(night.said))
        _write(directory, log, {**record, "data_sha256": digest}, night)
        return Updated(True, read_log(run)[-1], tuple(night.said))


class _Night:
    """One update, up to its line of the log: what is compared, judged and moved."""

    def __init__(
        self, directory: RunDirectory, config: RunConfig, file: Path, log: list[Record], current: Any, watch: Watch
    ) -> None:
        self.run, self.config, self.file, self.log, self.watch = directory.path, config, file, log, watch
        self.current: Trained | Chosen = current
        self.said: list[str] = []
        self.generation = log[-1]["generation"] + 1 if log else 1
        self.newer: Seen

    def taken(self) -> Record | None:
        """Take the file's days in; None where no whole day of it is new."""
        traffic = _read(self.file, self.current)
        seen, self.newer = self._seen(), Seen.of(traffic)
        changed, added, gone = self._compared(seen, traffic)
        if seen is not None and self.newer.last == seen.last:
            self.said.append(f"{self.file}: holds no whole day after {seen.last}; nothing was done")
            return None
        start, waiting = self.current.arranged(traffic)
        if waiting:
            self.said.append(f"{len(waiting)} nodes ({few(waiting)}) are too young, and not forecast yet")
        data = traffic.select(nodes=start.node_ids)
        there = (len(data.values) - start.lookback) // _DAY
        if there < 2:
            raise DataError(
                f"data {self.file}: {len(data.values)} hours of whole days; two days must follow the "
                f"{start.lookback} hours that a forecast reads"
            )
        new = 1 if seen is None else _days_between(seen.last, self.newer.last)
        new = min(new, there - 1)
        days = [str(np.datetime64(self.newer.last) - (new - 1 - i)) for i in range(new)]
        daily, off = self._judged(start, data, new)
        end, parts = self._moved(start, data)
        self.current = end
        return {
            "at": f"{datetime.now().astimezone():%Y-%m-%dT%H:%M:%S%z}", "generation": self.generation,
            "data": self.file.name, "last_day": self.newer.last, "days": days,
            "changed_days": changed, "nodes_added": added, "nodes_gone": gone, "nodes_waiting": waiting,
            "moved": [part for part, found in parts.items() if found["kept"]], "parts": parts,
            "daily": daily, "drift": off,
        }  # fmt: skip

    def _seen(self) -> Seen | None:
        """What the run has taken in so far; None where its file is not there any more."""
        if self.log:
            path = generation_folder(self.run, self.log[-1]["generation"]) / _SEEN
            try:
                return Seen.from_arrays(load_npz(path))
            except DataError as error:
                raise ConfigError(f"{path}: {error}") from None
        assert self.config.data is not None
        file = Path(self.config.data)
        if not file.is_file() or file_digest(file) != self.config.data_sha256:
            self.said.append(f"{file}: is gone or has changed, so only the newest day counts as new")
            return None
        return Seen.of(_read(file, self.current))

    def _compared(self, seen: Seen | None, traffic: TrafficData) -> tuple[list[str], list[str], list[str]]:
        """Say how the file differs from what the run has seen: days that changed, nodes that came and went."""
        if seen is None:
            return [], [], []
        if self.newer.last < seen.last:
            raise DataError(f"data {self.file}: ends on {self.newer.last}, the run has seen {seen.last} already")
        changed = seen.changed(self.newer)
        added = [one for one in traffic.node_ids if one not in set(seen.node_ids)]
        gone = [one for one in seen.node_ids if one not in set(traffic.node_ids)]
        if len(gone) == len(seen.node_ids):
            raise DataError(f"data {self.file}: has none of the run's nodes ({few(gone)}); is it of another city?")
        if changed:
            self.said.append(f"{len(changed)} days are otherwise than when they were taken in ({few(changed)})")
        if added:
            self.said.append(f"{len(added)} nodes are new ({few(added)})")
        if gone:
            self.said.append(f"{len(gone)} nodes are gone ({few(gone)}), and not forecast any more")
        if self.newer.start > seen.start:
            self.said.append(f"days before {self.newer.start} are no longer in it")
        return changed, added, gone

    def _judged(self, start: Trained | Chosen, data: TrafficData, new: int) -> tuple[dict[str, Any], list[str]]:
        """Errors of the new days by what forecast them; before the first update of some days before, too."""
        self.watch("days", 0, 1, f"{new} new")
        total = len(data.values) // _DAY
        there = (len(data.values) - start.lookback) // _DAY
        history = 0 if self.log else min(_HISTORY, round(_SHARE * (total - new)), there - new)
        found = errors_by_day(start, data, new + max(0, history))
        first = np.datetime64(self.newer.last) - (len(found.mae) - 1)
        daily = {str(first + i): found.plain(data.services, i) for i in range(len(found.mae))}
        past = {day: one for line in self.log for day, one in line.get("daily", {}).items()}
        self.watch("days", 1, 1, "")
        return daily, drift({**past, **daily}, self.newer.last)

    def _moved(self, start: Trained | Chosen, data: TrafficData) -> tuple[Trained | Chosen, dict[str, Any]]:
        """Try each part on the days before the newest, and keep what forecasts that day better."""
        before = data.select(stop=len(data.values) - _DAY)
        recent = before.values[-_RECENT * _DAY :].mean(axis=(0, 1), dtype=np.float64)
        level = np.where(recent > 0, recent, 1.0)
        current: Any = start
        now: DayErrors = errors_by_day(current, data, 1)
        parts: dict[str, Any] = {}
        for part, measure, make in start.moves(self.config.seed + self.generation, self.watch):
            self.watch(part, 0, 1, "")
            error = now.of(measure, level)
            try:
                made = make(current, before)
                then = errors_by_day(made, data, 1)
            except SimmstError as why:
                parts[part] = {"before": _number(error), "after": None, "kept": False, "why": str(why)[:300]}
                continue
            after = then.of(measure, level)
            parts[part] = {"before": _number(error), "after": _number(after), "kept": after < error}
            if after < error:
                current, now = made, then
            self.watch(part, 1, 1, "")
        return current, parts


def _write(directory: RunDirectory, log: list[Record], record: Record, night: _Night) -> None:
    """Write what forecasts now into a folder of its own and, last, the log that names it."""
    run, generation = directory.path, record["generation"]
    last = {generation, generation - 1}  # a forecast that has just begun may read the one of before
    _clear(run, last - {generation})
    folder = generation_folder(run, generation)
    folder.mkdir(parents=True)
    night.current.save(folder)
    save_npz(folder / _SEEN, night.newer.as_arrays())
    directory.write(LOG, "".join(as_line(line) for line in (*log, record)))
    _clear(run, last)


def _clear(run: Path, kept: set[int]) -> None:
    """Remove what killed updates had begun and what no forecast reads any more."""
    if (run / FOLDER).is_dir():
        for one in (run / FOLDER).iterdir():
            if one.name not in set(map(str, kept)):
                shutil.rmtree(one)


def _read(file: Path, current: Trained | Chosen) -> TrafficData:
    """Whole days of a file, of the run's services."""
    data, name = TrafficData.load(file), f"data {file}"
    missing = [one for one in current.services if one not in data.services]
    if missing:
        raise DataError(f"{name}: lacks {few(missing)} of the run's services; it has {few(data.services)}")
    data = data.select(services=current.services)
    if current.units is not None and data.units != current.units:
        raise DataError(f"{name}: its units are {data.units!r}, the run was trained on {current.units!r}")
    return whole_days(data.hourly(), name)


def _days_between(first: str, last: str) -> int:
    return int((np.datetime64(last) - np.datetime64(first)).astype(int))


def _number(error: float) -> float | None:
    return error if np.isfinite(error) else None
