"""A run that is killed by SIGKILL, at any moment and any number of times, ends with the same metrics."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
PROGRAM = Path(__file__).with_name("killed_runs.py")
SAME = ("metrics.json", "history.csv")


def killed(folder: Path, *moments: str) -> tuple[int, float]:
    """Kill a run at these moments and let it end; return how often it was, and the last attempt's seconds."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, str(PROGRAM), str(folder), *moments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr
    assert not [path for path in folder.rglob("*") if ".tmp" in path.name or path.name.startswith(".state")]
    kills, seconds = done.stdout.split()
    return int(kills), float(seconds)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], float]:
    """Files of a run that nobody killed, and how long it took."""
    folder = tmp_path_factory.mktemp("runs") / "unbroken"
    kills, seconds = killed(folder)
    assert kills == 0
    return {name: (folder / name).read_bytes() for name in SAME}, seconds


def same(folder: Path, files: dict[str, bytes]) -> bool:
    """Say whether a run came to the same end."""
    return all((folder / name).read_bytes() == content for name, content in files.items())


def test_killed_at_writes_and_at_random_moments(unbroken: tuple[dict[str, bytes], float], tmp_path: Path) -> None:
    # The solver's state is written in each of its 12 iterations: most of a run's renames.
    moments = ["before:1", "after:9", "before:9", "after:2"]
    draw = random.Random(0)
    moments.append(f"time:{draw.uniform(0.1, 0.4) * unbroken[1]:.3f}")
    assert killed(tmp_path / "run", *moments)[0] >= 4
    assert same(tmp_path / "run", unbroken[0])


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_once_at_every_write(unbroken: tuple[dict[str, bytes], float], tmp_path: Path, when: str) -> None:
    number = 1
    while killed(tmp_path / f"{number}", f"{when}:{number}")[0]:
        assert same(tmp_path / f"{number}", unbroken[0]), f"killed {when} rename {number}"
        number += 1
    assert number > 20


@pytest.mark.slow
def test_killed_at_fifty_random_moments(unbroken: tuple[dict[str, bytes], float], tmp_path: Path) -> None:
    draw, kills, runs = random.Random(1), 0, 0
    while kills < 50:
        runs += 1
        assert runs < 60
        moments = [f"time:{draw.uniform(0.02, 0.9) * unbroken[1]:.3f}" for _ in range(4)]
        kills += killed(tmp_path / f"{runs}", *moments)[0]
        assert same(tmp_path / f"{runs}", unbroken[0]), moments


def killed_updates(folder: Path, first: int, last: int) -> int:
    """Kill updates before and after these renames; return how many were."""
    program = PROGRAM.with_name("killed_updates.py")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, str(program), str(folder), str(first), str(last)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_an_update_that_is_killed_in_the_middle_goes_on(tmp_path: Path) -> None:
    assert killed_updates(tmp_path, 2, 2) == 2


@pytest.mark.slow
def test_an_update_killed_at_every_write_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    assert killed_updates(tmp_path, 1, 12) >= 10
