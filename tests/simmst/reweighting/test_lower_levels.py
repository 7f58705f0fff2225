"""The last layer as lower level, the alternation, warm starts, floors and anchors."""

import numpy as np
import pytest
import torch

from cutplane import BilevelSolver
from simmst.errors import ConfigError
from simmst.models.simmstnet import SimMSTNet, SimMSTNetConfig
from simmst.reweighting.alternating import alternate
from simmst.reweighting.density import density_ratio
from simmst.reweighting.diagnostics import diagnose
from simmst.reweighting.last_layer import SimMSTNetFeatures, last_layer_problem
from simmst.reweighting.learn import Reweighting, default_solver, reweight
from simmst.reweighting.problems import Sim2Real, network_problem, proxy_problem
from simmst.reweighting.proxy import Samples, window_samples
from simmst.reweighting.unrolled import UnrollConfig
from simmst.reweighting.weights import SampleWeights
from simmst.traffic.windows import WindowBatch

WORLDS, EACH, L, H = 8, 10, 12, 3
WORLD = np.repeat(np.arange(WORLDS), EACH)
BAD = np.arange(WORLDS) % 2 == 1


class Waves:
    """Windows of noisy daily waves, two services; in bad ones the future has the wrong sign."""

    def __init__(self, bad: np.ndarray, seed: int) -> None:
        rng = np.random.default_rng(seed)
        phase = rng.uniform(0, 24, (len(bad), 1, 2))
        wave = np.sin(2 * np.pi * (phase + np.arange(L + H)[None, :, None]) / 24)
        wave[bad, L:] *= -1
        self.wave = (wave + 0.1 * rng.normal(size=wave.shape)).astype(np.float32)

    def __len__(self) -> int:
        return len(self.wave)

    def batch(self, index: np.ndarray) -> WindowBatch:
        wave, marks = self.wave[index], np.zeros((len(index), L + H, 4), np.float32)
        history = np.repeat(wave[:, :L, None], 9, axis=2)
        return WindowBatch(history, marks[:, :L], marks[:, L:], wave[:, L:], index, index)


SIMULATED, REAL = Waves(BAD[WORLD], 0), Waves(np.zeros(60, bool), 1)


def network(seed: int = 0) -> SimMSTNet:
    return SimMSTNet(
        SimMSTNetConfig.small(2, L, H, width=8, hidden=8, encoder_layers=1, label=4, highway=None), seed
    )


def test_the_features_and_the_networks_own_last_layer_give_its_forecast() -> None:
    model, batch = network(), REAL.batch(np.arange(5))
    rows, rest = SimMSTNetFeatures(model)(batch)
    assert rows.shape == (5, H, 2 * 8) and rest.shape == (5, H, 2)
    states = torch.from_numpy(rows).view(5, H, 2, 8).permute(2, 0, 1, 3)
    own = model.decoder.head(states).squeeze(-1).permute(1, 2, 0).detach().numpy()
    inputs = [torch.from_numpy(a) for a in (batch.history, batch.history_marks, batch.future_marks)]
    model.eval()
    forecast = model(*inputs).detach().numpy()
    np.testing.assert_allclose(batch.target - forecast, rest - own, atol=1e-5)


def task(**options) -> Sim2Real:
    weights = SampleWeights.per_world(WORLD)
    return last_layer_problem(SimMSTNetFeatures(network()), SIMULATED, REAL, weights, **options)


def test_the_last_layer_finds_the_bad_worlds() -> None:
    t = task(share=0.5)
    out = reweight(t, default_solver(t, 40), world=WORLD, bad=BAD)
    assert out.diagnostics.auc > 0.9


def test_alternation_starts_each_round_from_the_weights_of_the_last() -> None:
    trained: list[np.ndarray | None] = []
    starts: list[np.ndarray] = []

    def train(weights: np.ndarray | None) -> SimMSTNet:
        trained.append(weights)
        return network(len(trained))

    def learn(t: Sim2Real) -> Reweighting:
        starts.append(t.weights.of(t.x0))
        return reweight(t, default_solver(t, 5))

    weights = SampleWeights.per_world(WORLD)
    _, learned = alternate(
        train,
        lambda m: last_layer_problem(SimMSTNetFeatures(m), SIMULATED, REAL, weights, share=0.5),
        learn,
        rounds=2,
    )
    assert trained[0] is None and len(trained) == 3
    np.testing.assert_allclose(starts[0], 0.5)
    np.testing.assert_allclose(starts[1], learned[0].weights, atol=1e-9)
    np.testing.assert_array_equal(trained[2], learned[1].weights)


def test_a_floor_keeps_the_effective_sample_size() -> None:
    weights = SampleWeights.per_world(WORLD)
    for floor in (0.9, 0.6):
        t = proxy_problem(SIMULATED, REAL, weights, share=0.3, floor=floor)
        out = reweight(t, default_solver(t, 30), world=WORLD, bad=BAD)
        assert out.diagnostics.effective_share >= floor * (1 - 1e-9)
        assert out.diagnostics.auc > 0.9
        assert out.weights.mean() == pytest.approx(0.3)


@pytest.mark.parametrize(
    "weights", [SampleWeights.world_and_sample(WORLD), SampleWeights.of_parameters(np.eye(WORLDS), WORLD)]
)
def test_other_kinds_of_weights_keep_the_budget(weights: SampleWeights) -> None:
    t = proxy_problem(SIMULATED, REAL, weights, share=0.4)
    out = reweight(t, default_solver(t, 40), world=WORLD, bad=BAD)
    assert out.weights.mean() == pytest.approx(0.4)
    assert out.diagnostics.auc > 0.9


def test_a_density_ratio_tells_good_worlds_from_bad_and_starts_the_solver() -> None:
    below, above = window_samples(SIMULATED), window_samples(REAL)
    ratio = density_ratio(below, above, WORLD, steps=150)
    assert ratio.mean() == pytest.approx(1.0)
    assert diagnose(ratio, WORLD, BAD).auc > 0.9
    np.testing.assert_array_equal(ratio, density_ratio(below, above, WORLD, steps=150))
    t = proxy_problem(SIMULATED, REAL, SampleWeights.per_world(WORLD), share=0.5)
    warm = t.starting_at(ratio)
    assert warm.weights.of(warm.x0).mean() == pytest.approx(0.5)
    assert diagnose(warm.weights.of(warm.x0), WORLD, BAD).auc > 0.9
    np.testing.assert_allclose(warm.y0, t.problem.lower.solution(warm.x0))


class Line(torch.nn.Module):
    """A linear map of the history, with the networks' signature."""

    def __init__(self) -> None:
        super().__init__()
        self.map = torch.nn.Linear(L, H, bias=False).double()
        torch.nn.init.zeros_(self.map.weight)

    def forward(self, history: torch.Tensor, past: torch.Tensor, future: torch.Tensor) -> torch.Tensor:
        return self.map(history[:, :, 4].transpose(1, 2)).transpose(1, 2)


@pytest.mark.parametrize("formulation", ["reduced", "joint"])
def test_a_restarted_anchor_clears_the_planes(formulation: str) -> None:
    t = network_problem(Line(), SIMULATED, REAL, SampleWeights.per_world(WORLD), UnrollConfig(4, 0.1), share=0.5)
    first = t.problem.lower.anchor
    solver = BilevelSolver(
        method="primal-dual", formulation=formulation, epsilon=1e-4, x_scale=float(WORLDS), max_iterations=25,
        cut_every=2,
    )  # fmt: skip
    out = reweight(t, solver, restart_every=10)
    assert t.problem.lower.version == 2
    assert not np.array_equal(t.problem.lower.anchor, first)
    assert np.isfinite(out.result.fun)
    if formulation == "joint":
        assert sum(record.cleared for record in out.result.history) > 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: task(floor=0.5), "floor needs share"),
        (
            lambda: proxy_problem(SIMULATED, REAL, SampleWeights.world_and_sample(WORLD), share=0.5, floor=0.5),
            "per sample or per world",
        ),
        (lambda: task(share=0.5).starting_at(np.zeros(len(WORLD))), "not all 0"),
        (lambda: reweight(task(share=0.5), default_solver(task(share=0.5)), restart_every=2), "no anchor"),
        (
            lambda: last_layer_problem(SimMSTNetFeatures(network()), SIMULATED, REAL, SampleWeights.per_sample(3)),
            "3 samples",
        ),
        (lambda: density_ratio(Samples(np.ones((3, 2)), np.ones((3, 1))), window_samples(REAL)), "at least 4"),
    ],
)
def test_what_cannot_be_is_refused(call, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        call()
