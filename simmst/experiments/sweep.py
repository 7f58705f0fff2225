"""The main job over seeds: a run directory a seed, and mean and spread of their errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from simmst.errors import ConfigError
from simmst.experiments.config import RunConfig
from simmst.experiments.job import Job
from simmst.experiments.run import run
from simmst.experiments.rundir import CONFIG, RunDirectory
from simmst.io.atomic import atomically
from simmst.io.distribute import Workers, distribute

#: Written last by a run: where it is, the run is finished.
_LAST = "report.html"


def run_seed(folder: Path, config: RunConfig) -> None:
    """Do one run, going on where it stopped; a finished one is left alone.

    Raises
    ------
    ConfigError
        If the folder holds a run of other settings.
    """
    if (folder / CONFIG).is_file():
        directory, kept = RunDirectory.open(folder)
        if kept != config:
            raise ConfigError(f"out {folder}: holds a run of other settings; name another directory")
        if (folder / _LAST).is_file():
            return
    else:
        directory = RunDirectory.create(folder, config)
    run(Job.prepare(config), directory, lambda stage, done, total, note: None)


def sweep(
    folder: Path, config: RunConfig, seeds: int, workers: Workers, finished: Callable[[int, int], None]
) -> dict[str, Any]:
    """Run the seeds 0, 1, ... that are not finished, and sum all up in ``sweep.json``.

    Parameters
    ----------
    folder : Path
        With a run directory ``seed-<k>`` each.
    config : RunConfig
        Of every run but for the seed.
    seeds : int
        How many.
    workers : Workers
        Who runs them. Results are the same whoever does.
    finished : callable
        ``finished(done, total)``, called at the start and after each run.

    Returns
    -------
    dict
        "horizons": by horizon, row and task (None's name is "mean"), MAE of each seed, their mean, and their
        standard deviation (None for one seed); "notices": what a reader must know first, of all seeds.
    """
    if seeds < 1:
        raise ConfigError(f"seeds {seeds}: must be at least 1")
    folder = folder.absolute()
    tasks = [(folder / f"seed-{k}", config.model_copy(update={"seed": k})) for k in range(seeds)]
    left = [(path, one) for path, one in tasks if not (path / _LAST).is_file()]
    for path, one in tasks:
        if (path, one) not in left:
            run_seed(path, one)  # finished: holds its settings against these
    done = seeds - len(left)
    finished(done, seeds)

    def count(number: int) -> None:
        nonlocal done
        done += 1
        finished(done, seeds)

    distribute(run_seed, left, workers, folder, count)
    metrics = [json.loads((path / "metrics.json").read_text(encoding="utf-8")) for path, _ in tasks]
    found = {
        "seeds": seeds,
        "notices": list(dict.fromkeys(notice for one in metrics for notice in one["notices"])),
        "horizons": _summary([one["horizons"] for one in metrics]),
    }
    text = json.dumps(found, indent=1, allow_nan=False) + "\n"
    atomically(folder / "sweep.json", lambda path: path.write_text(text, encoding="utf-8"))
    return found


def _summary(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for horizon, rows in runs[0].items():
        for row, figures in rows.items():
            for task in [*figures["tasks"], "mean"]:
                each = [
                    one[horizon][row]["mean"]["mae"] if task == "mean" else one[horizon][row]["tasks"][task]["mae"]
                    for one in runs
                ]
                found.setdefault(horizon, {}).setdefault(row, {})[task] = {
                    "mae": each,
                    "mean": float(np.mean(each)),
                    "spread": float(np.std(each, ddof=1)) if len(each) > 1 else None,
                }
    return found
