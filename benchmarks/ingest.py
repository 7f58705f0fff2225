"""Ingest of Telecom Italia daily files beside pandas doing the same: time, peak memory, and that both agree.

The raw files are generated in a temporary folder. Each reading is a process of its own, so that its peak memory
is its own; the two readers take turns. A process reads one megabyte first. "Reading" is what comes after that;
"process" is all of it, with the start of Python, imports and compiled code loaded. pandas is no dependency
of the project: install it to run this.

    python benchmarks/ingest.py --megabytes 1000 --days 4
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

SQUARES = 10_000
COUNTRIES = (39, 0, 33, 41, 44, 46, 49, 86)


def generate(folder: Path, megabytes: float, days: int, seed: int = 0) -> None:
    """Write daily files like the real ones in rows a square, empty fields and digits."""
    import polars as pl

    rng = np.random.default_rng(seed)
    # A row has 72 bytes on the average.
    rows = int(megabytes * 1e6 / days / 72)
    per_square = max(rows // SQUARES, 1)
    for day in range(days):
        midnight = np.datetime64("2013-11-01T00:00", "ms").astype(np.int64) - 3_600_000 + day * 86_400_000
        square = np.repeat(np.arange(1, SQUARES + 1), per_square)
        step = np.sort(rng.integers(0, 144, (SQUARES, per_square)), axis=1).ravel()
        amounts = rng.lognormal(-1, 1.5, (5, len(square)))
        kept = rng.random((5, len(square))) < np.array([0.5, 0.45, 0.4, 0.4, 0.75])[:, None]
        frame = pl.DataFrame(
            {
                "square": square,
                "time": midnight + step * 600_000,
                "country": rng.choice(COUNTRIES, len(square), p=[0.3] + [0.1] * 7),
                **{f"v{i}": pl.Series(amounts[i]).set(pl.Series(~kept[i]), None) for i in range(5)},
            }
        )
        date = np.datetime64("2013-11-01") + day
        frame.write_csv(folder / f"sms-call-internet-mi-{date}.txt", separator="\t", include_header=False)


def with_simmst(raw: Path, out: Path) -> None:
    from simmst.traffic.telecom.ingest import ingest

    ingest(raw, out, resolution=60, fill="zero")


def with_pandas(raw: Path, out: Path, **options: Any) -> None:
    import pandas as pd

    names = ["square", "time", "country", "sms_in", "sms_out", "call_in", "call_out", "internet"]
    days = []
    for path in sorted(raw.glob("sms-call-internet-mi-*.txt")):
        frame = pd.read_csv(path, sep="\t", names=names, **options)
        frame["time"] = pd.to_datetime(frame["time"], unit="ms", utc=True)
        frame["hour"] = frame["time"].dt.tz_convert("Europe/Rome").dt.tz_localize(None).dt.floor("h")
        frame["call"] = frame["call_in"].fillna(0) + frame["call_out"].fillna(0)
        frame["sms"] = frame["sms_in"].fillna(0) + frame["sms_out"].fillna(0)
        days.append(frame.groupby(["hour", "square"])[["call", "sms", "internet"]].sum())
    table = pd.concat(days).unstack("square", fill_value=0.0)
    values = table.to_numpy().reshape(len(table), 3, -1).transpose(0, 2, 1).astype(np.float32)
    np.savez(out, values=values)


READERS = {
    "simmst": with_simmst,
    "pandas": with_pandas,
    "pandas-pyarrow": partial(with_pandas, engine="pyarrow"),
}


@dataclass(frozen=True)
class Reading:
    """Elapsed and processor seconds of the reading, the same of its whole process, and its peak memory in MiB."""

    elapsed: float
    cpu: float
    process_elapsed: float
    process_cpu: float
    peak: float


def read_alone(reader: str, first: Path, raw: Path, out: Path) -> None:
    """Read a little, then all; print the elapsed and processor seconds of the second."""
    READERS[reader](first, out)
    out.unlink()
    begun, begun_cpu = time.perf_counter(), time.process_time()
    READERS[reader](raw, out)
    print(json.dumps([time.perf_counter() - begun, time.process_time() - begun_cpu]))


def measure(reader: str, folder: Path) -> Reading:
    out = folder / f"{reader}.npz"
    out.unlink(missing_ok=True)
    command = [sys.executable, __file__, "--reader", reader, "--folder", str(folder)]
    begun = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert child.stdout is not None
    printed = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    elapsed = time.perf_counter() - begun
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{reader} failed with exit code {child.returncode}")
    return Reading(*json.loads(printed), elapsed, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=20.0, help="size of the raw files together")
    parser.add_argument("--days", type=int, default=2, help="number of daily files")
    parser.add_argument("--rounds", type=int, default=3, help="readings of each kind, taking turns")
    for hidden in ("--reader", "--folder"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.reader:
        folder = Path(options.folder)
        if options.reader == "generate":
            generate(folder / "first", 1.0, 1)
            generate(folder / "raw", options.megabytes, options.days)
        else:
            read_alone(options.reader, folder / "first", folder / "raw", folder / f"{options.reader}.npz")
        return
    needs = {"simmst": "simmst", "pandas": "pandas", "pandas-pyarrow": "pyarrow"}
    readers = [reader for reader, module in needs.items() if importlib.util.find_spec(module) is not None]
    if missing := sorted(set(needs) - set(readers)):
        print(f"not measured, because not installed: {', '.join(missing)}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "raw").mkdir()
        (folder / "first").mkdir()
        # In a process of its own: a child's peak memory counts that of its parent at the fork.
        amount = ["--megabytes", str(options.megabytes), "--days", str(options.days), "--folder", name]
        subprocess.run([sys.executable, __file__, "--reader", "generate", *amount], check=True)
        size = sum(path.stat().st_size for path in (folder / "raw").iterdir())
        versions = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba", *readers[1:2]))
        print(
            f"{size / 1e6:.0f} MB in {options.days} files, hourly sums; {os.cpu_count()} cores, load "
            f"{os.getloadavg()[0]:.1f}; Python {platform.python_version()}, {versions}"
        )
        measure("simmst", folder)  # compiles, once for all later runs
        found: dict[str, list[Reading]] = {reader: [] for reader in readers}
        for _ in range(options.rounds):
            for reader in readers:
                found[reader].append(measure(reader, folder))
        measures = {
            "elapsed": "reading, elapsed",
            "cpu": "reading, processor",
            "process_elapsed": "process, elapsed",
            "process_cpu": "process, processor",
        }
        for reader, readings in found.items():
            print(f"{reader}: peak memory {max(r.peak for r in readings):.0f} MiB")
            for what, words in measures.items():
                print(f"  {words}: {', '.join(f'{getattr(r, what):.2f}' for r in readings)} s")
        for peer in readers[1:]:
            for what, words in measures.items():
                pairs = zip(found["simmst"], found[peer], strict=True)
                ratios = [getattr(theirs, what) / getattr(ours, what) for ours, theirs in pairs]
                listed = ", ".join(f"{r:.2f}" for r in ratios)
                print(f"{peer} / simmst, {words}: median {statistics.median(ratios):.2f} of {listed}")
            ours, theirs = (np.load(folder / f"{reader}.npz")["values"] for reader in ("simmst", peer))
            np.testing.assert_allclose(ours, theirs, rtol=1e-5)
            print(f"{peer} gives the same values")


if __name__ == "__main__":
    main()
