"""Trains a forecaster on weighted windows; can be stopped anywhere and resumed to the bit."""

import math
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from simmst.errors import ConfigError, SimmstError
from simmst.nn.draws import frozen_draws, seed_draws
from simmst.traffic.windows import WindowBatch, WindowSource
from simmst.training.config import EpochRecord, Progress, TrainerConfig, TrainingResult
from simmst.training.device import resolve_device
from simmst.training.interrupt import DeferredInterrupt
from simmst.training.losses import WEIGHTINGS, task_errors, weighted_loss
from simmst.training.parallel import Processes
from simmst.training.progress import ProgressBar
from simmst.training.state import State, fingerprint, load_state, save_state

#: Windows of one forward pass where no gradient is needed.
_EVALUATED = 256

Callback = Callable[[Progress], None]


class Trainer:
    """Minimise the weighted task errors of a forecaster with AdamW.

    Every random draw is a function of (seed, epoch) or (seed, step), so a run that was stopped and resumed
    equals one that was not: to the bit on one thread.

    Inside `simmst.training.parallel.process_group` the processes share each batch and the validation windows, and
    end with the same model. They equal one process up to rounding where nothing is dropped out; dropout's masks
    are each process's own part of the batch, from the same draws.

    Parameters
    ----------
    config : TrainerConfig
    """

    def __init__(self, config: TrainerConfig | None = None) -> None:
        self.config = config or TrainerConfig()
        self.device = resolve_device(self.config.device, self.config.mixed_precision)

    def fit(
        self,
        model: nn.Module,
        train: WindowSource,
        validation: WindowSource,
        *,
        sample_weights: NDArray[np.floating] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
        run: str = "",
        callback: Callback | None = None,
        show_progress: bool = True,
    ) -> TrainingResult:
        """Train the model in place and leave the weights of the best validation epoch in it.

        Parameters
        ----------
        model : Module
            Called as ``model(history, history_marks, future_marks) -> [B, H, S]``. It is moved to the device.
        train, validation : WindowSource
            Windows to learn from, and to choose the epoch by.
        sample_weights : array of shape (n,), optional
            Weight of each training window in the loss, at least 0; scaled to mean 1 over the positive ones.
            Windows of weight 0 are left out.
        checkpoint : path-like, optional
            Written after each epoch and on Ctrl-C (which waits for the end of the step).
        resume : bool
            Continue from `checkpoint` if it exists.
        run : str
            What the checkpoint belongs to; one that says otherwise is refused.
        callback : callable, optional
            Called after each step and at the end of each epoch, in the first process.
        show_progress : bool
            Show a progress bar on stderr (a line an epoch where that is no terminal).

        Raises
        ------
        SimmstError
            Where the loss is not finite; ConfigError where the arguments contradict each other.
        """
        if resume and checkpoint is None:
            raise ConfigError("resume=True needs the path of a checkpoint")
        weights = _scaled(sample_weights, len(train))
        with frozen_draws(self.device, self.config.seed), DeferredInterrupt() as interrupt, ExitStack() as stack:
            job = _Job(self.config, self.device, model, train, validation, weights, interrupt, run)
            if job.processes.rank == 0:
                if show_progress:
                    job.watchers.append(stack.enter_context(ProgressBar()))
                if callback is not None:
                    job.watchers.append(callback)
            if checkpoint is not None and resume and Path(checkpoint).is_file():
                job.load(checkpoint)
            try:
                while not job.state.done:
                    job.epoch()
                    if checkpoint is not None:
                        job.save(checkpoint)
                    job.report(job.state.history[-1])
                    job.check_interrupt()
            except KeyboardInterrupt:
                if checkpoint is not None and not interrupt.forced:
                    job.save(checkpoint)
                raise
        model.load_state_dict(job.state.best)
        state = job.state
        return TrainingResult(tuple(state.history), state.best_epoch, state.best_error, state.stopped_early)

    def errors(self, model: nn.Module, windows: WindowSource) -> NDArray[np.float64]:
        """Mean error of each task `[S]` in scaled units, in evaluation mode, computed by this process alone."""
        if not len(windows):
            raise ConfigError("there are no windows to measure the error on")
        model.to(self.device)
        total = _error_sums(model, windows, np.arange(len(windows)), self.device, self.config)
        return np.asarray(total / len(windows))


class _Job:
    """One call of `fit`: the model, its optimiser and the state."""

    def __init__(
        self,
        config: TrainerConfig,
        device: torch.device,
        model: nn.Module,
        train: WindowSource,
        validation: WindowSource,
        weights: NDArray[np.float32] | None,
        interrupt: DeferredInterrupt,
        run: str,
    ) -> None:
        if not len(validation):
            raise ConfigError("there are no validation windows to choose the epoch by")
        self.config, self.device, self.model, self.interrupt = config, device, model.to(device), interrupt
        self.train, self.validation, self.weights, self.run = train, validation, weights, run
        self.rule = WEIGHTINGS[config.weighting]()
        self.processes, self.watchers = Processes(device), list[Callback]()
        self.processes.copy_from_first(model.state_dict().values())
        self.call: Callable[..., Tensor] = torch.compile(model) if config.compile else model
        self.optimizer = torch.optim.AdamW(
            model.parameters(),
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            fused=device.type in ("cpu", "cuda"),  # one pass over the parameters in place of a dozen a tensor
        )
        self.usable = np.arange(len(train)) if weights is None else np.flatnonzero(weights)
        self.samples = min(config.epoch_samples or len(self.usable), len(self.usable))
        self.steps = math.ceil(self.samples / config.batch_size)
        self.tasks = train.batch(self.usable[:1]).target.shape[-1]
        self.state = State(self.rule.init(self.tasks), torch.zeros(self.tasks, dtype=torch.float64))

    def report(self, record: EpochRecord | None = None) -> None:
        """Tell the watchers of a step, or with its record of the end of an epoch."""
        state = self.state
        epoch, step = (state.epoch, state.step) if record is None else (record.epoch, self.steps)
        for watcher in self.watchers:
            watcher(Progress(epoch, self.config.epochs, step, self.steps, record))

    def check_interrupt(self) -> None:
        """Stop here if Ctrl-C was pressed in any process: all are at the same step."""
        if self.processes.any(self.interrupt.pending):
            raise KeyboardInterrupt

    def epoch(self) -> None:
        """Run the rest of the current epoch, then validate."""
        state, size = self.state, self.config.batch_size
        order = np.random.default_rng([self.config.seed, state.epoch]).permutation(self.usable)[: self.samples]
        self.model.train()
        while state.step < self.steps:
            self._step(order[state.step * size : (state.step + 1) * size])
            self.check_interrupt()
            self.report()
        self._finish_epoch()

    def _step(self, index: NDArray[np.int64]) -> None:
        config, state, processes = self.config, self.state, self.processes
        done = state.epoch * self.steps + state.step
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * cosine(done / (config.epochs * self.steps))
        seed_draws(self.device, config.seed, done)
        mine = processes.share(index)
        losses = self._losses(mine) / len(index) if len(mine) else torch.zeros(self.tasks, device=self.device)
        seen = processes.sum(losses.detach()).cpu()
        if not torch.isfinite(seen).all():
            raise SimmstError(
                f"training diverged in epoch {state.epoch}, step {state.step}: the loss is not finite; "
                f"lower learning_rate ({config.learning_rate:g}) or look for bad values in the windows"
            )
        state.memory = self.rule.update(state.memory, seen)
        self.optimizer.zero_grad(set_to_none=True)
        if len(mine):
            weights = self.rule.weights(state.memory).to(self.device)
            torch.autograd.backward(weighted_loss(losses, weights))
        processes.sum_gradients(self.model.parameters())
        nn.utils.clip_grad_norm_(self.model.parameters(), config.clip)
        self.optimizer.step()
        state.sums += seen.double() * len(index)
        state.seen += len(index)
        state.step += 1

    def _losses(self, index: NDArray[np.int64]) -> Tensor:
        """Weighted errors of each task `[S]`, summed over these windows."""
        inputs, target = to_tensors(self.train.batch(index), self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.mixed_precision):
            forecast = self.call(*inputs)
        errors = task_errors(forecast.float(), target, self.config.error)  # [B, S]
        if self.weights is not None:
            errors = errors * torch.from_numpy(self.weights[index]).to(self.device)[:, None]
        return errors.sum(0)

    def _finish_epoch(self) -> None:
        state, processes = self.state, self.processes
        mine = processes.share(np.arange(len(self.validation)))
        sums = torch.zeros(self.tasks, dtype=torch.float64)
        if len(mine):
            sums = _error_sums(self.model, self.validation, mine, self.device, self.config)
        validation = processes.sum(sums) / len(self.validation)
        error = float(validation.mean())
        weights = self.rule.weights(state.memory)
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
        """Write the state, in the first process."""
        if self.processes.rank == 0:
            save_state(path, self.state, self.model, self.optimizer, self._fingerprint())

    def load(self, path: str | os.PathLike[str]) -> None:
        """Continue from a checkpoint of the same run."""
        self.state = load_state(path, self.model, self.optimizer, self._fingerprint())

    def _fingerprint(self) -> dict[str, Any]:
        windows = len(self.train), len(self.validation)
        return fingerprint(self.config, self.model, windows, self.weights, self.run)


def cosine(share: float) -> float:
    """Half a cosine from 1 at share 0 to 0 at share 1."""
    return 0.5 * (1.0 + math.cos(math.pi * share))


def to_tensors(batch: WindowBatch, device: torch.device) -> tuple[Sequence[Tensor], Tensor]:
    """Return the network's inputs and the target `[B, H, S]` of a batch on a device."""
    arrays = (batch.history, batch.history_marks, batch.future_marks, batch.target)
    *inputs, target = (torch.from_numpy(np.ascontiguousarray(a)).to(device) for a in arrays)
    return inputs, target


def _error_sums(
    model: nn.Module,
    windows: WindowSource,
    numbers: NDArray[np.int64],
    device: torch.device,
    config: TrainerConfig,
) -> Tensor:
    """Errors of each task, float64 `[S]` on the CPU, summed over the windows of these numbers."""
    was_training = model.training
    model.eval()
    total = torch.zeros((), dtype=torch.float64)
    with torch.no_grad():
        for first in range(0, len(numbers), _EVALUATED):
            inputs, target = to_tensors(windows.batch(numbers[first : first + _EVALUATED]), device)
            total = total + task_errors(model(*inputs), target, config.error).cpu().double().sum(0)
    model.train(was_training)
    return total


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
