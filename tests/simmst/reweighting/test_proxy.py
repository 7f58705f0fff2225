"""The exact linear proxy: its solution, its hypergradient, and the budget of its weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cutplane import Polytope
from simmst.errors import ConfigError
from simmst.reweighting.proxy import RidgeLevel, Samples, SmoothAbsoluteError, window_samples
from simmst.reweighting.weight_set import budget
from simmst.reweighting.weights import SampleWeights
from simmst.traffic.windows import WindowBatch

N, D, M = 30, 4, 3


def samples(seed: int = 0, count: int = N) -> Samples:
    rng = np.random.default_rng(seed)
    features = np.column_stack([rng.normal(size=(count, D - 1)), np.ones(count)])
    return Samples(features, rng.normal(size=(count, M)))


def level(weights: SampleWeights | None = None) -> RidgeLevel:
    return RidgeLevel(samples(), weights or SampleWeights.per_sample(N), penalty=0.05)


THETA = np.random.default_rng(5).normal(size=(3, 2))
WEIGHTS = {
    "per sample": SampleWeights.per_sample(N),
    "per world": SampleWeights.per_world(np.arange(N) // 10),
    "sigmoid": SampleWeights.per_sample(N, sigmoid=True),
    "world and sample": SampleWeights.world_and_sample(np.arange(N) // 10),
    "function of parameters": SampleWeights.of_parameters(THETA, np.arange(N) // 10, knots=3),
    "sigmoid of parameters": SampleWeights.of_parameters(THETA, np.arange(N) // 10, knots=3, sigmoid=True),
    "sigmoid per world": SampleWeights.per_world(np.arange(N) // 10, sigmoid=True),
}


def test_the_solution_is_weighted_least_squares() -> None:
    """Rows scaled by the root of their weight, the penalty as further rows (none for the constant)."""
    x, s = np.random.default_rng(1).uniform(0.2, 1, N), samples()
    root = np.sqrt(x / N)[:, None]
    ridge = np.sqrt(0.05) * np.eye(D)[:-1]
    a = np.vstack([root * s.features, ridge])
    y = np.vstack([root * s.targets, np.zeros((D - 1, M))])
    expected = np.linalg.lstsq(a, y, rcond=None)[0]
    np.testing.assert_allclose(level().solution(x).reshape(D, M), expected, rtol=1e-6)


def hyper(lower: RidgeLevel, upper: SmoothAbsoluteError, x: np.ndarray) -> tuple[float, np.ndarray]:
    value, _, slope = upper(x, lower.solution(x))
    return value, lower.vjp(x, slope)


@pytest.mark.parametrize("name", WEIGHTS)
def test_the_hypergradient_agrees_with_central_differences(name: str) -> None:
    lower, upper = level(WEIGHTS[name]), SmoothAbsoluteError(samples(7, 12))
    x, step = np.random.default_rng(2).uniform(0.2, 0.9, lower.weights.size), 1e-5
    gradient = hyper(lower, upper, x)[1]
    for i, unit in enumerate(np.eye(len(x))):
        ends = [hyper(lower, upper, x + sign * step * unit)[0] for sign in (1, -1)]
        assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(gradient[i], abs=1e-9)


def test_the_hypergradient_agrees_with_autograd_through_the_normal_equations() -> None:
    x = np.random.default_rng(2).uniform(0.2, 0.9, N)
    lower, real = level(), samples(7, 12)
    value, gradient = hyper(lower, SmoothAbsoluteError(real, delta=0.2), x)
    s = torch.tensor(x, requires_grad=True)
    a, y, b, z = (
        torch.tensor(m) for m in (lower.samples.features, lower.samples.targets, real.features, real.targets)
    )
    penalty = torch.diag(torch.tensor([0.05] * (D - 1) + [0.05e-9], dtype=torch.float64))
    theta = torch.linalg.solve(a.T @ (s[:, None] / N * a) + penalty, a.T @ (s[:, None] / N * y))
    error = (((b @ theta - z) ** 2 + 0.2**2).sqrt() - 0.2).mean()
    error.backward()
    assert value == pytest.approx(error.item(), rel=1e-12)
    np.testing.assert_allclose(gradient, s.grad.numpy(), rtol=1e-8, atol=1e-14)


@pytest.mark.parametrize("name", WEIGHTS)
def test_the_gaps_gradient_agrees_with_central_differences(name: str) -> None:
    lower, rng, step = level(WEIGHTS[name]), np.random.default_rng(3), 1e-6
    x, y = rng.uniform(0.2, 0.9, lower.weights.size), rng.normal(size=D * M)
    _, in_x, in_y = lower.gap(x, y)
    dx, dy = rng.normal(size=len(x)), rng.normal(size=D * M)
    moved = lower.gap(x + step * dx, y + step * dy)[0] - lower.gap(x - step * dx, y - step * dy)[0]
    assert moved / (2 * step) == pytest.approx(in_x @ dx + in_y @ dy, rel=1e-6)


def test_all_weights_zero_still_has_a_solution() -> None:
    np.testing.assert_allclose(level().solution(np.zeros(N)), 0.0)


def test_in_single_precision_it_stays_close() -> None:
    s = samples()
    single = RidgeLevel(
        Samples(s.features.astype(np.float32), s.targets.astype(np.float32)), SampleWeights.per_sample(N), 0.05
    )
    x = np.random.default_rng(1).uniform(0.2, 1, N)
    np.testing.assert_allclose(single.solution(x), level().solution(x), rtol=1e-4, atol=1e-5)


def test_the_smooth_absolute_error_lies_within_delta_of_the_absolute_one() -> None:
    s, y = samples(5), np.random.default_rng(0).normal(size=D * M)
    absolute = np.abs(s.features @ y.reshape(D, M) - s.targets).mean()
    value = SmoothAbsoluteError(s, delta=0.1)(np.zeros(3), y)[0]
    assert absolute - 0.1 <= value <= absolute


def test_a_budget_without_a_floor_is_a_polytope_that_keeps_the_sum() -> None:
    counts, rng = np.array([1.0, 3.0, 2.0]), np.random.default_rng(0)
    found = budget(counts, 0.4)
    assert type(found) is Polytope
    for _ in range(10):
        point = found.project(3 * rng.normal(size=3))
        assert point @ counts == pytest.approx(0.4 * 6, rel=1e-12) and ((point >= 0) & (point <= 1)).all()


@given(
    seed=st.integers(0, 10_000), groups=st.integers(1, 12), share=st.floats(0.05, 1.0), floor=st.floats(0.05, 1.0)
)
@settings(max_examples=60, deadline=None)
def test_the_floor_of_the_effective_sample_size_is_kept(
    seed: int, groups: int, share: float, floor: float
) -> None:
    rng = np.random.default_rng(seed)
    counts, v = rng.integers(1, 6, groups).astype(float), 3 * rng.normal(size=groups)
    kept = budget(counts, share, floor)
    point = kept.project(v)
    effective = (counts @ point) ** 2 / (counts @ point**2) / counts.sum()
    assert effective >= floor * (1 - 1e-9)
    assert point @ counts == pytest.approx(share * counts.sum(), rel=1e-9)
    assert ((point >= 0) & (point <= 1)).all()
    # The projection's own inequality: no point of the set lies on the far side of the one found.
    for other in (np.full(groups, share), kept.project(rng.normal(size=groups))):
        assert (v - point) @ (other - point) <= 1e-6 * (1 + np.abs(v).max())


def test_a_tangent_of_the_floor_cuts_off_a_point_outside_and_none_inside() -> None:
    kept, rng = budget(np.ones(10), 0.3, floor=0.6), np.random.default_rng(0)
    outside = np.zeros(10)
    outside[:3] = 1.0
    a, b = kept.tangent(outside)
    assert a @ outside > b
    assert all(a @ kept.project(rng.uniform(size=10)) <= b + 1e-9 for _ in range(20))
    assert kept.tangent(kept.project(outside)) is None


def test_the_tangent_counts_the_samples_that_share_a_weight() -> None:
    # The norm √(Σ c v²) at v = (0.6, 0.4) with c = (1, 4) is √(0.36 + 0.64) = 1, its gradient c v = (0.6, 1.6).
    # The budget is c v = 2.2 = 0.44 · 5, the radius 2.2 / √(0.98 · 5) = 0.99386.
    kept, outside = budget(np.array([1.0, 4.0]), 0.44, floor=0.98), np.array([0.6, 0.4])
    a, b = kept.tangent(outside)
    np.testing.assert_allclose(a, [0.6, 1.6], rtol=1e-12)
    assert b == pytest.approx(2.2 / np.sqrt(4.9), rel=1e-12)
    # The set can be walked along: all weights on the budget whose effective sample size is large enough.
    first = np.linspace(0, 1, 2001)
    v = np.stack([first, (2.2 - first) / 4], axis=1)
    inside = v[(2.2**2 / (v**2 @ [1.0, 4.0]) >= 0.98 * 5) & (v <= 1).all(axis=1)]
    assert len(inside) > 100 and (inside @ a <= b).all() and outside @ a > b


@pytest.mark.parametrize(("counts", "share"), [([1.0, 0.0], 0.5), ([1.0], 0.0), ([1.0], 1.5), ([], 0.5)])
def test_a_meaningless_budget_is_refused(counts: list, share: float) -> None:
    with pytest.raises(ConfigError, match=r"counts|share"):
        budget(np.array(counts), share)


class TwoWindows:
    """Two windows, the second one ten times the first plus 3."""

    def __len__(self) -> int:
        return 2

    def batch(self, index: np.ndarray) -> WindowBatch:
        base = np.random.default_rng(0).normal(size=(1, 8, 9, 2)).astype(np.float32)
        both = np.concatenate([base, 10 * base + 3])[index]
        marks = np.zeros((len(index), 8, 4), np.float32)
        return WindowBatch(both[:, :5], marks[:, :5], marks[:, 5:], both[:, 5:, 4], index, index)


def test_rescaled_windows_do_not_feel_level_or_size() -> None:
    s = window_samples(TwoWindows())
    assert s.features.shape == (2, 5 * 2 + 1)
    assert s.targets.shape == (2, 3 * 2)
    np.testing.assert_allclose(s.features[0], s.features[1], atol=1e-5)
    np.testing.assert_allclose(s.targets[0], s.targets[1], atol=1e-4)
    np.testing.assert_allclose(s.features[:, -1], 1.0)


def test_plain_features_are_the_centre_cells_history() -> None:
    s, batch = window_samples(TwoWindows(), rescale=False), TwoWindows().batch(np.arange(2))
    np.testing.assert_array_equal(s.features[:, :-1], batch.history[:, :, 4].reshape(2, -1))
    np.testing.assert_array_equal(s.targets, batch.target.reshape(2, -1))


def test_features_of_the_last_steps_alone_are_scaled_by_them_alone() -> None:
    class Shorter(TwoWindows):
        def batch(self, index: np.ndarray) -> WindowBatch:
            whole = super().batch(index)
            return replace(whole, history=whole.history[:, -3:])

    last, short = window_samples(TwoWindows(), steps=3), window_samples(Shorter())
    np.testing.assert_array_equal(last.features, short.features)
    np.testing.assert_array_equal(last.targets, short.targets)
    with pytest.raises(ConfigError, match="steps=0: features need at least one step"):
        window_samples(TwoWindows(), steps=0)


def test_a_floor_outside_0_to_1_is_refused() -> None:
    with pytest.raises(ConfigError, match="floor"):
        budget(np.ones(3), 0.5, floor=1.5)


def test_mismatched_arguments_are_refused() -> None:
    with pytest.raises(ConfigError, match="30 samples, but 5 weights"):
        RidgeLevel(samples(), SampleWeights.per_sample(5))
    with pytest.raises(ConfigError, match="penalty must be positive"):
        RidgeLevel(samples(), SampleWeights.per_sample(N), penalty=0.0)
