"""The whole network: shapes, ablations, what it may and may not see."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simmst.errors import ConfigError
from simmst.models.simmstnet import ABLATIONS, SimMSTNet, SimMSTNetConfig


def moved(config: SimMSTNetConfig) -> SimMSTNet:
    """A network off its start, where the decoder's head is 0; in evaluation mode."""
    model = SimMSTNet(config)
    torch.nn.init.normal_(model.decoder.head.weight, generator=torch.Generator().manual_seed(1))
    return model.eval()


def inputs(config: SimMSTNetConfig, batch: int = 2, seed: int = 0) -> tuple[torch.Tensor, ...]:
    g = torch.Generator().manual_seed(seed)
    c = config
    return (
        torch.randn(batch, c.lookback, c.patch, c.services, generator=g),
        torch.randn(batch, c.lookback, c.marks, generator=g),
        torch.randn(batch, c.horizon, c.marks, generator=g),
    )


@given(
    services=st.integers(1, 5),
    lookback=st.sampled_from([1, 7, 24, 48]),
    horizon=st.sampled_from([1, 6, 24, 30]),
    patch=st.sampled_from([1, 9, 25]),
    layers=st.integers(1, 3),
    interaction=st.booleans(),
    spatial=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_any_number_of_tasks_any_horizon(
    services: int, lookback: int, horizon: int, patch: int, layers: int, interaction: bool, spatial: bool
) -> None:
    config = SimMSTNetConfig.small(
        services,
        lookback,
        horizon,
        patch=patch,
        encoder_layers=layers,
        interaction=interaction,
        spatial=spatial,
    )
    model = moved(config).train()
    out = model(*inputs(config))
    assert out.shape == (2, horizon, services)
    out.square().sum().backward()
    missing = [name for name, p in model.named_parameters() if p.grad is None]
    assert not missing
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_small_presets_parameter_count() -> None:
    counts = {s: sum(p.numel() for p in SimMSTNet(SimMSTNetConfig.small(s)).parameters()) for s in (1, 3, 4)}
    assert counts == {1: 15_985, 3: 50_163, 4: 66_148}


def test_medium_presets_parameter_count() -> None:
    assert sum(p.numel() for p in SimMSTNet(SimMSTNetConfig.medium(3)).parameters()) == 566_787


FORMS = {
    "whole": SimMSTNetConfig.small(3),
    "without highway": SimMSTNetConfig.small(3, highway=None),
    "deep": SimMSTNetConfig.small(3, encoder_layers=3, decoder_layers=2, factor=1),
    "neither": SimMSTNetConfig.small(3, interaction=False, spatial=False),
    **{name: SimMSTNetConfig.small(3).ablated(name) for name in ABLATIONS},
}


@pytest.mark.parametrize("name", FORMS)
def test_every_parameter_takes_part_in_the_forecast(name: str) -> None:
    """No ablation leaves a parameter behind that nothing reads, not even a bias that cancels."""
    model, batch = moved(FORMS[name]), inputs(FORMS[name], batch=4)
    model(*batch).square().mean().backward()
    gradients = {key: p.grad for key, p in model.named_parameters()}
    assert not [key for key, gradient in gradients.items() if gradient is None]
    largest = {key: gradient.abs().max().item() for key, gradient in gradients.items()}
    assert not {key: size for key, size in largest.items() if size < 1e-6}


def test_without_interaction_the_network_is_one_single_task_form_a_service() -> None:
    config = SimMSTNetConfig.small(3)
    apart, batch = moved(config.ablated("oInter")), inputs(config)
    alone = SimMSTNet(config.ablated("STNet")).eval()
    for task in range(3):
        alone.load_state_dict({key: value[task : task + 1] for key, value in apart.state_dict().items()})
        own = alone(batch[0][..., task : task + 1], *batch[1:])
        torch.testing.assert_close(own, apart(*batch)[..., task : task + 1])


def test_an_unknown_ablation_is_refused() -> None:
    with pytest.raises(ConfigError, match="ablation must be one of oInter, oSpatial, STNet, got 'Average'"):
        SimMSTNetConfig.small(3).ablated("Average")


def test_the_sparse_decoder_is_the_full_one_where_every_query_is_selected() -> None:
    sparse, full = SimMSTNetConfig.small(2, factor=1), SimMSTNetConfig.small(2, factor=36)
    model, reference, batch = moved(sparse), moved(full), inputs(sparse)
    assert not torch.allclose(model(*batch), reference(*batch))
    for layer in reference.decoder.layers:
        layer.cross.factor = None
    full_everywhere = reference(*batch)
    for layer in reference.decoder.layers:
        layer.cross.factor = 36
    torch.testing.assert_close(reference(*batch), full_everywhere)


def test_paper_preset_is_informers_size() -> None:
    config = SimMSTNetConfig.paper(3)
    assert (config.width, config.heads, config.hidden, config.encoder_layers) == (512, 8, 2048, 2)
    assert config.highway is None


def test_the_seed_fixes_the_weights_and_leaves_torchs_generator_alone() -> None:
    config = SimMSTNetConfig.small(2)
    before = torch.random.get_rng_state()
    one, again, other = (SimMSTNet(config, seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(one[k], again[k]) for k in one)
    assert any(not torch.equal(one[k], other[k]) for k in one)


@pytest.mark.parametrize("interaction", [True, False])
def test_interaction_alone_joins_the_tasks(interaction: bool) -> None:
    config = SimMSTNetConfig.small(3, interaction=interaction)
    model = moved(config)
    history, a, b = inputs(config)
    changed = history.clone()
    changed[:, -1, :, 0] += 1.0
    same = torch.allclose(model(changed, a, b)[..., 1:], model(history, a, b)[..., 1:])
    assert same is not interaction


@pytest.mark.parametrize("spatial", [True, False])
def test_the_spatial_branch_alone_reads_the_neighbours(spatial: bool) -> None:
    config = SimMSTNetConfig.small(2, spatial=spatial)
    model = moved(config)
    history, a, b = inputs(config)
    changed = history.clone()
    changed[:, -1, 0] += 1.0
    assert torch.allclose(model(changed, a, b), model(history, a, b)) is not spatial


def test_the_forecast_depends_on_the_future_calendar() -> None:
    config = SimMSTNetConfig.small(2)
    history, a, b = inputs(config)
    model = moved(config)
    assert not torch.allclose(model(history, a, b), model(history, a, b + 1.0))


def test_samples_of_a_batch_do_not_touch_each_other() -> None:
    config = SimMSTNetConfig.small(2)
    model = moved(config)
    batch = inputs(config, batch=5)
    torch.testing.assert_close(model(*batch)[:2], model(*(t[:2] for t in batch)))


def test_with_its_highway_the_network_starts_as_same_hour_yesterday() -> None:
    config = SimMSTNetConfig.small(2, horizon=30)
    batch = inputs(config)
    own = batch[0][:, :, 4]  # [B, L, S]
    yesterday = torch.cat([own[:, -24:], own[:, -24:-18]], dim=1)
    torch.testing.assert_close(SimMSTNet(config)(*batch), yesterday)


def test_without_highway_it_does_not() -> None:
    config = SimMSTNetConfig.small(2, highway=None)
    batch = inputs(config)
    assert not torch.allclose(SimMSTNet(config)(*batch), batch[0][:, -24:, 4], atol=0.1)


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(0.1, 10), shift=st.floats(-5, 5), patch=st.sampled_from([1, 9]))
def test_a_normalised_network_turns_shifted_and_scaled_traffic_into_a_shifted_and_scaled_forecast(
    scale: float, shift: float, patch: int
) -> None:
    config = SimMSTNetConfig.small(2, 30, 5, patch=patch)
    model = moved(config)
    history, a, b = inputs(config)
    torch.testing.assert_close(
        model(scale * history + shift, a, b), scale * model(history, a, b) + shift, rtol=1e-3, atol=1e-3
    )


def test_without_normalisation_it_does_not() -> None:
    config = SimMSTNetConfig.small(2, 30, 5, normalise=False)
    model = moved(config)
    history, a, b = inputs(config)
    assert not torch.allclose(model(history + 5.0, a, b), model(history, a, b) + 5.0, atol=0.1)


def test_a_constant_series_is_forecast_near_its_value_with_finite_gradients() -> None:
    config = SimMSTNetConfig.small(2, 30, 5)
    history, a, b = inputs(config)
    history = torch.full_like(history, 3.0).requires_grad_()
    model = SimMSTNet(config)
    out = model(history, a, b)
    torch.testing.assert_close(out, torch.full_like(out, 3.0))
    out.sum().backward()
    assert history.grad is not None and torch.isfinite(history.grad).all()


def test_attention_and_neighbours_see_the_recent_steps_and_the_highway_all_of_them() -> None:
    config = SimMSTNetConfig.small(2, 60, 5, recent=20, normalise=False)
    history, a, b = inputs(config)
    older, marks = history.clone(), a.clone()
    older[:, :40] += 1.0
    marks[:, :40] += 1.0
    alone = moved(replace(config, highway=None))
    assert torch.equal(alone(older, marks, b), alone(history, a, b))
    changed = history.clone()
    changed[:, 40] += 1.0
    assert not torch.allclose(alone(changed, a, b), alone(history, a, b))
    beside = moved(config)
    assert beside.highway is not None
    torch.nn.init.ones_(beside.highway.weight)
    assert not torch.allclose(beside(older, a, b), beside(history, a, b))


def test_training_draws_differ_and_evaluation_repeats() -> None:
    config = SimMSTNetConfig.small(1, dropout=0.2)
    batch, model = inputs(config), moved(config)
    assert not torch.equal(model.train()(*batch), model(*batch))
    assert torch.equal(model.eval()(*batch), model(*batch))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"services": 0}, "services must be a whole number"),
        ({"heads": 3}, "heads must divide width"),
        ({"label": 100}, "label"),
        ({"label": 20, "recent": 12}, r"label \(20\) must not exceed the steps that attention sees \(12\)"),
        ({"recent": 100}, "recent must lie in"),
        ({"recent": 0}, "recent must lie in"),
        ({"highway": 100}, "highway"),
        ({"dropout": 1.0}, "dropout"),
    ],
)
def test_a_meaningless_configuration_is_refused(changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SimMSTNetConfig(**{"services": 2, **changes})


def test_a_wrong_shape_is_named() -> None:
    config = SimMSTNetConfig.small(2)
    history, a, b = inputs(config)
    with pytest.raises(ValueError, match=r"history must have shape \(2, 168, 9, 2\), got \(2, 40, 9, 2\)"):
        SimMSTNet(config)(history[:, :40], a, b)
