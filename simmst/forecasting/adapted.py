"""The pretrained network adapted to a city: simulated worlds, re-weighted by its known days, and those days."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from simmst.errors import ConfigError
from simmst.forecasting.calibration import Calibration
from simmst.forecasting.folder import read_folder
from simmst.forecasting.pretrained import WEIGHTS, Pretrained, known_hours
from simmst.pretraining.adapt import Steps, adapt
from simmst.pretraining.adapt_windows import Bank, RealWindows
from simmst.pretraining.reading import DAY
from simmst.reweighting.diagnostics import WeightDiagnostics
from simmst.reweighting.worlds import world_weights
from simmst.traffic.dataset import TrafficData

_PER_WORLD = 48


class Adapted(Pretrained):
    """The pretrained network after a few steps on the traffic's own days and on re-weighted simulated windows.

    `fit` draws worlds of the literature prior, learns a weight for each by cutting planes such that the network's
    last layer, fitted to the weighted windows, is right on the known days, and then trains half on these days and
    half on windows of the weighted worlds. It takes some 15 s of one core, whatever the number of nodes. Whether
    it is better than the network as it is, held-back days must say: `Selected(others=[Adapted()])` asks them.

    Parameters
    ----------
    network : Pretrained, optional
        Where it starts; by default the network that the package brings along.
    seed : int
        Of worlds and windows.
    worlds : int
        Simulated worlds, of 48 windows each.
    steps : Steps, optional
        By default 100 of 128 windows of each kind.

    Attributes
    ----------
    spread : WeightDiagnostics or None
        How the weights of the worlds spread; None before `fit` and after `load`.
    """

    name = "adapted"

    def __init__(
        self, network: Pretrained | None = None, seed: int = 0, worlds: int = 100, steps: Steps | None = None
    ) -> None:
        if seed < 0 or worlds < 1:
            raise ConfigError(f"seed {seed}, worlds {worlds}: must be at least 0 and 1")
        self.worlds, self.steps = worlds, Steps() if steps is None else steps
        self.start, self.seed = Pretrained() if network is None else network, seed
        self.network, self.made = self.start.network, self.start.made
        self.calibration = Calibration.none()
        self.spread: WeightDiagnostics | None = None

    def fit(self, traffic: TrafficData) -> Self:
        """Adapt, always from the start; the intervals are calibrated by the network as it was.

        On days that it was adapted to, its errors are smaller than they will be, so those days cannot say how wide
        its intervals must be.

        Raises
        ------
        DataError
            If the traffic has no window to learn from: it needs 12 known hours and a few after them.
        """
        data = traffic.hourly()
        known = known_hours(data)
        self.learn(data, known)
        self.calibration = Calibration.measured(
            data, known, lambda before, seen, hour: self.start.quantiles(before, seen, hour, DAY)
        )
        return self

    def learn(self, data: TrafficData, known: NDArray[np.bool_]) -> None:
        """Adapt to hourly traffic, of which `[T, N, S]` is known, and leave the intervals as they are.

        Raises
        ------
        DataError
            As `fit`.
        """
        real = RealWindows.of(data.values, known, data.start_hour)
        bank = simulated_bank(self.seed, self.worlds)
        learned = world_weights(self.start.network, real, bank, self.seed)
        self.network = adapt(self.start.network, real, bank, learned.weights, self.steps, self.seed)
        self.made = {**self.start.made, "adapted": {"seed": self.seed, "hours": len(data.values)}}
        self.spread = learned.diagnostics

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; `fit` would then start from the network that the package brings along."""
        _, arrays = read_folder(folder, cls.name)
        made = cls()
        kept = Pretrained(folder / WEIGHTS)
        made.network, made.made = kept.network, kept.made
        made.calibration = Calibration.from_arrays(arrays)
        return made


@lru_cache(maxsize=1)
def simulated_bank(seed: int, worlds: int = 100) -> Bank:
    """Worlds and windows of a seed; drawn in some seconds, and kept."""
    return Bank.simulated(worlds, _PER_WORLD, seed)
