"""Windows of simulated worlds in the form of real ones, and planted bad worlds for testing weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simmst.errors import ConfigError
from simmst.simulator.world import World
from simmst.traffic.neighbours import patches_from_positions
from simmst.traffic.scaling import NodeScaler
from simmst.traffic.windows import WindowBatch, calendar_marks

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SimulatedWindows:
    """Windows of simulated worlds, cut when asked for; sample `i` belongs to world `i // per_world`.

    A cell's traffic is scaled as a real node's is (`NodeScaler`), by the cell's own first half (or first
    `lookback` hours, if that is more), so that, as with real traffic, some targets lie in the part the scale was
    fitted on and some after it.

    Parameters
    ----------
    worlds : tuple of World
        The worlds.
    lookback, horizon : int
        Hours of history L and of target H.
    patches : int64 array `[Q, P]`
        Squares of each square's patch.
    mean, scale, unit : float32 array `[W, Q, S]`
        Of each square of each world, as in `NodeScaler`.
    world, node, origin : int64 array `[n]`
        World, node and first target hour of each window.
    week_marks : float32 array `[168, M]`
        Calendar marks of the hours of a week.
    """

    worlds: tuple[World, ...]
    lookback: int
    horizon: int
    patches: IntArray
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    unit: NDArray[np.float32]
    world: IntArray
    node: IntArray
    origin: IntArray
    week_marks: NDArray[np.float32]

    @classmethod
    def cut(
        cls, worlds: Sequence[World], lookback: int, horizon: int, per_world: int, patch: int, seed: int
    ) -> SimulatedWindows:
        """Draw the windows of each world without repeats, from a seed of the world's own.

        Parameters
        ----------
        worlds, lookback, horizon, per_world, patch, seed : sequence of World, int, int, int, int, int
            As in `SimulatedWorlds.windows`.

        Raises
        ------
        ConfigError
            If the worlds are too short, hold fewer windows than asked for, or the patch is too wide.
        """
        for world in worlds:
            world.check_hourly("windows are cut from")
        hours, n_nodes = len(worlds[0].sites), len(worlds[0].nodes)
        n_origins = hours - lookback - horizon + 1
        if lookback < 1 or horizon < 1 or n_origins < 1:
            raise ConfigError(
                f"lookback={lookback}, horizon={horizon}: need at least 1 each, and together at most the "
                f"{hours} hours of a world"
            )
        if not 1 <= per_world <= n_origins * n_nodes:
            raise ConfigError(
                f"per_world={per_world}: a world of {hours} hours and {n_nodes} nodes has "
                f"{n_origins * n_nodes} windows of {lookback} + {horizon} hours"
            )
        if patch not in (1, 3, 5):
            raise ConfigError(f"patch={patch}: must be 1, 3 or 5, as worlds have two rings around their nodes")
        drawn = []
        for number in range(len(worlds)):
            rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
            drawn.append(rng.choice(n_origins * n_nodes, per_world, replace=False))
        place, node = np.divmod(np.concatenate(drawn), n_nodes)
        fit = max(lookback, hours // 2, 2)
        scalers = [NodeScaler.fit(np.matmul(world.spread, world.sites[:fit])) for world in worlds]
        monday = np.datetime64("2024-01-01T00:00", "m")
        return cls(
            worlds=tuple(worlds),
            lookback=lookback,
            horizon=horizon,
            patches=patches_from_positions(worlds[0].squares, patch),
            mean=np.stack([one.mean for one in scalers]).astype(np.float32),
            scale=np.stack([one.scale for one in scalers]).astype(np.float32),
            unit=np.stack([one.unit for one in scalers]).astype(np.float32),
            world=np.repeat(np.arange(len(worlds)), per_world),
            node=node,
            origin=lookback + place,
            week_marks=calendar_marks(monday + np.arange(168) * np.timedelta64(60, "m")),
        )

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.world)

    def batch(self, index: IntArray) -> WindowBatch:
        """Cut the windows with these numbers, int `[B]`."""
        index = np.asarray(index)
        span = self.lookback + self.horizon
        n_services = self.mean.shape[-1]
        history = np.empty((len(index), self.lookback, self.patches.shape[1], n_services), dtype=np.float32)
        target = np.empty((len(index), self.horizon, n_services), dtype=np.float32)
        hour_of_week = np.empty((len(index), span), dtype=np.int64)
        centre = self.patches.shape[1] // 2
        nodes = self.worlds[0].nodes
        for row, i in enumerate(index):
            number, first = self.world[i], self.origin[i] - self.lookback
            world = self.worlds[number]
            patch = self.patches[nodes[self.node[i]]]
            traffic = np.matmul(world.spread[patch], world.sites[first : first + span])
            logs = np.log1p(traffic / self.unit[number, patch])
            scaled = (logs - self.mean[number, patch]) / self.scale[number, patch]
            history[row] = scaled[: self.lookback]
            target[row] = scaled[self.lookback :, centre]
            hour_of_week[row] = world.start_hour + first + np.arange(span)
        marks = self.week_marks[hour_of_week % 168]
        return WindowBatch(
            history=history,
            history_marks=marks[:, : self.lookback],
            future_marks=marks[:, self.lookback :],
            target=target,
            node=self.node[index],
            origin=self.origin[index],
            world=self.world[index],
        )


def plant_bad_worlds(
    series: Sequence[NDArray[np.float32]], share: float, seed: int
) -> tuple[list[NDArray[np.float32]], NDArray[np.bool_]]:
    """Make some worlds structurally wrong, while each keeps its levels, variances and services.

    In every second bad world the hours of the day are permuted, the same way each day: its day repeats, but
    nothing in it is smooth. In the others the clock runs at 0.65 to 0.8 of its speed, so that the day has 30
    to 37 hours and neither 24 h nor a week repeats.

    Parameters
    ----------
    series : sequence of float32 array
        Traffic of the sites of each world, float32 `[T, B, S]` each.
    share : float
        Part of the worlds to spoil, in [0, 1].
    seed : int
        Seed of the choice.

    Returns
    -------
    tuple
        The series, and which worlds are bad, bool `[W]`.
    """
    if not 0 <= share <= 1:
        raise ConfigError(f"share={share}: must be in [0, 1]")
    rng = np.random.default_rng(seed)
    bad = np.zeros(len(series), dtype=bool)
    bad[rng.permutation(len(series))[: round(share * len(series))]] = True
    spoilt = list(series)
    for turn, world in enumerate(np.flatnonzero(bad).tolist()):
        hours = np.arange(len(series[world]))
        if turn % 2:
            source = hours * rng.uniform(0.65, 0.8)
            low = source.astype(np.int64)
            part = (source - low)[:, None, None].astype(np.float32)
            spoilt[world] = (1 - part) * series[world][low] + part * series[world][
                np.minimum(low + 1, len(hours) - 1)
            ]
        else:
            other = hours - hours % 24 + rng.permutation(24)[hours % 24]
            spoilt[world] = series[world][np.minimum(other, len(hours) - 1)]
    return spoilt, bad
