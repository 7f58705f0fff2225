"""The measurement files of a folder, in batches; what was read of a batch is kept until the import is done."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simmst.errors import DataError
from simmst.io.lock import locked, sweep
from simmst.io.npz import check_array, read_npz, save_npz
from simmst.traffic.pm.measurements import Rows

_VERSION = 1
# Bytes of XML of a batch, a gzipped one taken as so many times its size: what bounds the memory, and what a killed
# import reads again.
_BATCH, _GROWTH = 1 << 26, 20
_NAME = re.compile(r"[0-9a-f]{32}\.npz")
_TEXTS = ("nodes", "seen", "damaged", "others")
_COLUMNS = {"begin": "i", "minutes": "i", "node": "i", "service": "i"}


@dataclass(frozen=True, slots=True)
class Part:
    """What was read of a batch.

    Parameters
    ----------
    begin, minutes, node, service : int32 array, int16 array, int32 array, int16 array
        As in `Rows`, int `[R]`.
    value : float64 array `[R]`
        Values, NaN where unknown.
    nodes, seen : tuple of str
        Names of objects, and of all counters in the files.
    counts : Counter
        As in `Rows`, and numbers of files.
    moved : int
        The most seconds that a period was moved to the grid.
    damaged, others : tuple of str
        Files that could not be taken, and files of another kind, with the reason.
    """

    begin: NDArray[np.int32]
    minutes: NDArray[np.int16]
    node: NDArray[np.int32]
    service: NDArray[np.int16]
    value: NDArray[np.float64]
    nodes: tuple[str, ...]
    seen: tuple[str, ...]
    counts: Counter[str]
    moved: int
    damaged: tuple[str, ...]
    others: tuple[str, ...]


def part_of(rows: Rows, damaged: Sequence[str], others: Sequence[str]) -> Part:
    """Take the rows of a batch as arrays."""
    columns = {name: np.array(getattr(rows, name)) for name in (*_COLUMNS, "value")}
    names = tuple(rows.nodes), tuple(sorted(rows.seen))
    return Part(**columns, nodes=names[0], seen=names[1], counts=rows.counts, moved=rows.moved,
                damaged=tuple(damaged), others=tuple(others))  # fmt: skip


def files_of(folder: Path, without: Path | None) -> tuple[list[Path], int]:
    """Find the files of a folder and of the folders in it, by name.

    Hidden ones are left out, and so are links, which may lead out of the folder.

    Parameters
    ----------
    folder : Path
        Where to look.
    without : Path or None
        A folder that is not looked into.

    Returns
    -------
    tuple
        The files, and the number of links.
    """
    if not folder.is_dir():
        raise DataError(f"folder={folder}: no such folder")
    found, links = [], 0
    for place, inner, names in os.walk(folder):
        linked = [name for name in (*inner, *names) if os.path.islink(os.path.join(place, name))]
        links += len(linked)
        inner[:] = sorted(
            name
            for name in inner
            if not name.startswith(".") and (without is None or Path(place, name).resolve() != without.resolve())
        )
        found += [Path(place, name) for name in names if not name.startswith(".") and name not in linked]
    if not found:
        raise DataError(f"folder={folder}: holds no file")
    return sorted(found), links


def batches_of(files: Sequence[Path]) -> list[list[Path]]:
    """Group files that follow each other to batches of about the same amount of XML."""
    found: list[list[Path]] = [[]]
    weight = 0
    for path in files:
        if weight >= _BATCH:
            found.append([])
            weight = 0
        found[-1].append(path)
        weight += path.stat().st_size * (1 if path.suffix == ".xml" else _GROWTH)
    return found


class Parts:
    """The folder of the batches that were read, a file each that appears whole or not at all.

    Parameters
    ----------
    folder : Path
        Where they are.
    rules : str
        All that decides what a file is read as, in words; parts made by other rules are others.
    """

    def __init__(self, folder: Path, rules: str) -> None:
        self.folder, self._rules = folder, rules

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes out while the block runs; a folder that holds no part afterwards goes."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with locked(self.folder):
                sweep(self.folder)
                yield
        finally:
            with suppress(OSError):
                self.folder.rmdir()

    def key(self, batch: Sequence[Path]) -> str:
        """Return what tells a batch from one with changed files, or read otherwise."""
        status = [(str(path), path.stat()) for path in batch]
        told = [[name, known.st_size, known.st_mtime_ns] for name, known in status]
        return hashlib.sha256(json.dumps([_VERSION, self._rules, told]).encode()).hexdigest()[:32]

    def save(self, key: str, part: Part) -> None:
        """Keep a part."""
        told: dict[str, Any] = {name: getattr(part, name) for name in (*_TEXTS, "moved")}
        told |= {"key": key, "counts": dict(part.counts)}
        columns = {name: getattr(part, name) for name in (*_COLUMNS, "value")}
        save_npz(self.folder / f"{key}.npz", {"told": np.array(json.dumps(told)), **columns})

    def load(self, key: str, services: int) -> Part | None:
        """Look up a part; None if there is none, or it is not as `save` wrote it."""
        try:
            arrays: dict[str, Any] = dict(read_npz(self.folder / f"{key}.npz"))
            told = json.loads(str(arrays.pop("told")))
            rows = arrays["begin"].shape
            if told.pop("key") != key or len(rows) != 1:
                return None
            for name, kind in _COLUMNS.items():
                check_array(name, arrays[name], kind, *(rows if rows[0] else (0,)))
            fields: dict[str, Any] = {name: tuple(map(str, told[name])) for name in _TEXTS}
            part = Part(**arrays, **fields, counts=Counter(told["counts"]), moved=int(told["moved"]))
            fits = part.value.shape == rows and part.value.dtype == np.float64 and not (part.value < 0).any()
            for at, size in ((part.node, len(part.nodes)), (part.service, services)):
                fits = fits and bool(((at >= 0) & (at < size)).all())
            return part if fits else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
            return None

    @staticmethod
    def clear(folder: Path) -> None:
        """Remove all parts of a folder, and the folder if nothing else is in it."""
        for path in folder.iterdir():
            if _NAME.fullmatch(path.name):
                path.unlink()
        with suppress(OSError):
            folder.rmdir()
