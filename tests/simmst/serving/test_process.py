"""The command as a process: it answers on a port of its own, and ends at SIGTERM."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
import pytest

pytest.importorskip("uvicorn", reason="the extra serve is not installed")

from simmst.forecasting.closed_form import Ridge
from simmst.traffic.dataset import TrafficData


def test_it_answers_and_ends_at_sigterm(tmp_path):
    values = np.random.default_rng(0).gamma(3, 5, (24 * 14, 2, 1)).astype(np.float32)
    data = TrafficData(values, np.datetime64("2024-01-01T00:00", "m"), 60, ("call",), ("a", "b"), units="MB")
    data.save(tmp_path / "newest.npz")
    Ridge(horizon=3).fit(data).save(tmp_path / "run")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "simmst", "serve", "run", "--data", "newest.npz", "--port", str(port)]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=dict(os.environ)
    )
    try:
        for _ in range(300):
            try:
                with urlopen(f"http://127.0.0.1:{port}/forecast", timeout=20) as answered:
                    found = json.load(answered)
                break
            except URLError:
                assert process.poll() is None, process.communicate()[0]
                time.sleep(0.1)
        assert found["times"][0] == "2024-01-15T00:00" and np.shape(found["forecast"]) == (3, 2, 1)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert "serving run (generation" in output and "Traceback" not in output
    assert process.returncode in (0, -signal.SIGTERM)
