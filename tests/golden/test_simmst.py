"""Figures of a smoke run, its forecast and a smoke table, as they were when these files were written.

They are no right values: whatever changes one of them on purpose writes them anew, and says so in the changelog:
``python tests/golden/test_simmst.py FOLDER``, with an empty folder for what is made on the way. On the machine and
with the packages that wrote them they agree to the bit; elsewhere a network's sums are rounded otherwise, and the
tests allow for that much. What was learnt by many steps, and is no forecast, differed by up to 1.1 % between two
processors.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from simmst.evaluation.compare import as_records
from simmst.experiments.config import RunConfig
from simmst.experiments.job import Job
from simmst.experiments.run import run
from simmst.experiments.rundir import RunDirectory
from simmst.experiments.tables.make import Options, make_table
from simmst.experiments.target import file_digest
from simmst.forecasting.from_run import forecast_file
from simmst.traffic.dataset import TrafficData

GOLDEN = Path(__file__).with_name("simmst.json")
ROUNDING, LEARNT = 1e-3, 3e-2
MODELS = "daily,ridge,dlinear,mttc,simmstnet"


def write_traffic(path: Path) -> None:
    """Two services of four nodes in a row over 14 days: a daily wave, a weaker weekend and noise."""
    rng = np.random.default_rng(7)
    hour = np.arange(24 * 14)
    wave = (20 + 10 * np.sin(2 * np.pi * hour / 24)) * np.where(hour // 24 % 7 < 5, 1.0, 0.7)
    size = np.array([1.0, 12.0]) * np.array([0.5, 1.0, 2.0, 4.0])[:, None]
    values = wave[:, None, None] * size * np.exp(rng.normal(0, 0.15, (len(hour), 4, 2)))
    places = np.stack([9 + 0.01 * np.arange(4), np.full(4, 45.0)], axis=1)
    start = np.datetime64("2024-01-01T00:00", "m")
    TrafficData(values.astype(np.float32), start, 60, ("call", "net"), tuple("abcd"), places, "MB").save(path)


def smoke_run(file: Path, folder: Path) -> dict[str, Any]:
    """Metrics of a run, and its forecast."""
    config = RunConfig.of_preset("smoke", seed=1, data=str(file), data_sha256=file_digest(file))
    metrics = run(Job.prepare(config), RunDirectory.create(folder, config), lambda *_: None)
    names = ("horizons", "weights", "re-weighting", "training", "fine-tuning", "kept_stage", "validation_errors")
    table = forecast_file(folder, file).to_polars()
    forecast = {name: table[name].to_list() for name in ("node", "service", "forecast", "lower", "upper")}
    return json.loads(json.dumps({name: metrics[name] for name in names} | {"forecast": forecast}))


def smoke_table(file: Path, folder: Path) -> dict[str, Any]:
    """Figures of a table, row by row."""
    options = Options(
        2, "Table 2", str(file), folder, MODELS, preset="smoke", budget="1e", horizon=6, scarce="5d"
    )  # fmt: skip
    table = make_table(options, lambda *_: lambda *_: None, lambda *_: None)
    kept = [one for one in as_records(table.rows) if one["measure"] in ("mae", "rmse", "mase")]
    records = {f"{one['row']}, {one['horizon']} h, {one['task']}, {one['measure']}": one["mean"] for one in kept}
    return records | {f"epochs of {row.label}": row.cells[0].result.get("kept") for row in table.rows}


def same(found: Any, wanted: Any, at: str = "") -> None:
    """Compare two trees of JSON, numbers up to rounding."""
    if isinstance(wanted, dict):
        assert list(found) == list(wanted), at
        for name in wanted:
            same(found[name], wanted[name], f"{at}/{name}")
    elif isinstance(wanted, list):
        assert len(found) == len(wanted), at
        for i, (one, other) in enumerate(zip(found, wanted, strict=True)):
            same(one, other, f"{at}/{i}")
    elif isinstance(wanted, float):
        learnt = at.startswith(("/weights", "/re-weighting", "/training", "/fine-tuning", "/validation_errors"))
        allowed = LEARNT if learnt else ROUNDING
        assert found == pytest.approx(wanted, rel=allowed, abs=ROUNDING), at
    else:
        assert found == wanted, at


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("make", [smoke_run, smoke_table])
def test_smoke_figures_are_those_of_before(make, tmp_path):
    write_traffic(tmp_path / "city.npz")
    same(make(tmp_path / "city.npz", tmp_path / "out"), json.loads(GOLDEN.read_text())[make.__name__])


def write(folder: Path) -> None:
    """Write the figures of today."""
    write_traffic(folder / "city.npz")
    made = {make.__name__: make(folder / "city.npz", folder / make.__name__) for make in (smoke_run, smoke_table)}
    GOLDEN.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
