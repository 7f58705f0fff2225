"""The K-step oracle against full unrolling, central differences, and closed forms."""

import itertools
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cutplane import OracleError
from simmst.errors import ConfigError
from simmst.models.simmstnet import SimMSTNet, SimMSTNetConfig
from simmst.reweighting.unrolled import SampleLosses, UnrollConfig, UnrolledOracle, frozen_batches
from simmst.reweighting.weights import SampleWeights

N, GROUPS = 7, np.array([0, 0, 1, 1, 2, 2, 2])


def data(dtype: torch.dtype, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(N, width, generator=g, dtype=torch.float64).to(dtype) for width in (3, 2))


def mlp(dtype: torch.dtype, dropout: float = 0.0) -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Dropout(dropout), torch.nn.Linear(5, 2)
        return torch.nn.Sequential(*layers).to(dtype)


def squared(dtype: torch.dtype) -> SampleLosses:
    inputs, targets = data(dtype)
    return lambda predict, index: (predict(inputs[index]) - targets[index]).square().sum(1)


def oracle(dtype: torch.dtype = torch.float64, weights: SampleWeights | None = None, **options) -> UnrolledOracle:
    dropout = options.pop("dropout", 0.0)
    config = UnrollConfig(**{"steps": 4, "learning_rate": 0.2, **options})
    return UnrolledOracle(mlp(dtype, dropout), squared(dtype), weights or SampleWeights.per_sample(N), config)


def start(o: UnrolledOracle, seed: int = 0, dtype: type = np.float64) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.1, 0.9, o.weights.size).astype(dtype)
    return x, (o.anchor + 0.1 * rng.normal(size=len(o.anchor))).astype(dtype)


def fully_unrolled(x: np.ndarray, y: np.ndarray, dtype: torch.dtype, steps: int, rate: float) -> tuple:
    """h and its gradients by autograd through all steps, written without the oracle's parts."""
    model, (inputs, targets) = mlp(dtype), data(dtype)
    first, last = model[0], model[3]
    parameters = [p.detach().clone().requires_grad_() for p in (first.weight, first.bias, last.weight, last.bias)]
    s = torch.tensor(x, dtype=dtype, requires_grad=True)
    phi = torch.tensor(y, dtype=dtype, requires_grad=True)
    for _ in range(steps):
        w1, b1, w2, b2 = parameters
        error = torch.tanh(inputs @ w1.T + b1) @ w2.T + b2 - targets
        loss = (s * error.square().sum(1)).mean()
        slopes = torch.autograd.grad(loss, parameters, create_graph=True)
        parameters = [p - rate * slope for p, slope in zip(parameters, slopes, strict=True)]
    h = (phi - torch.cat([p.flatten() for p in parameters])).square().sum()
    return h.item(), *(g.numpy() for g in torch.autograd.grad(h, (s, phi)))


def relative(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


@pytest.mark.parametrize("memory", ["recompute", "store"])
@pytest.mark.parametrize("steps", [1, 2, 6])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
def test_the_gap_equals_full_unrolling(memory: str, steps: int, dtype: torch.dtype, tolerance: float) -> None:
    o = oracle(dtype, steps=steps, memory=memory)
    x, y = start(o)
    expected = fully_unrolled(x, y, dtype, steps, 0.2)
    value, in_x, in_y = o.gap(x, y)
    assert value == pytest.approx(expected[0], rel=tolerance)
    assert relative(in_x, expected[1]) < tolerance
    assert relative(in_y, expected[2]) < tolerance


VARIANTS = {
    "direct": {},
    "sigmoid": {"weights": SampleWeights.per_sample(N, sigmoid=True)},
    "groups": {"weights": SampleWeights.per_world(GROUPS)},
    "sigmoid groups": {"weights": SampleWeights.per_world(GROUPS, sigmoid=True)},
    "normalised": {"normalise": True},
    "minibatches": {"batch_size": 3, "normalise": True},
    "chunks": {"chunk_size": 2},
    "dropout": {"dropout": 0.4},
    "store": {"memory": "store", "batch_size": 3, "dropout": 0.4},
}


@pytest.mark.parametrize("name", VARIANTS)
def test_gradients_agree_with_central_differences(name: str) -> None:
    o = oracle(**VARIANTS[name])
    x, y = start(o)
    _, in_x, in_y = o.gap(x, y)
    z, slope, step = np.concatenate([x, y]), np.concatenate([in_x, in_y]), 1e-5
    for i in range(len(z)):
        ends = []
        for sign in (1, -1):
            moved = z.copy()
            moved[i] += sign * step
            ends.append(o.gap(moved[: len(x)], moved[len(x) :])[0])
        assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(slope[i], abs=1e-8)


@pytest.mark.parametrize("options", [{}, {"batch_size": 3}, {"normalise": True}, {"dropout": 0.4}])
def test_memory_modes_agree(options: dict) -> None:
    x, y = start(oracle())
    answers = [
        oracle(**options, **mode).gap(x, y)
        for mode in ({}, {"memory": "store"}, {"memory": "truncate", "last_steps": 4})
    ]
    for first, second in itertools.pairwise(answers):
        for a, b in zip(first, second, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-14)


def test_chunks_change_nothing_without_draws() -> None:
    x, y = start(oracle())
    for a, b in zip(oracle(chunk_size=2).gap(x, y), oracle().gap(x, y), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_truncation_drops_the_early_steps_only() -> None:
    """Its gradient is the one with the last steps' start held fixed."""
    full, cut = oracle(), oracle(memory="truncate", last_steps=1)
    x, y = start(full)
    head = oracle(steps=3)
    tail = oracle(steps=1)
    tail.restart(head.solution(x))
    value, in_x, in_y = cut.gap(x, y)
    assert value == pytest.approx(full.gap(x, y)[0], rel=1e-12)
    np.testing.assert_allclose(in_x, tail.gap(x, y)[1], rtol=1e-10)
    np.testing.assert_allclose(in_y, full.gap(x, y)[2], rtol=1e-12)


@given(seed=st.integers(0, 10_000), steps=st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_vjp_is_the_transposed_jacobian_of_the_solution(seed: int, steps: int) -> None:
    o, rng = oracle(steps=steps), np.random.default_rng(seed)
    x, _ = start(o, seed)
    direction, v = rng.normal(size=len(x)), rng.normal(size=len(o.anchor))
    step = 1e-5
    moved = (o.solution(x + step * direction) - o.solution(x - step * direction)) / (2 * step)
    assert v @ moved == pytest.approx(direction @ o.vjp(x, v), abs=1e-8)


def test_the_gap_is_zero_with_zero_gradient_at_the_solution() -> None:
    o = oracle()
    x, _ = start(o)
    value, in_x, in_y = o.gap(x, o.solution(x))
    assert value == 0
    assert not in_x.any()
    assert not in_y.any()


def test_one_step_of_a_least_squares_line_by_hand() -> None:
    """L_j = (φ a_j − b_j)²/2, φ^0 = 0, η = 1/2: φ^1 = (1/2) mean(s a b)."""
    a, b = torch.tensor([1.0, 2.0, -1.0]).double(), torch.tensor([3.0, 0.5, 2.0]).double()
    line = torch.nn.Linear(1, 1, bias=False).double()
    torch.nn.init.zeros_(line.weight)
    o = UnrolledOracle(
        line,
        lambda predict, i: (predict(a[i, None])[:, 0] - b[i]).square() / 2,
        SampleWeights.per_sample(3),
        UnrollConfig(steps=1, learning_rate=0.5),
    )
    x, y = np.array([0.2, 0.7, 1.0]), np.array([1.5])
    phi = 0.5 * np.mean(x * a.numpy() * b.numpy())
    value, in_x, in_y = o.gap(x, y)
    assert value == pytest.approx((1.5 - phi) ** 2)
    np.testing.assert_allclose(in_x, -2 * (1.5 - phi) * 0.5 * a.numpy() * b.numpy() / 3)
    np.testing.assert_allclose(in_y, [2 * (1.5 - phi)])


def test_samples_outside_every_batch_have_no_influence() -> None:
    o = oracle(steps=1, batch_size=3)
    x, y = start(o)
    drawn = frozen_batches(N, 3, 1, seed=0)[0].tolist()
    gradient = o.gap(x, y)[1]
    assert set(np.flatnonzero(gradient)) == set(drawn)


@given(samples=st.integers(1, 40), size=st.integers(1, 40), steps=st.integers(1, 9), seed=st.integers(0, 99))
def test_frozen_batches_pass_over_all_samples_before_any_repeats(
    samples: int, size: int, steps: int, seed: int
) -> None:
    batches = frozen_batches(samples, size, steps, seed)
    assert len(batches) == steps
    if size >= samples:
        assert batches == [None] * steps
        return
    drawn = torch.cat(batches)
    assert all(len(b) == size for b in batches)
    counts = torch.bincount(drawn, minlength=samples)
    assert counts.max() - counts.min() <= 1


def test_normalised_steps_do_not_feel_a_common_factor() -> None:
    x, _ = start(oracle())
    plain, normalised = oracle(), oracle(normalise=True)
    np.testing.assert_allclose(normalised.solution(x), normalised.solution(x / 2), rtol=1e-10)
    assert relative(plain.solution(x), plain.solution(x / 2)) > 1e-3


def test_draws_are_frozen_and_leave_torchs_generator_alone() -> None:
    before = torch.random.get_rng_state()
    x, y = start(oracle())
    answers = [oracle(dropout=0.4, seed=seed).gap(x, y)[0] for seed in (1, 1, 2)]
    assert answers[0] == answers[1] != answers[2]
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_oracle_keeps_its_own_copy_of_the_model() -> None:
    model = mlp(torch.float64)
    o = UnrolledOracle(model, squared(torch.float64), SampleWeights.per_sample(N), UnrollConfig())
    x, y = start(o)
    before = o.gap(x, y)[0]
    with torch.no_grad():
        for p in model.parameters():
            p.add_(1.0)
    assert UnrolledOracle.gap(o, x + 0, y)[0] == before
    o.solution(x + 0.1)  # leaves the last run behind
    assert o.gap(x, y)[0] == before


@pytest.mark.parametrize("memory", ["recompute", "store"])
def test_the_last_run_is_let_go_before_the_next_begins(memory: str) -> None:
    runs: list[weakref.ref] = []
    plain = squared(torch.float64)

    def losses(predict, index):
        if runs:
            assert runs[0]() is None  # else two runs would be held at once, and the memory doubled
        return plain(predict, index)

    o = UnrolledOracle(
        mlp(torch.float64), losses, SampleWeights.per_sample(N), UnrollConfig(steps=2, memory=memory)
    )
    x, _ = start(o)
    o.solution(x)
    runs.append(weakref.ref(o._cache))
    o.solution(x / 2)


def test_a_restart_moves_the_anchor_and_raises_the_version() -> None:
    o = oracle()
    x, y = start(o)
    before, version = o.gap(x, y)[0], o.version
    o.restart(o.solution(x))
    assert o.version == version + 1
    assert o.gap(x, y)[0] != before
    np.testing.assert_allclose(o.anchor, oracle().solution(x))


@given(seed=st.integers(0, 1000), epsilon=st.floats(1e-8, 10))
@settings(max_examples=20, deadline=None)
def test_restore_gives_a_point_of_gap_epsilon_at_most(seed: int, epsilon: float) -> None:
    o = oracle(steps=1)
    x, y = start(o, seed)
    assert o.gap(x, o.restore(x, y, epsilon))[0] <= epsilon
    if o.gap(x, y)[0] <= epsilon:
        np.testing.assert_array_equal(o.restore(x, y, epsilon), y)


def test_frozen_parameters_stay_out_of_the_vector() -> None:
    model = mlp(torch.float64)
    for p in model[0].parameters():
        p.requires_grad_(False)
    o = UnrolledOracle(model, squared(torch.float64), SampleWeights.per_sample(N), UnrollConfig())
    assert len(o.anchor) == 5 * 2 + 2
    x, y = start(o)
    assert np.isfinite(o.gap(x, y)[1]).all()


@pytest.mark.parametrize("steps", [1, 3])
def test_it_differentiates_sim_mstnet(steps: int) -> None:
    """Attention, ProbSparse selection, pooling and dropout, in float64 against central differences."""
    config = SimMSTNetConfig.small(2, 30, 24, width=4, heads=2, hidden=6, dropout=0.1, factor=1)
    g = torch.Generator().manual_seed(0)
    shapes = (4, 30, 9, 2), (4, 30, 4), (4, 24, 4), (4, 24, 2)
    history, past, future, target = (torch.randn(*shape, generator=g, dtype=torch.float64) for shape in shapes)
    o = UnrolledOracle(
        SimMSTNet(config).double(),
        lambda predict, i: (predict(history[i], past[i], future[i]) - target[i]).square().mean((1, 2)),
        SampleWeights.per_sample(4),
        UnrollConfig(steps=steps, learning_rate=0.01),
    )
    x, y = start(o)
    value, in_x, _ = o.gap(x, y)
    assert value > 0
    rng = np.random.default_rng(1)
    direction, step = rng.normal(size=4), 1e-4  # the gap is far larger than its change: mind the rounding
    moved = (o.gap(x + step * direction, y)[0] - o.gap(x - step * direction, y)[0]) / (2 * step)
    assert moved == pytest.approx(in_x @ direction, rel=1e-5)


def test_batch_norm_in_training_mode_is_refused() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    build = lambda: UnrolledOracle(  # noqa: E731 - built twice
        model, squared(torch.float32), SampleWeights.per_sample(N), UnrollConfig()
    )
    with pytest.raises(ConfigError, match="BatchNorm"):
        build()
    model.eval()
    assert np.isfinite(build().solution(np.ones(N))).all()


def test_wrong_shapes_are_named() -> None:
    o = oracle()
    x, y = start(o)
    with pytest.raises(ConfigError, match=r"x must have shape \(7,\), got \(3,\)"):
        o.gap(x[:3], y)
    with pytest.raises(OracleError, match=r"y has shape \(3,\)"):
        o.gap(x, y[:3])
    summed = UnrolledOracle(
        mlp(torch.float64), lambda predict, i: torch.zeros(()), SampleWeights.per_sample(N), UnrollConfig()
    )
    with pytest.raises(ConfigError, match="one loss a sample"):
        summed.solution(x)


@pytest.mark.parametrize(
    "options",
    [{"steps": 0}, {"learning_rate": 0.0}, {"memory": "disk"}, {"memory": "truncate"}, {"last_steps": 2}],
)
def test_meaningless_options_are_refused(options: dict) -> None:
    with pytest.raises(ConfigError, match=r"steps|learning_rate|memory"):
        UnrollConfig(**options)
