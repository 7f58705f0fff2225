"""A run's trained network as updates move it: nodes, scales, network and intervals, each on its own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from simmst.experiments.config import RunConfig
from simmst.experiments.updating.judge import LEVEL, Floats
from simmst.forecasting.from_run import load_run
from simmst.forecasting.intervals import Intervals
from simmst.forecasting.network import forecast_windows, network_forecast
from simmst.forecasting.pretrained import known_hours
from simmst.forecasting.saved import CHECKPOINT, SERVING, Serving, held_out_intervals
from simmst.models.simmstnet import SimMSTNet
from simmst.traffic.dataset import TrafficData
from simmst.traffic.neighbours import neighbour_patches
from simmst.traffic.recorded import recorded
from simmst.traffic.scaling import NodeScaler
from simmst.traffic.window_subset import WindowSubset
from simmst.traffic.windows import WindowDataset
from simmst.training.checkpoint import save_model, tensors_digest
from simmst.training.config import Progress, TrainerConfig
from simmst.training.raw_scale import RawScale, RawWindows, RealScales
from simmst.training.trainer import Trainer

#: ``watch(part, done, total, note)``.
Watch = Callable[[str, int, int, str], None]
#: A part's name, the measure it is kept by, and what makes a candidate of a forecaster and of earlier traffic.
Move = tuple[str, str, Callable[["Trained", TrafficData], "Trained"]]
_DAY = 24
# Days that scales and network are moved by; a new node is served once it has a week before the held-back day.
_RECENT, _FEWEST = 28, 7
# The network moves by so many epochs of so many windows at most, at this share of the rate of fine-tuning.
_EPOCHS, _WINDOWS, _RATE = 2, 2000, 0.25


@dataclass(frozen=True, slots=True)
class Trained:
    """A network and what it forecasts with.

    Attributes
    ----------
    config : RunConfig
    model : SimMSTNet
    kept : Serving
    """

    config: RunConfig
    model: SimMSTNet
    kept: Serving

    @classmethod
    def open(cls, folder: Path, config: RunConfig) -> Self:
        """Read it from a run directory, or from what an update wrote."""
        return cls(config, *load_run(folder))

    @property
    def horizon(self) -> int:
        """Hours H that are forecast."""
        return self.kept.horizon

    @property
    def lookback(self) -> int:
        """Hours L that are read."""
        return self.kept.lookback

    @property
    def services(self) -> tuple[str, ...]:
        """What is forecast, in this order."""
        return self.kept.services

    @property
    def node_ids(self) -> tuple[str, ...]:
        """Of which nodes."""
        return self.kept.node_ids

    @property
    def units(self) -> str:
        """Of the traffic."""
        return self.kept.units

    def arranged(self, data: TrafficData) -> tuple[Self, list[str]]:
        """Serve the nodes of newer traffic, and name those that are too young.

        Known nodes keep their scales and spreads; a new one has scales of its own days and the usual spread.

        Parameters
        ----------
        data : TrafficData
            Whole days; the last one is not read.
        """
        before = data.select(stop=len(data.values) - _DAY) if len(data.values) > _DAY else data
        seen = known_hours(before)
        hours = seen.any(axis=2).sum(axis=0)
        mine = {name: i for i, name in enumerate(self.kept.node_ids)}
        young = [n for n, one in enumerate(data.node_ids) if one not in mine and hours[n] < _FEWEST * _DAY]
        names = [one for n, one in enumerate(data.node_ids) if n not in set(young)]
        waiting = [data.node_ids[n] for n in young]
        if tuple(names) == self.kept.node_ids:
            return self, waiting
        nodes = before.select(nodes=names)
        scaler = _scales(nodes, len(nodes.values))
        spread = np.ones((len(names), len(self.services)))
        table = {key: getattr(scaler, key).copy() for key in ("mean", "scale", "unit")}
        for n, name in enumerate(names):
            if name in mine:
                spread[n] = self.kept.intervals.spread[mine[name]]
                for key, values in table.items():
                    values[n] = getattr(self.kept.scaler, key)[mine[name]]
        kept = replace(
            self.kept, node_ids=tuple(names), scaler=NodeScaler(**table), patches=neighbour_patches(nodes),
            intervals=Intervals(self.kept.intervals.residuals, spread),
        )  # fmt: skip
        return replace(self, kept=kept), waiting

    def forecast(self, data: TrafficData, origins: npt.NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
        """See `Forecasts`."""
        kept = self.kept
        windows = forecast_windows(data, kept.scaler, origins, kept.lookback, kept.horizon)
        values = network_forecast(self.model, replace(windows, patches=kept.patches), kept.scaler)
        ends = [kept.intervals.around(kept.scaler, one.astype(np.float64), LEVEL) for one in values]
        lower, upper = (np.stack(one) for one in zip(*ends, strict=True))
        return values.astype(np.float64), lower, upper

    def moves(self, seed: int, watch: Watch) -> Iterator[Move]:
        """What is tried, in this order; what was kept before a part is its beginning."""
        yield "scales", "mae", lambda one, data: replace(one, kept=replace(one.kept, scaler=one._scaler(data)))
        yield "network", "mae", lambda one, data: one._tuned(data, seed, watch)
        yield "intervals", "score", lambda one, data: replace(
            one, kept=replace(one.kept, intervals=one._intervals(data))
        )

    def save(self, folder: Path) -> None:
        """Write it into a new folder, as a run directory has it."""
        note = {"services": self.services, "units": self.units}
        save_model(folder / CHECKPOINT, self.model, note)
        self.kept.save(folder / SERVING)

    def _scaler(self, data: TrafficData) -> NodeScaler:
        return _scales(data, _RECENT * _DAY)

    def _held_days(self) -> int:
        """Days before the newest that choose the epoch and calibrate: no night has trained on them."""
        return 1 + -(-self.horizon // _DAY)

    def _windows(self, data: TrafficData, first: int, stop: int, part: str) -> WindowDataset:
        kept = self.kept
        cut = WindowDataset.cut(data, kept.scaler, kept.lookback, kept.horizon, first, stop, season=_DAY)
        return recorded(replace(cut, patches=kept.patches), data, part)

    def _tuned(self, data: TrafficData, seed: int, watch: Watch) -> Self:
        """Train on from its weights, for a bounded number of steps."""
        c, hours = self.config.finetune, len(data.values)
        stop = hours - self._held_days() * _DAY
        first = max(0, stop - _RECENT * _DAY)
        held = WindowSubset.draw(
            self._windows(data, stop, hours, "newest"), self.config.validation_windows, self.config.seed
        )
        train = self._windows(data, first, stop, "recent")
        scales = RealScales.of(self.kept.scaler, data.values[first:stop], data.filled[first:stop])
        settings = c.model_dump() | {
            "epochs": min(_EPOCHS, c.epochs), "epoch_samples": min(_WINDOWS, c.epoch_samples),
            "learning_rate": _RATE * c.learning_rate,
        }  # fmt: skip

        def show(progress: Progress) -> None:
            done = progress.epoch * progress.steps + progress.step
            watch("network", done, progress.epochs * progress.steps, f"epoch {progress.epoch + 1}")

        network = copy.deepcopy(self.model)
        Trainer(TrainerConfig(**settings, seed=seed)).fit(
            RawScale(network), RawWindows(train, scales), RawWindows(held, scales),
            callback=show, show_progress=False,
        )  # fmt: skip
        return replace(
            self, model=network.eval(), kept=replace(self.kept, network=tensors_digest(network.state_dict()))
        )

    def _intervals(self, data: TrafficData) -> Intervals:
        hours = len(data.values)
        windows = self._windows(data, hours - self._held_days() * _DAY, hours, "newest")
        drawn = WindowSubset.draw(windows, self.config.validation_windows, self.config.seed)
        found = held_out_intervals(self.model, drawn, len(self.node_ids))
        found.width(LEVEL)  # too few windows are refused
        return found


def _scales(data: TrafficData, recent: int) -> NodeScaler:
    """Scales of the last hours; of a node that began among them, of its own."""
    first = max(0, len(data.values) - recent)
    part = data.select(start=first)
    known, whole = known_hours(part), NodeScaler.fit(part.values, part.filled)
    begun = np.argmax(known.any(axis=2), axis=0)
    table = {key: getattr(whole, key).copy() for key in ("mean", "scale", "unit")}
    for n in np.flatnonzero(begun):
        at = int(begun[n])
        own = NodeScaler.fit(part.values[at:, n : n + 1], part.filled[at:])
        for key, values in table.items():
            values[n] = getattr(own, key)[0]
    return NodeScaler(**table)
