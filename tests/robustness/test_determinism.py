"""The same seed gives the same numbers, whatever the threads and the workers; another seed gives others."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from simmst.simulator.collection import CollectionConfig, make_collection

SIMULATE = """
import sys
from simmst.simulator.collection import CollectionConfig, make_collection
if __name__ == "__main__":
    seed, workers, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    config = CollectionConfig(140, seed, True, ("call",), 30, 12, 3)
    make_collection(config, folder, workers=workers)
"""


def digest(folder: Path) -> str:
    """SHA-256 of all worlds."""
    found = hashlib.sha256()
    for path in sorted((folder / "worlds").glob("*.npz")):
        found.update(path.read_bytes())
    return found.hexdigest()


def environment(threads: int) -> dict[str, str]:
    """Give every library so many threads."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    return {**os.environ, **dict.fromkeys(names, str(threads))}


def simulated(tmp_path: Path, seed: int, threads: int, workers: int) -> str:
    """Digest of a collection made by a process of its own."""
    program = tmp_path / "simulate.py"
    program.write_text(SIMULATE)
    folder = tmp_path / f"{seed}-{threads}-{workers}"
    command = [sys.executable, str(program), str(seed), str(workers), str(folder)]
    subprocess.run(command, env=environment(threads), check=True, timeout=600)
    return digest(folder)


def test_worlds_do_not_depend_on_threads_or_workers(tmp_path: Path) -> None:
    make_collection(CollectionConfig(140, 3, True, ("call",), 30, 12, 3), tmp_path / "here")
    assert simulated(tmp_path, 3, threads=2, workers=2) == digest(tmp_path / "here")


@pytest.mark.slow
def test_the_matrix_of_worlds(tmp_path: Path) -> None:
    found = {
        seed: {simulated(tmp_path, seed, threads, workers) for threads in (1, 2, 4) for workers in (1, 2, 3)}
        for seed in (0, 1)
    }
    assert len(found[0]) == len(found[1]) == 1
    assert found[0] != found[1]


def run(folder: Path, seed: int, threads: int) -> dict[str, object]:
    """Metrics of a run of the command line."""
    command = [
        sys.executable,
        "-m",
        "simmst",
        "run",
        "--preset",
        "smoke",
        "--seed",
        str(seed),
        "--out",
        str(folder),
    ]
    subprocess.run(command, env=environment(threads), check=True, timeout=600, capture_output=True)
    content: dict[str, object] = json.loads((folder / "metrics.json").read_text())
    return content


def numbers(content: object) -> list[float]:
    """All numbers of nested JSON, in order."""
    if isinstance(content, dict):
        return [x for value in content.values() for x in numbers(value)]
    if isinstance(content, list):
        return [x for value in content for x in numbers(value)]
    return [float(content)] if isinstance(content, (int, float)) else []


@pytest.mark.slow
def test_the_matrix_of_runs(tmp_path: Path) -> None:
    """On the same threads to the bit; on others, BLAS adds in another order."""
    found = {
        (seed, threads, again): run(tmp_path / f"{seed}-{threads}-{again}", seed, threads)
        for seed in (0, 1)
        for threads in (1, 2, 4)
        for again in (0, 1)
    }
    for seed in (0, 1):
        for threads in (1, 2, 4):
            assert found[seed, threads, 0] == found[seed, threads, 1]
            np.testing.assert_allclose(
                numbers(found[seed, threads, 0]["horizons"]), numbers(found[seed, 1, 0]["horizons"]), rtol=1e-3
            )
    assert found[0, 1, 0]["horizons"] != found[1, 1, 0]["horizons"]
