"""A script for `torchrun` (see test_parallel): each process trains its share and writes what it ended with."""

import sys
from pathlib import Path

import numpy as np
import torch

from simmst.models.simmstnet import SimMSTNet, SimMSTNetConfig
from simmst.traffic.windows import WindowBatch
from simmst.training.checkpoint import save_checkpoint
from simmst.training.config import TrainerConfig
from simmst.training.parallel import process_group
from simmst.training.trainer import Trainer

NETWORK = SimMSTNetConfig.small(2, 12, 4, width=4, heads=2, hidden=8, highway=None, factor=1)
# 61 windows: batches of odd size, and a last one of a single window, of which the second process gets none.
CONFIG = TrainerConfig(epochs=3, batch_size=15, learning_rate=5e-3, device="cpu")


class Waves:
    """Windows of a sine and a cosine."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def batch(self, index: np.ndarray) -> WindowBatch:
        time = 7.3 * index[:, None] + np.arange(16)
        series = np.stack([np.sin(time / 4), np.cos(time / 4)], -1).astype(np.float32)  # [B, 16, 2]
        marks = np.repeat(series, 2, -1)
        history = np.repeat(series[:, :12, None], 9, axis=2)
        return WindowBatch(history, marks[:, :12], marks[:, 12:], series[:, 12:], index, index)


def train(folder: Path, rank: int) -> None:
    """Train from weights that differ between processes: those of the first must win."""
    model = SimMSTNet(NETWORK, seed=rank)
    weights = np.linspace(1, 2, 61)
    checkpoint = folder / "run.safetensors"
    result = Trainer(CONFIG).fit(
        model, Waves(61), Waves(33), sample_weights=weights, checkpoint=checkpoint, show_progress=False
    )
    errors = [record.validation + record.train + record.weights for record in result.history]
    tensors = {**model.state_dict(), "errors": torch.tensor(errors)}
    save_checkpoint(folder / f"process{rank}.safetensors", tensors, {})


if __name__ == "__main__":
    torch.set_num_threads(1)
    with process_group("cpu"):
        train(Path(sys.argv[1]), torch.distributed.get_rank())
