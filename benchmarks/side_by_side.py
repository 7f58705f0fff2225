"""What the benchmarks of `cutplane` share: rounds that take turns, the machine's line, results as JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


def take_turns(runs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median processor seconds of each run; all take a turn in every round, and a first round does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds + 1):
        for name, run in runs.items():
            begun = time.process_time()
            run()
            seconds[name].append(time.process_time() - begun)
    return {name: statistics.median(values[1:]) for name, values in seconds.items()}


def machine(*packages: str) -> dict[str, Any]:
    """The command, the machine and the versions that figures depend on."""
    versions = {}
    for package in ("numpy", *packages):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "absent"
    return {
        "command": " ".join(["python", *sys.argv]),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {_processor()}",
        "threads": os.environ.get("OPENBLAS_NUM_THREADS", "default"),
        "python": platform.python_version(),
        "versions": versions,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return platform.processor() or "unknown processor"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def print_machine(facts: Mapping[str, Any]) -> None:
    """Print what `machine` found, in two lines."""
    print(facts["command"])
    numbers = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    print(f"{facts['machine']}; Python {facts['python']}, {numbers}; BLAS threads {facts['threads']}\n")


def write(out: Path | None, name: str, facts: Mapping[str, Any], rows: object) -> None:
    """Write the figures beside the facts, if a folder was given."""
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / f"{name}.json").write_text(json.dumps({**facts, "rows": rows}, indent=1), encoding="utf-8")
