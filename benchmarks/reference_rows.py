"""Our baselines beside public implementations of the same models, on the same tensors.

Milano, Internet, 100 squares, hourly: the next hour from the last 24 (STGCN and DCRNN: from 12), z-scores per
square fitted on the training part, absolute error, Adam at a constant 1e-3, the epoch chosen on the week before
the test week, the test week the last seven days. One batch is 32 hours of the whole city, or 1024 windows of one
square each. Errors are of the mean of ten minutes (hourly sum / 6). The public rows were measured once, with one
seed each; they are printed, not run.

    python benchmarks/reference_rows.py --data milano_internet_100.npz --models itransformer lstm --out results

A row that lies in `--out` already is not trained again.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import platform
import statistics
import sys
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from simmst.io.atomic import atomic_file
from simmst.models.card import Setting
from simmst.models.registry import model_card
from simmst.nn.draws import frozen_draws
from simmst.traffic.dataset import TrafficData
from simmst.traffic.graph_windows import GraphWindows
from simmst.traffic.windows import WindowDataset, calendar_marks, iterate_batches
from simmst.training.trainer import to_tensors

WEEK, HORIZON, CPU = 168, 1, torch.device("cpu")


@dataclass(frozen=True)
class Row:
    """One model as the public rows have it, and the error of each of those."""

    public: dict[str, float]
    tolerance: float | None = None
    lookback: int = 24
    epochs: int = 12
    changes: dict[str, Any] = field(default_factory=dict)
    model: str | None = None  # where the row's name is not the model's


ROWS = {
    "itransformer": Row({"TSLib": 3.40, "neuralforecast": 3.42, "BasicTS": 3.46}, 0.03),
    "lstm": Row({"neuralforecast": 3.42}, 0.05),
    "informer": Row({"neuralforecast": 3.48}, 0.05, changes={"width": 64}),
    "lstm_unscaled": Row({"neuralforecast": 3.42}, changes={"normalise": False}, model="lstm"),
    "dlinear": Row({"TSLib": 3.81, "BasicTS": 3.72}),
    "stgcn": Row({"hazdzz": 4.35}, lookback=12, changes={"width": 64, "head": 128}),
    "dcrnn": Row({"chnsh": 5.35}, lookback=12),
}


@dataclass(frozen=True)
class Task:
    """The three parts, scaled, and what undoes the scale."""

    parts: tuple[WindowDataset, WindowDataset, WindowDataset]
    deviation: np.ndarray

    @classmethod
    def cut(cls, data: TrafficData, lookback: int) -> Task:
        """Cut training, validation and test windows."""
        steps = len(data.values)
        ends = (lookback, steps - 2 * WEEK, steps - WEEK, steps)
        train = data.values[: ends[1]].astype(np.float64)
        mean, deviation = train.mean(axis=0), train.std(axis=0)
        scaled = ((data.values - mean) / deviation).astype(np.float32)
        nodes = np.arange(scaled.shape[1])[:, None]
        marks = calendar_marks(data.times)
        parts = tuple(
            WindowDataset(scaled, marks, nodes, np.arange(first, stop), lookback, HORIZON)
            for first, stop in pairwise(ends)
        )
        return cls(parts, deviation)


def errors(model: nn.Module, part: WindowDataset) -> np.ndarray:
    """z-scored errors `[O, H, N, S]` of the whole part."""
    model.eval()
    with torch.no_grad():
        found = []
        for _, batch in iterate_batches(GraphWindows(part), 32):
            inputs, target = to_tensors(batch, CPU)
            found.append((model(*inputs) - target).numpy())
    return np.concatenate(found)


def figures(task: Task, error: np.ndarray) -> dict[str, float]:
    raw = error * task.deviation / 6
    return {
        "mae": float(np.abs(raw).mean()),
        "rmse": float(np.sqrt(np.square(raw).mean())),
        "z_mae": float(np.abs(error).mean()),
    }


def train(name: str, data: TrafficData, seed: int) -> dict[str, Any]:
    row, card = ROWS[name], model_card(ROWS[name].model or name)
    task = Task.cut(data, row.lookback)
    model = card.build(Setting.of(data, row.lookback, HORIZON), "laptop", seed, **row.changes)
    windows = card.windows(task.parts[0])
    size = 1024 if card.feed == "node" else 32
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    rng, best, state, validation = np.random.default_rng(seed), np.inf, {}, []
    begun = time.process_time()
    with frozen_draws(CPU, seed):
        for epoch in range(row.epochs):
            model.train()
            for _, batch in iterate_batches(windows, size, rng):
                inputs, target = to_tensors(batch, CPU)
                loss = (model(*inputs) - target).abs().mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            validation.append(float(np.abs(errors(model, task.parts[1])).mean()))
            if validation[-1] < best:
                best, state = validation[-1], copy.deepcopy(model.state_dict())
            print(f"  {name} seed {seed} epoch {epoch}: validation z-MAE {validation[-1]:.4f}", flush=True)
    spent = time.process_time() - begun
    model.load_state_dict(state)
    return {
        "model": name,
        "seed": seed,
        "parameters": sum(p.numel() for p in model.parameters()),
        "cpu_seconds": spent,
        "epoch": int(np.argmin(validation)),
        "validation": validation,
        **figures(task, errors(model, task.parts[2])),
        "changes": row.changes,
        "torch": torch.__version__,
    }


def show(name: str, found: list[dict[str, Any]]) -> str:
    row = ROWS[name]
    mae, rmse = (statistics.mean(one[key] for one in found) for key in ("mae", "rmse"))
    each = ", ".join(f"{one['mae']:.2f}" for one in found)
    public = ", ".join(f"{name} {value:.2f}" for name, value in row.public.items())
    low, high = min(row.public.values()), max(row.public.values())
    away = max(mae / high - 1, low / mae - 1, 0.0)
    verdict = ""
    if row.tolerance is not None:
        verdict = f"within {row.tolerance:.0%}: {'yes' if away <= row.tolerance else 'NO'}"
    return (
        f"| {name} | {found[0]['parameters']:,} | {mae:.2f} ({each}) | {rmse:.2f} | "
        f"{statistics.mean(one['cpu_seconds'] for one in found):.0f} | {public} | {verdict} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="milano_internet_100.npz")
    parser.add_argument("--models", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--seeds", type=int, default=1, help="seeds 0, 1, ...")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results, one JSON a row and seed")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = TrafficData.load(options.data)
    print(f"{' '.join(sys.argv)}\ntorch {torch.__version__}, Python {platform.python_version()}")
    print(f"{platform.machine()}, {os.cpu_count()} cores, one thread")
    options.out.mkdir(parents=True, exist_ok=True)
    table = []
    for name in options.models:
        found = []
        for seed in range(options.seeds):
            path = options.out / f"{name}-{seed}.json"
            if not path.is_file():
                text = json.dumps(train(name, data, seed), indent=1)
                with atomic_file(path) as stream:
                    stream.write(text.encode())
            found.append(json.loads(path.read_text()))
        table.append(show(name, found))
    naive = Task.cut(data, 24).parts[2]
    last = naive.scaled[naive.origins - 1] - naive.scaled[naive.origins]
    check = figures(Task.cut(data, 24), last[:, None])
    print("| model | parameters | MAE (each seed) | RMSE | CPU s | public rows' MAE | |")
    print("|---|---|---|---|---|---|---|")
    print(f"| last value | | {check['mae']:.2f} | {check['rmse']:.2f} | | 4.26 | |", *table, sep="\n")


if __name__ == "__main__":
    main()
