"""Re-weighting from end to end: it finds the bad worlds, stops and resumes, and says what it did."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cutplane import BilevelSolver, Record
from cutplane.methods.base import Move, offer
from simmst.errors import ConfigError, DataError, SimmstError
from simmst.reweighting.diagnostics import diagnose
from simmst.reweighting.fingerprint import fingerprint
from simmst.reweighting.learn import default_solver, reweight
from simmst.reweighting.problems import MeanLoss, Sim2Real, network_problem, proxy_problem
from simmst.reweighting.unrolled import UnrollConfig
from simmst.reweighting.weights import SampleWeights
from simmst.traffic.windows import WindowBatch

WORLDS, EACH = 10, 12
WORLD = np.repeat(np.arange(WORLDS), EACH)
BAD = np.arange(WORLDS) % 2 == 1


@dataclass
class Waves:
    """Windows of a noisy daily wave; in bad worlds the future has the wrong sign."""

    count: int
    bad: np.ndarray
    seed: int = 0

    def __len__(self) -> int:
        return self.count

    def batch(self, index: np.ndarray) -> WindowBatch:
        rng = np.random.default_rng(self.seed)
        phase, noise = rng.uniform(0, 24, self.count), 0.1 * rng.normal(size=(self.count, 14))
        wave = np.sin(2 * np.pi * (phase[:, None] + np.arange(14)) / 24)
        wave[self.bad, 12:] *= -1
        wave = (wave + noise)[index, :, None].astype(np.float32)
        marks = np.zeros((len(index), 14, 4), np.float32)
        history = np.repeat(wave[:, :12, None], 9, axis=2)
        return WindowBatch(history, marks[:, :12], marks[:, 12:], wave[:, 12:], index, index)


SIMULATED = Waves(WORLDS * EACH, BAD[WORLD])
REAL = Waves(200, np.zeros(200, bool), seed=1)


class Line(torch.nn.Module):
    """A linear map of the centre cell's history, with the networks' signature."""

    def __init__(self) -> None:
        super().__init__()
        self.map = torch.nn.Linear(12, 2, bias=False).double()
        torch.nn.init.zeros_(self.map.weight)

    def forward(self, history: torch.Tensor, past: torch.Tensor, future: torch.Tensor) -> torch.Tensor:
        return self.map(history[:, :, 4, 0]).unsqueeze(-1)


def proxy(weights: SampleWeights, share: float | None = 0.5) -> Sim2Real:
    return proxy_problem(SIMULATED, REAL, weights, share=share)


@pytest.mark.parametrize(
    ("weights", "share"),
    [
        (SampleWeights.per_sample(len(WORLD)), 0.5),
        (SampleWeights.per_world(WORLD), 0.5),
        (SampleWeights.per_world(WORLD), None),
        (SampleWeights.per_world(WORLD, sigmoid=True), None),
    ],
)
def test_the_exact_proxy_finds_the_bad_worlds(weights: SampleWeights, share: float | None) -> None:
    task = proxy(weights, share)
    records: list[Record] = []
    out = reweight(task, default_solver(task, 40), callback=records.append)
    found = diagnose(out.weights, WORLD, BAD)
    assert found.auc > 0.9
    assert found.good_bad_ratio > 1.5
    assert out.result.fun < records[0].fun
    assert ((out.weights >= 0) & (out.weights <= 1)).all()
    if share is not None:
        assert out.weights.mean() == pytest.approx(share, rel=1e-9)


def test_linear_masters_find_them_too() -> None:
    task = proxy(SampleWeights.per_world(WORLD))
    out = reweight(task, default_solver(task, method="linear"), world=WORLD, bad=BAD)
    assert out.diagnostics.auc > 0.9


def test_the_main_jobs_options_stay_so_that_its_states_resume() -> None:
    task = proxy(SampleWeights.per_sample(len(WORLD)))
    options = BilevelSolver(method="linear", formulation="reduced", x_scale=float(len(WORLD)), max_iterations=30)
    assert default_solver(task, 30, method="linear") == options


def test_the_weights_lower_the_error_of_a_ridge_that_never_sees_the_real_windows() -> None:
    weights = SampleWeights.per_world(WORLD)
    task = proxy(weights)
    out = reweight(task, default_solver(task, 40))
    unseen = proxy_problem(SIMULATED, Waves(200, np.zeros(200, bool), seed=5), weights).problem.upper
    lower = task.problem.lower
    uniform, learned = (unseen(x, lower.solution(x))[0] for x in (task.x0, out.result.x))
    assert learned < 0.9 * uniform


def test_k_steps_of_a_network_as_lower_level() -> None:
    task = network_problem(
        Line(),
        SIMULATED,
        REAL,
        SampleWeights.per_world(WORLD),
        UnrollConfig(steps=20, learning_rate=0.1),
        share=0.5,
    )
    out = reweight(task, default_solver(task, 30), world=WORLD, bad=BAD)
    assert out.diagnostics.auc > 0.9
    assert out.result.lower_gap == pytest.approx(0, abs=1e-12)


def test_the_networks_hypergradient_agrees_with_central_differences() -> None:
    task = network_problem(
        Line(),
        SIMULATED,
        REAL,
        SampleWeights.per_world(WORLD),
        UnrollConfig(steps=5, learning_rate=0.1),
        error="mse",
    )
    upper, lower = task.problem.upper, task.problem.lower
    x, step = np.random.default_rng(0).uniform(0.2, 0.8, WORLDS), 1e-5
    gradient = lower.vjp(x, upper(x, lower.solution(x))[2])
    for i, unit in enumerate(np.eye(WORLDS)):
        high, low = (upper(p, lower.solution(p))[0] for p in (x + step * unit, x - step * unit))
        assert (high - low) / (2 * step) == pytest.approx(gradient[i], abs=1e-8)


def test_the_mean_loss_is_the_same_in_chunks_and_ignores_dropout() -> None:
    model = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(3, 1)).double()
    inputs = torch.arange(30.0).double().view(10, 3)
    whole, parts = (
        MeanLoss(model, lambda predict, i: predict(inputs[i])[:, 0] ** 2, 10, chunk) for chunk in (10, 3)
    )
    y = np.array([0.1, -0.2, 0.3, 0.4])
    expected = np.square(inputs.numpy() @ y[:3] + y[3]).mean()
    for upper in (whole, parts):
        value, in_x, in_y = upper(np.zeros(2), y)
        assert value == pytest.approx(expected, rel=1e-12)
        assert not in_x.any()
        np.testing.assert_allclose(in_y, whole(np.zeros(2), y)[2], rtol=1e-12)


@pytest.mark.parametrize("formulation", ["reduced", "joint"])
@pytest.mark.parametrize("stop", [7, 10, 23])
def test_stopped_and_resumed_equals_never_stopped_to_the_bit(tmp_path: Path, stop: int, formulation: str) -> None:
    task = proxy(SampleWeights.per_world(WORLD))
    solver = replace(default_solver(task, 30), formulation=formulation, epsilon=1e-4)
    expected = reweight(task, solver)
    path = tmp_path / "state.npz"

    def press(record: Record) -> None:
        if record.iteration == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reweight(task, solver, state_path=path, callback=press)
    again = proxy(SampleWeights.per_world(WORLD))  # as a new process would build it
    resumed = reweight(again, solver, state_path=path, resume=True)
    np.testing.assert_array_equal(resumed.weights, expected.weights)
    assert resumed.result.fun == expected.result.fun
    assert resumed.result.nit == expected.result.nit == 30


def test_a_state_of_another_task_or_no_state_is_refused(tmp_path: Path) -> None:
    path, task = tmp_path / "state.npz", proxy(SampleWeights.per_world(WORLD))
    reweight(task, default_solver(task, 2), state_path=path)
    other = proxy(SampleWeights.per_sample(len(WORLD)))
    with pytest.raises(ConfigError, match="has 10 weights"):
        reweight(other, default_solver(other, 2), state_path=path, resume=True)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match="cannot be read"):
        reweight(task, default_solver(task, 2), state_path=path, resume=True)


def other_windows(simulated: Waves, real: Waves) -> Sim2Real:
    return proxy_problem(simulated, real, SampleWeights.per_world(WORLD), share=0.5)


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (lambda: other_windows(replace(SIMULATED, seed=7), REAL), "other lower level"),
        (lambda: other_windows(SIMULATED, replace(REAL, seed=7)), "other upper value, upper level"),
        (lambda: other_windows(SIMULATED, replace(REAL, count=199, bad=REAL.bad[:199])), "other upper value"),
        (lambda: proxy(SampleWeights.per_world(WORLD), share=0.4), "other start of the weights"),
    ],
)
def test_a_state_of_another_problem_of_the_same_size_is_refused(tmp_path: Path, task, words: str) -> None:
    path, begun = tmp_path / "state.npz", proxy(SampleWeights.per_world(WORLD))
    reweight(begun, default_solver(begun, 2), state_path=path)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=rf"is of another problem \({words}.*delete .*state.npz"):
        reweight(task(), default_solver(begun, 4), state_path=path, resume=True)
    assert path.read_bytes() == before


def test_a_state_of_other_options_is_refused_but_more_iterations_are_not(tmp_path: Path) -> None:
    path, task = tmp_path / "state.npz", proxy(SampleWeights.per_world(WORLD))
    reweight(task, default_solver(task, 2), state_path=path)
    with pytest.raises(ConfigError, match="other options"):
        reweight(task, replace(default_solver(task, 4), x_scale=1.0), state_path=path, resume=True)
    assert reweight(task, default_solver(task, 4), state_path=path, resume=True).result.nit == 4
    (tmp_path / "state.problem.npz").unlink()
    with pytest.raises(ConfigError, match=r"what it is of cannot be read .*no such file"):
        reweight(task, default_solver(task, 6), state_path=path, resume=True)


def test_to_begin_anew_is_not_to_resume(tmp_path: Path) -> None:
    path, task = tmp_path / "state.npz", proxy(SampleWeights.per_world(WORLD))
    reweight(task, default_solver(task, 2), state_path=path)
    other = other_windows(replace(SIMULATED, seed=7), REAL)

    def press(record: Record) -> None:
        assert not path.exists(), "the old state, beside the new problem's answers, would be taken for its own"

    reweight(other, default_solver(other, 2), state_path=path, callback=press)
    assert reweight(other, default_solver(other, 4), state_path=path, resume=True).result.nit == 4


class Mine:
    """A method of one's own that is no dataclass: projected steps of one length."""

    name, convex_only = "mine", False

    def __init__(self, step: float) -> None:
        self.step = step

    def start(self, model, state, options) -> None:
        offer(state, state.point, model.objective(state.point)[0], 0.0)

    def move(self, model, state, options) -> Move:
        fun, gradient = model.objective(state.point)
        state.point = model.project(state.point - self.step * gradient)
        offer(state, state.point, model.objective(state.point)[0], 0.0)
        return Move(fun, 0.0, 0.0, 1.0)


class Named(Mine):
    def __repr__(self) -> str:
        return f"Named({self.step})"


def test_a_method_of_ones_own_is_known_again_by_its_class_and_repr(tmp_path: Path) -> None:
    task, path = proxy(SampleWeights.per_world(WORLD)), tmp_path / "state.npz"
    solvers = [replace(default_solver(task, count), method=Named(0.5)) for count in (2, 4)]
    reweight(task, solvers[0], state_path=path)
    assert reweight(task, solvers[1], state_path=path, resume=True).result.nit == 4
    with pytest.raises(ConfigError, match="other options"):
        reweight(task, replace(solvers[1], method=Named(0.25)), state_path=path, resume=True)


def test_a_method_that_nothing_tells_from_another_is_refused_before_the_old_state_goes(tmp_path: Path) -> None:
    task, path = proxy(SampleWeights.per_world(WORLD)), tmp_path / "state.npz"
    reweight(task, default_solver(task, 2), state_path=path)
    with pytest.raises(ConfigError, match="make Mine a frozen dataclass, or give it a __repr__"):
        reweight(task, replace(default_solver(task, 2), method=Mine(0.5)), state_path=path)
    assert path.is_file()
    assert reweight(task, default_solver(task, 4), state_path=path, resume=True).result.nit == 4
    reweight(task, replace(default_solver(task, 2), method=Mine(0.5)))  # without a state it needs no name


def test_options_are_kept_as_states_of_before_have_them() -> None:
    # The text that `json.dumps(asdict(solver))` gave: a state of before must still be known again.
    task = proxy(SampleWeights.per_world(WORLD))
    solver = default_solver(task, method="linear")
    wanted = {k: v for k, v in asdict(solver).items() if k not in ("max_iterations", "tolerance", "patience")}
    kept = str(fingerprint(task, solver)["options"])
    assert kept == json.dumps(wanted, sort_keys=True, default=float)


def test_an_answer_that_is_not_finite_is_one_clear_error() -> None:
    task = proxy(SampleWeights.per_world(WORLD))
    upper = task.problem.upper
    calls = []

    def broken(x: np.ndarray, y: np.ndarray) -> tuple:
        calls.append(1)
        value, in_x, in_y = upper(x, y)
        return (np.nan if len(calls) > 6 else value), in_x, in_y

    with pytest.raises(SimmstError, match="upper value is not finite"):
        reweight(replace(task, problem=replace(task.problem, upper=broken)), default_solver(task, 30))


def test_a_callback_that_raises_gives_no_half_learned_weights() -> None:
    def full(record: Record) -> None:
        raise OSError(28, "no space left")

    task = proxy(SampleWeights.per_world(WORLD))
    with pytest.raises(SimmstError, match="a callback raised OSError"):
        reweight(task, default_solver(task, 5), callback=full)


def test_mismatched_arguments_are_refused() -> None:
    with pytest.raises(ConfigError, match="weights are for 3 samples, but there are 120 windows"):
        proxy(SampleWeights.per_sample(3))
    with pytest.raises(ConfigError, match="share needs weights that are x itself"):
        proxy(SampleWeights.per_world(WORLD, sigmoid=True), share=0.5)


def test_equal_weights_are_fully_effective() -> None:
    out = diagnose(np.full(8, 0.3))
    assert out.effective_share == pytest.approx(1.0)
    assert out.deviation == pytest.approx(0.0)
    assert out.auc is None


def test_weight_on_a_quarter_of_the_samples_is_a_quarter_effective() -> None:
    assert diagnose(np.array([1.0, 0, 0, 0])).effective_share == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("weights", "auc", "ratio"),
    [
        ([1.0, 1, 0, 0], 1.0, np.inf),
        ([0, 0, 1.0, 1], 0.0, 0.0),
        ([1.0, 1, 1, 1], 0.5, 1.0),
        ([4.0, 1, 2, 1], 0.625, 5 / 3),
    ],
)
def test_detection_by_hand(weights: list[float], auc: float, ratio: float) -> None:
    """The first two are good, the last two bad."""
    out = diagnose(np.array(weights), bad=np.array([False, False, True, True]))
    assert out.auc == pytest.approx(auc)
    assert out.good_bad_ratio == pytest.approx(ratio)


def test_detection_needs_one_truth_a_world() -> None:
    with pytest.raises(ConfigError, match="one entry a world"):
        diagnose(np.ones(4), np.array([0, 0, 1, 1]), np.array([True]))
