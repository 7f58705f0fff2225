"""Task losses and the rules that weigh them."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simmst.errors import ConfigError
from simmst.training.losses import (
    WEIGHTINGS,
    DynamicWeightAverage,
    DynamicWeights,
    EqualWeights,
    UncertaintyWeights,
    task_errors,
    weighted_loss,
)

losses = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=6)


def run(rule, values: torch.Tensor, steps: int) -> torch.Tensor:
    memory = rule.init(values.numel())
    for _ in range(steps):
        memory = rule.update(memory, values)
    return rule.weights(memory)


@pytest.mark.parametrize(("error", "expected"), [("mae", 1.25), ("mse", 2.125), ("huber", 0.8125)])
def test_errors_of_a_sample_and_task_average_the_horizon(error: str, expected: float) -> None:
    forecast = torch.tensor([0.5, 2.0]).view(1, 2, 1).expand(3, 2, 2)
    out = task_errors(forecast, torch.zeros(3, 2, 2), error)
    torch.testing.assert_close(out, torch.full((3, 2), expected))


def test_errors_average_the_nodes_of_a_graph_too() -> None:
    forecast = torch.randn(3, 4, 5, 2, generator=torch.Generator().manual_seed(0))  # [B, H, N, S]
    out = task_errors(forecast, torch.zeros(3, 4, 5, 2))
    torch.testing.assert_close(out, forecast.abs().mean((1, 2)))


def test_an_unknown_error_is_refused() -> None:
    with pytest.raises(ConfigError, match="error must be one of mae, mse, huber"):
        task_errors(torch.zeros(1, 1, 1), torch.zeros(1, 1, 1), "mape")


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_every_rule_starts_with_equal_weights(name: str) -> None:
    rule = WEIGHTINGS[name]()
    torch.testing.assert_close(rule.weights(rule.init(4)), torch.full((4,), 0.25))


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_no_rule_lets_a_gradient_through(name: str) -> None:
    rule, values = WEIGHTINGS[name](), torch.tensor([1.0, 2.0], requires_grad=True)
    weights = rule.weights(rule.update(rule.init(2), values))
    assert not weights.requires_grad
    weighted_loss(values, weights).backward()
    torch.testing.assert_close(values.grad, weights)


def test_equation_13_by_hand() -> None:
    rule = DynamicWeights(smoothing=0.8)
    out = rule.update(torch.tensor([0.5, 0.5]), torch.tensor([3.0, 1.0]))
    torch.testing.assert_close(out, torch.tensor([0.8 * 0.5 + 0.2 * 0.75, 0.8 * 0.5 + 0.2 * 0.25]))


@given(values=losses, steps=st.integers(1, 50), smoothing=st.floats(0, 0.999))
@settings(deadline=None, max_examples=50)
def test_dynamic_weights_stay_a_distribution_that_favours_the_harder(
    values: list[float], steps: int, smoothing: float
) -> None:
    tensor = torch.tensor(values)
    weights = run(DynamicWeights(smoothing), tensor, steps)
    assert math.isclose(weights.sum().item(), 1.0, rel_tol=1e-5)
    assert (weights > 0).all()
    order = tensor.argsort()
    assert (weights[order].diff() >= -1e-6).all()


def test_dynamic_weights_come_to_rest_at_the_losses_shares() -> None:
    out = run(DynamicWeights(0.5), torch.tensor([1.0, 4.0]), 60)
    torch.testing.assert_close(out, torch.tensor([0.2, 0.8]))


def test_dynamic_weights_keep_still_without_error() -> None:
    torch.testing.assert_close(run(DynamicWeights(0.5), torch.zeros(2), 3), torch.tensor([0.5, 0.5]))


def test_equal_weights_never_move() -> None:
    torch.testing.assert_close(run(EqualWeights(), torch.tensor([1.0, 9.0]), 5), torch.tensor([0.5, 0.5]))


def test_dwa_favours_the_task_that_stopped_falling() -> None:
    rule = DynamicWeightAverage()
    memory = rule.init(2)
    for step in range(50):
        memory = rule.update(memory, torch.tensor([1.0, 0.95**step]))
    weights = rule.weights(memory)
    assert weights[0] > weights[1]
    assert math.isclose(weights.sum().item(), 1.0, rel_tol=1e-5)


def test_uncertainty_comes_to_rest_at_the_inverse_losses() -> None:
    out = run(UncertaintyWeights(0.1), torch.tensor([0.5, 4.0]), 500)
    torch.testing.assert_close(out, torch.tensor([2.0, 0.25]), rtol=1e-3, atol=0)


@pytest.mark.parametrize(
    "build", [lambda: DynamicWeights(1.0), lambda: DynamicWeightAverage(0.0), lambda: UncertaintyWeights(0.0)]
)
def test_a_meaningless_rule_is_refused(build) -> None:
    with pytest.raises(ConfigError, match=r"smoothing|temperature|learning_rate"):
        build()
