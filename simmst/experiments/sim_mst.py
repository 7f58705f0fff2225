"""Sim-MSTNet as a forecaster: the main job in a run directory, from Python."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Self

import torch

from simmst.errors import ConfigError
from simmst.experiments.config import RunConfig
from simmst.experiments.job import Job
from simmst.experiments.run import run
from simmst.experiments.rundir import CONFIG, RunDirectory
from simmst.experiments.tables.key import data_digest
from simmst.experiments.target import file_digest
from simmst.forecasting.folder import new_folder
from simmst.forecasting.forecast import Forecast
from simmst.forecasting.forecaster import Forecaster, required
from simmst.forecasting.from_run import forecast_traffic, load_run
from simmst.forecasting.saved import Serving
from simmst.models.simmstnet import SimMSTNet as Net
from simmst.traffic.dataset import TrafficData


def _quiet(stage: str, done: int, total: int, note: str) -> None:
    """Show nothing."""


class SimMSTNet(Forecaster):
    """Sim-MSTNet: trained on re-weighted simulated traffic, then on the real one, as `simmst run` does.

    Parameters
    ----------
    preset : str
        "laptop" (minutes) or "smoke" (seconds; nothing is learnt).
    seed : int
        Of everything that is drawn.
    horizon, lookback : int, optional
        Hours to forecast, and hours that the network reads; the preset's by default.
    watch : callable
        ``watch(stage, done, total, note)``, called as a stage goes on.
    """

    name = "Sim-MSTNet"

    def __init__(
        self,
        preset: str = "laptop",
        seed: int = 0,
        horizon: int | None = None,
        lookback: int | None = None,
        watch: Callable[[str, int, int, str], None] = _quiet,
    ) -> None:
        given = {"horizon": horizon, "lookback": lookback}
        chosen = {name: value for name, value in given.items() if value is not None}
        self.config, self.watch = RunConfig.of_preset(preset, seed=seed, **chosen), watch
        self.folder: Path | None = None
        self._model: Net | None = None
        self._kept: Serving | None = None

    def fit(self, traffic: TrafficData, folder: str | PathLike[str] = "run") -> Self:
        """Run the main job in a run directory; called again after an interruption, it goes on.

        The days split as 14 : 3 : 5 into training, validation and test days; the errors on the latter stand in the
        directory's report.html.

        Parameters
        ----------
        traffic : TrafficData
            Real traffic, 14 days at least. It is kept beside the directory, as `<folder>-traffic.npz`.
        folder : path-like
            The run directory: a new one, or one that this call was interrupted in. `simmst run --resume` and
            `simmst forecast` know it too.

        Raises
        ------
        SimmstError
            If the traffic cannot be used, or the folder holds something else.
        """
        path = Path(folder).absolute()
        file = path.with_name(f"{path.name}-traffic.npz")
        if (path / CONFIG).is_file():
            if not file.is_file() or data_digest(TrafficData.load(file)) != data_digest(traffic):
                raise ConfigError(f"folder {path}: holds a run on other traffic; name a new one")
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            traffic.save(file)
        config = self.config.model_copy(update={"data": str(file), "data_sha256": file_digest(file)})
        job = Job.prepare(config)
        if (path / CONFIG).is_file():
            directory, kept = RunDirectory.open(path)
            if kept != config:
                raise ConfigError(f"folder {path}: holds a run of other settings; name a new one")
        else:
            directory = RunDirectory.create(path, config)
        threads = torch.get_num_threads()
        try:
            run(job, directory, self.watch)
        finally:
            torch.set_num_threads(threads)
        return self._read(path)

    def _read(self, path: Path) -> Self:
        self._model, self._kept = load_run(path)
        self.folder = path
        return self

    def predict(self, traffic: TrafficData, horizon: int | None = None, level: float = 0.9) -> Forecast:
        """See `Forecaster.predict`."""
        kept: Serving = required(self._kept)
        hours = kept.horizon if horizon is None else horizon
        return forecast_traffic(required(self._model), kept, traffic, hours, level, "traffic")

    def update(self, traffic: TrafficData) -> Self:
        """Run the job anew on newer traffic, in a directory beside the first: `<folder>-<first hour to forecast>`.

        Raises
        ------
        SimmstError
            As `fit`.
        """
        required(self._kept)
        assert self.folder is not None
        end = traffic.times[-1].astype("datetime64[h]") + 1
        return self.fit(traffic, self.folder.with_name(f"{self.folder.name}-{end}"))

    def save(self, folder: str | PathLike[str]) -> None:
        """Copy the run directory; it can be loaded, resumed and forecast with as the first one."""
        required(self._kept)
        assert self.folder is not None
        target = new_folder(folder)
        shutil.copytree(self.folder, target, dirs_exist_ok=True)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a finished run directory, made in Python or by `simmst run`."""
        model, kept = load_run(folder)
        directory = folder if folder.is_dir() else folder.parent
        made = cls("smoke")
        if (directory / CONFIG).is_file():
            made.config = RunConfig.read(directory / CONFIG)
        made._model, made._kept, made.folder = model, kept, directory
        return made
