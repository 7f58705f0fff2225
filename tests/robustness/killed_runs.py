"""Runs the main job in processes that are killed; a program of its own, because it forks.

``python killed_runs.py FOLDER MOMENTS...`` begins a run in FOLDER and kills it at each moment in turn, each time
going on with what is left, and at last lets it end. Moments are ``before:N`` and ``after:N`` (around the N-th
rename of the attempt) and ``time:SECONDS``. It prints how many attempts were killed, and the seconds of
the last.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from pathlib import Path

import torch

from simmst.experiments.config import RunConfig
from simmst.experiments.job import Job
from simmst.experiments.run import run
from simmst.experiments.rundir import CONFIG, RunDirectory

SETTINGS = RunConfig.of_preset("smoke", seed=6)


def kill_at_rename(when: str, number: int) -> None:
    """Make this process kill itself around its n-th rename."""
    done, rename = 0, os.replace

    def replace(source: str, target: str) -> None:
        nonlocal done
        done += 1
        if done == number and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        rename(source, target)
        if done == number and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = replace  # type: ignore[assignment]


def attempt(folder: Path, moment: str | None) -> bool:
    """Go on with the run in a process; return whether it came to its end."""
    kind, _, number = (moment or "").partition(":")
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            if kind in ("before", "after"):
                kill_at_rename(kind, int(number))
            if (folder / CONFIG).is_file():
                directory, config = RunDirectory.open(folder)
            else:
                directory, config = RunDirectory.create(folder, SETTINGS), SETTINGS
            run(Job.prepare(config), directory, lambda *_: None)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    if kind == "time":
        time.sleep(float(number))
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    if status != 0:
        raise SystemExit(f"an attempt ended with status {status}")
    return True


def main() -> None:
    torch.set_num_threads(1)
    folder, killed, begun = Path(sys.argv[1]), 0, time.perf_counter()
    for moment in [*sys.argv[2:], None]:
        if attempt(folder, moment):
            break
        killed += 1
        begun = time.perf_counter()
    print(killed, time.perf_counter() - begun)


if __name__ == "__main__":
    main()
