"""Trains a forecaster on weighted windows; can be stopped anywhere and resumed to the bit."""

import math
import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from simmst.data.windows import WindowBatch, WindowSource
from simmst.errors import ConfigError, SimmstError
from simmst.nn.draws import frozen_draws, seed_draws
from simmst.training.checkpoint import load_checkpoint, save_checkpoint
from simmst.training.config import EpochRecord, Progress, TrainerConfig, TrainingResult
from simmst.training.interrupt import DeferredInterrupt
from simmst.training.losses import WEIGHTINGS, task_errors, weighted_loss


@dataclass
class _State:
    """Everything that changes, beside the model's and the optimiser's tensors."""

    memory: Tensor
    sums: Tensor
    best: dict[str, Tensor] = field(default_factory=dict)
    epoch: int = 0
    step: int = 0
    seen: int = 0
    best_epoch: int = -1
    best_error: float = math.inf
    done: bool = False
    stopped_early: bool = False
    history: list[EpochRecord] = field(default_factory=list)


_NUMBERS = ("epoch", "step", "seen", "best_epoch", "best_error", "done", "stopped_early")


class Trainer:
    """Minimise the weighted task errors of a forecaster with AdamW.

    Every random draw is a function of (seed, epoch) or (seed, step), so a run that was stopped and resumed
    equals one that was not: to the bit on one thread.

    Parameters
    ----------
    config : TrainerConfig
    """

    def __init__(self, config: TrainerConfig | None = None) -> None:
        self.config = config or TrainerConfig()
        self.weighting = WEIGHTINGS[self.config.weighting]()

    def fit(
        self,
        model: nn.Module,
        train: WindowSource,
        validation: WindowSource,
        *,
        sample_weights: NDArray[np.floating] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
        callback: Callable[[Progress], None] | None = None,
    ) -> TrainingResult:
        """Train the model in place and leave the weights of the best validation epoch in it.

        Parameters
        ----------
        model : Module
            Called as ``model(history, history_marks, future_marks) -> [B, H, S]``.
        train, validation : WindowSource
            Windows to learn from, and to choose the epoch by.
        sample_weights : array of shape (n,), optional
            Weight of each training window in the loss, at least 0; scaled to mean 1 over the positive ones.
            Windows of weight 0 are left out.
        checkpoint : path-like, optional
            Written after each epoch and on Ctrl-C (which waits for the end of the step).
        resume : bool
            Continue from `checkpoint` if it exists.
        callback : callable, optional
            Called after each step and at the end of each epoch.

        Raises
        ------
        SimmstError
            Where the loss is not finite; ConfigError where the arguments contradict each other.
        """
        job = _Job(self, model, train, validation, _scaled(sample_weights, len(train)))
        if resume and checkpoint is None:
            raise ConfigError("resume=True needs the path of a checkpoint")
        if resume and Path(checkpoint or "").is_file():
            job.load(checkpoint or "")
        with frozen_draws(job.device, self.config.seed), DeferredInterrupt() as interrupt:
            try:
                while not job.state.done:
                    job.epoch(interrupt, callback)
                    if checkpoint is not None:
                        job.save(checkpoint)
                    if callback is not None:
                        callback(job.progress(job.state.history[-1]))
                    interrupt.check()
            except KeyboardInterrupt:
                if checkpoint is not None and not interrupt.forced:
                    job.save(checkpoint)
                raise
        model.load_state_dict(job.state.best)
        state = job.state
        return TrainingResult(tuple(state.history), state.best_epoch, state.best_error, state.stopped_early)

    def errors(self, model: nn.Module, windows: WindowSource) -> NDArray[np.float64]:
        """Mean error of each task `[S]` in scaled units, in evaluation mode."""
        device = torch.device(self.config.device)
        was_training = model.training
        model.to(device).eval()
        total, count = torch.zeros((), dtype=torch.float64), 0
        with torch.no_grad():
            for first in range(0, len(windows), 256):
                index = np.arange(first, min(first + 256, len(windows)))
                inputs, target = to_tensors(windows.batch(index), device)
                total = total + task_errors(model(*inputs), target, self.config.error).cpu().double().sum(0)
                count += len(index)
        model.train(was_training)
        if not count:
            raise ConfigError("there are no windows to measure the error on")
        return np.asarray(total / count)


class _Job:
    """One call of `fit`: the model, its optimiser and the state, and how they are saved."""

    def __init__(
        self,
        trainer: Trainer,
        model: nn.Module,
        train: WindowSource,
        validation: WindowSource,
        weights: NDArray[np.float32] | None,
    ) -> None:
        self.trainer, self.config, self.model = trainer, trainer.config, model
        self.train, self.validation, self.weights = train, validation, weights
        self.device = torch.device(self.config.device)
        model.to(self.device)
        self.call: Callable[..., Tensor] = torch.compile(model) if self.config.compile else model
        self.optimizer = torch.optim.AdamW(
            model.parameters(), lr=self.config.learning_rate, weight_decay=self.config.weight_decay
        )
        self.usable = np.arange(len(train)) if weights is None else np.flatnonzero(weights)
        self.samples = min(self.config.epoch_samples or len(self.usable), len(self.usable))
        self.steps = math.ceil(self.samples / self.config.batch_size)
        tasks = train.batch(self.usable[:1]).target.shape[-1]
        self.state = _State(trainer.weighting.init(tasks), torch.zeros(tasks, dtype=torch.float64))

    def progress(self, record: EpochRecord | None = None) -> Progress:
        state = self.state
        epoch = state.epoch if record is None else record.epoch
        step = state.step if record is None else self.steps
        return Progress(epoch, self.config.epochs, step, self.steps, record)

    def epoch(self, interrupt: DeferredInterrupt, callback: Callable[[Progress], None] | None) -> None:
        """Run the rest of the current epoch, then validate."""
        state, size = self.state, self.config.batch_size
        order = np.random.default_rng([self.config.seed, state.epoch]).permutation(self.usable)[: self.samples]
        self.model.train()
        while state.step < self.steps:
            self._step(order[state.step * size : (state.step + 1) * size])
            interrupt.check()
            if callback is not None:
                callback(self.progress())
        self._finish_epoch()

    def _step(self, index: NDArray[np.int64]) -> None:
        config, state = self.config, self.state
        done = state.epoch * self.steps + state.step
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * cosine(done / (config.epochs * self.steps))
        seed_draws(self.device, config.seed, done)
        inputs, target = to_tensors(self.train.batch(index), self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=config.mixed_precision):
            forecast = self.call(*inputs)
        errors = task_errors(forecast.float(), target, config.error)  # [B, S]
        if self.weights is not None:
            errors = errors * torch.from_numpy(self.weights[index]).to(self.device)[:, None]
        losses = errors.mean(0)
        if not torch.isfinite(losses).all():
            raise SimmstError(
                f"training diverged in epoch {state.epoch}, step {state.step}: the loss is not finite; "
                f"lower learning_rate ({config.learning_rate:g}) or look for bad values in the windows"
            )
        rule = self.trainer.weighting
        state.memory = rule.update(state.memory, losses.detach().cpu())
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(weighted_loss(losses, rule.weights(state.memory).to(self.device)))
        nn.utils.clip_grad_norm_(self.model.parameters(), config.clip)
        self.optimizer.step()
        state.sums += losses.detach().cpu().double() * len(index)
        state.seen += len(index)
        state.step += 1

    def _finish_epoch(self) -> None:
        state = self.state
        validation = self.trainer.errors(self.model, self.validation)
        error = float(validation.mean())
        weights = self.trainer.weighting.weights(state.memory)
        train = (state.sums / state.seen).tolist()
        state.history.append(EpochRecord(state.epoch, train, validation.tolist(), weights.tolist(), error))
        if error < state.best_error:
            state.best_error, state.best_epoch = error, state.epoch
            state.best = {key: value.detach().clone() for key, value in self.model.state_dict().items()}
        if not state.best:
            raise SimmstError(f"the validation error of epoch {state.epoch} is {error}: nothing to keep")
        state.stopped_early = state.epoch - state.best_epoch >= self.config.patience
        state.epoch, state.step, state.seen = state.epoch + 1, 0, 0
        state.sums = torch.zeros_like(state.sums)
        state.done = state.stopped_early or state.epoch == self.config.epochs

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all that `load` needs."""
        state = self.state
        tensors = {"memory": state.memory, "sums": state.sums}
        tensors |= {f"model.{key}": value for key, value in self.model.state_dict().items()}
        tensors |= {f"best.{key}": value for key, value in state.best.items()}
        for number, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{key}": value for key, value in moments.items()}
        note = {key: getattr(state, key) for key in _NUMBERS}
        note["history"] = [asdict(record) for record in state.history]
        save_checkpoint(path, tensors, {"training": note, "run": self._fingerprint()})

    def load(self, path: str | os.PathLike[str]) -> None:
        """Continue from a checkpoint of the same run."""
        tensors, note = load_checkpoint(path)
        mine, theirs = self._fingerprint(), note.get("run", {})
        changed = [
            f"{key} {theirs.get(key)!r} -> {value!r}" for key, value in mine.items() if theirs.get(key) != value
        ]
        if changed:
            raise ConfigError(
                f"checkpoint {path} is of another run ({'; '.join(changed)}): resume with its settings"
            )
        groups: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "optimizer": {}}
        for key, value in tensors.items():
            kind, _, name = key.partition(".")
            if name:
                groups[kind][name] = value
        self.model.load_state_dict(groups["model"])
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in groups["optimizer"].items():
            number, name = key.split(".")
            moments.setdefault(int(number), {})[name] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})
        self.state = _State(tensors["memory"], tensors["sums"], groups["best"])
        for key in _NUMBERS:
            setattr(self.state, key, note["training"][key])
        self.state.history = [EpochRecord(**record) for record in note["training"]["history"]]

    def _fingerprint(self) -> dict[str, Any]:
        """What must agree for a resumed run to be the same run."""
        shapes = [tuple(p.shape) for p in self.model.parameters()]
        weights = None if self.weights is None else zlib.crc32(self.weights.tobytes())
        return asdict(self.config) | {
            "windows": len(self.train),
            "validation windows": len(self.validation),
            "sample_weights": weights,
            "parameters": zlib.crc32(repr(shapes).encode()),
        }


def cosine(share: float) -> float:
    """Half a cosine from 1 at share 0 to 0 at share 1."""
    return 0.5 * (1.0 + math.cos(math.pi * share))


def to_tensors(batch: WindowBatch, device: torch.device) -> tuple[Sequence[Tensor], Tensor]:
    """Return the network's inputs and the target `[B, H, S]` of a batch on a device."""
    arrays = (batch.history, batch.history_marks, batch.future_marks, batch.target)
    *inputs, target = (torch.from_numpy(np.ascontiguousarray(a)).to(device) for a in arrays)
    return inputs, target


def _scaled(weights: NDArray[np.floating] | None, windows: int) -> NDArray[np.float32] | None:
    """Check the sample weights and scale them to mean 1 over the positive ones."""
    if weights is None:
        if not windows:
            raise ConfigError("there are no training windows")
        return None
    weights = np.asarray(weights, dtype=np.float64)
    if weights.shape != (windows,):
        raise ConfigError(f"sample_weights must have shape ({windows},), one a window, got {weights.shape}")
    if not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise ConfigError("sample_weights must be finite, at least 0, and not all 0")
    out: NDArray[np.float32] = (weights / weights[weights > 0].mean()).astype(np.float32)
    return out
