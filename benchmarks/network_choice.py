"""
Settings of the small Sim-MSTNet chosen on validation days alone, and one look at the test days afterwards.

    python benchmarks/network_choice.py history jinan.npz --out results
    python benchmarks/network_choice.py choose jinan.npz --out results
    python benchmarks/network_choice.py test jinan.npz --out results --highway 24 --learning-rate 0.004

`history` trains with two and seven days of history, with windows normalised and not, and `choose` (48 hours, not
normalised) with and without the highway at several learning rates; both write validation errors, and cut the
test days off first. `test` trains the forms of the paper's ablations at the setting given and writes errors on
the test days. All write a line of JSON as each training ends, and skip those that are there already.
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

import numpy as np
import torch

from simmst.data.dataset import TrafficData
from simmst.data.windows import NodeScaler, WindowDataset
from simmst.experiments.forecast import forecast_windows, network_forecast
from simmst.experiments.part import Part
from simmst.experiments.protocol import Protocol, truth
from simmst.experiments.scores import scores
from simmst.models.simmstnet import SimMSTNet, SimMSTNetConfig
from simmst.training.config import TrainerConfig
from simmst.training.trainer import Trainer

HORIZON = 24
# The fine-tuning of the main job.
TRAINING = TrainerConfig(epochs=10, epoch_samples=4000, batch_size=32, patience=3)
VALIDATION_WINDOWS = 1500
FORMS = ("whole", "oInter", "oSpatial", "oInter + oSpatial", "Average", "STNet")


def train(
    data: TrafficData, protocol: Protocol, network: SimMSTNetConfig, training: TrainerConfig
) -> tuple[SimMSTNet, NodeScaler, dict[str, Any]]:
    """Train on the training days, choose the epoch on the validation days; `data` may end with these."""
    scaler = NodeScaler.fit(data.values[protocol.train.steps])
    windows, validation = (
        WindowDataset.cut(
            data, scaler, network.history, HORIZON, part.start, part.stop, season=data.steps_per_day
        )
        for part in (protocol.train, protocol.validation)
    )
    chosen_by = Part.draw(validation, VALIDATION_WINDOWS, seed=0)
    model, begun = SimMSTNet(network, training.seed), time.process_time()
    result = Trainer(training).fit(model, windows, chosen_by, show_progress=False)
    best = result.history[result.best_epoch]
    record = {
        "validation": result.best_error,
        "validation_by_task": best.validation,
        "best_epoch": result.best_epoch + 1,
        "epochs": len(result.history),
        "seconds": round(time.process_time() - begun, 1),
    }
    return model, scaler, record


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
                yield key, lambda n=network, t=training: train(known, protocol, n, t)[2]


def choose(data: TrafficData) -> Iterator[tuple[dict[str, Any], Any]]:
    """Highway and learning rate, and what trains each."""
    known, protocol = without_test_days(data)
    for seed in (0, 1):
        for rate in (4e-3, 2e-3, 8e-3, 1e-3):
            for highway in (24, None):
                key = {"highway": highway, "learning_rate": rate, "seed": seed}
                network = SimMSTNetConfig.small(
                    len(data.services), 48, HORIZON, highway=highway, normalise=False
                )
                training = replace(TRAINING, learning_rate=rate, seed=seed)
                yield key, lambda n=network, t=training: train(known, protocol, n, t)[2]


def test(data: TrafficData, options: argparse.Namespace) -> Iterator[tuple[dict[str, Any], Any]]:
    """Forms of the network, and what trains and tests each."""
    setting = {name: getattr(options, name) for name in ("lookback", "normalise", "highway", "learning_rate")}
    for form in options.forms:
        for seed in (0, 1, 2):
            key = {"form": form, **setting, "seed": seed}
            yield key, lambda k=key: tested(data, k)


def tested(data: TrafficData, key: dict[str, Any]) -> dict[str, Any]:
    """Train one form and measure it on the test days."""
    form = key["form"]
    if form == "STNet":
        parts = [tested(data.select(services=(name,)), {**key, "form": "whole"}) for name in data.services]
        joined = {key: [part[key][0] for part in parts] for key in parts[0] if key.startswith("mae")}
        mean = float(np.mean([part["validation"] for part in parts]))
        return {**joined, "validation": mean, "seconds": sum(part["seconds"] for part in parts)}
    protocol = Protocol.proportional(len(data.values), data.step_minutes, HORIZON)
    training = replace(TRAINING, learning_rate=key["learning_rate"], seed=key["seed"])
    seen = {"highway": key["highway"], "normalise": key["normalise"]}
    network = SimMSTNetConfig.small(len(data.services), key["lookback"], HORIZON, **seen)
    if form == "Average":
        training = replace(training, weighting="equal")
    elif form != "whole":
        for name in form.split(" + "):
            network = network.ablated(name)
    model, scaler, record = train(data, protocol, network, training)
    origins = protocol.test.origins(1)
    windows = forecast_windows(data, scaler, origins, network.history, HORIZON)
    forecast = network_forecast(model, windows, scaler)
    for horizon in (1, HORIZON):
        at = protocol.test.origins(horizon)
        actual = truth(data.values, at, horizon)
        figures = scores(forecast[: len(at), :horizon], actual, data.services)["tasks"]
        record[f"mae_{horizon}"] = [figures[name]["mae"] for name in data.services]
    return record


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("history", "choose", "test"))
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=list(FORMS))
    parser.add_argument("--lookback", type=int, default=168)
    parser.add_argument("--normalise", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--highway", type=int, default=None)
    parser.add_argument("--learning-rate", type=float, default=TRAINING.learning_rate)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(" ".join(sys.argv), f"python {platform.python_version()} torch {torch.__version__} {platform.machine()}")
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"{options.what}.jsonl"
    lines = path.read_text().splitlines() if path.is_file() else []
    done = [json.loads(line) for line in lines]
    data = TrafficData.load(options.data)
    choices = {"history": history, "choose": choose}
    work = test(data, options) if options.what == "test" else choices[options.what](data)
    for key, run in work:
        if any(key.items() <= record.items() for record in done):
            continue
        record = {**key, **run()}
        print(json.dumps(record), flush=True)
        with path.open("a") as stream:
            stream.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
