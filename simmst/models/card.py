"""What the tables know of a model: its class, what it is fed, what it needs of the data, its recipes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from simmst.errors import ConfigError
from simmst.models.recipes import Preset, Recipe
from simmst.nn.draws import frozen_draws
from simmst.traffic.dataset import TrafficData
from simmst.traffic.graph_windows import GraphWindows, NodeWindows
from simmst.traffic.graphs import city_graph, city_grid
from simmst.traffic.windows import WindowDataset, WindowSource

#: What a batch holds. "graph": `GraphWindows`, history [B, L, N, S], forecast [B, H, N, S]. "node":
#: `NodeWindows`, the same with N = 1; the model may be asked for whole cities too. "patch": `WindowDataset`,
#: history [B, L, P, S], forecast [B, H, S].
Feed = Literal["graph", "node", "patch"]


@dataclass(frozen=True, slots=True)
class Setting:
    """What the data and the task dictate to a model.

    Parameters
    ----------
    services, lookback, horizon, nodes : int
        S, L, H, N.
    steps_per_day : int
    adjacency : float32 array `[N, N]`, optional
    grid : int64 array `[R, C]`, optional
        Number of the node at each place.
    """

    services: int
    lookback: int
    horizon: int
    nodes: int
    steps_per_day: int
    adjacency: NDArray[np.float32] | None = None
    grid: NDArray[np.int64] | None = None

    @classmethod
    def of(cls, data: TrafficData, lookback: int, horizon: int) -> Setting:
        """Read the setting off the data; graph and grid come from the coordinates, where there are any."""
        _, nodes, services = data.values.shape
        graph, grid = city_graph(data), city_grid(data)
        return cls(services, lookback, horizon, nodes, data.steps_per_day, graph, grid)


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One trained row.

    Attributes
    ----------
    name, label : str
        Name on the command line, and in a table.
    make : callable
        ``make(services=, lookback=, horizon=, **takes, **sizes) -> Module``.
    feed : {"graph", "node", "patch"}
    takes : tuple of str
        Further attributes of a `Setting` that `make` takes; "adjacency" or "grid" among them is a need.
    multi_task : bool
        Forecasts all services together; a single-task model is trained on one service at a time.
    recipes : mapping of preset to Recipe
    adaptation : str
        Why the row is nobody's published model; empty for published ones.
    ours : bool
        Sim-MSTNet or one of its kin, not a baseline: shown as such, trained on re-weighted simulated windows too,
        and `make` takes a `highway`, the steps back to the same hour yesterday.
    """

    name: str
    label: str
    make: Callable[..., nn.Module]
    feed: Feed
    takes: tuple[str, ...]
    multi_task: bool
    recipes: Mapping[Preset, Recipe]
    adaptation: str = ""
    ours: bool = False

    def refusal(self, setting: Setting) -> str | None:
        """Say why the model cannot be built for this setting, or return None if it can."""
        if "adjacency" in self.takes and setting.adjacency is None:
            return f"{self.label} needs a graph, and no coordinates of the nodes are known"
        if "grid" in self.takes and setting.grid is None:
            return f"{self.label} needs nodes that fill a regular grid, and these are scattered"
        return None

    def windows(self, windows: WindowSource) -> WindowSource:
        """Put windows of neighbour patches into the shape the model is fed.

        Parameters
        ----------
        windows : WindowSource
            Real ones, or simulated ones for a model that is not fed whole cities.

        Raises
        ------
        ConfigError
            Where a model of whole cities is given windows that are not of one.
        """
        if self.feed == "patch":
            return windows
        if self.feed == "node":
            return NodeWindows(windows)
        if not isinstance(windows, WindowDataset):
            raise ConfigError(f"{self.label} reads a whole city: it cannot be fed {type(windows).__name__}")
        return GraphWindows(windows)

    def build(self, setting: Setting, preset: Preset = "laptop", seed: int = 0, **changes: Any) -> nn.Module:
        """Build the model of a preset, its first weights drawn from `seed`.

        Parameters
        ----------
        setting : Setting
        preset : {"smoke", "laptop", "paper"}
        seed : int
        **changes
            Sizes other than the preset's.

        Raises
        ------
        ConfigError
            Where the data lack what the model needs, or a size has no meaning.
        """
        reason = self.refusal(setting)
        if reason is not None:
            raise ConfigError(reason)
        if preset not in self.recipes:
            raise ConfigError(f"preset must be one of {', '.join(self.recipes)}, got {preset!r}")
        names = ("services", "lookback", "horizon", *self.takes)
        given = {name: _tensor(getattr(setting, name)) for name in names}
        with frozen_draws(torch.device("cpu"), seed):
            return self.make(**given, **{**self.recipes[preset].sizes, **changes})


def _tensor(value: Any) -> Any:
    return torch.from_numpy(value) if isinstance(value, np.ndarray) else value
