"""What a run works on: target, parts, scaling, windows and network, checked before anything is written."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Self

from simmst.evaluation.gaps import mark_gaps
from simmst.evaluation.target import Target
from simmst.experiments.config import RunConfig, TrainConfig
from simmst.experiments.target import load_target
from simmst.models.simmstnet import SimMSTNetConfig
from simmst.simulator.city import SimulatedWorlds
from simmst.simulator.windows import SimulatedWindows
from simmst.traffic.recorded import recorded, ridge_origins
from simmst.traffic.scaling import NodeScaler
from simmst.traffic.split import Protocol
from simmst.traffic.window_subset import WindowSubset
from simmst.traffic.windows import WindowDataset
from simmst.training.config import TrainerConfig


@dataclass(frozen=True, slots=True)
class Job:
    """One run's inputs.

    Attributes
    ----------
    config : RunConfig
    target : Target
    protocol : Protocol
        Training, validation and test days of the target.
    scaler : NodeScaler
        Fitted on the training days.
    train : WindowDataset
        The real windows of the training days, without those whose targets hold filled gaps.
    validation : WindowSubset
        Windows of the validation days, without such ones too.
    network : SimMSTNetConfig
    """

    config: RunConfig
    target: Target
    protocol: Protocol
    scaler: NodeScaler
    train: WindowDataset
    validation: WindowSubset
    network: SimMSTNetConfig

    @classmethod
    def prepare(cls, config: RunConfig) -> Self:
        """Load the target, and check that data and settings fit together.

        Raises
        ------
        SimmstError
            If the data cannot be used, or a setting contradicts them or another one.
        """
        target = load_target(config)
        data = target.data
        protocol = Protocol.proportional(len(data.values), data.step_minutes, config.horizon)
        job = cls.of(config, mark_gaps(target, protocol), protocol, data.steps_per_day)
        # the ridge stands beside the network: refused now, not at the end
        ridge_origins(data, protocol.fit_origins(config.horizon), config.horizon)
        return job

    @classmethod
    def of(cls, config: RunConfig, target: Target, protocol: Protocol, season: int | None) -> Self:
        """Fit scales and cut windows; `config` says how long they are, `season` is that of `WindowDataset.cut`.

        Raises
        ------
        SimmstError
            If gaps leave no windows.
        """
        data, lookback, horizon = target.data, config.lookback, config.horizon
        scaler = NodeScaler.fit(data.values[protocol.train.steps], data.unrecorded[protocol.train.steps])
        cut = partial(WindowDataset.cut, data, scaler, lookback, horizon, season=season)
        train, validation = (
            recorded(cut(part.start, part.stop), data, name)
            for name, part in (("training", protocol.train), ("validation", protocol.validation))
        )
        return cls(
            config,
            target,
            protocol,
            scaler,
            train,
            WindowSubset.draw(validation, config.validation_windows, config.seed),
            SimMSTNetConfig.small(len(data.services), lookback, horizon),
        )

    def simulate(self, progress: Callable[[int, int], None] | None = None) -> SimulatedWindows:
        """Draw the training worlds and cut their windows; the same for the same configuration."""
        c = self.config.simulate
        worlds = SimulatedWorlds.generate(
            c.worlds, self.config.world_hours, self.target.data.services, self.config.seed, progress=progress
        )
        return worlds.windows(
            self.config.lookback, self.config.horizon, c.windows_per_world, seed=self.config.seed
        )

    def trainer(self, config: TrainConfig) -> TrainerConfig:
        """Settings of the trainer; what a run's configuration does not name keeps its default."""
        return TrainerConfig(**config.model_dump(), seed=self.config.seed)
