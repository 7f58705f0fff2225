"""The days that an ingest has read, kept on disk until the traffic file is complete."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simmst.io.atomic import atomic_file
from simmst.io.lock import locked, sweep
from simmst.io.npz import read_npz
from simmst.traffic.telecom.day import SERVICES, STEPS, DayTraffic


@dataclass(frozen=True, slots=True)
class DaySummary:
    """A day without its values."""

    squares: NDArray[np.int64]
    recorded: NDArray[np.bool_]
    silent: int
    repeated: int
    lines: int
    malformed: tuple[str, ...]


class DayParts:
    """The folder of the days that were read.

    A day is two files that appear whole or not at all: its traffic as `.npy`, which is mapped and not copied when
    it is looked at, and then what is known of it as `.npz`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes out while the block runs; a folder that holds no day afterwards goes."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with locked(self.folder):
                sweep(self.folder)
                yield
        finally:
            with suppress(OSError):
                self.folder.rmdir()

    def _path(self, day: np.datetime64, suffix: str = ".npz") -> Path:
        return self.folder / f"{day}{suffix}"

    @staticmethod
    def source(path: Path) -> str:
        """Return what tells a file from a changed one."""
        status = path.stat()
        return json.dumps([1, path.name, status.st_size, status.st_mtime_ns])

    def summary(self, day: np.datetime64, path: Path) -> DaySummary | None:
        """Look up a day that was read from this very file; None if there is none, or it is damaged."""
        try:
            part = read_npz(self._path(day))
            if str(part["source"]) != self.source(path):
                return None
            numbers = json.loads(str(part["numbers"]))
            numbers["malformed"] = tuple(numbers["malformed"])
            summary = DaySummary(part["squares"], part["recorded"], **numbers)
            fits = self.values(day).shape == (len(summary.squares), STEPS, len(SERVICES))
            return summary if fits else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, day: np.datetime64, source: str, traffic: DayTraffic) -> DaySummary:
        """Keep a day."""
        summary = DaySummary(*(getattr(traffic, field.name) for field in fields(DaySummary)))
        arrays = asdict(summary)
        squares, recorded = arrays.pop("squares"), arrays.pop("recorded")
        with atomic_file(self._path(day, ".npy")) as stream:
            header = {"descr": "<f4", "fortran_order": False, "shape": traffic.values.shape}
            np.lib.format.write_array_header_1_0(stream, header)
            stream.write(
                np.ascontiguousarray(traffic.values, dtype="<f4").data
            )  # np.save hides that a disk is full
        with atomic_file(self._path(day)) as stream:
            np.savez(
                stream,
                source=np.array(source),
                numbers=np.array(json.dumps(arrays)),
                squares=squares,
                recorded=recorded,
            )
        return summary

    def values(self, day: np.datetime64) -> NDArray[np.float32]:
        """Traffic of a day, `[squares of the day, 144, 3]`, mapped from its file."""
        return np.asarray(np.load(self._path(day, ".npy"), mmap_mode="r", allow_pickle=False), dtype=np.float32)

    def remove(self) -> None:
        """Remove the days; anything else stays."""
        for path in self.folder.iterdir():
            if re.fullmatch(r"\d{4}-\d{2}-\d{2}\.np[yz]", path.name):
                path.unlink()
