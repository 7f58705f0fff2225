"""A run directory: created once, every file written whole or not at all, a stage's result kept for resuming."""

import csv
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np

from simmst.errors import ConfigError
from simmst.experiments.config import RunConfig
from simmst.io.atomic import atomically
from simmst.io.lock import locked, sweep
from simmst.io.npz import Arrays, load_npz, save_npz
from simmst.io.versions import versions

CONFIG = "config.json"
_VERSIONS = "versions.json"
_STAGES = "stages"
_OF = "of_run"


class RunDirectory:
    """Files of one run.

    Parameters
    ----------
    path : Path
        An existing directory; `create` and `open` check what it holds.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path, config: RunConfig) -> Self:
        """Make the directory and write the configuration into it.

        Raises
        ------
        ConfigError
            If it cannot be written, or holds anything already.
        """
        if (path / CONFIG).exists():
            raise ConfigError(
                f"{path}: holds a run already; go on with it by `simmst run --resume {path}`, or name another "
                "directory for the new one"
            )
        try:
            path.mkdir(parents=True, exist_ok=True)
            sweep(
                path, f".{CONFIG}.*.tmp"
            )  # all that a process killed right here leaves, but for the empty stages
            if any(entry.name != _STAGES or any(entry.iterdir()) for entry in path.iterdir()):
                raise ConfigError(f"{path}: is not empty; name a new directory")
            (path / _STAGES).mkdir(exist_ok=True)
            run = cls(path)
            run.write(CONFIG, config.model_dump_json(indent=2) + "\n")
        except OSError as error:
            raise ConfigError(f"{path}: cannot be written ({error.strerror})") from None
        return run

    @classmethod
    def open(cls, path: Path, argument: str = "resume") -> tuple[Self, RunConfig]:
        """Open the directory of a run that was begun; `argument` is what messages call it.

        Raises
        ------
        ConfigError
            If it holds no run, one of a newer version, or a configuration that cannot be read.
        """
        if not (path / CONFIG).is_file() or not (path / _STAGES).is_dir():
            raise ConfigError(f"{argument} {path}: holds no run (no {CONFIG} beside {_STAGES}/)")
        if not os.access(path, os.W_OK):
            raise ConfigError(f"{argument} {path}: cannot be written (Permission denied)")
        return cls(path), RunConfig.read(path / CONFIG)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes out while the block runs, and remove what a killed one had begun to write."""
        with locked(self.path, f"{_STAGES}/.lock"):
            for folder in (self.path, self.path / _STAGES):
                sweep(folder)
            sweep(self.path, ".state.npz.*")  # the solver's
            yield

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of the configuration, which holds that of the data: what a stage's files are of."""
        return hashlib.sha256((self.path / CONFIG).read_bytes()).hexdigest()

    def stage(self, name: str) -> Path:
        """Path of a stage's file."""
        return self.path / _STAGES / name

    def write(self, name: str, text: str) -> None:
        """Write a text file."""
        atomically(self.path / name, lambda path: path.write_text(text, encoding="utf-8"))

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write JSON; a number that is not finite is an error, not invalid JSON."""
        self.write(name, json.dumps(content, indent=2, allow_nan=False) + "\n")

    def read_json(self, name: str) -> dict[str, Any]:
        """Read what `write_json` wrote."""
        try:
            content = json.loads((self.path / name).read_text(encoding="utf-8"))
            if not isinstance(content, dict):
                raise ValueError("it holds no mapping")
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{self.path / name}: damaged ({error}); delete it and resume again") from None
        return content

    def write_csv(self, name: str, columns: Mapping[str, Sequence[Any]]) -> None:
        """Write columns of equal length under their names."""

        def write(path: Path) -> None:
            with path.open("w", encoding="utf-8", newline="") as stream:
                writer = csv.writer(stream)
                writer.writerow(columns)
                writer.writerows(zip(*columns.values(), strict=True))

        atomically(self.path / name, write)

    def save_arrays(self, name: str, arrays: Arrays) -> None:
        """Keep a stage's arrays as ``stages/<name>.npz``, with the digest of the run that they are of."""
        save_npz(self.stage(f"{name}.npz"), {**arrays, _OF: np.array(self.digest)})

    def load_arrays(self, name: str) -> Arrays | None:
        """Arrays of a stage, or None where it has not come to its end; those of another run are not taken."""
        path = self.stage(f"{name}.npz")
        if not path.is_file():
            return None
        arrays = load_npz(path)
        of = arrays.pop(_OF, None)
        return arrays if of is not None and str(of) == self.digest else None


def note_versions(directory: RunDirectory) -> tuple[str, ...]:
    """Write what computes now into the run directory, beside what computed before.

    Parameters
    ----------
    directory : RunDirectory
        Of a run that begins or goes on.

    Returns
    -------
    tuple of str
        A notice where they differ, else nothing.

    Raises
    ------
    ConfigError
        If the file is damaged.
    """
    path, now = directory.path / _VERSIONS, versions()
    seen = directory.read_json(_VERSIONS).get("computed_by") if path.is_file() else []
    if not isinstance(seen, list) or not all(isinstance(one, dict) for one in seen):
        raise ConfigError(f"{path}: damaged; delete it and resume again")
    if now not in seen:
        seen.append(now)
        directory.write_json(_VERSIONS, {"computed_by": seen})
    changed = [
        f"{name} {', then '.join(numbers)}"
        for name in now
        if len(numbers := list(dict.fromkeys(str(one.get(name, "unknown")) for one in seen))) > 1
    ]
    if not changed:
        return ()
    return (
        f"Different versions computed parts of this run ({'; '.join(changed)}): its figures may differ from those "
        "of a run by one of them.",
    )
