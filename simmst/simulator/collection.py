"""A collection of simulated windows on disk: made block by block, by any number of workers, and resumable."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from simmst.errors import ConfigError, DataError, short
from simmst.io.atomic import atomic_file
from simmst.io.lock import locked, sweep
from simmst.io.processes import in_processes
from simmst.simulator.archive import load_worlds, save_worlds
from simmst.simulator.city import SimulatedWorlds, draw_world
from simmst.simulator.prior.file import load_prior, prior_yaml
from simmst.simulator.prior.informed import informed_prior
from simmst.simulator.prior.scenario import Prior
from simmst.simulator.radio.path_gain import PathGain, load_path_gain, save_path_gain
from simmst.simulator.windows import SimulatedWindows
from simmst.simulator.world import World

#: Windows that share a world in a pooled collection: one for each of its 4 x 4 nodes.
PER_WORLD = 16
#: Nodes in a row of a pooled world, and of a fresh one.
POOLED_SIDE, FRESH_SIDE = 4, 1
_FORMAT = 1
# Worlds a file: some half a second of work, which is what a stop may cost each worker.
_PER_FILE = 128
_CONFIG, _PRIOR, _GAIN, _WORLDS = "config.json", "prior.yaml", "path_gain.npz", "worlds"


@dataclass(frozen=True, slots=True)
class CollectionConfig:
    """What a collection holds; with the prior and the path gains, it fixes every number in it.

    Parameters
    ----------
    windows : int
        Number of windows.
    seed : int
        Seed of the worlds and of the choice of windows.
    fresh : bool
        Whether each window has a world of its own; otherwise 16 share one.
    services : tuple of str
        Names of the services; `service_kind` says what each is taken for.
    hours : int
        Length of a world.
    lookback, horizon : int
        Hours of history and of target of a window.

    Raises
    ------
    ConfigError
        If a number is impossible, or the windows do not fit into the worlds.
    """

    windows: int
    seed: int = 0
    fresh: bool = False
    services: tuple[str, ...] = ("call", "sms", "internet")
    hours: int = 192
    lookback: int = 168
    horizon: int = 24

    def __post_init__(self) -> None:
        for name, least in (("windows", 1), ("seed", 0), ("lookback", 1), ("horizon", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name}={getattr(self, name)}: must be at least {least}")
        if self.lookback + self.horizon > self.hours:
            raise ConfigError(
                f"hours={self.hours}: windows of {self.lookback} + {self.horizon} hours need worlds of at least "
                f"{self.lookback + self.horizon}"
            )
        informed_prior().distributions(self.services)  # refuses no names, and a name given twice

    @property
    def per_world(self) -> int:
        """Windows of each world (the last may lack some)."""
        return 1 if self.fresh else PER_WORLD

    @property
    def worlds(self) -> int:
        """Number of worlds."""
        return -(-self.windows // self.per_world)

    @property
    def side(self) -> int:
        """Nodes in a row of a world."""
        return FRESH_SIDE if self.fresh else POOLED_SIDE


def make_collection(
    config: CollectionConfig,
    path: str | os.PathLike[str],
    prior: Prior | None = None,
    path_gain: PathGain | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Simulate the worlds of a collection that are not there yet.

    The folder holds `config.json`, `prior.yaml`, `path_gain.npz` (if any) and `worlds/`, files of 128 worlds with
    their parameters (`save_worlds`), each written whole or not at all. Called again after a stop, it goes on; the
    files are the same whatever the number of workers and of stops.

    Parameters
    ----------
    config : CollectionConfig
        What to make.
    path : path-like
        The folder: new, empty, or one of the same collection.
    prior : Prior, optional
        Distribution of the scenarios; `informed_prior()` by default.
    path_gain : PathGain, optional
        Path gains from outside, if any.
    workers : int
        Number of processes. With more than one, a script must guard its main part by
        `if __name__ == "__main__":`, because they are spawned.
    progress : callable, optional
        Called with the number of worlds that are there and the total, at the start and after each file.

    Raises
    ------
    ConfigError
        If `workers` is below 1, or the folder holds anything else.
    LockedError
        If another process makes this collection.
    """
    if workers < 1:
        raise ConfigError(f"workers={workers}: must be at least 1")
    if path_gain is not None and not config.fresh and (path_gain.side - 4) ** 2 * _origins(config) < PER_WORLD:
        raise ConfigError(
            f"path_gain: {path_gain.side} squares in a row are {(path_gain.side - 4) ** 2} nodes and two rings, "
            f"too few for {PER_WORLD} windows a world; give larger maps, or a fresh world for each window"
        )
    folder = Path(path)
    _begin(folder, config, informed_prior() if prior is None else prior, path_gain)
    with locked(folder / _WORLDS):
        sweep(folder / _WORLDS, "*.tmp")
        _make_missing(folder, config, workers, progress)


def _make_missing(
    folder: Path, config: CollectionConfig, workers: int, progress: Callable[[int, int], None] | None
) -> None:
    _settings.cache_clear()  # the folder may have been another collection's before
    files = _files(folder, config, _PER_FILE)
    missing = {file: worlds for file, worlds in files.items() if not file.is_file()}
    done = config.worlds - sum(map(len, missing.values()))
    if progress is not None:
        progress(done, config.worlds)
    calls = [(folder, file, worlds) for file, worlds in missing.items()]
    for made in in_processes(_make_file, calls, workers):
        done += made
        if progress is not None:
            progress(done, config.worlds)


def load_collection(path: str | os.PathLike[str], patch: int = 3) -> SimulatedWindows:
    """Open a complete collection as windows, cut when asked for.

    Parameters
    ----------
    path : path-like
        The folder.
    patch : int
        Side of the neighbour patch, 1, 3 or 5.

    Returns
    -------
    SimulatedWindows
        Sample `i` belongs to world `i // config.per_world`; `windows.worlds[w].scenario` has its parameters.

    Raises
    ------
    DataError
        If the folder holds no collection, or one that is damaged or not complete.
    """
    folder = Path(path)
    config, per_file = _read_config(folder)
    count, found = -(-config.worlds // per_file), len(list((folder / _WORLDS).glob("*.npz")))
    if found < count:  # before billions of them are listed
        raise DataError(
            f"{folder}: {short(count - found)} of {short(count)} files of worlds are missing; finish it"
        )
    files = _files(folder, config, per_file)
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise DataError(f"{folder}: {len(missing)} of {len(files)} files of worlds are missing; finish it")
    worlds: list[World] = []
    for file, numbers in files.items():
        part = load_worlds(file).worlds
        if len(part) != len(numbers) or part[0].scenario.services != config.services:
            raise DataError(f"{file}: not of this collection; delete it and simulate again")
        worlds += part
    windows = SimulatedWorlds(tuple(worlds)).windows(
        config.lookback, config.horizon, config.per_world, patch, config.seed
    )
    n = config.windows
    return replace(windows, world=windows.world[:n], node=windows.node[:n], origin=windows.origin[:n])


def _origins(config: CollectionConfig) -> int:
    return config.hours - config.lookback - config.horizon + 1


def _files(folder: Path, config: CollectionConfig, per_file: int) -> dict[Path, range]:
    """Files of the worlds, and the numbers of those in each."""
    firsts = range(0, config.worlds, per_file)
    return {
        folder / _WORLDS / f"{number:05d}.npz": range(first, min(first + per_file, config.worlds))
        for number, first in enumerate(firsts)
    }


def _begin(folder: Path, config: CollectionConfig, prior: Prior, path_gain: PathGain | None) -> None:
    """Record what is made, or check that the folder was begun with the same."""
    text = prior_yaml(prior)
    record = {
        "format": _FORMAT,
        **asdict(config),
        "services": list(config.services),
        "per_file": _PER_FILE,
        "prior_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "path_gain_sha256": None if path_gain is None else _digest(path_gain),
        "numpy": np.__version__,  # its random streams may change from version to version
    }
    if (folder / _CONFIG).is_file():
        before = _read_json(folder)
        other = [name for name in record if before.get(name) != record[name]]
        if other:
            changes = ", ".join(f"{name} {before.get(name)!r} is now {record[name]!r}" for name in other)
            raise ConfigError(f"{folder}: holds another collection ({changes}); name another folder")
        _check_parts(folder, record)
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ConfigError(f"{folder}: is not a folder") from None
    if any(entry.name not in (_PRIOR, _GAIN, _WORLDS) for entry in folder.iterdir()):
        raise ConfigError(f"{folder}: is not empty; name a new folder")
    (folder / _WORLDS).mkdir(exist_ok=True)
    _write(folder / _PRIOR, text)
    if path_gain is not None:
        save_path_gain(path_gain, folder / _GAIN)
    _write(folder / _CONFIG, json.dumps(record, indent=2) + "\n")  # last: with it, the folder is a collection


def _check_parts(folder: Path, record: Mapping[str, Any]) -> None:
    """Refuse what is not as it was recorded: worlds to come would be of another prior than the others."""
    if (folder / _WORLDS).is_symlink():
        raise ConfigError(f"{folder / _WORLDS}: is a link, which is not followed; name another folder")
    path = folder / _PRIOR
    try:
        prior = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    gain = folder / _GAIN
    same_gain = record["path_gain_sha256"] is None or _digest(load_path_gain(gain)) == record["path_gain_sha256"]
    for same, changed in ((prior == record["prior_sha256"], path), (same_gain, gain)):
        if not same:
            raise ConfigError(f"{changed}: has been changed since the collection was begun; name another folder")


def _write(path: Path, text: str) -> None:
    with atomic_file(path) as stream:
        stream.write(text.encode())


def _digest(path_gain: PathGain) -> str:
    digest = hashlib.sha256(repr((path_gain.gain_db.shape, path_gain.square_km)).encode())
    for array in (path_gain.gain_db, path_gain.sites_km):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _read_json(folder: Path) -> dict[str, Any]:
    path = folder / _CONFIG
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise DataError(f"{folder}: holds no collection (no readable {_CONFIG})") from None
    if not isinstance(content, dict) or not isinstance(content.get("format"), int):
        raise DataError(f"{path}: not the configuration of a collection")
    if content["format"] > _FORMAT:
        raise DataError(f"{path}: written by a newer version (format {short(content['format'])}); update")
    return content


def _read_config(folder: Path) -> tuple[CollectionConfig, int]:
    """What the folder holds, and the number of worlds a file."""
    content = _read_json(folder)
    try:
        values = {name: content[name] for name in CollectionConfig.__dataclass_fields__}
        per_file, services = content["per_file"], values["services"]
        whole = [per_file, *(values[name] for name in ("windows", "seed", "hours", "lookback", "horizon"))]
        if any(type(value) is not int for value in whole) or per_file < 1 or type(values["fresh"]) is not bool:
            raise ConfigError("its numbers must be whole ones")
        if not isinstance(services, list) or not all(isinstance(name, str) for name in services):
            raise ConfigError("services: must be a list of names")
        return CollectionConfig(**{**values, "services": tuple(services)}), per_file
    except (KeyError, ConfigError) as error:
        raise DataError(f"{folder / _CONFIG}: damaged ({str(error)[:500]})") from None


def _make_file(folder: Path, file: Path, worlds: range) -> int:
    config, prior, path_gain = _settings(folder)
    made = tuple(
        draw_world(prior, config.hours, config.services, config.seed, world, config.side, path_gain)
        for world in worlds
    )
    save_worlds(SimulatedWorlds(made), file)
    return len(made)


@lru_cache(maxsize=1)
def _settings(folder: Path) -> tuple[CollectionConfig, Prior, PathGain | None]:
    """What the folder records: workers read it there, so that it is what the worlds come from."""
    gain = folder / _GAIN
    recorded = _read_json(folder)["path_gain_sha256"] is not None
    return _read_config(folder)[0], load_prior(folder / _PRIOR), load_path_gain(gain) if recorded else None
