"""The registry: names, refusals with their reasons, presets."""

from dataclasses import replace

import numpy as np
import pytest

from simmst.errors import ConfigError
from simmst.evaluation.evaluate import baseline_forecasts
from simmst.models import registry
from simmst.models.card import Setting
from simmst.models.recipes import PRESETS, RECIPES
from simmst.models.registry import CLOSED_FORM, REGISTRY, model_card
from simmst.models.simmstnet import SimMSTNet
from simmst.traffic.split import Protocol
from simmst.traffic.windows import WindowBatch

BARE = Setting(services=2, lookback=12, horizon=4, nodes=5, steps_per_day=24)


def test_the_rows_of_the_paper_and_those_every_table_carries_are_all_there() -> None:
    single = {card.label for card in REGISTRY.values() if not card.multi_task}
    multi = {card.label for card in REGISTRY.values() if card.multi_task}
    assert single >= {
        *("DLinear", "LSTM", "Transformer", "Informer", "iTransformer", "ConvLSTM", "STGCN", "DCRNN"),
        *("STAEformer", "STNet"),
    }
    assert multi >= {"MTTC", "AST-MTL", "CSLSL", "Sim-MSTNet", "oInter", "oSpatial", "Average"}
    rows = baseline_forecasts(np.ones((528, 1, 1)), Protocol.proportional(528), 1, np.zeros((528, 1), dtype=bool))
    assert list(CLOSED_FORM.values()) == list(rows)


def test_ours_are_sim_mstnet_and_what_is_built_as_it_is() -> None:
    ours = {name for name, card in REGISTRY.items() if card.ours}
    assert ours == {"simmstnet", "stnet", "ointer", "ospatial", "average"}
    for name in ours:
        model = REGISTRY[name].build(replace(BARE, services=1), "smoke", highway=3)
        assert isinstance(model, SimMSTNet) and model.config.highway == 3


def test_no_card_hides_another_of_its_name() -> None:
    assert len(REGISTRY) == len(registry._CARDS)
    assert len({card.label for card in REGISTRY.values()} | set(CLOSED_FORM.values())) == len(REGISTRY) + len(
        CLOSED_FORM
    )


@pytest.mark.parametrize("name", REGISTRY)
def test_an_adaptation_says_so_in_its_card_and_in_its_class(name: str) -> None:
    text = " ".join((REGISTRY[name].make.__doc__ or "").split())
    assert bool(REGISTRY[name].adaptation) is ("adaptation that its authors have not published" in text)


def test_the_rows_that_nobody_published_are_known_as_adaptations() -> None:
    assert all(REGISTRY[name].adaptation for name in ("mttc", "ast_mtl", "cslsl"))


def test_a_model_without_its_graph_or_grid_is_refused_with_the_reason() -> None:
    reasons = {name: card.refusal(BARE) for name, card in REGISTRY.items()}
    refused = {name: reason for name, reason in reasons.items() if reason}
    assert set(refused) == {name for name, card in REGISTRY.items() if {"adjacency", "grid"} & {*card.takes}}
    assert set(refused) >= {"convlstm", "stgcn", "dcrnn", "ast_mtl"}
    assert refused["convlstm"] == "ConvLSTM needs nodes that fill a regular grid, and these are scattered"
    assert refused["dcrnn"] == "DCRNN needs a graph, and no coordinates of the nodes are known"
    with pytest.raises(ConfigError, match="ConvLSTM needs nodes that fill a regular grid"):
        REGISTRY["convlstm"].build(BARE)


def test_unknown_names_and_presets_are_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=f"unknown model 'lstn'; known: {', '.join(REGISTRY)}$"):
        model_card("lstn")
    with pytest.raises(ConfigError, match="smoke, laptop, paper"):
        model_card("lstm").build(BARE, "tiny")
    with pytest.raises(ConfigError, match="STNet forecasts one service"):
        model_card("stnet").build(BARE)


def test_windows_come_in_the_shape_of_the_feed_and_simulated_ones_are_of_no_whole_city() -> None:
    class Simulated:
        def __len__(self) -> int:
            return 1

        def batch(self, index: np.ndarray) -> WindowBatch:
            shapes = (1, 12, 9, 2), (1, 12, 4), (1, 4, 4), (1, 4, 2)
            return WindowBatch(*(np.zeros(shape, np.float32) for shape in shapes), index, index, world=index)

    first = np.zeros(1, dtype=np.int64)
    shapes = {
        name: card.windows(Simulated()).batch(first).history.shape
        for name, card in REGISTRY.items()
        if card.feed != "graph"
    }
    assert shapes["lstm"] == shapes["mttc"] == (1, 12, 1, 2)
    assert shapes["simmstnet"] == (1, 12, 9, 2)
    with pytest.raises(ConfigError, match="DCRNN reads a whole city"):
        model_card("dcrnn").windows(Simulated())


def test_changes_replace_sizes_of_the_preset() -> None:
    assert model_card("lstm").build(BARE, "smoke", hidden=5).lstm.hidden_size == 5


@pytest.mark.parametrize("name", RECIPES)
def test_every_model_has_every_preset(name: str) -> None:
    assert tuple(RECIPES[name]) == PRESETS


def test_average_differs_from_sim_mstnet_by_its_loss_weights_alone() -> None:
    ours, average = REGISTRY["simmstnet"].recipes["laptop"], REGISTRY["average"].recipes["laptop"]
    assert ours.sizes == average.sizes
    assert {**ours.training, "weighting": "equal"} == average.training
