"""Sizes and training of each model at three budgets: smoke (a test), laptop (minutes), paper (as published).

`training` holds arguments of `simmst.training.config.TrainerConfig`. A "paper" recipe has the sizes, rate,
batch and epochs of the publication or its code as far as they are known; the trainer's schedule stays its own.
A batch counts windows of the model's feed: whole cities ("graph") or single nodes ("node", "patch").
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Preset = Literal["smoke", "laptop", "paper"]
PRESETS: tuple[Preset, ...] = get_args(Preset)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How large a model is built, and how it is trained.

    Attributes
    ----------
    sizes : mapping
        Arguments of the model's constructor.
    training : mapping
        Arguments of `TrainerConfig`.
    lookback : int or None
        Steps that the model sees where that is its own choice; None leaves it to the protocol.
    """

    sizes: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    lookback: int | None = None


def _training(epochs: int, batch: int, rate: float, decay: float = 0.0, **more: Any) -> dict[str, Any]:
    return {"epochs": epochs, "batch_size": batch, "learning_rate": rate, "weight_decay": decay, **more}


def _recipes(
    smoke: Mapping[str, Any], laptop: Mapping[str, Any], paper: Mapping[str, Any],
    short: Mapping[str, Any], middle: Mapping[str, Any], long: Mapping[str, Any], lookback: int | None = None,
) -> Mapping[Preset, Recipe]:  # fmt: skip
    """Recipes by preset; the published one leaves the lookback to the protocol."""
    return {
        "smoke": Recipe(smoke, short, lookback),
        "laptop": Recipe(laptop, middle, lookback),
        "paper": Recipe(paper, long),
    }


_NODE_SMOKE = _training(1, 64, 1e-3, epoch_samples=256)
_NODE_LAPTOP = _training(12, 256, 1e-3, epoch_samples=20_000)
_GRAPH_SMOKE = _training(1, 16, 1e-3, epoch_samples=32)
_GRAPH_LAPTOP = _training(20, 8, 1e-3, epoch_samples=320)  # two weeks hold no more than some 300 origins

_TRANSFORMER = (
    {"width": 8, "heads": 2, "hidden": 8, "encoder_layers": 1},
    {"width": 32, "heads": 4, "hidden": 64},
    {"width": 512, "heads": 8, "hidden": 2048, "normalise": False},
)
_INFORMER_TRAINING = _training(6, 32, 1e-4, patience=3)
_PATCH_SMOKE = _training(1, 64, 4e-3, 1e-4, epoch_samples=256)
_PATCH_LAPTOP = _training(6, 32, 4e-3, 1e-4, epoch_samples=8000)
# A lookback of their own for models that it costs next to nothing (Sim-MSTNet's attention sees two days of it); on
# Jinan's validation days it lowers the error of both.
_WEEK = 168
_PATCH_PAPER = _training(6, 32, 1e-4, patience=3)

RECIPES: Mapping[str, Mapping[Preset, Recipe]] = {
    "dlinear": _recipes(
        {}, {}, {}, _GRAPH_SMOKE, _training(40, 8, 5e-3, patience=10), _training(10, 32, 1e-3), lookback=_WEEK
    ),
    "lstm": _recipes(
        {"hidden": 8, "layers": 1}, {}, {"dropout": 0.2, "normalise": False},
        _NODE_SMOKE, _NODE_LAPTOP, _training(100, 256, 1e-3, patience=10),
    ),
    "transformer": _recipes(*_TRANSFORMER, _NODE_SMOKE, _NODE_LAPTOP, _INFORMER_TRAINING),
    "informer": _recipes(*_TRANSFORMER, _NODE_SMOKE, _NODE_LAPTOP, _INFORMER_TRAINING),
    "itransformer": _recipes(
        {"width": 8, "heads": 2, "hidden": 8, "layers": 1}, {}, {"width": 512, "hidden": 2048},
        _GRAPH_SMOKE, _GRAPH_LAPTOP, _training(10, 32, 1e-4, patience=3),
    ),
    "convlstm": _recipes(
        {"hidden": 8, "layers": 1}, {"hidden": 32, "layers": 1}, {},
        _GRAPH_SMOKE, _GRAPH_LAPTOP, _training(100, 16, 1e-3, patience=10),
    ),
    "stgcn": _recipes(
        {"width": 8, "bottleneck": 4, "head": 8}, {"width": 32, "bottleneck": 16, "head": 64}, {"dropout": 0.5},
        _GRAPH_SMOKE, _GRAPH_LAPTOP, _training(50, 50, 1e-3, 1e-3, patience=10),
    ),
    "dcrnn": _recipes(
        {"hidden": 4, "layers": 1}, {"hidden": 32, "layers": 1}, {},
        _GRAPH_SMOKE, _training(20, 8, 3e-3, epoch_samples=320), _training(100, 64, 1e-2, clip=5.0, patience=20),
    ),
    "staeformer": _recipes(
        {"value_width": 4, "day_width": 4, "week_width": 4, "adaptive_width": 4, "hidden": 8, "layers": 1},
        {"value_width": 8, "day_width": 4, "week_width": 4, "adaptive_width": 16, "hidden": 64, "layers": 1},
        {},
        _GRAPH_SMOKE, _training(10, 8, 1e-3, 5e-4, epoch_samples=128), _training(200, 16, 1e-3, 5e-4, patience=25),
    ),
    "mttc": _recipes(
        {"channels": (4, 4, 4), "hidden": 8}, {}, {},
        _NODE_SMOKE, _NODE_LAPTOP, _training(20, 64, 1e-3),
    ),
    "ast_mtl": _recipes(
        {"hidden": 8, "bottleneck": 4, "heads": 2}, {}, {},
        _GRAPH_SMOKE, _training(30, 8, 1e-3, 1e-4), _training(250, 64, 1e-3, 5e-4, patience=30),
    ),
    "cslsl": _recipes(
        {"hidden": 8, "node_width": 4, "value_width": 4, "day_width": 4, "week_width": 4},
        {},
        {"hidden": 600, "node_width": 200, "value_width": 100, "day_width": 20, "week_width": 10},
        _GRAPH_SMOKE, _training(20, 8, 1e-3, epoch_samples=160), _training(10, 128, 1e-4, 1e-6, clip=2.0),
    ),
    "simmstnet": _recipes(
        {"paper": False}, {"paper": False}, {"paper": True},
        _PATCH_SMOKE, _PATCH_LAPTOP, _PATCH_PAPER, lookback=_WEEK,
    ),
}  # fmt: skip
