"""Tasks over workers: the same results whoever works, a killed worker loses nothing, a stop ends the others."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from simmst.errors import ConfigError, SimmstError
from simmst.io.distribute import LOSSES, Workers, distribute
from simmst.io.processes import WorkerLost

# A module of its own, which spawned processes find on the path that they inherit.
CHORES = """
import os, signal, time
from simmst.errors import SimmstError

def write(folder, number):
    (folder / str(number)).write_text(str(number**2))

def die_once(folder, number):
    mark = folder / f"died-{number}"
    if number == 1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    write(folder, number)

def die(folder, number):
    (folder / f"try-{len(list(folder.iterdir()))}").touch()
    os.kill(os.getpid(), signal.SIGKILL)

def refuse(folder, number):
    write(folder, number)
    if number == 0:
        raise SimmstError("number 0 is refused")

def wait(folder, number):
    if number:
        time.sleep(600)
"""


@pytest.fixture(scope="module")
def chores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chores")
    (folder / "chores_of_workers.py").write_text(CHORES)
    sys.path.insert(0, str(folder))
    yield __import__("chores_of_workers")
    sys.path.remove(str(folder))


def run(function, folder: Path, workers: Workers, count: int = 4) -> list[int]:
    ended: list[int] = []
    distribute(function, [(folder, number) for number in range(count)], workers, folder, ended.append)
    return ended


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.name.isdigit()}


@pytest.mark.parametrize("count", [1, 2])
def test_each_task_is_done_whoever_works(chores, tmp_path, count):
    assert sorted(run(chores.write, tmp_path, Workers(count))) == [0, 1, 2, 3]
    assert content(tmp_path) == {"0": "0", "1": "1", "2": "4", "3": "9"}


def test_a_killed_worker_loses_nothing(chores, tmp_path):
    assert sorted(run(chores.die_once, tmp_path, Workers(2))) == [0, 1, 2, 3]
    assert len(content(tmp_path)) == 4 and (tmp_path / "died-1").exists()


def test_a_task_that_kills_every_worker_is_given_up(chores, tmp_path):
    with pytest.raises(WorkerLost, match="what is finished is kept"):
        run(chores.die, tmp_path, Workers(2), count=2)
    assert len(list(tmp_path.iterdir())) >= LOSSES + 1


def test_an_error_of_a_task_comes_out_and_what_is_done_stays(chores, tmp_path):
    with pytest.raises(SimmstError, match="number 0 is refused"):
        run(chores.refuse, tmp_path, Workers(2))
    assert content(tmp_path)["0"] == "0"


def test_ctrl_c_ends_the_other_tasks_where_they_are(chores, tmp_path):
    def press(number: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # and not ten minutes later
        distribute(chores.wait, [(tmp_path, 0), (tmp_path, 1)], Workers(2), tmp_path, press)


@pytest.mark.parametrize(("count", "ray"), [(0, None), (2, "auto")])
def test_impossible_workers_are_refused(count, ray):
    with pytest.raises(ConfigError, match="workers"):
        Workers(count, ray)


def test_without_ray_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"\[ray\]"):
        distribute(print, [(1,)], Workers(ray="auto"), tmp_path, print)


@pytest.mark.parametrize("name", ["WorkerCrashedError", "OutOfMemoryError"])
def test_a_worker_killed_on_a_cluster_is_one_clear_line(tmp_path, monkeypatch, name):
    """Ray's memory monitor kills with an error of its own, which is no kind of WorkerCrashedError."""
    errors = {
        one: type(one, (Exception,), {}) for one in ("RayTaskError", "WorkerCrashedError", "OutOfMemoryError")
    }
    cancelled: list[int] = []
    ray = SimpleNamespace(
        exceptions=SimpleNamespace(**errors),
        is_initialized=lambda: True,
        remote=lambda **options: lambda function: SimpleNamespace(remote=lambda mark, chore, task: task[0]),
        wait=lambda pending, num_returns: (pending[:1], pending[1:]),
        get=Mock(side_effect=errors[name]),
        cancel=lambda one, force: cancelled.append(one),
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    with pytest.raises(WorkerLost, match="the rest is kept"):
        distribute(print, [(1,), (2,)], Workers(ray="auto"), tmp_path, print)
    assert cancelled == [1, 2] and not list(tmp_path.iterdir())


@pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra `ray`")
def test_a_cluster_of_two_nodes_gives_the_same_table_and_survives_a_killed_worker(tmp_path):
    script = Path(__file__).with_name("ray_cluster.py")
    command = [sys.executable, str(script), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["nodes"] == 2 and found["cluster"] == found["alone"] and len(found["alone"]) == 3
    assert found["read again"] == 0  # finished cells are not computed a second time
    assert found["killed once"] == ["0", "1", "2", "3"]
    assert "does not see this folder" in found["other folder"]
