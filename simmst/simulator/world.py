"""A simulated city part: the traffic of its sites, and the map that gives it to squares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simmst.errors import ConfigError
from simmst.simulator.prior.scenario import Scenario
from simmst.traffic.dataset import TrafficData

#: Rings of squares simulated around a world's nodes, so that every node has neighbours on all sides.
MARGIN = 2
# Any Monday; only hour and weekday are ever read from simulated times.
_MONDAY = np.datetime64("2024-01-01T00:00", "m")
_KM_PER_DEGREE = 111.32


@dataclass(frozen=True, slots=True)
class World:
    """
    One simulated city part.

    Parameters
    ----------
    scenario
        The parameters it was drawn with.
    sites
        Traffic of the sites in each step, float32 `[T, B, S]`.
    spread
        Part of each site's traffic that each square is given, float32 `[Q, B]`.
    squares
        Centres of the squares in km, `[Q, 2]`, a full square grid row by row from the south-west.
    step_minutes
        Length of a step: 15, 30 or 60.
    """

    scenario: Scenario
    sites: NDArray[np.float32]
    spread: NDArray[np.float32]
    squares: NDArray[np.float64]
    step_minutes: int = 60

    @property
    def nodes(self) -> NDArray[np.int64]:
        """Squares that are nodes, int64 `[N]`: all but the `MARGIN` outer rings."""
        side = round(np.sqrt(len(self.squares)))
        inner = np.arange(MARGIN, side - MARGIN)
        return np.asarray((inner[:, None] * side + inner).ravel(), dtype=np.int64)

    @property
    def start_hour(self) -> int:
        """Hour of the week of the first step; 0 is Monday's first."""
        return int(self.scenario["start_hour"])

    def check_hourly(self, what: str) -> None:
        """Refuse a world of finer steps where hours are counted."""
        if self.step_minutes != 60:
            raise ConfigError(f"worlds: {what} hourly worlds, not of steps of {self.step_minutes} minutes")

    def traffic(self) -> TrafficData:
        """Traffic of the nodes, `[T, N, S]`; their coordinates lie around longitude 0, latitude 0."""
        nodes = self.nodes
        return TrafficData(
            values=np.matmul(self.spread[nodes], self.sites),
            start=_MONDAY + np.timedelta64(self.start_hour * 60, "m"),
            step_minutes=self.step_minutes,
            services=self.scenario.services,
            node_ids=tuple(f"square-{q}" for q in nodes),
            coordinates=self.squares[nodes] / _KM_PER_DEGREE,
            units="simulated",
        )
