"""Full disks, read-only folders and rivals: one clear error, nothing half written, and nothing lost."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simmst.errors import ConfigError
from simmst.experiments.config import RunConfig
from simmst.experiments.job import Job
from simmst.experiments.run import run
from simmst.experiments.rundir import RunDirectory
from simmst.io.lock import LockedError, locked
from simmst.simulator.collection import CollectionConfig, load_collection, make_collection
from simmst.traffic.telecom.ingest import ingest

CONFIG = RunConfig.of_preset("smoke", seed=5)


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """Let every write that would make a file larger fail, as on a full disk (there errno is ENOSPC)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def everything(folder: Path) -> dict[Path, bytes]:
    """Contents of all files but locks."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


def test_a_writer_on_a_full_disk_leaves_the_old_file(reader: Any, tmp_path: Path) -> None:
    if reader.name in ("daily file", "configuration", "prior", "JSON of a run"):
        pytest.skip("the test makes this file, not a writer of the project")
    target = tmp_path / reader.file
    target.parent.mkdir(parents=True, exist_ok=True)
    size = len(reader.sample)
    in_folder = reader.name in ("collection", "worlds of a collection")
    for limit in (0, 1, size // 2, size - 1):
        if not in_folder:
            target.write_bytes(reader.sample)
        before = everything(tmp_path)
        with no_file_above(limit), pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            reader.make(target)
        after = everything(tmp_path)
        assert before.items() <= after.items()
        assert not [path for path in after if path.suffix == ".tmp" or path.name.startswith(".")]
    reader.make(target)
    reader.load(target)


def raw_day(folder: Path, day: str = "2013-11-01", squares: int = 40) -> Path:
    """Write a raw daily file."""
    folder.mkdir(exist_ok=True)
    midnight = int(np.datetime64(day, "ms").astype(np.int64)) - 3_600_000
    lines = [
        f"{square}\t{midnight + k * 600_000}\t39\t1\t2\t3\t4\t{k}.5\n"
        for square in range(1, squares)
        for k in range(144)
    ]
    path = folder / f"sms-call-internet-mi-{day}.txt"
    path.write_text("".join(lines))
    return path


def test_an_ingest_on_a_full_disk_goes_on_later(tmp_path: Path) -> None:
    raw_day(tmp_path / "raw")
    raw_day(tmp_path / "raw", "2013-11-02")
    ingest(tmp_path / "raw", tmp_path / "whole.npz", resolution=10)
    for limit in (0, 1000, 60_000, 100_000):
        with no_file_above(limit), pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            ingest(tmp_path / "raw", tmp_path / "out.npz", resolution=10)
        assert not (tmp_path / "out.npz").exists()
    report = ingest(tmp_path / "raw", tmp_path / "out.npz", resolution=10)
    assert report.days == 2
    assert (tmp_path / "out.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "whole.npz", "out.npz"}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run that nothing befell."""
    directory = RunDirectory.create(tmp_path_factory.mktemp("runs") / "unbroken", CONFIG)
    run(Job.prepare(CONFIG), directory, lambda *_: None)
    return directory


def test_a_run_on_a_full_disk_goes_on_later(unbroken: RunDirectory, tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "run", CONFIG)
    for limit in (100, 16_000, 100_000, 130_000):
        with no_file_above(limit), pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            run(Job.prepare(CONFIG), directory, lambda *_: None)
        assert not list(directory.path.rglob("*.tmp"))
    run(Job.prepare(CONFIG), directory, lambda *_: None)
    for name in ("metrics.json", "history.csv"):
        assert (directory.path / name).read_bytes() == (unbroken.path / name).read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs root, to mount a small disk")
def test_the_command_says_that_the_disk_is_full(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True
    ).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        done = simmst("run", "--preset", "smoke", "--out", str(disk / "run"))
        assert done.returncode == 2
        (line,) = [line for line in done.stderr.splitlines() if "error" in line]
        assert os.strerror(errno.ENOSPC) in line and "Traceback" not in done.stderr
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def simmst(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    command = [sys.executable, "-m", "simmst", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A folder where this process may read but not write, even if root runs the tests."""
    folder = Path(tempfile.mkdtemp())
    (folder / "inside").mkdir()
    shutil.rmtree(folder / "inside")
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)  # nobody
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)
        shutil.rmtree(folder)


WRITERS: dict[str, Callable[[Path], Any]] = {
    "run": lambda folder: RunDirectory.create(folder / "run", CONFIG),
    "collection": lambda folder: make_collection(CollectionConfig(1, services=("call",)), folder / "set"),
    "collection in it": lambda folder: make_collection(CollectionConfig(1, services=("call",)), folder),
    "lock": lambda folder: locked(folder).__enter__(),
}


@pytest.mark.parametrize("what", WRITERS)
def test_a_read_only_folder_is_named(read_only: Path, what: str) -> None:
    with pytest.raises((ConfigError, PermissionError)) as found:
        WRITERS[what](read_only)
    assert str(read_only) in str(found.value)
    assert os.strerror(errno.EACCES) in str(found.value)


def test_a_reader_of_a_read_only_folder_needs_no_more(reader: Any) -> None:
    before = everything(reader.folder)
    reader.load(reader.path)
    assert everything(reader.folder) == before


RIVAL = """
import sys, pathlib
from simmst.io.lock import locked
with locked(pathlib.Path(sys.argv[1]), sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def rival(folder: Path, name: str) -> Iterator[subprocess.Popen[str]]:
    """Let another process hold a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", RIVAL, str(folder), name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_two_runs_in_one_directory(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "run", CONFIG)
    job = Job.prepare(CONFIG)
    with rival(directory.path, "stages/.lock") as other:
        with pytest.raises(LockedError, match=f"process {other.pid} is at work here; wait for it to end"):
            run(job, directory, lambda *_: None)
        assert {path.name for path in directory.path.iterdir()} == {"config.json", "stages"}
        other.kill()  # what a dead process leaves behind holds nobody up
        other.wait()
        assert (directory.path / "stages/.lock").read_text() == f"{other.pid}\n"
        with directory.held():
            assert (directory.path / "stages/.lock").read_text() == f"{os.getpid()}\n"


def test_two_ingests_of_one_file(tmp_path: Path) -> None:
    raw_day(tmp_path / "raw")
    with rival(tmp_path / "out.npz.parts", ".lock"), pytest.raises(LockedError, match="is at work here"):
        ingest(tmp_path / "raw", tmp_path / "out.npz")
    ingest(tmp_path / "raw", tmp_path / "out.npz")
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "out.npz"}


def test_two_makers_of_one_collection(tmp_path: Path) -> None:
    config = CollectionConfig(2, services=("call",), hours=30, lookback=12, horizon=3)
    with rival(tmp_path / "set" / "worlds", ".lock"), pytest.raises(LockedError, match="is at work here"):
        make_collection(config, tmp_path / "set")
    make_collection(config, tmp_path / "set")
    assert len(load_collection(tmp_path / "set")) == 2


def test_a_held_lock_ends_with_its_block(tmp_path: Path) -> None:
    with pytest.raises(KeyError), locked(tmp_path):
        raise KeyError
    with locked(tmp_path), pytest.raises(LockedError, match=str(os.getpid())), locked(tmp_path):
        pass


def test_settings_of_a_run_cannot_lead_to_a_changed_file(tmp_path: Path) -> None:
    """A configuration may name any file, but only the one whose hash it holds is read."""
    directory = RunDirectory.create(tmp_path / "run", CONFIG)
    content = json.loads((directory.path / "config.json").read_text())
    (tmp_path / "secret").write_text("secret")
    content |= {"data": "../../secret", "data_sha256": "0" * 64}
    (directory.path / "config.json").write_text(json.dumps(content))
    with pytest.raises(ConfigError, match="must be an absolute path"):
        RunDirectory.open(directory.path)
