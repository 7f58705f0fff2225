"""The K-step oracle beside `higher`: time and memory of a hypergradient, and what it costs on Sim-MSTNet.

    python benchmarks/hypergradient.py --data ../shared/data/mnist_t10k.npz --out runs/hypergradient

Hyper-cleaning: a softmax of 5,000 digits x 784, half of the labels wrong, a sigmoid weight a sample, K full-batch
steps, the loss on 5,000 clean digits above. Times are processor seconds on one thread, the methods take turns, and
ratios are taken within a round. Memory is that of a fresh process: its peak above what it held before the first
iteration. `higher` is no dependency of the project: without it (pip install higher) its rows are left out. Without
--data the digits are random numbers, which changes no time.
"""

import argparse
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from simmst.models.simmstnet import SimMSTNet, SimMSTNetConfig
from simmst.reweighting.problems import MeanLoss
from simmst.reweighting.unrolled import UnrollConfig, UnrolledOracle
from simmst.reweighting.weights import SampleWeights

N, RATE, WINDOWS = 5000, 0.1, 16
HIGHER = importlib.util.find_spec("higher") is not None


def digits(path: str | None, dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    """Training inputs and labels, half of them wrong, and the same of the upper level."""
    rng = np.random.default_rng(0)
    if path:
        with np.load(path, allow_pickle=False) as file:
            x, y = file["images"], file["labels"]
        order = rng.permutation(len(x))[: 2 * N]
        x, y = x[order].reshape(2 * N, -1) / 255.0, y[order].astype(np.int64)
    else:
        x, y = rng.random((2 * N, 784)), rng.integers(0, 10, 2 * N)
    wrong = y[:N].copy()
    wrong[: N // 2] = (wrong[: N // 2] + 1) % 10
    inputs = torch.from_numpy(np.ascontiguousarray(x)).to(dtype)
    return inputs[:N].clone(), torch.from_numpy(wrong), inputs[N:].clone(), torch.from_numpy(y[N:])


def softmax(dtype: torch.dtype) -> nn.Linear:
    """A linear map that starts from 0."""
    model = nn.Linear(784, 10).to(dtype)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    return model


def cross_entropy(output: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """Loss of each sample."""
    return nn.functional.cross_entropy(output, label, reduction="none")


def ours(memory: str, steps: int, path: str | None, dtype: torch.dtype) -> Callable[[], np.ndarray]:
    """Make one call = one hypergradient by `UnrolledOracle`; each call is at another x."""
    x, y, a, b = digits(path, dtype)
    weights = SampleWeights.per_sample(N, sigmoid=True)
    lower = UnrolledOracle(
        softmax(dtype),
        lambda f, i: cross_entropy(f(x[i]), y[i]),
        weights,
        UnrollConfig(steps, RATE, memory=memory, kept_graphs=30),
    )
    upper = MeanLoss(softmax(dtype), lambda f, i: cross_entropy(f(a[i]), b[i]), N, chunk_size=N)
    at = np.zeros(N, dtype=np.float32 if dtype == torch.float32 else np.float64)

    def call() -> np.ndarray:
        theta = lower.solution(at)
        gradient = lower.vjp(at, upper(at, theta)[2])
        at[:] -= 10.0 * gradient
        return gradient

    return call


def theirs(steps: int, path: str | None, dtype: torch.dtype) -> Callable[[], np.ndarray]:
    """Make one call = one hypergradient by `higher`."""
    import higher

    x, y, a, b = digits(path, dtype)
    model = softmax(dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    at = torch.zeros(N, dtype=dtype, requires_grad=True)

    def call() -> np.ndarray:
        with higher.innerloop_ctx(model, optimizer) as (inner, steps_of):
            s = torch.sigmoid(at)
            for _ in range(steps):
                steps_of.step((s * cross_entropy(inner(x), y)).mean())
            gradient = torch.autograd.grad(cross_entropy(inner(a), b).mean(), at)[0]
        with torch.no_grad():
            at.sub_(gradient, alpha=10.0)
        return gradient.numpy()

    return call


def methods(steps: int, path: str | None, dtype: torch.dtype = torch.float32) -> dict:
    made = {m: lambda m=m: ours(m, steps, path, dtype) for m in ("store", "recompute")}
    return ({"higher": lambda: theirs(steps, path, dtype)} if HIGHER else {}) | made


def timed(call: Callable[[], object], repeats: int) -> float:
    start = time.process_time()
    for _ in range(repeats):
        call()
    return (time.process_time() - start) / repeats


def hyper_cleaning(path: str | None, steps: int, rounds: int) -> dict:
    """Milliseconds and ratios to `higher`, round by round in turns."""
    calls = {name: make() for name, make in methods(steps, path).items()}
    for call in calls.values():
        call()
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    repeats = max(1, 60 // steps)
    for _ in range(rounds):
        for name, call in calls.items():
            seconds[name].append(timed(call, repeats))
    result = {}
    for name, found in seconds.items():
        result[name] = {"ms": 1e3 * statistics.median(found)}
        if HIGHER:
            ratio = [mine / other for mine, other in zip(found, seconds["higher"], strict=True)]
            result[name]["ratio"] = [statistics.median(ratio), min(ratio), max(ratio)]
        result[name]["MiB"] = peak_memory(path, steps, name)
    return result


def peak_memory(path: str | None, steps: int, name: str) -> float:
    """Return the peak above the start, of a fresh process that gives freed memory back at once."""
    command = [sys.executable, __file__, "--child", name, "--steps", str(steps)]
    command += ["--data", path] if path else []
    env = os.environ | {"MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_MMAP_THRESHOLD_": "65536"}
    out = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
    return float(out.stdout)


def child(path: str | None, steps: int, name: str) -> float:
    """Measure in this process (Linux)."""
    methods(1, None)[name]()()  # what is imported and set up at the first call
    call = methods(steps, path)[name]()
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = _status("VmRSS")
    for _ in range(2):
        call()
    return (_status("VmHWM") - before) / 1024


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))


def agreement(path: str | None) -> dict:
    """Relative difference of the first hypergradient from `higher`'s, K = 10."""
    found = {}
    for dtype in (torch.float32, torch.float64):
        first = {name: make()() for name, make in methods(10, path, dtype).items()}
        for name in ("store", "recompute"):
            away = first[name] - first["higher"]
            found[f"{name}, {dtype}"] = float(np.linalg.norm(away) / np.linalg.norm(first["higher"]))
    return found


def on_simmstnet(steps: int, rounds: int) -> dict:
    """Cost of h and both gradients in units of the K plain SGD steps, by memory mode."""
    g = torch.Generator().manual_seed(0)
    c = SimMSTNetConfig.small(4)
    model = SimMSTNet(c, 0)
    past, future = (c.lookback, c.patch, c.services), (c.horizon, c.services)
    shapes = (past, (c.lookback, c.marks), (c.horizon, c.marks), future)
    *inputs, target = (torch.randn(WINDOWS, *shape, generator=g) for shape in shapes)

    def losses(predict: Callable[..., torch.Tensor], index: slice) -> torch.Tensor:
        return (predict(*(t[index] for t in inputs)) - target[index]).abs().mean((1, 2))

    everything = slice(0, WINDOWS)

    def plain() -> None:
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
        for _ in range(steps):
            optimizer.zero_grad()
            torch.autograd.backward(losses(model, everything).mean())
            optimizer.step()

    calls: dict[str, Callable[[], object]] = {"plain": plain}
    for memory in ("store", "recompute"):
        oracle = UnrolledOracle(
            model, losses, SampleWeights.per_sample(WINDOWS), UnrollConfig(steps, 1e-4, memory=memory)
        )
        x, y = np.full(WINDOWS, 0.5, np.float32), oracle.anchor.astype(np.float32) + np.float32(1e-3)

        def gap(oracle: UnrolledOracle = oracle, x: np.ndarray = x, y: np.ndarray = y) -> None:
            x += np.float32(1e-3)  # another point each time: nothing is remembered
            oracle.gap(x, y)

        calls[memory] = gap
    for call in calls.values():
        call()
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            seconds[name].append(timed(call, 1))
    return {
        name: statistics.median(mine / base for mine, base in zip(found, seconds["plain"], strict=True))
        for name, found in seconds.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="npz of digits")
    parser.add_argument("--out", type=Path, help="folder for the figures as JSON")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, nargs="+", default=[10, 50, 200])
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.child:
        print(child(arguments.data, arguments.steps[0], arguments.child))
        return
    print(f"Python {platform.python_version()}, torch {torch.__version__}, {platform.machine()}, one thread, "
          f"load {os.getloadavg()[0]:.1f}")  # fmt: skip
    if not HIGHER:
        print("higher is not installed (pip install higher): its rows and the ratios to it are left out")
    result: dict = {"hyper-cleaning": {}, "simmstnet": {}}
    print(
        "\n| K | method | ms | ratio to higher: median [min, max] | peak above start, MiB |\n|---|---|---|---|---|"
    )
    for steps in arguments.steps:
        rows = result["hyper-cleaning"][steps] = hyper_cleaning(arguments.data, steps, arguments.rounds)
        for name, row in rows.items():
            ratio = "{:.2f} [{:.2f}, {:.2f}]".format(*row["ratio"]) if "ratio" in row else ""
            print(f"| {steps} | {name} | {row['ms']:.0f} | {ratio} | {row['MiB']:.0f} |", flush=True)
    if HIGHER:
        result["agreement"] = agreement(arguments.data)
        print("\nrelative difference from higher, K = 10:", result["agreement"])
    print("\n| K on Sim-MSTNet, 16 windows | store | recompute |  (cost of a gap / K plain steps)\n|---|---|---|")
    for steps in (1, 3, 5):
        row = result["simmstnet"][steps] = on_simmstnet(steps, arguments.rounds)
        print(f"| {steps} | {row['store']:.2f} | {row['recompute']:.2f} |", flush=True)
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        temporary = arguments.out / "hypergradient.tmp"
        temporary.write_text(json.dumps(result, indent=1))
        os.replace(temporary, arguments.out / "hypergradient.json")


if __name__ == "__main__":
    main()
