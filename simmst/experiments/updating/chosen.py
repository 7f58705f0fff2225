"""A short run's choice beside the pretrained network as updates move it: choice and calibration."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from simmst.errors import DataError
from simmst.experiments.config import RunConfig
from simmst.experiments.load import load
from simmst.experiments.short_run import SELECTED
from simmst.experiments.updating.judge import LEVEL, Floats
from simmst.forecasting.selected import Selected
from simmst.traffic.dataset import TrafficData

_ENDS = "values", "lower", "upper"
Watch = Callable[[str, int, int, str], None]
Move = tuple[str, str, Callable[["Chosen", TrafficData], "Chosen"]]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A fitted `Selected`, and the traffic that it serves.

    Attributes
    ----------
    selected : Selected
    services, node_ids : tuple of str
    units : str or None
        None where nothing says what a run's traffic was in.
    """

    selected: Selected
    services: tuple[str, ...]
    node_ids: tuple[str, ...] = ()
    units: str | None = None

    @classmethod
    def open(cls, folder: Path, config: RunConfig) -> Self:
        """Read it from a run directory, or from what an update wrote."""
        found = load(folder / SELECTED)
        assert isinstance(found, Selected) and found.choice is not None
        return cls(found, found.choice.services)

    @property
    def horizon(self) -> int:
        """Hours H that are forecast."""
        return self.selected.horizon

    @property
    def lookback(self) -> int:
        """A day is enough."""
        return 24

    def arranged(self, data: TrafficData) -> tuple[Self, list[str]]:
        """Serve the nodes of newer traffic: the network forecasts those that no row knows."""
        return replace(self, node_ids=data.node_ids), []

    def forecast(self, data: TrafficData, origins: npt.NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
        """See `Forecasts`."""
        found = [self.selected.predict(data.select(stop=int(at)), level=LEVEL) for at in origins]
        values, lower, upper = (np.stack([getattr(one, name) for one in found]) for name in _ENDS)
        return values, lower, upper

    def moves(self, seed: int, watch: Watch) -> Iterator[Move]:
        """What is tried, in this order; what was kept before a part is its beginning."""
        fitted: list[Selected] = []

        def choice(one: Chosen, data: TrafficData) -> Chosen:
            fitted.append(Selected(copy.copy(one.selected.network), horizon=one.horizon).fit(data))
            made = copy.copy(fitted[0])
            made.calibration = one.selected.calibration
            return replace(one, selected=made)

        def intervals(one: Chosen, data: TrafficData) -> Chosen:
            if not fitted:
                raise DataError("nothing could be fitted")
            made = copy.copy(one.selected)
            made.calibration = fitted[0].calibration
            return replace(one, selected=made)

        yield "choice", "mae", choice
        yield "intervals", "score", intervals

    def save(self, folder: Path) -> None:
        """Write it into a new folder, as a run directory has it."""
        self.selected.save(folder / SELECTED)
