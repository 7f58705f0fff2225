"""The trainer: it learns, weighs samples, stops early, and resumes as if it had never stopped."""

import os
import signal
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from simmst.errors import ConfigError, DataError, SimmstError
from simmst.models.simmstnet import SimMSTNet, SimMSTNetConfig
from simmst.traffic.windows import WindowBatch
from simmst.training.checkpoint import load_checkpoint, load_model, save_checkpoint, save_model
from simmst.training.config import Progress, TrainerConfig
from simmst.training.trainer import Trainer

TINY = SimMSTNetConfig(2, 12, 4, width=4, heads=2, hidden=8, encoder_layers=1, dropout=0.1, highway=None)
FAST = TrainerConfig(epochs=3, batch_size=16, learning_rate=5e-3)


@dataclass
class Sines:
    """Windows of two noisy sines; the answer of the second half may be wrong on purpose."""

    count: int = 80
    wrong: int = 0
    seed: int = 0

    def __len__(self) -> int:
        return self.count

    def batch(self, index: np.ndarray) -> WindowBatch:
        time = np.random.default_rng(self.seed).uniform(0, 24, self.count)[index, None] + np.arange(16)
        series = np.stack([np.sin(time / 4), np.cos(time / 4)], -1).astype(np.float32)  # [B, 16, 2]
        marks = np.stack([np.sin(time / 8), np.cos(time / 8), time * 0, time * 0], -1).astype(np.float32)
        history = np.repeat(series[:, :12, None], 9, axis=2)
        target = np.where(index[:, None, None] < self.count - self.wrong, series[:, 12:], 5.0).astype(np.float32)
        return WindowBatch(history, marks[:, :12], marks[:, 12:], target, index, index)


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def weights_of(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_training_lowers_the_error_and_leaves_the_best_epoch_in_the_model() -> None:
    model, trainer = SimMSTNet(TINY), Trainer(replace(FAST, epochs=8))
    before = trainer.errors(model, Sines(seed=1)).mean()
    result = trainer.fit(model, Sines(), Sines(seed=1))
    assert result.best_error < 0.7 * before
    assert trainer.errors(model, Sines(seed=1)).mean() == pytest.approx(result.best_error, rel=1e-6)
    assert result.best_error == min(record.error for record in result.history)


def test_the_same_seed_gives_the_same_weights_to_the_bit_and_touches_no_global_generator() -> None:
    state = torch.random.get_rng_state()
    runs = []
    for seed in (1, 1, 2):
        model = SimMSTNet(TINY)
        Trainer(replace(FAST, seed=seed)).fit(model, Sines(), Sines(seed=1))
        runs.append(weights_of(model))
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])
    assert torch.equal(torch.random.get_rng_state(), state)


class StopAt:
    """Press Ctrl-C at one step, by signal or by raising."""

    def __init__(self, epoch: int, step: int, by_signal: bool) -> None:
        self.where, self.by_signal = (epoch, step), by_signal

    def __call__(self, progress: Progress) -> None:
        if (progress.epoch, progress.step) == self.where:
            if self.by_signal:
                os.kill(os.getpid(), signal.SIGINT)
            else:
                raise KeyboardInterrupt


@pytest.mark.parametrize("weighting", ["dynamic", "dwa"])
@pytest.mark.parametrize(("epoch", "step", "by_signal"), [(0, 2, True), (1, 3, False), (1, 5, True)])
def test_stopped_and_resumed_equals_never_stopped_to_the_bit(
    tmp_path: Path, epoch: int, step: int, by_signal: bool, weighting: str
) -> None:
    config = replace(FAST, weighting=weighting, epoch_samples=70)
    whole = SimMSTNet(TINY)
    expected = Trainer(config).fit(whole, Sines(), Sines(seed=1))
    path = tmp_path / "run.safetensors"
    with pytest.raises(KeyboardInterrupt):
        Trainer(config).fit(
            SimMSTNet(TINY), Sines(), Sines(seed=1), checkpoint=path, callback=StopAt(epoch, step, by_signal)
        )
    resumed = SimMSTNet(TINY, seed=99)  # whatever it starts from, the checkpoint replaces it
    result = Trainer(config).fit(resumed, Sines(), Sines(seed=1), checkpoint=path, resume=True)
    assert torch.equal(weights_of(resumed), weights_of(whole))
    assert result == expected


def test_resuming_a_finished_run_trains_no_further(tmp_path: Path) -> None:
    path, model = tmp_path / "run.safetensors", SimMSTNet(TINY)
    expected = Trainer(FAST).fit(model, Sines(), Sines(seed=1), checkpoint=path)
    again, steps = SimMSTNet(TINY, seed=5), []
    result = Trainer(FAST).fit(again, Sines(), Sines(seed=1), checkpoint=path, resume=True, callback=steps.append)
    assert result == expected
    assert not steps
    assert torch.equal(weights_of(again), weights_of(model))


def test_another_runs_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    Trainer(FAST).fit(SimMSTNet(TINY), Sines(), Sines(seed=1), checkpoint=path)
    with pytest.raises(ConfigError, match=r"another run \(learning_rate 0.005 -> 0.1\)"):
        Trainer(replace(FAST, learning_rate=0.1)).fit(
            SimMSTNet(TINY), Sines(), Sines(seed=1), checkpoint=path, resume=True
        )


def test_weight_zero_equals_leaving_the_windows_out() -> None:
    weights = np.ones(80)
    weights[60:] = 0.0
    weighted, short = SimMSTNet(TINY), SimMSTNet(TINY)
    Trainer(FAST).fit(weighted, Sines(wrong=20), Sines(seed=1), sample_weights=weights)

    class First(Sines):
        def __len__(self) -> int:
            return 60

    Trainer(FAST).fit(short, First(), Sines(seed=1))
    assert torch.equal(weights_of(weighted), weights_of(short))


def test_sample_weights_are_free_in_scale_and_matter_in_proportion() -> None:
    trained = []
    for weights in (np.linspace(0.1, 1, 80), np.linspace(1, 10, 80), np.linspace(1, 0.1, 80)):
        model = SimMSTNet(TINY)
        Trainer(FAST).fit(model, Sines(), Sines(seed=1), sample_weights=weights)
        trained.append(weights_of(model))
    torch.testing.assert_close(trained[0], trained[1], rtol=1e-3, atol=1e-4)
    assert (trained[0] - trained[2]).abs().max() > 1e-2


def test_early_stopping_waits_for_its_patience() -> None:
    """Trained towards wrong answers, the validation error is best at the start."""
    config = replace(FAST, epochs=30, patience=2, learning_rate=0.05)
    result = Trainer(config).fit(SimMSTNet(TINY), Sines(wrong=80), Sines(seed=1))
    assert result.stopped_early
    assert len(result.history) == result.best_epoch + 3


def test_a_loss_that_is_not_finite_is_one_clear_error() -> None:
    class Broken(Sines):
        def batch(self, index: np.ndarray) -> WindowBatch:
            batch = super().batch(index)
            batch.target[0] = np.inf  # NaN is what was not recorded, and counts for nothing
            return batch

    with pytest.raises(SimmstError, match="diverged in epoch 0, step 0"):
        Trainer(FAST).fit(SimMSTNet(TINY), Broken(), Sines())


@pytest.mark.parametrize("weights", [np.ones(3), np.zeros(80), -np.ones(80), np.full(80, np.nan)])
def test_meaningless_sample_weights_are_refused(weights: np.ndarray) -> None:
    with pytest.raises(ConfigError, match="sample_weights"):
        Trainer(FAST).fit(SimMSTNet(TINY), Sines(), Sines(), sample_weights=weights)


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"learning_rate": 0.0},
        {"weighting": "best"},
        {"epoch_samples": 0},
        {"clip": float("nan")},
        {"weight_decay": -1.0},
    ],
)
def test_meaningless_settings_are_refused(change: dict) -> None:
    with pytest.raises(ConfigError, match=next(iter(change))):
        TrainerConfig(**change)


def test_a_saved_model_forecasts_the_same(tmp_path: Path) -> None:
    model, path = SimMSTNet(TINY, seed=3).eval(), tmp_path / "model.safetensors"
    save_model(path, model, {"services": ["a", "b"]})
    loaded, note = load_model(path)
    batch = Sines().batch(np.arange(5))
    inputs = [torch.from_numpy(a) for a in (batch.history, batch.history_marks, batch.future_marks)]
    assert torch.equal(loaded(*inputs), model(*inputs))
    assert note == {"services": ["a", "b"]}
    assert loaded.config == TINY


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_a_checkpoint_is_as_readable_as_the_umask_allows(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        save_checkpoint(tmp_path / "x.safetensors", {"x": torch.ones(1)}, {})
    finally:
        os.umask(before)
    assert (tmp_path / "x.safetensors").stat().st_mode & 0o777 == 0o666 & ~mask
    assert [file.name for file in tmp_path.iterdir()] == ["x.safetensors"]


def test_a_network_of_another_version_is_refused(tmp_path: Path) -> None:
    path, model = tmp_path / "model.safetensors", SimMSTNet(TINY)
    note = {"model": asdict(model.config), "note": {}}
    save_checkpoint(path, dict(list(model.state_dict().items())[1:]), note)
    with pytest.raises(DataError, match="another version"):
        load_model(path)


def test_a_note_keeps_floats_to_the_bit(tmp_path: Path) -> None:
    path, value = tmp_path / "note.safetensors", 0.1 + 0.2
    save_checkpoint(path, {"x": torch.ones(2)}, {"value": value, "none": float("inf")})
    assert load_checkpoint(path)[1] == {"value": value, "none": float("inf")}


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    bad, training = tmp_path / "bad.safetensors", tmp_path / "training.safetensors"
    bad.write_bytes(b"nothing of the kind")
    save_checkpoint(training, {"x": torch.ones(1)}, {})
    for path, message in ((bad, "not a readable"), (tmp_path / "absent", "does not exist")):
        with pytest.raises(DataError, match=message):
            load_checkpoint(path)
    with pytest.raises(DataError, match="holds no model"):
        load_model(training)
    with pytest.raises(DataError, match="folder"):
        save_checkpoint(tmp_path / "absent" / "x", {}, {})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_training_runs_in_mixed_precision_on_a_gpu() -> None:
    model = SimMSTNet(TINY)
    result = Trainer(replace(FAST, device="cuda", mixed_precision=True)).fit(model, Sines(), Sines(seed=1))
    assert np.isfinite(result.best_error)


def test_a_run_may_be_resumed_elsewhere(tmp_path: Path) -> None:
    """The device is where a run computes, not what."""
    path = tmp_path / "run.safetensors"
    first = Trainer(FAST).fit(SimMSTNet(TINY), Sines(), Sines(seed=1), checkpoint=path)
    elsewhere = Trainer(replace(FAST, device="auto"))
    assert elsewhere.fit(SimMSTNet(TINY), Sines(), Sines(seed=1), checkpoint=path, resume=True) == first


def test_without_validation_windows_there_is_nothing_to_choose_by() -> None:
    with pytest.raises(ConfigError, match="no validation windows"):
        Trainer(FAST).fit(SimMSTNet(TINY), Sines(), Sines(count=0))


def fitted(config: TrainerConfig) -> torch.Tensor:
    model = SimMSTNet(replace(TINY, dropout=0.0))
    Trainer(config).fit(model, Sines(), Sines(seed=1))
    return weights_of(model)


def test_a_compiled_network_trains_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the tracer alone: it calls torch's own operations, while generating code takes minutes."""
    calls = []

    def compiled(model: torch.nn.Module) -> torch.nn.Module:
        calls.append(model)
        return torch_compile(model, backend="eager")

    torch_compile = torch.compile
    monkeypatch.setattr(torch, "compile", compiled)
    config = replace(FAST, epochs=1)
    torch.testing.assert_close(fitted(replace(config, compile=True)), fitted(config))
    assert len(calls) == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's own, while it loads its compiler
def test_generated_code_trains_the_same() -> None:
    config = replace(FAST, epochs=1)
    torch.testing.assert_close(fitted(replace(config, compile=True)), fitted(config), rtol=0, atol=1e-4)


def test_bfloat16_autocast_trains_on_the_cpu_too() -> None:
    result = Trainer(replace(FAST, mixed_precision=True, epochs=6)).fit(SimMSTNet(TINY), Sines(), Sines(seed=1))
    assert result.history[-1].error < result.history[0].error
