"""Cells of a table that are damaged between two calls, and two calls at once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from simmst.errors import SimmstError
from simmst.experiments.tables.make import Options, make_table
from simmst.io.lock import LockedError, locked
from simmst.traffic.dataset import TrafficData


def make(folder: Path) -> None:
    """Compute a small table, or read it."""
    data = folder / "town.npz"
    if not data.exists():
        hours = np.arange(24 * 24)
        level = 2 + np.sin(2 * np.pi * hours / 24)
        noise = np.random.default_rng(0).uniform(0.9, 1.1, (len(hours), 2, 1))
        start = np.datetime64("2024-01-01T00:00", "m")
        values = (level[:, None, None] * noise).astype(np.float32)
        TrafficData(values, start, 60, ("net",), ("a", "b")).save(data)
    options = Options(2, "Table 2", str(data), folder / "table", models="daily", preset="smoke", horizon=6)
    make_table(options, lambda *_: lambda *_: None, lambda *_: None)


def cell(folder: Path) -> Path:
    """Return the one cell's folder."""
    (place,) = (folder / "table" / "cells").iterdir()
    return place


def test_a_damaged_cell_is_named(tmp_path: Path) -> None:
    make(tmp_path)
    place = cell(tmp_path)
    for name in ("result.json", "details.npz"):
        sample = (place / name).read_bytes()
        for content in (b"", sample[: len(sample) // 2], b"[" * 100_000, b"null", b"{}", b"\xff\xfe"):
            (place / name).write_bytes(content)
            with pytest.raises(SimmstError, match=rf"{name}.*damaged"):
                make(tmp_path)
        (place / name).write_bytes(sample)
    make(tmp_path)
    assert json.loads((place / "result.json").read_text())["horizons"]


def test_a_cell_that_another_process_computes_is_not_touched(tmp_path: Path) -> None:
    make(tmp_path)
    place = cell(tmp_path)
    (place / "result.json").unlink()
    with locked(place), pytest.raises(LockedError, match="is at work here"):
        make(tmp_path)
    make(tmp_path)
    assert (place / "result.json").exists()
