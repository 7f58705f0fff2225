"""Every row of the tables by name: its class, what it is fed, what it needs of the data, its recipes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from simmst.data.dataset import TrafficData
from simmst.data.graph_windows import GraphWindows, NodeWindows
from simmst.data.graphs import city_graph, city_grid
from simmst.data.windows import WindowDataset, WindowSource
from simmst.errors import ConfigError
from simmst.models.ast_mtl import ASTMTL
from simmst.models.convlstm import ConvLSTM
from simmst.models.cslsl import CSLSL
from simmst.models.dcrnn import DCRNN
from simmst.models.dlinear import DLinear
from simmst.models.informer import Informer
from simmst.models.itransformer import ITransformer
from simmst.models.lstm import LSTM
from simmst.models.mttc import MTTC
from simmst.models.recipes import RECIPES, Preset, Recipe
from simmst.models.simmstnet import SimMSTNet, SimMSTNetConfig
from simmst.models.staeformer import STAEformer
from simmst.models.stgcn import STGCN
from simmst.models.transformer import Transformer
from simmst.nn.draws import frozen_draws

#: What a batch holds. "graph": `GraphWindows`, history [B, L, N, S], forecast [B, H, N, S]. "node":
#: `NodeWindows`, the same with N = 1; the model may be asked for whole cities too. "patch": `WindowDataset`,
#: history [B, L, P, S], forecast [B, H, S].
Feed = Literal["graph", "node", "patch"]

#: Rows without training, and the row of `simmst.experiments.protocol.baseline_forecasts` each is.
CLOSED_FORM: Mapping[str, str] = MappingProxyType(
    {
        "last": "last value",
        "daily": "same hour yesterday",
        "weekly": "same hour last week",
        "ridge": "ridge",
    }
)


@dataclass(frozen=True, slots=True)
class Setting:
    """What the data and the task dictate to a model.

    Parameters
    ----------
    services, history, horizon, nodes : int
        S, L, H, N.
    steps_per_day : int
    adjacency : float32 array `[N, N]`, optional
    grid : int64 array `[R, C]`, optional
        Number of the node at each place.
    """

    services: int
    history: int
    horizon: int
    nodes: int
    steps_per_day: int
    adjacency: NDArray[np.float32] | None = None
    grid: NDArray[np.int64] | None = None

    @classmethod
    def of(cls, data: TrafficData, history: int, horizon: int) -> Setting:
        """Read the setting off the data; graph and grid come from the coordinates, where there are any."""
        _, nodes, services = data.values.shape
        graph, grid = city_graph(data), city_grid(data)
        return cls(services, history, horizon, nodes, data.steps_per_day, graph, grid)


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One trained row.

    Attributes
    ----------
    name, label : str
        Name on the command line, and in a table.
    make : callable
        ``make(services=, history=, horizon=, **takes, **sizes) -> Module``.
    feed : {"graph", "node", "patch"}
    takes : tuple of str
        Further attributes of a `Setting` that `make` takes; "adjacency" or "grid" among them is a need.
    multi_task : bool
        Forecasts all services together; a single-task model is trained on one service at a time.
    recipes : mapping of preset to Recipe
    adaptation : str
        Why the row is nobody's published model; empty for published ones.
    """

    name: str
    label: str
    make: Callable[..., nn.Module]
    feed: Feed
    takes: tuple[str, ...]
    multi_task: bool
    recipes: Mapping[Preset, Recipe]
    adaptation: str = ""

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
        names = ("services", "history", "horizon", *self.takes)
        given = {name: _tensor(getattr(setting, name)) for name in names}
        with frozen_draws(torch.device("cpu"), seed):
            return self.make(**given, **{**self.recipes[preset].sizes, **changes})


def _tensor(value: Any) -> Any:
    return torch.from_numpy(value) if isinstance(value, np.ndarray) else value


def _simmstnet(services: int, history: int, horizon: int, *, paper: bool, **changes: Any) -> nn.Module:
    """Build the network; the seed of its weights is drawn from torch's generator, which the caller has seeded."""
    make = SimMSTNetConfig.paper if paper else SimMSTNetConfig.small
    return SimMSTNet(make(services, history, horizon, **changes), int(torch.randint(2**31, ())))


def _stnet(services: int, history: int, horizon: int, *, paper: bool, **changes: Any) -> nn.Module:
    """Build the single-task form, which is the network of one service."""
    if services != 1:
        raise ConfigError(f"STNet forecasts one service, got services={services}: train one a service")
    return _simmstnet(services, history, horizon, paper=paper, **changes)


def _variant(name: str, label: str, weighting: str = "dynamic", **sizes: Any) -> ModelCard:
    """Sim-MSTNet, or an ablation of it."""
    recipes = {
        preset: replace(
            recipe, sizes={**recipe.sizes, **sizes}, training={**recipe.training, "weighting": weighting}
        )
        for preset, recipe in RECIPES["simmstnet"].items()
    }
    return ModelCard(name, label, _simmstnet, "patch", (), True, recipes)


def _card(
    name: str,
    label: str,
    make: Callable[..., nn.Module],
    feed: Feed,
    takes: tuple[str, ...] = (),
    multi_task: bool = False,
    adaptation: str = "",
) -> ModelCard:
    return ModelCard(name, label, make, feed, takes, multi_task, RECIPES[name], adaptation)


_TIED = ("nodes", "steps_per_day")
_CARDS = (
    _card("dlinear", "DLinear", DLinear, "graph"),
    _card("lstm", "LSTM", LSTM, "node"),
    _card("transformer", "Transformer", Transformer, "node"),
    _card("informer", "Informer", Informer, "node"),
    _card("itransformer", "iTransformer", ITransformer, "graph"),
    _card("convlstm", "ConvLSTM", ConvLSTM, "graph", ("grid",)),
    _card("stgcn", "STGCN", STGCN, "graph", ("adjacency",)),
    _card("dcrnn", "DCRNN", DCRNN, "graph", ("adjacency",)),
    _card("staeformer", "STAEformer", STAEformer, "graph", _TIED),
    _card("mttc", "MTTC", MTTC, "node", (), True, "a classifier of network flows, made a forecaster"),
    _card(
        "ast_mtl", "AST-MTL", ASTMTL, "graph", ("adjacency",), True,
        "a model of flow and speed on roads, with a branch a service",
    ),
    _card("cslsl", "CSLSL", CSLSL, "graph", _TIED, True, "a model of a person's next place, made a forecaster"),
    _variant("simmstnet", "Sim-MSTNet"),
    ModelCard("stnet", "STNet", _stnet, "patch", (), False, RECIPES["simmstnet"]),
    _variant("ointer", "oInter", interaction=False),
    _variant("ospatial", "oSpatial", spatial=False),
    _variant("average", "Average", weighting="equal"),
)  # fmt: skip

#: The trained rows, in the order of the tables.
REGISTRY: Mapping[str, ModelCard] = MappingProxyType({card.name: card for card in _CARDS})


def model_card(name: str) -> ModelCard:
    """Return the card of a trained row; an unknown name is an error that lists the known ones."""
    if name not in REGISTRY:
        raise ConfigError(f"unknown model {name!r}; known: {', '.join(REGISTRY)}")
    return REGISTRY[name]
