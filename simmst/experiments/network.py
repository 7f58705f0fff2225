"""A trained row of the tables as a forecaster."""

from __future__ import annotations

from dataclasses import replace
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import numpy as np
import numpy.typing as npt

from simmst.errors import ConfigError, DataError
from simmst.evaluation.benchmark import Benchmark
from simmst.evaluation.target import Target
from simmst.experiments.tables.training import Recipe, Training
from simmst.forecasting.folder import new_folder, read_folder, write_folder
from simmst.forecasting.forecast import Forecast
from simmst.forecasting.forecaster import Forecaster, Known, parts_of, required
from simmst.forecasting.intervals import Intervals
from simmst.forecasting.raw_forecast import RawReader
from simmst.forecasting.ridge import default_lags
from simmst.models.card import Setting
from simmst.models.recipes import PRESETS, Preset
from simmst.models.registry import model_card
from simmst.traffic.dataset import TrafficData
from simmst.traffic.recorded import recorded_origins
from simmst.traffic.windows import needed_steps
from simmst.training.budget import Budget
from simmst.training.checkpoint import load_checkpoint, save_checkpoint
from simmst.training.raw_scale import RawScale, RealScales

_TENSORS = "networks.safetensors"


class Network(Forecaster):
    """A network of the tables, trained on real windows alone.

    Parameters
    ----------
    model : str
        Name of a trained row: "dlinear", "lstm", "simmstnet" and so on (`simmst table --help`).
    preset : Preset
        "smoke" (seconds; nothing is learnt), "laptop" or "paper".
    seed : int
        Of the first weights and the order of the windows.
    horizon, lookback : int
        Hours to forecast, and hours read where the row has no lookback of its own.
    """

    def __init__(
        self, model: str, preset: Preset = "laptop", seed: int = 0, horizon: int = 24, lookback: int = 48
    ) -> None:
        if preset not in PRESETS:
            raise ConfigError(f"preset {preset!r}: unknown; known: {', '.join(PRESETS)}")
        self.card, self.preset, self.seed = model_card(model), preset, seed
        self.name, self.horizon, self.lookback = model, horizon, lookback
        self.known: Known | None = None
        self._reader: RawReader | None = None
        self._models: list[RawScale] = []
        self._coordinates: npt.NDArray[np.float64] | None = None

    def fit(self, traffic: TrafficData) -> Self:
        """Train on all but the last days, which choose the epoch and calibrate the intervals.

        Raises
        ------
        SimmstError
            If the traffic is too short, or lacks what the model needs: places, say, that fill a grid.
        """
        data = traffic.hourly()
        parts = parts_of(data, self.horizon)
        benchmark = Benchmark("J", Target(data, "traffic"), parts, self.lookback, self.horizon, default_lags(24))
        benchmark = benchmark.seen_by(self.card.recipes[self.preset])
        if reason := self.card.refusal(Setting.of(data, benchmark.seen, self.horizon)):
            raise ConfigError(f"model {self.name}: {reason}")
        with TemporaryDirectory() as folder:
            recipe = Recipe(self.card, "real", self.preset, Budget(), self.seed)
            training = Training(recipe, benchmark, Path(folder), None, lambda *_: None)
            models = [training.train(group) for group in training.groups]
        needed = needed_steps(benchmark.lookback, benchmark.season)
        self._reader, self._models, self._coordinates = training.reader, models, data.coordinates
        origins = recorded_origins(data.unrecorded, parts.validation.origins(self.horizon), self.horizon)
        steps = origins[:, None] + np.arange(self.horizon)
        actual = np.where(data.known[steps], data.values[steps], np.nan)
        intervals = Intervals.of(training.scaler, self._values(data, origins), actual)
        self.known = Known(data.services, data.node_ids, data.units, training.scaler, intervals, needed)
        return self

    def update(self, traffic: TrafficData) -> Self:
        """Train anew: give the days of old too, where they are at hand."""
        return self.fit(traffic)

    def predict(self, traffic: TrafficData, horizon: int | None = None, level: float = 0.9) -> Forecast:
        """See `Forecaster.predict`."""
        known: Known = required(self.known)
        hours, data = known.hours(horizon), known.fitting(traffic)
        return known.forecast(data, self._values(data, np.array([len(data.values)]))[0, :hours], level)

    def _values(self, data: TrafficData, origins: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        reader: RawReader = required(self._reader)
        groups: list[int | None] = [None] if len(self._models) == 1 else list(range(len(self._models)))
        rows = [
            reader.forecast(model, group, data, origins) for model, group in zip(self._models, groups, strict=True)
        ]
        return np.concatenate(rows, axis=-1)

    def save(self, folder: str | PathLike[str]) -> None:
        """See `Forecaster.save`."""
        known, reader, path = required(self.known), required(self._reader), new_folder(folder)
        tensors = {f"{g}.{name}": t for g, one in enumerate(self._models) for name, t in one.state_dict().items()}
        save_checkpoint(path / _TENSORS, tensors, {"networks": len(self._models)})
        note = {
            "kind": "network", "model": self.name, "preset": self.preset, "seed": self.seed,
            "horizon": self.horizon, "lookback": reader.lookback, "season": reader.season,
        }  # fmt: skip
        arrays = known.as_arrays() | {"scales": reader.scales.table}
        if self._coordinates is not None:
            arrays["coordinates"] = self._coordinates
        write_folder(path, note, arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            If a file is missing or damaged.
        """
        note, arrays = read_folder(folder, "network")
        known = Known.from_arrays(arrays)
        tensors, about = load_checkpoint(folder / _TENSORS)
        try:
            made = cls(note["model"], note["preset"], note["seed"], note["horizon"], note["lookback"])
            coordinates = arrays.get("coordinates")
            scales, season = RealScales(np.asarray(arrays["scales"], np.float32)), note["season"]
            made._reader = RawReader(made.card, known.scaler, scales, made.lookback, made.horizon, season)
            shape = 1, len(known.node_ids), len(known.services)
            empty = TrafficData(
                np.zeros(shape, np.float32), np.datetime64("2024-01-01T00:00", "m"), 60, known.services,
                known.node_ids, coordinates,
            )  # fmt: skip
            setting = Setting.of(empty, made.lookback, made.horizon)
            for g in range(about["networks"]):
                services = len(known.services) if about["networks"] == 1 else 1
                model = RawScale(made.card.build(replace(setting, services=services), made.preset, made.seed))
                own = {name.partition(".")[2]: t for name, t in tensors.items() if name.startswith(f"{g}.")}
                model.load_state_dict(own)
                made._models.append(model.eval())
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise DataError(f"{folder}: damaged or of another version ({reason})") from None
        made.known, made._coordinates = known, coordinates
        return made
