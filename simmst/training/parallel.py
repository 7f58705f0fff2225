"""Several processes that train one model together, each on its share of every batch.

Written with torch's collectives and not its DistributedDataParallel: the loss weights (13) need the losses of
the whole batch between the forward and the backward pass, and a last batch may hold fewer windows than there
are processes.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn

from simmst.errors import ConfigError
from simmst.training.device import resolve_device


@contextmanager
def process_group(device: str = "auto") -> Iterator[None]:
    """Join the processes that `torchrun` started, for the length of the block; `Trainer.fit` then shares its work.

    Parameters
    ----------
    device : str
        That of the trainer's configuration. On "cuda" each process takes the card of its local rank and the
        collectives are NCCL's, on "cpu" they are Gloo's.

    Raises
    ------
    ConfigError
        If the script was not started by `torchrun`, or the device is "mps", which has no collectives.

    Examples
    --------
    A script ``train.py`` that ``torchrun --nproc-per-node 2 train.py`` starts twice::

        with process_group():
            Trainer(config).fit(model, train, validation, checkpoint="run.safetensors", resume=True)
    """
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        raise ConfigError("process_group: start the script by `torchrun --nproc-per-node N SCRIPT`")
    kind = resolve_device(device).type
    if kind == "mps":
        raise ConfigError("process_group: mps cannot train on several processes; use device='cpu'")
    if kind == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if kind == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


class Processes:
    """The processes of torch's default group, or this one alone where there is no group.

    Parameters
    ----------
    device : torch.device
        Where this process computes; messages pass through it.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        together = dist.is_available() and dist.is_initialized()
        self.rank = dist.get_rank() if together else 0
        self.count = dist.get_world_size() if together else 1

    def share(self, index: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return this process's part of a batch; it may be empty."""
        return index[self.rank :: self.count]

    def sum(self, tensor: Tensor) -> Tensor:
        """Sum a tensor over the processes."""
        if self.count == 1:
            return tensor
        total = tensor.detach().to(self._device, copy=True)
        dist.all_reduce(total)
        return total.to(tensor.device)

    def any(self, flag: bool) -> bool:
        """Whether the flag is up in any process."""
        return flag if self.count == 1 else bool(self.sum(torch.tensor(float(flag))))

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Give every process the sum of all gradients, in one message; a missing gradient counts as 0."""
        if self.count == 1:
            return
        used = list(parameters)
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in used]
        total = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(total)
        parts = torch.split(total, [p.numel() for p in used])
        for p, part in zip(used, parts, strict=True):
            p.grad = part.view_as(p)

    def copy_from_first(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite the tensors by those of the first process."""
        if self.count > 1:
            for tensor in tensors:
                dist.broadcast(tensor.detach(), src=0)
