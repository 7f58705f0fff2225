"""Every row of the tables by name; adding a model is a card here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from torch import nn

from simmst.errors import ConfigError
from simmst.models.ast_mtl import ASTMTL
from simmst.models.card import Feed, ModelCard
from simmst.models.convlstm import ConvLSTM
from simmst.models.cslsl import CSLSL
from simmst.models.dcrnn import DCRNN
from simmst.models.dlinear import DLinear
from simmst.models.informer import Informer
from simmst.models.itransformer import ITransformer
from simmst.models.lstm import LSTM
from simmst.models.mttc import MTTC
from simmst.models.recipes import RECIPES
from simmst.models.simmstnet import make_simmstnet, make_stnet
from simmst.models.staeformer import STAEformer
from simmst.models.stgcn import STGCN
from simmst.models.transformer import Transformer

#: Rows without training, and the row of `simmst.experiments.protocol.baseline_forecasts` each is.
CLOSED_FORM: Mapping[str, str] = MappingProxyType(
    {
        "last": "last value",
        "daily": "same hour yesterday",
        "weekly": "same hour last week",
        "ridge": "ridge",
    }
)


def _variant(name: str, label: str, weighting: str = "dynamic", **sizes: Any) -> ModelCard:
    """Sim-MSTNet, or an ablation of it."""
    recipes = {
        preset: replace(
            recipe, sizes={**recipe.sizes, **sizes}, training={**recipe.training, "weighting": weighting}
        )
        for preset, recipe in RECIPES["simmstnet"].items()
    }
    return ModelCard(name, label, make_simmstnet, "patch", (), True, recipes, ours=True)


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
    ModelCard("stnet", "STNet", make_stnet, "patch", (), False, RECIPES["simmstnet"], ours=True),
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
