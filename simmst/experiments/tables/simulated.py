"""Simulated training windows of a benchmark, and their learned weights, once for all cells that use them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from simmst.evaluation.benchmark import Benchmark
from simmst.experiments.config import LONGEST_LOOKBACK, RunConfig
from simmst.experiments.job import Job
from simmst.experiments.reweight_stage import learn_weights
from simmst.experiments.rundir import CONFIG, RunDirectory
from simmst.simulator.windows import SimulatedWindows

#: ``watch(stage, done, total, note)``.
Watch = Callable[[str, int, int, str], None]


def simulation_config(benchmark: Benchmark, preset: str, seed: int) -> RunConfig:
    """Settings of the main job's first two stages; "paper" simulates as much as "laptop"."""
    return RunConfig.of_preset(
        "smoke" if preset == "smoke" else "laptop",
        services=benchmark.data.services,
        seed=seed,
        horizon=benchmark.horizon,
        lookback=benchmark.lookback,
    )


class Simulated:
    """Draws the worlds when they are first asked for, and learns the weights once a folder.

    Parameters
    ----------
    benchmark : Benchmark
        As the model sees it; its training days are the upper level's data.
    preset : str
        See `simulation_config`.
    seed : int
        Seed of the worlds and the weights.
    folder : Path
        Of the weights, and of what resuming needs.
    """

    def __init__(self, benchmark: Benchmark, preset: str, seed: int, folder: Path) -> None:
        self.benchmark, self.folder = benchmark, folder
        self.config = simulation_config(benchmark, preset, seed)
        self._windows: SimulatedWindows | None = None

    def _job(self) -> Job:
        return Job.of(self.config, self.benchmark.target, self.benchmark.protocol, self.benchmark.season)

    def windows(self, watch: Watch) -> SimulatedWindows:
        """Draw the worlds, the same each time, and cut their windows."""
        if self._windows is None:
            self._windows = self._job().simulate(lambda done, total: watch("simulate", done, total, ""))
        return self._windows

    def weights(self, watch: Watch) -> npt.NDArray[np.float64]:
        """Learn the weights `[n]`, going on where it stopped; a finished result is only read."""
        if (self.folder / CONFIG).is_file():
            directory, _ = RunDirectory.open(self.folder)
        else:
            directory = RunDirectory.create(self.folder, self.config)
        kept = directory.load_arrays("weights")
        if kept is not None:
            return kept["weights"]
        learned = learn_weights(
            self._job(),
            directory,
            self.windows(watch),
            lambda done, total, note: watch("re-weight", done, total, note),
        )
        directory.write_json("weights.json", dict(learned.summary))
        directory.save_arrays("weights", {"weights": learned.weights})
        return learned.weights


def without_simulation(benchmark: Benchmark) -> str | None:
    """Say why a protocol cannot use simulated windows, or return None if it can."""
    if benchmark.lags:
        return "simulated windows are of the last hours, and this protocol sees chosen lags"
    if benchmark.lookback > LONGEST_LOOKBACK:
        return f"simulated windows reach back {LONGEST_LOOKBACK} h at most, this row sees {benchmark.lookback} h"
    return None
