"""Training throughput: the registry's Informer and iTransformer beside neuralforecast's, in samples a second.

    python benchmarks/throughput.py --python nf/bin/python     # neuralforecast lives in another environment
    python benchmarks/throughput.py --short

Both sides train with their own public loop (`Trainer.fit`; `NeuralForecast.fit`) on the same synthetic series, at
the same width, heads, layers, hidden width, ProbSparse factor, history, horizon and windows a step, with dropout,
on one thread. A step is the processor time between the starts of two batches, so that cutting the windows is part
of it; of ours the share of that is printed. Processes take turns, and ratios are medians of pairs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from picture import COLOURS, MUTED, draw

WARM_UP = 3
SIZES: dict[str, dict[str, int]] = {
    "Informer": {
        "width": 128,
        "heads": 4,
        "hidden": 32,
        "layers": 2,
        "history": 96,
        "horizon": 24,
        "windows": 256,
    },
    "iTransformer": {
        "width": 128,
        "heads": 8,
        "hidden": 128,
        "layers": 2,
        "history": 96,
        "horizon": 24,
        "windows": 32,
    },
}
"""Informer: neuralforecast's default sizes; windows are of one series there, and of all series in iTransformer."""


def series(nodes: int = 100, hours: int = 1000) -> np.ndarray:
    """Positive daily waves with noise, [T, N]."""
    rng = np.random.default_rng(0)
    hour = np.arange(hours)[:, None] + rng.uniform(0, 24, nodes)
    return (2 + np.sin(hour * np.pi / 12) + 0.2 * rng.standard_normal((hours, nodes))).clip(0.1).astype(np.float32)


def ours(name: str, steps: int) -> dict[str, float]:
    """Train the registry's model for some steps."""
    import torch

    from simmst.models.card import Setting
    from simmst.models.registry import model_card
    from simmst.traffic.dataset import TrafficData
    from simmst.traffic.scaling import NodeScaler
    from simmst.traffic.windows import WindowDataset
    from simmst.training.config import TrainerConfig
    from simmst.training.trainer import Trainer

    torch.set_num_threads(1)
    size, values = SIZES[name], series()[:, :, None]
    places = np.stack([np.arange(100.0) % 10, np.arange(100.0) // 10], axis=1) / 100
    ids = tuple(map(str, range(100)))
    data = TrafficData(values, np.datetime64("2024-01-01T00:00", "m"), 60, ("load",), ids, places)
    card = model_card(name.lower())
    layers = {"encoder_layers": size["layers"], "factor": 3} if name == "Informer" else {"layers": size["layers"]}
    model = card.build(
        Setting.of(data, size["history"], size["horizon"]),
        width=size["width"], heads=size["heads"], hidden=size["hidden"], dropout=0.05, **layers,
    )  # fmt: skip
    windows = card.windows(WindowDataset.cut(data, NodeScaler.fit(values), size["history"], size["horizon"]))
    cuts: list[float] = []
    begun: list[float] = []

    class Timed:
        """Windows that note when they were asked for, and how long cutting took."""

        def __len__(self) -> int:
            return len(windows)

        def batch(self, index: Any) -> Any:
            begun.append(time.process_time())
            found = windows.batch(index)
            cuts.append(time.process_time() - begun[-1])
            return found

    count = (steps + 1) * size["windows"]
    config = TrainerConfig(
        epochs=1, batch_size=size["windows"], epoch_samples=min(count, len(windows)), device="cpu"
    )
    few = card.windows(WindowDataset.cut(data, NodeScaler.fit(values), size["history"], size["horizon"], 970, 994))
    Trainer(config).fit(model, Timed(), few, show_progress=False)
    return _facts(begun[: steps + 1], statistics.median(cuts[WARM_UP:]), model)


def theirs(name: str, steps: int) -> dict[str, float]:
    """Train neuralforecast's model for some steps."""
    import logging

    import pandas as pd
    import pytorch_lightning as pl
    import torch
    from neuralforecast import NeuralForecast, models

    warnings.simplefilter("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    size, values = SIZES[name], series()
    hours, nodes = values.shape
    frame = pd.DataFrame({
        "unique_id": np.repeat(np.arange(nodes), hours), "y": values.T.ravel(),
        "ds": np.tile(pd.date_range("2024-01-01", periods=hours, freq="h"), nodes),
    })  # fmt: skip
    begun: list[float] = []

    class Clock(pl.Callback):
        """Note each batch's start; Lightning has fetched it just before, and the model cuts windows inside."""

        def on_train_batch_start(self, *args: Any) -> None:
            begun.append(time.process_time())

    common = {
        "h": size["horizon"], "input_size": size["history"], "hidden_size": size["width"], "dropout": 0.05,
        "max_steps": steps + 1, "windows_batch_size": size["windows"], "learning_rate": 1e-3, "accelerator": "cpu",
        "enable_progress_bar": False, "logger": False, "enable_checkpointing": False, "callbacks": [Clock()],
        "enable_model_summary": False, "gradient_clip_val": 1.0, "scaler_type": "identity",
    }  # fmt: skip
    if name == "Informer":
        model = models.Informer(
            **common, n_head=size["heads"], conv_hidden_size=size["hidden"], encoder_layers=size["layers"],
            decoder_layers=1, factor=3, batch_size=32,
        )  # fmt: skip
    else:
        model = models.iTransformer(
            **common,
            n_series=nodes,
            n_heads=size["heads"],
            e_layers=size["layers"],
            d_ff=size["hidden"],
            batch_size=nodes,
        )
    NeuralForecast([model], freq="h").fit(frame)
    return _facts(begun, float("nan"), model)


def _facts(begun: list[float], cut: float, model: Any) -> dict[str, float]:
    taken = [later - earlier for earlier, later in itertools.pairwise(begun)][WARM_UP:]
    return {
        "step": statistics.median(taken), "cut": cut, "steps": len(taken),
        "parameters": sum(p.numel() for p in model.parameters()),
    }  # fmt: skip


def child(python: str, side: str, name: str, steps: int) -> dict[str, float] | str:
    """Run one side in a process of its own; a line of text where it cannot run."""
    here = Path(__file__)
    path = os.pathsep.join([str(here.parents[1]), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": path}
    call = [python, str(here), "--child", side, name, str(steps)]
    done = subprocess.run(call, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["failed"])[-1]
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


def paint(figure: Any, rows: dict[str, Any]) -> None:
    """Windows a second of each model, ours beside neuralforecast's where that ran."""
    axis = figure.subplots()
    for side, label, colour, beside in (
        ("ours", "simmst", COLOURS[0], -0.19),
        ("theirs", "neuralforecast", MUTED, 0.19),
    ):
        places = [k + beside for k, row in enumerate(rows.values()) if side in row]
        rates = [row[side] for row in rows.values() if side in row]
        axis.bar_label(axis.barh(places, rates, height=0.36, color=colour, label=label), fmt=" {:.0f}")
    names = [f"{name}\n{row['ratio']:.2f} times" if "ratio" in row else name for name, row in rows.items()]
    axis.set_yticks(range(len(rows)), names)
    axis.set(xlabel="windows a second of processor time, training")
    axis.grid(visible=False, axis="y")
    axis.invert_yaxis()
    axis.margins(x=0.1)
    figure.legend(loc="outside lower center", ncols=2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="one round of few steps")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--python", default=sys.executable, help="interpreter of neuralforecast's environment")
    parser.add_argument("--out", type=Path, help="folder for throughput.json and throughput.png")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        side, name, steps = options.child
        print(json.dumps({"ours": ours, "theirs": theirs}[side](name, int(steps))))
        return
    from side_by_side import machine, print_machine, write

    facts = machine("torch", "neuralforecast")
    if options.python != sys.executable:
        ask = "from importlib.metadata import version as v; print(v('neuralforecast'), 'with torch', v('torch'))"
        told = subprocess.run([options.python, "-c", ask], capture_output=True, text=True, check=False)
        facts["versions"]["neuralforecast"] = told.stdout.strip() or "absent"
    print_machine(facts)
    rounds, steps = (1, 8) if options.short else (options.rounds, options.steps)
    rows: dict[str, Any] = {}
    print(f"{'model':<14}{'ours, samples/s':>16}{'neuralforecast':>16}{'ratio':>8}{'cutting':>9}   parameters")
    for name, size in SIZES.items():
        found: dict[str, list[Any]] = {"ours": [], "theirs": []}
        for _ in range(rounds):
            found["ours"].append(child(sys.executable, "ours", name, steps))
            found["theirs"].append(child(options.python, "theirs", name, steps))
        wrong = next((r for runs in found.values() for r in runs if isinstance(r, str)), None)
        if isinstance(found["ours"][0], str):
            sys.exit(f"{name}: {found['ours'][0]}")
        mine = statistics.median(size["windows"] / r["step"] for r in found["ours"])
        share = statistics.median(r["cut"] / r["step"] for r in found["ours"])
        rows[name] = {**size, "ours": mine, "cutting": share, "runs": found}
        if wrong:
            print(f"{name:<14}{mine:>16.0f}   neuralforecast left out: {wrong}")
            continue
        other = statistics.median(size["windows"] / r["step"] for r in found["theirs"])
        ratio = statistics.median(
            t["step"] / o["step"] for o, t in zip(found["ours"], found["theirs"], strict=True)
        )
        rows[name] |= {"theirs": other, "ratio": ratio}
        counts = " / ".join(f"{found[s][0]['parameters']:,}" for s in ("ours", "theirs"))
        print(f"{name:<14}{mine:>16.0f}{other:>16.0f}{ratio:>8.2f}{share:>9.1%}   {counts}", flush=True)
    draw(options.out, "throughput", (6.4, 2.9), lambda figure: paint(figure, rows))
    write(options.out, "throughput", facts, rows)


if __name__ == "__main__":
    main()
