"""Where random layers draw from, seeded for a while and then put back."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def frozen_draws(device: torch.device, *key: int) -> Iterator[None]:
    """Seed torch's default generators from a key for the length of the block, then restore them.

    Dropout and ProbSparse draw from these generators. Twice the same key gives twice the same draws, and
    nothing outside the block notices.

    Parameters
    ----------
    device : torch.device
        Where the layers compute; the CPU's generator is always included.
    key : int
        Numbers, 0 or more, that name the draws: a seed, a step.
    """
    generators = _generators(device)
    states = [generator.get_state() for generator in generators]
    try:
        seed_draws(device, *key)
        yield
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)


def seed_draws(device: torch.device, *key: int) -> None:
    """Seed torch's default generators from a key; use it inside a `frozen_draws` block."""
    seed = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))
    # Not torch.manual_seed: without an initialised GPU it stores a traceback at each call.
    for generator in _generators(device):
        generator.manual_seed(seed)


def _generators(device: torch.device) -> list[torch.Generator]:
    found = [torch.default_generator]
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index  # initialises CUDA
        found.append(torch.cuda.default_generators[index])
    elif device.type == "mps":
        found.append(torch.mps._get_default_mps_generator())
    return found
