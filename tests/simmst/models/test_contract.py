"""What every trained row of the tables must do, whatever it is."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from simmst.models.card import ModelCard, Setting
from simmst.models.registry import REGISTRY
from simmst.traffic.dataset import TrafficData
from simmst.traffic.scaling import NodeScaler
from simmst.traffic.windows import WindowDataset, calendar_marks
from simmst.training.checkpoint import load_checkpoint, save_checkpoint
from simmst.training.config import TrainerConfig
from simmst.training.trainer import Trainer, to_tensors

HISTORY, HORIZON, ROWS, COLUMNS = 12, 4, 2, 3
NODES = ROWS * COLUMNS
CARDS = list(REGISTRY.values())
BASELINES = [card for card in CARDS if not card.ours]
#: Tensors of a model that belong to a node, and the axis of the nodes in them.
TIED = {"adaptive": 1, "node.weight": 0}


def named(cards: list[ModelCard]) -> Any:
    return pytest.mark.parametrize("card", cards, ids=lambda card: card.name)


def traffic(services: int = 3, steps: int = 120, seed: int = 0) -> TrafficData:
    rng = np.random.default_rng(seed)
    daily = 2 + np.sin(2 * np.pi * np.arange(steps) / 24)[:, None, None]
    values = (daily * rng.gamma(5.0, 2.0, (steps, NODES, services))).astype(np.float32)
    north, east = (axis.ravel() for axis in np.indices((ROWS, COLUMNS)))
    places = np.stack([9 + 0.003 * east, 45 - 0.002 * north], axis=1)
    names = tuple("abc"[:services]), tuple(map(str, range(NODES)))
    return TrafficData(values, np.datetime64("2024-01-01T00:00", "m"), 60, *names, places)


def setting(card: ModelCard, services: int = 3) -> Setting:
    return Setting.of(traffic(1 if card.name == "stnet" else services), HISTORY, HORIZON)


def inputs(card: ModelCard, batch: int = 3, seed: int = 0, nodes: int = NODES) -> list[Tensor]:
    """Random history, and the marks of real times."""
    g = torch.Generator().manual_seed(seed)
    services = 1 if card.name == "stnet" else 3
    cells = 9 if card.feed == "patch" else nodes
    first = np.arange(batch)[:, None]
    times = np.datetime64("2024-01-01T00:00", "m") + 60 * (first * 7 + np.arange(HISTORY + HORIZON))
    marks = torch.from_numpy(calendar_marks(times))
    return [torch.randn(batch, HISTORY, cells, services, generator=g), marks[:, :HISTORY], marks[:, HISTORY:]]


def built(card: ModelCard, seed: int = 0) -> nn.Module:
    """A model off its start, where some heads are 0; in evaluation mode."""
    model = card.build(setting(card), "smoke", seed)
    g = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=g)
    return model.eval()


@named(CARDS)
def test_it_forecasts_in_the_shape_of_its_feed(card: ModelCard) -> None:
    out = built(card)(*inputs(card))
    services = setting(card).services
    assert out.shape == ((3, HORIZON, services) if card.feed == "patch" else (3, HORIZON, NODES, services))
    assert torch.isfinite(out).all()


@named(CARDS)
def test_the_gradient_reaches_every_parameter(card: ModelCard) -> None:
    model = built(card)
    out = model(*inputs(card))
    (out * torch.randn(out.shape, generator=torch.Generator().manual_seed(2))).sum().backward()
    unreached = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert unreached == []
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


@named(CARDS)
def test_its_state_survives_a_checkpoint(card: ModelCard, tmp_path) -> None:
    model, other = built(card), card.build(setting(card), "smoke", seed=5).eval()
    save_checkpoint(tmp_path / "model.safetensors", model.state_dict(), {})
    tensors, _ = load_checkpoint(tmp_path / "model.safetensors")
    batch = inputs(card)
    assert not torch.equal(other(*batch), model(*batch))
    other.load_state_dict(tensors)
    assert torch.equal(other(*batch), model(*batch))


@named(CARDS)
def test_a_forecast_reads_no_traffic_from_its_origin_on(card: ModelCard) -> None:
    data = traffic(setting(card).services)
    origin = 60
    later = data.values.copy()
    later[origin:] = 1e4
    scaler = NodeScaler.fit(data.values[:40])
    forecasts = []
    for values in (data.values, later):
        changed = TrafficData(values, data.start, 60, data.services, data.node_ids, data.coordinates)
        patches = WindowDataset.cut(changed, scaler, HISTORY, HORIZON, origin, origin + HORIZON)
        feed = card.windows(patches)
        batch, target = to_tensors(feed.batch(np.arange(len(feed))), torch.device("cpu"))
        forecasts.append((built(card)(*batch), target))
    assert torch.equal(forecasts[0][0], forecasts[1][0])
    assert not torch.equal(forecasts[0][1], forecasts[1][1])


@named(CARDS)
def test_the_samples_of_a_batch_do_not_touch_each_other(card: ModelCard) -> None:
    model, batch = built(card), inputs(card, batch=5)
    torch.testing.assert_close(model(*batch)[:2], model(*(x[:2] for x in batch)), atol=1e-5, rtol=1e-5)


@named([card for card in BASELINES if card.feed != "patch" and card.name != "ast_mtl"])
def test_renumbering_the_nodes_renumbers_the_forecast(card: ModelCard) -> None:
    # AST-MTL is left out: dense maps from all nodes to all nodes, tied to their order throughout.
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    mine = setting(card)
    place = np.argsort(order.numpy())
    theirs = Setting(
        *(mine.services, HISTORY, HORIZON, NODES, 24),
        adjacency=mine.adjacency[np.ix_(order, order)],
        grid=place[mine.grid],
    )
    model, renumbered = built(card), card.build(theirs, "smoke").eval()
    state = model.state_dict()
    for name, axis in TIED.items():
        if name in state:
            state[name] = state[name].index_select(axis, order)
    for name in [name for name, value in state.items() if card.name == "stgcn" and "norm" in name]:
        state[name] = state[name][order]  # LayerNorm over nodes and channels
    renumbered.load_state_dict(state)
    history, *marks = inputs(card)
    expected = model(history, *marks)[:, :, order]
    torch.testing.assert_close(renumbered(history[:, :, order], *marks), expected, atol=1e-5, rtol=1e-4)


@named([card for card in CARDS if card.feed == "node"])
def test_a_model_fed_by_node_forecasts_a_node_of_a_city_as_it_does_the_node_alone(card: ModelCard) -> None:
    model = built(card)
    history, *marks = inputs(card)
    together = model(history, *marks)
    for node in range(NODES):
        alone = model(history[:, :, node : node + 1], *marks)
        torch.testing.assert_close(together[:, :, node : node + 1], alone, atol=1e-5, rtol=1e-5)


@named(CARDS)
def test_the_seed_fixes_the_weights_and_leaves_torchs_generator_alone(card: ModelCard) -> None:
    before = torch.random.get_rng_state()
    one, again, other = (card.build(setting(card), "smoke", seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(one[key], again[key]) for key in one)
    # DLinear starts as the mean of the window, its biases alone are drawn.
    assert any(not torch.equal(one[key], other[key]) for key in one)


@named(BASELINES)
def test_a_wrong_shape_is_named(card: ModelCard) -> None:
    model, (history, past, ahead) = built(card), inputs(card)
    with pytest.raises(ValueError, match=rf"history must have shape .* got \(3, 11, {history.shape[2]}, 3\)"):
        model(history[:, 1:], past, ahead)
    with pytest.raises(ValueError, match="axes"):
        model(history[:, :, 0], past, ahead)
    with pytest.raises(ValueError, match="future_marks must have shape"):
        model(history, past, past)
    if model.nodes is not None:
        with pytest.raises(ValueError, match="history must have shape"):
            model(history[:, :, :5], past, ahead)


@named([*BASELINES, REGISTRY["simmstnet"]])
def test_the_trainer_lowers_its_loss_by_the_smoke_recipe(card: ModelCard) -> None:
    data = traffic(setting(card).services)
    scaler = NodeScaler.fit(data.values[:90])
    parts = [WindowDataset.cut(data, scaler, HISTORY, HORIZON, *span) for span in ((0, 90), (90, 120))]
    train, validation = (card.windows(part) for part in parts)
    recipe = card.recipes["smoke"]
    model = card.build(setting(card), "smoke")
    before = Trainer(TrainerConfig()).errors(model, train).mean()
    Trainer(TrainerConfig(**{**recipe.training, "epochs": 3})).fit(model, train, validation)
    assert Trainer(TrainerConfig()).errors(model, train).mean() < before


@named(CARDS)
@pytest.mark.parametrize("preset", ["laptop", "paper"])
def test_its_recipes_are_settings_of_the_trainer(card: ModelCard, preset) -> None:
    config = TrainerConfig(**card.recipes[preset].training)
    assert config.epochs >= 5
