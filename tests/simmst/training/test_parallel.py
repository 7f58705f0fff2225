"""Two processes train as one does."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from simmst.errors import ConfigError
from simmst.training.checkpoint import load_checkpoint
from simmst.training.parallel import Processes, process_group

SCRIPT = Path(__file__).with_name("two_processes.py")
ROOT = Path(__file__).parents[3]


def test_two_processes_end_with_the_model_of_one(tmp_path: Path) -> None:
    together, alone = tmp_path / "together", tmp_path / "alone"
    together.mkdir(), alone.mkdir()
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*torchrun, str(SCRIPT), str(together)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    runpy.run_path(str(SCRIPT))["train"](alone, rank=0)
    expected, _ = load_checkpoint(alone / "process0.safetensors")
    for rank in range(2):
        tensors, _ = load_checkpoint(together / f"process{rank}.safetensors")
        for name, value in expected.items():
            torch.testing.assert_close(tensors[name], value, rtol=0, atol=1e-5, msg=f"{name} of process {rank}")
    # The checkpoint that the first process wrote is that of the run, too.
    kept, _ = load_checkpoint(together / "run.safetensors")
    assert {key.partition(".")[0] for key in kept} == {"model", "best", "optimizer", "memory", "sums"}


def test_a_process_alone_takes_everything_and_waits_for_nobody() -> None:
    processes, index = Processes(torch.device("cpu")), np.arange(5)
    assert (processes.rank, processes.count) == (0, 1)
    assert np.array_equal(processes.share(index), index)
    assert torch.equal(processes.sum(torch.ones(2)), torch.ones(2))
    assert processes.any(True) and not processes.any(False)


def test_shares_are_apart_and_make_up_the_batch() -> None:
    parts = []
    for rank in range(3):
        processes = Processes(torch.device("cpu"))
        processes.rank, processes.count = rank, 3
        parts.append(processes.share(np.arange(10, 17)))
    assert sorted(np.concatenate(parts).tolist()) == list(range(10, 17))
    assert max(map(len, parts)) - min(map(len, parts)) == 1


def test_a_script_not_started_by_torchrun_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ConfigError, match="start the script by `torchrun"), process_group():
        raise AssertionError("not reached")


def test_mps_cannot_share_its_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="mps cannot train on several processes"), process_group("mps"):
        raise AssertionError("not reached")
