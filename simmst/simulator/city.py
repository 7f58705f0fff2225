"""Worlds: cities drawn from the prior, kept as the traffic of their sites and the map that spreads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simmst.errors import ConfigError
from simmst.simulator.breaks import take_breaks
from simmst.simulator.changes import apply_lifetimes, change_levels
from simmst.simulator.counts import apply_outages, ceilings, few_users, limit_data_services, record
from simmst.simulator.demand import spatial_demand
from simmst.simulator.prior.informed import informed_prior
from simmst.simulator.prior.scenario import Prior, Scenario
from simmst.simulator.radio.coverage import (
    RURAL_SQUARE_KM,
    SQUARE_KM,
    Coverage,
    cover,
    cover_by_gain,
    place_sites,
    square_centres,
)
from simmst.simulator.radio.path_gain import PathGain
from simmst.simulator.residual import events, log_residual
from simmst.simulator.rhythm import HOLIDAY, daily_profiles, day_kinds
from simmst.simulator.sampling import check_step, refine
from simmst.simulator.streams import stream
from simmst.simulator.windows import SimulatedWindows, plant_bad_worlds
from simmst.simulator.world import MARGIN, World
from simmst.traffic.dataset import TrafficData

# Side of a square that has the area of a cell of the hexagonal grid, in units of the distance between sites.
_SIDE_OF_CELL = 0.75**0.25
# Spawn key of a synthetic target: above the number of any world of a set.
_TARGET_KEY = 2**31


def simulate_world(
    scenario: Scenario,
    hours: int,
    seed: np.random.SeedSequence | int,
    side: int = 4,
    path_gain: PathGain | None = None,
    gain_map: int = 0,
    step_minutes: int = 60,
) -> World:
    """
    Simulate one city part: layout, coverage, demand in space and time, and what is recorded of it.

    Parameters
    ----------
    scenario
        Parameters, from `Prior.sample`.
    hours
        Length of the series.
    seed
        Seed of everything that the scenario leaves open.
    side
        Nodes in a row; the world has `side * side` nodes.
    path_gain, gain_map
        Path gains from outside, and which of their maps to take. They fix the squares and sites, so that `side`
        and the scenario's layout, environment, path loss and cells play no part.
    step_minutes
        Length of a record: 60, or 30 or 15, whose records sum to those of 60.

    Raises
    ------
    ConfigError
        If there are no hours or no nodes, or the records have another length.
    """
    check_step(step_minutes)
    if hours < 1 or side < 1:
        raise ConfigError(f"hours={hours}, side={side}: both must be at least 1")
    rng = np.random.default_rng(seed)
    cells = path_gain is None and bool(scenario["cells"])
    if path_gain is None:
        row, square_km = side + 2 * MARGIN, RURAL_SQUARE_KM if scenario["rural"] else SQUARE_KM
        distance_km = scenario["rural_isd_km"] if scenario["rural"] else scenario["isd_km"]
        if cells:
            square_km = _SIDE_OF_CELL * distance_km
    else:
        row, square_km = path_gain.side, path_gain.square_km
    squares = square_centres(row, square_km)
    extent_km = row * square_km
    if path_gain is None:
        sites = place_sites(distance_km, scenario["site_jitter"], extent_km, rng)
        coverage = cover(scenario, squares, sites, square_km, rng)
    else:
        sites = path_gain.sites_km[gain_map]
        coverage = cover_by_gain(scenario, path_gain.gain_db[gain_map], square_km, rng)
    spread = coverage.spread()
    if cells:
        used, spread = coverage.cells()
        sites = sites[used]
        coverage = Coverage(coverage.share[:, used], coverage.area[:, used], coverage.efficiency[used])
    spatial = spatial_demand(scenario, squares, square_km, rng)

    level = coverage.share.T @ spatial.level  # [B, S]
    weight = coverage.share * spatial.density[:, None]
    total = weight.sum(axis=0)[:, None]
    land_use = np.divide(weight.T @ spatial.land_use, total, out=np.zeros((len(sites), 5)), where=total > 0)
    start_of_day = (int(scenario["start_hour"]) + int(scenario["clock_shift_h"])) % 24
    rhythm = _rhythm(scenario, hours, start_of_day, rng, stream(seed, "breaks"))
    demand = level * np.matmul(rhythm, land_use.T).transpose(1, 2, 0)
    demand = change_levels(scenario, demand, level, rhythm, start_of_day, stream(seed, "changes"))
    residual = log_residual(scenario, start_of_day, hours, sites, rng)
    residual += events(scenario, hours, sites, extent_km, rng)[:, :, None]
    demand = apply_outages(scenario, demand * np.exp(residual), coverage.share, rng)
    demand = apply_lifetimes(scenario, demand, coverage.share, stream(seed, "lifetimes"))
    demand = limit_data_services(scenario, demand, coverage.efficiency)
    counts = record(scenario, few_users(scenario, demand, stream(seed, "users")), rng)
    counts = np.minimum(counts, ceilings(scenario, counts, stream(seed, "ceilings")))
    counts = refine(scenario, counts, step_minutes, stream(seed, "steps"))
    return World(scenario, counts, spread.astype(np.float32), squares, step_minutes)


def _rhythm(
    scenario: Scenario, hours: int, start_of_day: int, rng: np.random.Generator, of_breaks: np.random.Generator
) -> NDArray[np.float64]:
    """Weekly rhythm by service and land use, breaks included, `[S, T, 5]`, with a usual weekly mean of one."""
    profiles = daily_profiles(scenario, rng)
    kind, hour = day_kinds(scenario, int(scenario["start_hour"]), hours, rng)
    return take_breaks(scenario, profiles[:, kind, hour], profiles[:, HOLIDAY], start_of_day, of_breaks)


@dataclass(frozen=True, slots=True)
class SimulatedWorlds:
    """
    Many simulated city parts with the same services, length and grid.

    Parameters
    ----------
    worlds
        The worlds.
    """

    worlds: tuple[World, ...]

    @classmethod
    def generate(
        cls,
        n_worlds: int,
        hours: int,
        services: Sequence[str],
        seed: int,
        prior: Prior | None = None,
        progress: Callable[[int, int], None] | None = None,
        step_minutes: int = 60,
    ) -> SimulatedWorlds:
        """
        Draw worlds from a prior.

        World `i` depends on `(seed, i)` alone, not on the number of worlds nor on the order of work.

        Parameters
        ----------
        n_worlds, hours
            Number of worlds and their length.
        services
            Names of the services; `service_kind` says what each is taken for.
        seed
            Seed of the set.
        prior
            Distribution of the scenarios; `informed_prior()` by default.
        progress
            Called after each world with the number done and the total.
        step_minutes
            Length of a record, as in `simulate_world`.
        """
        if n_worlds < 1:
            raise ConfigError(f"n_worlds={n_worlds}: must be at least 1")
        prior = informed_prior() if prior is None else prior
        worlds = []
        for world in range(n_worlds):
            worlds.append(draw_world(prior, hours, services, seed, world, step_minutes=step_minutes))
            if progress is not None:
                progress(world + 1, n_worlds)
        return cls(tuple(worlds))

    def __len__(self) -> int:
        """Return the number of worlds."""
        return len(self.worlds)

    @property
    def services(self) -> tuple[str, ...]:
        """Names of the services."""
        return self.worlds[0].scenario.services

    def parameters(self) -> tuple[tuple[str, ...], NDArray[np.float64]]:
        """Names of the scenarios' numbers, and their values `[W, n]`."""
        names = tuple(self.worlds[0].scenario.values)
        return names, np.array([[world.scenario[name] for name in names] for world in self.worlds])

    def windows(
        self, lookback: int, horizon: int, per_world: int, patch: int = 3, seed: int = 0
    ) -> SimulatedWindows:
        """
        Windows of all worlds, cut when asked for.

        Parameters
        ----------
        lookback, horizon
            Hours of history L and of target H.
        per_world
            Windows of each world, drawn at random over its nodes and hours.
        patch
            Side of the neighbour patch, 1, 3 or 5.
        seed
            Seed of the draw.
        """
        return SimulatedWindows.cut(self.worlds, lookback, horizon, per_world, patch, seed)

    def with_bad_worlds(self, share: float, seed: int) -> tuple[SimulatedWorlds, NDArray[np.bool_]]:
        """
        Replace some worlds by structurally wrong ones, to test whether re-weighting finds them.

        Parameters
        ----------
        share
            Part of the worlds, in [0, 1].
        seed
            Seed of the choice.

        Returns
        -------
        tuple
            The worlds, and which are bad, bool `[W]`.
        """
        for world in self.worlds:
            world.check_hourly("bad worlds are made of")
        series, bad = plant_bad_worlds([world.sites for world in self.worlds], share, seed)
        worlds = (replace(world, sites=sites) for world, sites in zip(self.worlds, series, strict=True))
        return SimulatedWorlds(tuple(worlds)), bad


def draw_world(
    prior: Prior,
    hours: int,
    services: Sequence[str],
    seed: int,
    world: int,
    side: int = 4,
    path_gain: PathGain | None = None,
    step_minutes: int = 60,
) -> World:
    """
    Draw one world of a set, the same whoever draws it and when.

    Parameters
    ----------
    prior
        Distribution of the scenario.
    hours, services, seed
        As in `SimulatedWorlds.generate`.
    world
        Number of the world in the set.
    side
        Nodes in a row.
    path_gain
        Path gains from outside, if any; the worlds take their maps in turn.
    step_minutes
        Length of a record, as in `simulate_world`.
    """
    of_scenario, of_world = np.random.SeedSequence(seed, spawn_key=(world,)).spawn(2)
    scenario = prior.sample(of_scenario, services)
    gain_map = 0 if path_gain is None else world % len(path_gain.gain_db)
    return simulate_world(scenario, hours, of_world, side, path_gain, gain_map, step_minutes)


def synthetic_target(seed: int, days: int, services: Sequence[str], nodes: int) -> TrafficData:
    """
    Traffic of a city that the training prior does not cover, for use where no real traffic is at hand.

    Its parameters come from `Prior.sample_beyond`: the shape of its day and its noise lie beyond the ranges.
    It starts on a Monday at midnight, local time.

    Parameters
    ----------
    seed
        Seed of the city. It never meets a training world of the same seed.
    days
        Whole days.
    services
        Names of the services.
    nodes
        Number of nodes: the first of the smallest square grid that has as many.

    Raises
    ------
    ConfigError
        If there are no days or no nodes.
    """
    if days < 1 or nodes < 1:
        raise ConfigError(f"days={days}, nodes={nodes}: both must be at least 1")
    of_scenario, of_world = np.random.SeedSequence(seed, spawn_key=(_TARGET_KEY,)).spawn(2)
    scenario = informed_prior().sample_beyond(of_scenario, services)
    scenario = scenario.with_values(start_hour=0.0, clock_shift_h=0.0)
    world = simulate_world(scenario, 24 * days, of_world, side=int(np.ceil(np.sqrt(nodes))))
    traffic = world.traffic()
    return traffic.select(nodes=traffic.node_ids[:nodes])
