"""Takes a day into a run in processes that are killed; a program of its own, because it forks.

``python killed_updates.py FOLDER FIRST LAST`` makes a short run in FOLDER, and for each rename from FIRST to LAST
copies it, kills an update before and one after that rename, lets a last one go on
and compares what is left with a
run that nobody killed. It prints how many updates were killed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import torch
from killed_runs import kill_at_rename

import simmst as sm
from simmst.experiments.config import RunConfig
from simmst.experiments.rundir import RunDirectory
from simmst.experiments.short_run import run_short
from simmst.experiments.target import file_digest
from simmst.experiments.update import update
from simmst.forecasting.generations import FOLDER, read_log


def quiet(*_: object) -> None:
    """Show nothing."""


def weeks(days: int) -> sm.TrafficData:
    """A daily wave with noise."""
    noise = np.random.default_rng(0).gamma(50, 0.02, (24 * 20, 2, 1))[: 24 * days]
    wave = 3 + 2 * np.sin(2 * np.pi * np.arange(24 * days) / 24)
    start = np.datetime64("2024-01-01T00:00", "m")
    return sm.TrafficData((wave[:, None, None] * noise).astype(np.float32), start, 60, ("net",), ("a", "b"))


def attempt(run: Path, file: Path, when: str, number: int) -> bool:
    """Update in a process that kills itself; return whether it did."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            kill_at_rename(when, number)
            update(run, file, quiet)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return True
    if status != 0:
        raise SystemExit(f"an attempt ended with status {status}")
    return False


def left(run: Path, data: sm.TrafficData) -> dict[str, Any]:
    """What a run holds that does not depend on when it was made."""
    log = [{key: value for key, value in line.items() if key != "at"} for line in read_log(run)]
    files = sorted(str(path.relative_to(run)) for path in run.rglob("*") if path.is_file())
    return {"log": log, "files": files, "forecast": sm.load(run).predict(data).upper.tolist()}


def main() -> None:
    torch.set_num_threads(1)
    folder, first, last = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    files = {days: folder / f"{days}.npz" for days in (8, 9)}
    for days, path in files.items():
        weeks(days).save(path)
    config = RunConfig.of_preset("smoke", data=str(files[8]), data_sha256=file_digest(files[8]), horizon=3)
    made = RunDirectory.create(folder / "run", config)
    run_short(config, made)
    unbroken = Path(shutil.copytree(folder / "run", folder / "unbroken"))
    update(unbroken, files[9], quiet)
    wanted, before, killed = left(unbroken, weeks(9)), left(folder / "run", weeks(9)), 0
    for number in range(first, last + 1):
        run = Path(shutil.copytree(folder / "run", folder / f"{number}"))
        for when in ("before", "after"):
            if not attempt(run, files[9], when, number):
                break
            killed += 1
            now = left(run, weeks(9))
            committed = bool(now["log"])
            assert now["forecast"] == (wanted if committed else before)["forecast"], (when, number)
        update(run, files[9], quiet)
        assert json.dumps(left(run, weeks(9))) == json.dumps(wanted), number
        assert [path.name for path in (run / FOLDER).iterdir()] == ["1"]
    print(killed)


if __name__ == "__main__":
    main()
