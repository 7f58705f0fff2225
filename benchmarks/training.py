"""A training step of Sim-MSTNet: processor time, share of the window cutting, peak memory.

    python benchmarks/training.py --preset small --windows simulated
    python benchmarks/training.py --preset paper --steps 6
    python benchmarks/training.py --against OTHER_CHECKOUT      # ratio to another version, taking turns
    python benchmarks/training.py --recipes jinan.npz           # what the recipes of all models cost, as a table

Each measurement is a process of its own on one thread, through the public trainer: a step is the time between two
calls of its callback. The traffic is a synthetic city of three services, as in `simmst run` without a file.
"""

from __future__ import annotations

import argparse
import inspect
import itertools
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROUNDS, WARM_UP = 5, 3


def measure(preset: str, kind: str, steps: int, batch: int) -> dict[str, Any]:
    """Train for some steps in this process."""
    import torch

    from simmst.experiments.config import RunConfig
    from simmst.experiments.job import Job
    from simmst.models.simmstnet import SimMSTNet, SimMSTNetConfig
    from simmst.traffic.window_subset import WindowSubset
    from simmst.training.config import TrainerConfig
    from simmst.training.trainer import Trainer

    torch.set_num_threads(1)
    few = {"worlds": 20, "origin_hours": 264, "windows_per_world": 100}
    job = Job.prepare(RunConfig.of_preset("laptop", simulate=few))

    class Timed:
        """Windows that note how long each cut took."""

        def __init__(self, source: Any) -> None:
            self.source, self.seconds = source, []

        def __len__(self) -> int:
            return len(self.source)

        def batch(self, index: Any) -> Any:
            begun = time.process_time()
            windows = self.source.batch(index)
            self.seconds.append(time.process_time() - begun)
            return windows

    windows = Timed(job.simulate() if kind == "simulated" else job.train)
    config = getattr(SimMSTNetConfig, preset)(3, job.config.lookback, job.config.horizon)
    model, marks = SimMSTNet(config), []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    quiet = {"show_progress": False} if "show_progress" in inspect.signature(Trainer.fit).parameters else {}
    trainer = Trainer(TrainerConfig(epochs=1, batch_size=batch, epoch_samples=batch * steps, device="cpu"))
    validation = WindowSubset.draw(job.validation, 1, seed=0)
    trainer.fit(model, windows, validation, callback=lambda progress: marks.append(time.process_time()), **quiet)
    taken = [later - earlier for earlier, later in itertools.pairwise(marks[:-1])]  # the last one ends the epoch
    return {
        "step_ms": 1e3 * statistics.median(taken[WARM_UP:]),
        "cut_ms": 1e3 * statistics.median(windows.seconds[WARM_UP:]),
        "parameters": sum(p.numel() for p in model.parameters()),
        "peak_mib": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
    }


def recipes(data: Path) -> list[dict[str, Any]]:
    """Time three steps of each model's `laptop` recipe on the training days of a file, 24 hours ahead."""
    import torch

    from simmst.evaluation.benchmark import make_benchmark
    from simmst.experiments.config import RunConfig
    from simmst.experiments.target import load_target
    from simmst.models.card import Setting
    from simmst.models.registry import REGISTRY
    from simmst.traffic.scaling import NodeScaler
    from simmst.traffic.window_subset import WindowSubset
    from simmst.traffic.windows import WindowDataset
    from simmst.training.config import TrainerConfig
    from simmst.training.trainer import Trainer

    torch.set_num_threads(1)
    rows = []
    for card in REGISTRY.values():
        if card.name in ("ointer", "ospatial", "average"):
            continue  # ablations cost what the whole costs, or less
        b = make_benchmark(load_target(RunConfig.of_preset("laptop", data=str(data))))
        b = b.seen_by(card.recipes["laptop"])
        chosen = b.data if card.multi_task else b.data.select(services=b.data.services[:1])
        setting, span = Setting.of(chosen, b.seen, b.horizon), b.protocol.train
        if (reason := card.refusal(setting)) is not None:
            print(f"left out: {reason}")
            continue
        scaler = NodeScaler.fit(chosen.values[span.steps])
        cut = WindowDataset.cut(chosen, scaler, b.lookback, b.horizon, span.start, span.stop, season=b.season)
        windows = card.windows(cut)
        recipe, marks = TrainerConfig(**card.recipes["laptop"].training), []
        size = min(recipe.batch_size, len(windows))
        few = TrainerConfig(epochs=1, batch_size=size, epoch_samples=min((WARM_UP + 5) * size, len(windows)))
        model = card.build(setting, "laptop", 0)
        Trainer(few).fit(
            model, windows, WindowSubset.draw(windows, 1, seed=0), show_progress=False,
            callback=lambda progress, marks=marks: marks.append(time.process_time()),
        )  # fmt: skip
        step = statistics.median(b - a for a, b in itertools.pairwise(marks[WARM_UP:-1]))
        epoch = step * -(-min(recipe.epoch_samples or len(windows), len(windows)) // size)
        parameters = sum(p.numel() for p in model.parameters())
        rows.append({"model": card.name, "services": setting.services, "parameters": parameters,
                     "epoch_seconds": epoch, "recipe_minutes": epoch * recipe.epochs / 60})  # fmt: skip
        print(
            f"| `{card.name}` | {setting.services} | {parameters:,} | {epoch:.1f} s | "
            f"{epoch * recipe.epochs / 60:.1f} min |",
            flush=True,
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", choices=("small", "medium", "paper"), default="small")
    parser.add_argument("--windows", choices=("real", "simulated"), default="real")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--against", type=Path, help="root of another checkout")
    parser.add_argument("--recipes", type=Path, help="traffic file: cost of each model's recipe on it")
    parser.add_argument("--out", type=Path, help="folder for training.json")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.steps < WARM_UP + 3:
        parser.error(f"--steps: at least {WARM_UP + 3}, the first {WARM_UP} are not counted")
    if options.child:
        print(json.dumps(measure(options.preset, options.windows, options.steps, options.batch)))
        return
    print(" ".join(sys.argv), f"| python {platform.python_version()}, {platform.machine()}, one thread")
    if options.recipes:
        result: dict[str, Any] = {"command": sys.argv, "rows": recipes(options.recipes)}
        _write(options.out, result)
        return
    roots = {"this": Path(__file__).parents[1]}
    if options.against:
        roots["other"] = options.against
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in roots}
    for _ in range(ROUNDS if options.against else 1):
        for name, root in roots.items():
            child = [sys.executable, __file__, *sys.argv[1:], "--child"]
            env = {**os.environ, "PYTHONPATH": str(root.absolute()), "OMP_NUM_THREADS": "1"}
            answer = subprocess.run(child, env=env, check=True, capture_output=True, text=True).stdout
            found[name].append(json.loads(answer.splitlines()[-1]))
    result = {"command": sys.argv}
    for name, runs in found.items():
        middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        result[name] = middle
        share = middle["cut_ms"] / middle["step_ms"]
        print(
            f"{name}: {middle['step_ms']:.1f} ms a step, {share:.1%} of it window cutting, "
            f"{middle['parameters']:,} parameters, {middle['peak_mib']:.0f} MiB above start"
        )
    if options.against:
        pairs = zip(found["this"], found["other"], strict=True)
        result["ratio"] = statistics.median(mine["step_ms"] / other["step_ms"] for mine, other in pairs)
        print(f"this / other: {result['ratio']:.2f}")
    _write(options.out, result)


def _write(folder: Path | None, result: dict[str, Any]) -> None:
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "training.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
