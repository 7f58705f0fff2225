"""Trains a model on a source of windows, and forecasts the test part with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from simmst.errors import DataError
from simmst.evaluation.benchmark import Benchmark
from simmst.experiments.tables.simulated import Simulated, Watch
from simmst.forecasting.raw_forecast import RawReader
from simmst.io.atomic import atomically
from simmst.models.card import ModelCard, Setting
from simmst.models.recipes import Preset
from simmst.models.simmstnet import SimMSTNet
from simmst.traffic.recorded import recorded
from simmst.traffic.scaling import NodeScaler
from simmst.traffic.window_subset import WindowSubset
from simmst.traffic.windows import WindowDataset, WindowSource
from simmst.training.budget import Budget
from simmst.training.config import Progress, TrainerConfig
from simmst.training.raw_scale import OneService, Pooled, RawScale, RawWindows, RealScales, SimulatedScales
from simmst.training.stages import BestStage
from simmst.training.trainer import Trainer

#: What a model is trained on: real windows; simulated and real ones together, unweighted; or weighted simulated
#: ones and then real ones.
Kind = Literal["real", "pooled", "reweighted"]
#: Windows of single nodes that the epoch is chosen by; windows of whole cities are all used.
_VALIDATION = {"smoke": 64, "laptop": 1500, "paper": 5000}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one row is trained: a model, its windows, and how much."""

    card: ModelCard
    kind: Kind
    preset: Preset
    budget: Budget
    seed: int


class Training:
    """One row's models: one for all services, or one a service for single-task models.

    Parameters
    ----------
    recipe : Recipe
        What is trained, and on what.
    benchmark : Benchmark
        Data and parts, as the model sees them.
    folder : Path
        Of the checkpoints.
    simulated : Simulated or None
        Where `recipe.kind` is not "real".
    watch : Watch
        ``watch(stage, done, total, note)``.
    """

    def __init__(
        self, recipe: Recipe, benchmark: Benchmark, folder: Path, simulated: Simulated | None, watch: Watch
    ) -> None:
        self.recipe, self.benchmark, self.folder, self.watch = recipe, benchmark, folder, watch
        self.simulated = simulated
        data, parts = benchmark.data, benchmark.protocol
        known = data.values[parts.train.steps], data.unrecorded[parts.train.steps]
        self.scaler = NodeScaler.fit(*known)
        b = benchmark
        self.reader = RawReader(
            recipe.card, self.scaler, RealScales.of(self.scaler, *known), b.lookback, b.horizon, b.season, b.picked
        )
        self.setting = Setting.of(data, benchmark.seen, benchmark.horizon)
        several = len(data.services) > 1 and not recipe.card.multi_task
        self.groups: list[int | None] = list(range(len(data.services))) if several else [None]
        self.records: list[dict[str, Any]] = []
        self.kept: list[dict[str, Any]] = []
        self.parameters = 0

    def forecast(self) -> npt.NDArray[np.float32]:
        """Train, and forecast from every origin of the test part: `[O, H, N, S]`, in raw units, 0 at least."""
        data, origins = self.benchmark.data, self.benchmark.protocol.test.origins(1)

        def show(done: int, total: int) -> None:
            self.watch("test", done, total, "")

        rows = [self.reader.forecast(self.train(g), g, data, origins, show) for g in self.groups]
        return np.concatenate(rows, axis=-1)

    def _part(self, name: str, service: int | None) -> RawWindows:
        b = self.benchmark
        span = getattr(b.protocol, name)
        cut = WindowDataset.cut(b.data, self.scaler, b.lookback, b.horizon, span.start, span.stop, season=b.season)
        return self.reader.windows(recorded(cut, b.data, "training" if name == "train" else name), service)

    def _stages(self, service: int | None) -> Iterator[tuple[str, WindowSource, npt.NDArray[Any] | None]]:
        """Names, windows and weights of what is trained on, one after the other."""
        real, kind = self._part("train", service), self.recipe.kind
        if kind == "real":
            yield "real", real, None
            return
        assert self.simulated is not None  # the grid gives it to these kinds
        weights = self.simulated.weights(self.watch) if kind == "reweighted" else None
        worlds = self.simulated.windows(self.watch)
        drawn = RawWindows(self.recipe.card.windows(worlds), SimulatedScales.of(worlds), service=service)
        if kind == "pooled":
            yield "pooled", Pooled((drawn, real)), None
            return
        yield "weighted", drawn, weights
        yield "real", real, None

    def train(self, service: int | None) -> RawScale:
        """Train the model of one service, or of all (None), and keep its best stage."""
        r = self.recipe
        services = self.setting.services if service is None else 1
        setting = replace(self.setting, services=services)
        model = RawScale(r.card.build(setting, r.preset, r.seed, **self._changes()))
        self.parameters += sum(p.numel() for p in model.parameters())
        validation: WindowSource = self._part("validation", service)
        if r.card.feed != "graph":
            validation = WindowSubset.draw(validation, _VALIDATION[r.preset], r.seed)
        share = r.budget.share(len(self.groups) * (2 if r.kind == "reweighted" else 1))
        best = BestStage()
        if r.kind != "real" and isinstance(model.model, SimMSTNet) and model.model.highway is not None:
            assert self.simulated is not None
            weights = self.simulated.weights(self.watch) if r.kind == "reweighted" else None
            worlds: WindowSource = self.simulated.windows(self.watch)
            if service is not None:
                worlds = OneService(worlds, service)
            best.keep_starts(
                model, model.model, worlds, weights, lambda: float(Trainer().errors(model, validation).mean())
            )
        for stage, windows, weights in self._stages(service):
            name = stage if service is None else f"{self.benchmark.data.services[service]}-{stage}"
            best.keep(name, model, self._fit(name, model, windows, validation, weights, share))
        self.kept.append({"stage": best.stage, "validation_errors": best.errors})
        return model

    def _fit(
        self,
        name: str,
        model: RawScale,
        windows: WindowSource,
        validation: WindowSource,
        weights: npt.NDArray[Any] | None,
        budget: Budget,
    ) -> float:
        recipe = TrainerConfig(**self.recipe.card.recipes[self.recipe.preset].training, seed=self.recipe.seed)
        number = f"{len(self.records):02d}-{''.join(c if c.isalnum() else '_' for c in name)}"
        plan = self.folder / f"plan-{number}.json"  # a plan in seconds is of its moment: resuming needs the same
        if not plan.is_file():
            text = json.dumps(asdict(budget.plan(recipe, model, windows, validation)))
            atomically(plan, lambda path: path.write_text(text, encoding="utf-8"))
        try:
            config = TrainerConfig(**json.loads(plan.read_text(encoding="utf-8")))
        except (ValueError, TypeError, RecursionError):
            raise DataError(f"{plan}: damaged; delete the folder {self.folder} and call again") from None

        def show(progress: Progress) -> None:
            done = progress.epoch * progress.steps + progress.step
            self.watch(name, done, progress.epochs * progress.steps, f"epoch {progress.epoch + 1}")

        result = Trainer(config).fit(
            model,
            windows,
            validation,
            sample_weights=weights,
            checkpoint=self.folder / f"{number}.safetensors",
            resume=True,
            callback=show,
            show_progress=False,
        )
        self.records.append(
            {
                "stage": name,
                "windows": len(windows),
                "epochs": len(result.history),
                "epochs_planned": config.epochs,
                "epoch_samples": config.epoch_samples or len(windows),
                "batch_size": config.batch_size,
                "best_epoch": result.best_epoch + 1,
                "validation_error": result.best_error,
            }
        )
        return result.best_error

    def _changes(self) -> dict[str, Any]:
        """Sizes that chosen lags dictate: the highway of our models starts from the same hour yesterday."""
        lags, day = self.benchmark.lags, self.benchmark.protocol.steps_per_day
        if not self.recipe.card.ours or self.recipe.preset == "paper" or day not in lags:
            return {}
        return {"highway": len(lags) - lags.index(day)}
