"""The unit of the traffic changes nothing but the unit of what comes out: of a run, of a table's rows."""

from dataclasses import replace

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

# A power of two changes no digit of a number; others round otherwise, and training carries that on.
FACTORS = {2.0**20: 1e-6, 1e-3: 2e-3, 1e6: 2e-3}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def file_of(city, tmp_path_factory):
    """``file_of(factor)``: the same traffic in another unit."""
    folder, data = tmp_path_factory.mktemp("data"), city(14).data

    def make(factor):
        path = folder / f"{factor:g}.npz"
        replace(data, values=(data.values * factor).astype(np.float32)).save(path)
        return path

    return make


def run_of(file, folder):
    """Stage that is kept, errors of it, and forecast with its ends."""
    config = RunConfig.of_preset("smoke", seed=1, data=str(file), data_sha256=file_digest(file))
    metrics = run(Job.prepare(config), RunDirectory.create(folder, config), lambda *_: None)
    found = forecast_file(folder, file)
    maes = [row["mean"]["mae"] for rows in metrics["horizons"].values() for row in rows.values()]
    return metrics["kept_stage"], list(metrics["validation_errors"].values()), maes, found


def table_of(file, folder):
    options = Options(
        2, "Table 2", str(file), folder, "ridge,dlinear,simmstnet", preset="smoke", budget="1e", horizon=6
    )
    table = make_table(options, lambda *_: lambda *_: None, lambda *_: None)
    errors = [one for one in as_records(table.rows) if one["measure"] == "mae"]
    stages = {row.label: [one["stage"] for one in row.cells[0].result.get("kept") or ()] for row in table.rows}
    return stages, {(one["row"], one["horizon"], one["task"]): one["mean"] for one in errors}


@pytest.fixture(scope="module")
def plain_run(file_of, tmp_path_factory):
    return run_of(file_of(1.0), tmp_path_factory.mktemp("runs") / "plain")


@pytest.fixture(scope="module")
def plain_table(file_of, tmp_path_factory):
    return table_of(file_of(1.0), tmp_path_factory.mktemp("tables") / "plain")


@pytest.mark.parametrize("factor", FACTORS)
def test_a_run_is_the_same_in_any_unit(plain_run, file_of, tmp_path, factor):
    stage, errors, maes, forecast = run_of(file_of(factor), tmp_path / "run")
    allowed = FACTORS[factor]
    assert stage == plain_run[0]
    np.testing.assert_allclose(errors, plain_run[1], rtol=allowed)
    np.testing.assert_allclose(np.array(maes) / factor, plain_run[2], rtol=allowed)
    for name in ("values", "lower", "upper"):
        np.testing.assert_allclose(
            getattr(forecast, name) / factor, getattr(plain_run[3], name), rtol=allowed, err_msg=name
        )


@pytest.mark.parametrize("factor", FACTORS)
def test_rows_of_a_table_are_the_same_in_any_unit(plain_table, file_of, tmp_path, factor):
    stages, errors = table_of(file_of(factor), tmp_path / "table")
    assert stages == plain_table[0] and errors.keys() == plain_table[1].keys()
    for name, value in errors.items():
        assert value / factor == pytest.approx(plain_table[1][name], rel=FACTORS[factor]), name
