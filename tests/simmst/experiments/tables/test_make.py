"""A table from its options to its files: what is computed once stays, and an interruption loses nothing."""

import csv
import json
import signal
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from simmst.errors import SimmstError
from simmst.evaluation.compare import compare
from simmst.evaluation.measures import MEASURES
from simmst.evaluation.target import PRIOR_NOTICE
from simmst.experiments.config import SMOKE
from simmst.experiments.tables import cost as clock
from simmst.experiments.tables.grid import Grid
from simmst.experiments.tables.make import Options, make_table
from simmst.reports.svg import standalone
from simmst.reports.table import figure_page, table_page
from simmst.reports.table_files import STARTS, Table, markdown, write_table
from simmst.reports.table_pictures import error_figure
from simmst.training import stages as best


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def file(city, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data") / "town.npz"
    city(22).data.save(path)
    return path


def options(file: Path, folder: Path, **changes) -> Options:
    given = {
        "number": 2, "title": "Table 2", "data": str(file), "folder": folder, "preset": "smoke", "budget": "1e",
        "models": "daily,ridge,mttc,dlinear,convlstm,simmstnet", "horizon": 6, "scarce": "7d",
    }  # fmt: skip
    return Options(**{**given, **changes})


class Watched:
    """What a terminal would show; presses Ctrl-C at the n-th sign of life of a stage."""

    def __init__(self, stage: str = "", call: int = 0) -> None:
        self.stage, self.call, self.seen = stage, call, 0
        self.begun, self.skipped = [], []

    def begin(self, done, missing, total, cell):
        self.begun.append(cell)
        return self.watch

    def watch(self, stage, done, total, note):
        if stage == self.stage:
            self.seen += 1
            if self.seen == self.call:
                signal.raise_signal(signal.SIGINT)

    def skip(self, cell, reason):
        self.skipped.append((cell.label, reason))

    def make(self, given: Options) -> Table:
        return make_table(given, self.begin, self.skip)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("tables")


@pytest.fixture(scope="module")
def made(file, folder) -> Table:
    return Watched().make(options(file, folder))


def figures(table: Table) -> dict[str, float]:
    return {row.label: row.mean(6, None, "mae") for row in table.rows}


def test_a_table_with_simulated_windows_says_what_the_prior_has_seen(made):
    assert PRIOR_NOTICE not in made.notes(), "its nodes are elsewhere"
    target = made.benchmark.target
    nowhere = replace(target, data=replace(target.data, coordinates=None))
    assert PRIOR_NOTICE in replace(made, benchmark=replace(made.benchmark, target=nowhere)).notes()


def test_the_rows_are_the_models_with_each_source(made):
    assert [row.label for row in made.rows] == [
        "same hour yesterday", "ridge (7 d)", "ridge",
        "MTTC (7 d)", "MTTC", "MTTC (simulated + real, 7 d)", "DLinear (7 d)", "DLinear",
        "Sim-MSTNet (7 d)", "Sim-MSTNet", "Sim-MSTNet (simulated + real, 7 d)",
        "Sim-MSTNet (re-weighted simulated, then real, 7 d)", "Sim-MSTNet (re-weighted simulated, then real)",
    ]  # fmt: skip


def test_rows_that_see_a_week_are_named_and_a_row_without_training_too(made):
    [note] = [note for note in made.notes() if "The last 168 h are seen by" in note]
    for label in ("DLinear (7 d)", "DLinear", "Sim-MSTNet (7 d)", "Sim-MSTNet (simulated + real, 7 d)"):
        assert label in note
    assert "MTTC" not in note
    for row in made.rows:
        stages = [one["stage"] for cell in row.cells for one in cell.result.get("kept", ())]
        shown = [note for note in made.notes() if note.startswith(f"{row.label}: in")]
        assert bool(shown) is any(stage in STARTS for stage in stages)


def test_what_is_kept_is_the_best_on_the_validation_days(made):
    cells = {cell.cell.label: cell.result for row in made.rows for cell in row.cells}
    for label, stages in {
        "Sim-MSTNet": ["real"],  # no simulated windows, so nothing to start from
        "Sim-MSTNet (simulated + real, 7 d)": ["yesterday", "start", "pooled"],
        "Sim-MSTNet (re-weighted simulated, then real)": ["yesterday", "start", "weighted", "real"],
    }.items():
        [kept] = cells[label]["kept"]
        errors = kept["validation_errors"]
        assert list(errors) == stages and kept["stage"] == min(errors, key=errors.get)


@pytest.mark.parametrize("sources", ["pooled", "reweighted"])
def test_each_networks_start_is_of_its_own_service_and_weights(file, tmp_path, monkeypatch, sources):
    seen = []
    monkeypatch.setattr(best, "start_highway", lambda *given: seen.append(given))
    given = options(file, tmp_path, models="simmstnet,stnet", scarce=None, sources=sources)
    Watched().make(given)
    (_, whole, weights), *apart = seen
    assert (weights is None) is (sources == "pooled")
    batch = whole.batch(np.array([0, 5]))
    assert len(apart) == batch.target.shape[-1] == 2
    for service, (_, windows, own) in enumerate(apart):
        np.testing.assert_array_equal(windows.batch(np.array([0, 5])).target[..., 0], batch.target[..., service])
        assert own is weights or np.array_equal(own, weights)


def test_all_rows_can_be_given_a_longer_history(file, tmp_path):
    given = options(file, tmp_path, models="lstm,mttc", scarce="3d", sources="real", lookback=100)
    table = Watched().make(given)
    assert {cell.result["benchmark"]["history"] for row in table.rows for cell in row.cells} == {100}
    assert "The last 100 h are seen by LSTM (3 d), LSTM, MTTC (3 d), MTTC" in "".join(table.notes())


def test_simulated_windows_are_no_longer_than_a_week(file, tmp_path):
    watched = Watched()
    watched.make(options(file, tmp_path, models="daily,mttc", scarce=None, sources="reweighted", lookback=200))
    assert "168 h at most, this row sees 200 h" in dict(watched.skipped)["MTTC (re-weighted simulated, then real)"]


def test_a_model_that_cannot_run_is_left_out_with_its_reason(file, tmp_path):
    watched = Watched()
    made = watched.make(options(file, tmp_path, models="daily,convlstm", scarce=None))
    assert [row.label for row in made.rows] == ["same hour yesterday"]
    assert "grid" in dict(watched.skipped)["ConvLSTM"] and dict(watched.skipped) == made.skipped
    with pytest.raises(SimmstError, match="none of these rows"):
        watched.make(options(file, tmp_path, models="convlstm", scarce=None))


def test_cells_once_computed_are_read(made, file, folder):
    watched = Watched()
    again = watched.make(options(file, folder))
    assert watched.begun == [] and figures(again) == figures(made)


@pytest.mark.parametrize("change", [{"budget": "2e"}, {"horizon": 5}])
def test_another_setting_is_another_cell(made, file, folder, change, monkeypatch):
    watched = Watched()
    monkeypatch.setattr(Grid, "compute", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        watched.make(options(file, folder, models="mttc", scarce=None, **change))
    assert [cell.label for cell in watched.begun] == ["MTTC"]


def test_another_file_is_another_cell(city, file, folder, made, tmp_path):
    other = city(22, seed=1).data
    other.save(tmp_path / "town.npz")
    watched = Watched()
    watched.make(options(tmp_path / "town.npz", folder, models="daily", scarce=None))
    assert len(watched.begun) == 1


@pytest.mark.parametrize(
    ("model", "stage", "call", "sources"),
    [("mttc", "real", 3, "real"), ("simmstnet", "re-weight", 5, "reweighted"), ("simmstnet", "test", 1, "real")],
)
def test_an_interrupted_table_ends_with_the_same_figures(made, file, tmp_path, model, stage, call, sources):
    given = options(file, tmp_path, models=model, sources=sources)
    with pytest.raises(KeyboardInterrupt):
        Watched(stage, call).make(given)
    found = figures(Watched().make(given))
    assert found.items() <= figures(made).items()


def test_the_time_of_an_interrupted_cell_is_that_of_all_its_calls(file, tmp_path, monkeypatch):
    now = Mock(return_value=0.0)
    monkeypatch.setattr(clock, "time", Mock(perf_counter=now, process_time=lambda: now() / 2))
    given = options(file, tmp_path, models="mttc", sources="real", scarce=None)

    class Slow(Watched):
        def watch(self, stage, done, total, note):
            now.return_value += 1.0
            super().watch(stage, done, total, note)

    for stage, call in (("real", 2), ("test", 1)):
        with pytest.raises(KeyboardInterrupt):
            Slow(stage, call).make(given)
    started = now.return_value
    (row,) = Slow().make(given).rows
    time = row.cells[0].result["time"]
    assert time == {"wall_seconds": now.return_value, "processor_seconds": now.return_value / 2}
    assert time["wall_seconds"] > now.return_value - started > 0
    assert not list(tmp_path.glob("cells/*/time.json"))


def test_the_files_hold_every_figure(made, tmp_path):
    write_table(made, tmp_path)
    text = (tmp_path / "table.md").read_text()
    assert "1 to 6 steps ahead" in text and "| Sim-MSTNet (7 d) |" in text and "ConvLSTM needs" in text
    lines = list(csv.DictReader((tmp_path / "table.csv").read_text().splitlines()))
    assert len(lines) == len(made.rows) * 2 * 3 * len(MEASURES)  # horizons 1 and 6; two tasks and their mean
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["settings"]["seeds"] == 1 and content["benchmarks"]["7"]["history"] == 48
    one = next(r for r in content["rows"] if r["row"] == "ridge" and r["measure"] == "mae" and r["horizon"] == 6)
    line = next(r for r in lines if r["row"] == "ridge" and r["measure"] == "mae" and r["horizon"] == "6")
    assert float(line["mean"]) == one["mean"] and one["spread"] is None


def test_a_smoke_table_says_so_first_and_calls_no_difference_real(made):
    for text in (markdown(made), table_page(made)):
        assert text.index(SMOKE) < text.index("Protocol") and "differences are real" not in text


def test_names_of_services_do_not_break_the_markdown(city, tmp_path):
    names = ("a | b", "<img src=x>", "`c` *d* [e](f)")
    city(22, services=names).data.save(tmp_path / "a|b.npz")
    made = Watched().make(options(tmp_path / "a|b.npz", tmp_path, models="last,daily", scarce=None))
    made = replace(made, comparisons=compare(made.rows, 24))  # left out of smoke tables
    text = markdown(made)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    counts = {line.replace("\\|", "").count("|") for line in rows}
    assert counts == {1 + 1 + 2 * len(names) + 4, 1 + 7}  # the tables, and the comparisons
    assert r"a \| b MAE" in text and "&lt;img src=x&gt; MAE" in text and r"\`c\` \*d\* \[e\](f) MAE" in text
    assert "<img" not in text + table_page(made) and r"forecasting, a\|b.npz" in text.splitlines()[0]


def test_the_page_needs_nothing_and_marks_the_papers_figures(made):
    html = table_page(made)
    assert "http" not in html.replace("http://www.w3.org", "") and "not comparable: other data (town.npz)" in html
    assert html.count('class="best"') >= 8 and "Rows left out" in html
    assert figure_page(made).count("<svg") >= 4


def test_the_picture_is_a_file_of_its_own(made):
    svg = standalone(error_figure(made.rows))
    assert svg.startswith("<svg xmlns=") and "var(--" not in svg and "Sim-MSTNet" in svg


def test_training_rows_see_no_test_day(city, made, tmp_path):
    data = city(22).data
    data.values[17 * 24 :] *= 3
    data.save(tmp_path / "town.npz")
    given = options(tmp_path / "town.npz", tmp_path, models="mttc,dlinear,simmstnet")
    changed = Watched().make(given).rows
    found = {row.label: row.cells[0].result["training"] for row in changed}
    usual = {row.label: row.cells[0].result["training"] for row in made.rows if row.label in found}
    assert found == usual
    assert {row.cells[0].cell.row for row in changed} >= {
        ("mttc", "real", None), ("dlinear", "real", 7), ("mttc", "pooled", 7), ("simmstnet", "real", None),
        ("simmstnet", "pooled", 7), ("simmstnet", "reweighted", 7), ("simmstnet", "reweighted", None),
    }  # fmt: skip
    assert all(row.mean(6, None, "mae") != figures(made)[row.label] for row in changed)  # the test days did change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"preset": "huge"}, "preset huge"),
        ({"number": 4}, "table 4: unknown"),
        ({"scarce": "3"}, "write days as 3d"),
        ({"sources": "real,dreamt"}, "unknown dreamt"),
        ({"number": 1, "service": "call,net"}, "table 1 is of one service"),
        ({"data": "nowhere.npz"}, "no such file"),
        ({"service": "fax"}, "unknown service 'fax'"),
    ],
)
def test_an_impossible_option_is_one_clear_line(file, tmp_path, change, message):
    with pytest.raises(SimmstError, match=message):
        Watched().make(options(file, tmp_path, **change))


def test_table_1_is_of_one_service_and_can_see_chosen_lags(city, tmp_path):
    city(28).data.save(tmp_path / "town.npz")
    given = options(tmp_path / "town.npz", tmp_path, number=1, models="ridge,dlinear,stnet", scarce=None)
    made = Watched().make(Options(**{**_fields(given), "protocol": "fedda", "service": "net"}))
    assert [row.label for row in made.rows] == ["ridge", "DLinear", "STNet"]
    assert made.benchmark.data.services == ("net",) and "re-weighted" in " ".join(made.skipped)
    assert np.isfinite([row.mean(1, "net", "z_mae") for row in made.rows]).all()


def test_a_baseline_that_is_fed_patches_is_built_shown_and_compared_as_one(city, tmp_path, register, patch_mean):
    register(patch_mean)
    city(28).data.save(tmp_path / "town.npz")
    given = options(tmp_path / "town.npz", tmp_path, number=1, models="patchmean,stnet", scarce=None)
    made = Watched().make(Options(**{**_fields(given), "protocol": "fedda", "service": "net"}))
    assert [(row.label, row.ours) for row in made.rows] == [("PatchMean", False), ("STNet", True)]


def test_table_1_under_the_papers_protocol_is_of_the_internet(city, tmp_path):
    city(28, services=("sms", "call", "internet")).data.save(tmp_path / "town.npz")
    given = options(tmp_path / "town.npz", tmp_path, number=1, models="daily", scarce=None)
    made = Watched().make(Options(**{**_fields(given), "protocol": "paper"}))
    assert made.benchmark.name == "paper" and made.benchmark.data.services == ("internet",)


def _fields(given: Options) -> dict:
    return {name: getattr(given, name) for name in Options.__slots__}
