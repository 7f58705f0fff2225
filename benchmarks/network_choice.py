"""Settings of the small Sim-MSTNet, judged on validation days alone: the test days are cut off.

    python benchmarks/network_choice.py history jinan.npz --out results
    python benchmarks/network_choice.py rate jinan.npz --out results

`history` trains with two and seven days of history, with windows normalised and not; `rate` (48 hours, not
normalised) with and without the highway at several learning rates. Both write a line of JSON as each training
ends, and skip those that are there already.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from simmst.models.simmstnet import SimMSTNet, SimMSTNetConfig
from simmst.traffic.dataset import TrafficData
from simmst.traffic.scaling import NodeScaler
from simmst.traffic.split import Protocol
from simmst.traffic.window_subset import WindowSubset
from simmst.traffic.windows import WindowDataset
from simmst.training.config import TrainerConfig
from simmst.training.trainer import Trainer

HORIZON = 24
# The fine-tuning of the main job.
TRAINING = TrainerConfig(epochs=10, epoch_samples=4000, batch_size=32, patience=3)
VALIDATION_WINDOWS = 1500


def train(
    data: TrafficData, protocol: Protocol, network: SimMSTNetConfig, training: TrainerConfig
) -> dict[str, Any]:
    """Train on the training days, and return the error on the validation days, which choose the epoch."""
    scaler = NodeScaler.fit(data.values[protocol.train.steps])
    season = data.steps_per_day
    windows, validation = (
        WindowDataset.cut(data, scaler, network.lookback, HORIZON, part.start, part.stop, season=season)
        for part in (protocol.train, protocol.validation)
    )
    chosen_by = WindowSubset.draw(validation, VALIDATION_WINDOWS, seed=0)
    model, begun = SimMSTNet(network, training.seed), time.process_time()
    result = Trainer(training).fit(model, windows, chosen_by, show_progress=False)
    best = result.history[result.best_epoch]
    return {
        "validation": result.best_error,
        "validation_by_task": best.validation,
        "best_epoch": result.best_epoch + 1,
        "epochs": len(result.history),
        "seconds": round(time.process_time() - begun, 1),
    }


def without_test_days(data: TrafficData) -> tuple[TrafficData, Protocol]:
    """Traffic up to the end of the validation days."""
    protocol = Protocol.proportional(len(data.values), data.step_minutes, HORIZON)
    return data.select(stop=protocol.validation.stop), protocol


def history(data: TrafficData) -> Iterator[tuple[dict[str, Any], Any]]:
    """What the network sees, and what trains each."""
    known, protocol = without_test_days(data)
    for seed in (0, 1):
        for lookback in (48, 168):
            for normalise in (False, True):
                key = {"lookback": lookback, "normalise": normalise, "seed": seed}
                network = SimMSTNetConfig.small(len(data.services), lookback, HORIZON, normalise=normalise)
                training = replace(TRAINING, seed=seed)
                yield key, lambda n=network, t=training: train(known, protocol, n, t)


def rate(data: TrafficData) -> Iterator[tuple[dict[str, Any], Any]]:
    """Highway and learning rate, and what trains each."""
    known, protocol = without_test_days(data)
    for seed in (0, 1):
        for learning_rate in (4e-3, 2e-3, 8e-3, 1e-3):
            for highway in (24, None):
                key = {"highway": highway, "learning_rate": learning_rate, "seed": seed}
                network = SimMSTNetConfig.small(len(data.services), 48, HORIZON, highway=highway, normalise=False)
                training = replace(TRAINING, learning_rate=learning_rate, seed=seed)
                yield key, lambda n=network, t=training: train(known, protocol, n, t)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("history", "rate"))
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(" ".join(sys.argv), f"python {platform.python_version()} torch {torch.__version__} {platform.machine()}")
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"{options.what}.jsonl"
    lines = path.read_text().splitlines() if path.is_file() else []
    done = [json.loads(line) for line in lines]
    data = TrafficData.load(options.data)
    work = {"history": history, "rate": rate}[options.what](data)
    for key, run in work:
        if any(key.items() <= record.items() for record in done):
            continue
        record = {**key, **run()}
        print(json.dumps(record), flush=True)
        with path.open("a") as stream:
            stream.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
