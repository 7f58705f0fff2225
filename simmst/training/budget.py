"""How much training a model gets: a number of epochs, or processor time."""

from __future__ import annotations

import copy
import math
import re
import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from simmst.errors import ConfigError
from simmst.nn.draws import frozen_draws
from simmst.traffic.windows import WindowSource
from simmst.training.config import TrainerConfig
from simmst.training.losses import task_errors
from simmst.training.trainer import to_tensors

_TIMED_STEPS = 4
# Below so many steps a network has hardly left its first weights [M]: smaller batches then learn more in the same
# time (LSTM on Jinan: validation error 0.19 after 6 s at batch 64, 0.31 after 10 s at 256).
_ENOUGH_STEPS, _SMALLEST_BATCH = 400, 16


@dataclass(frozen=True, slots=True)
class Budget:
    """Bound on the training of one model; the recipe is a bound too.

    Attributes
    ----------
    epochs : int, optional
        Epochs of the recipe's size; None where seconds are given.
    seconds : float, optional
        Processor seconds for training and validation; None where epochs are given.
    """

    epochs: int | None = None
    seconds: float | None = None

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read "3e" (epochs), "2m" (minutes) or "90s" (seconds).

        Raises
        ------
        ConfigError
            If it is none of them.
        """
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([ems])", text.strip())
        if found is None or float(found[1]) <= 0 or (found[2] == "e" and "." in found[1]):
            raise ConfigError(f"budget {text}: write epochs as 3e, minutes as 2m, or seconds as 90s")
        if found[2] == "e":
            return cls(epochs=int(found[1]))
        return cls(seconds=float(found[1]) * (60 if found[2] == "m" else 1))

    def share(self, parts: int) -> Budget:
        """Return one of so many equal parts; epochs are counted by part, so they are not divided."""
        return self if self.seconds is None else replace(self, seconds=self.seconds / parts)

    def plan(
        self, config: TrainerConfig, model: nn.Module, train: WindowSource, validation: WindowSource
    ) -> TrainerConfig:
        """Fit a recipe into the budget: fewer epochs, or smaller ones, and where steps get few, smaller batches.

        Seconds are turned into steps by timing a few steps and a batch of validation on a copy of the model, so
        the plan depends on the machine: keep it beside the result.

        Parameters
        ----------
        config : TrainerConfig
            The recipe.
        model : Module
            Is not changed.
        train, validation : WindowSource
            Windows that it will be trained on, and chosen by.
        """
        if self.epochs is not None:
            return replace(config, epochs=self.epochs)
        if self.seconds is None:
            return config
        total = config.epochs * math.ceil(min(config.epoch_samples or len(train), len(train)) / config.batch_size)
        while True:
            step, one_validation = _measure(config, model, train, validation)
            epochs = max(1, min(config.epochs, int(self.seconds / (one_validation + 10 * step))))
            steps = max(1, int((self.seconds / epochs - one_validation) / step))
            if epochs * steps >= min(total, _ENOUGH_STEPS) or config.batch_size < 2 * _SMALLEST_BATCH:
                break
            config = replace(config, batch_size=config.batch_size // 2)
        samples = min(config.epoch_samples or len(train), len(train), steps * config.batch_size)
        return replace(config, epochs=epochs, epoch_samples=samples)

    def __str__(self) -> str:
        """Return what `parse` reads."""
        if self.epochs is not None:
            return f"{self.epochs}e"
        return "recipe" if self.seconds is None else f"{self.seconds:g}s"


def _measure(
    config: TrainerConfig, model: nn.Module, train: WindowSource, validation: WindowSource
) -> tuple[float, float]:
    """Processor seconds of a step of training, and of one pass over the validation windows."""
    trial, rng, cpu = copy.deepcopy(model), np.random.default_rng(0), torch.device("cpu")
    optimizer = torch.optim.AdamW(trial.parameters(), lr=1e-6)
    times = []
    with frozen_draws(cpu, 0):
        for _ in range(_TIMED_STEPS):
            begun = time.process_time()
            index = rng.integers(len(train), size=min(config.batch_size, len(train)))
            inputs, target = to_tensors(train.batch(index), cpu)
            optimizer.zero_grad()
            task_errors(trial(*inputs), target).mean().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            times.append(time.process_time() - begun)
        size = min(256, len(validation))
        begun = time.process_time()
        with torch.no_grad():
            trial.eval()(*to_tensors(validation.batch(np.arange(size)), cpu)[0])
        one_batch = time.process_time() - begun
    return float(np.median(times[1:])), one_batch * math.ceil(len(validation) / size)
