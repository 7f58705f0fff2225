"""The page on nightly use: its script runs over weeks with a change of level, a new cell and a dead one."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

PAGE = (Path(__file__).parents[1] / "docs" / "how-to" / "nightly.md").read_text(encoding="utf-8")
SCRIPT = re.search(r"^```bash\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[1]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="flock is of Linux")
DOUBLE, COMES, DIES = 11, 12, 13  # days, from 0


def export(path: Path, days: int) -> None:
    """Rows of five cells; cell e has none before it came, cell d none after it died."""
    hours = np.arange(24 * days)
    noise = np.random.default_rng(0).gamma(100, 0.01, (24 * 30, 5, 2))[: len(hours)]
    values = (20 + 10 * np.sin(2 * np.pi * hours / 24))[:, None, None] * noise
    values[24 * DOUBLE :] *= 2
    times = np.datetime64("2024-01-01T00:00") + hours * np.timedelta64(1, "h")
    rows = [
        {"time": str(times[t]), "cell": name, "call": round(values[t, n, 0], 3), "net": round(values[t, n, 1], 3)}
        for t in range(len(hours)) for n, name in enumerate("abcde")
        if not (name == "e" and t < 24 * COMES) and not (name == "d" and t >= 24 * DIES)
    ]  # fmt: skip
    pl.DataFrame(rows).write_csv(path)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """``place(command...)``: run in a folder where `simmst` is this package's."""
    folder = tmp_path_factory.mktemp("nightly")
    (folder / "bin").mkdir()
    program = folder / "bin" / "simmst"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m simmst "$@"\n')
    program.chmod(0o755)
    (folder / "nightly.sh").write_text(SCRIPT)
    environment = {
        **os.environ,
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }  # fmt: skip

    def call(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
        )

    call.folder = folder
    return call


def test_only_one_night_works_at_a_time(place):
    done = place("flock", "nightly.lock", "sh", "nightly.sh", ".")
    assert done.returncode == 2 and "still at work" in done.stderr


@pytest.mark.slow
def test_the_script_runs_over_weeks_with_a_change_in_them(place):
    folder = place.folder
    export(folder / "export.csv", 10)
    table = re.search(r"^simmst data table.*?newer\.npz$", SCRIPT, re.MULTILINE | re.DOTALL)[0]
    first = place(
        "sh", "-euc", table.replace("newer.npz", "first.npz") + "\nsimmst run --data first.npz --out run"
    )
    assert first.returncode == 0, first.stderr
    found = {}
    for days in (DOUBLE, DOUBLE + 1, DOUBLE + 2, DOUBLE + 3, COMES + 9):
        export(folder / "export.csv", days)
        done = place("sh", "nightly.sh", ".")
        assert done.returncode in (0, 3), done.stdout + done.stderr
        line = json.loads((folder / "run/updates.jsonl").read_text().splitlines()[-1])
        assert line["last_day"] == str(np.datetime64("2024-01-01") + days - 1)
        assert (done.returncode == 3) == bool(line["drift"]) == ("drift:" in done.stderr)
        found[days] = done.returncode, line, pl.read_csv(folder / "tomorrow.csv")
    assert found[DOUBLE][0] == 0
    # the first night after the level doubled
    code, line, _ = found[DOUBLE + 1]
    assert code == 3 and any("call on 2024-01-12: MAE" in one for one in line["drift"])
    # a cell came, a cell died: both are named or forecast on, and the level is the new one
    assert "e" in found[DOUBLE + 2][1]["nodes_added"] or "e" in found[DOUBLE + 3][1]["nodes_added"]
    last = found[COMES + 9][2]
    assert {"a", "b", "c", "e"} <= set(last["node"])
    of_a = last.filter((pl.col("node") == "a") & (pl.col("service") == "call"))
    assert 30 < of_a["forecast"].mean() < 50  # 40; it was 20
    # the same night again: nothing is done, and the alert of the last update stands
    before = (folder / "run/updates.jsonl").read_bytes()
    again = place("sh", "nightly.sh", ".")
    assert again.returncode == found[COMES + 9][0] and (folder / "run/updates.jsonl").read_bytes() == before
