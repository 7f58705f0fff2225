"""Both invented exports are read with every fault found, said and treated as the pages promise."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from simmst.forecasting.pretrained import known_hours
from simmst.traffic.pm.read import from_pm
from simmst.traffic.table.build import from_table
from simmst.traffic.table.source import open_table

_SPEC = importlib.util.spec_from_file_location("invented_exports", Path(__file__).with_name("invented.py"))
invented = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(invented)

# Twelve days, among them that on which the clocks go back, are enough, and quick.
FIRST, DAYS = invented.datetime(2024, 10, 18, tzinfo=invented.BERLIN), 12
VOLUME, USERS = "Volumen DL [MB]", "Nutzer"


def expected(first, days, seed):
    """What was written, summed and averaged to hours of the local clock by other means: `{(hour, cell): ...}`."""
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for begin, cells in invented.network(first, days, seed):
        hour = f"{begin.astimezone(invented.BERLIN):%Y-%m-%dT%H}"
        for n, row in cells.items():
            found.setdefault((hour, n), []).append(row)
    return found


def said(report, words):
    return any(words in line for line in report.sentences)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("exports") / "export.csv"
    invented.write_table(path, DAYS, FIRST)
    columns = "Datum", "Zeit", "Sommerzeit", "Zelle", VOLUME, USERS
    with open_table(path, columns, encoding="latin-1", skip_lines=3) as opened:
        return from_table(
            opened, ("Datum", "Zeit"), "Zelle", (VOLUME, USERS), {VOLUME: "MB", USERS: "users"}, mean=(USERS,),
            timezone="Europe/Berlin", time_format="%d.%m.%Y %H:%M", decimal_comma=True, thousands=".",
            time_is="end", dst="Sommerzeit", rows="sum", max_value={VOLUME: 1e5},
        )  # fmt: skip


def test_every_value_of_the_table_is_that_of_its_hour(table):
    data, _ = table
    # The hour that autumn repeats holds the mean of both: eight quarters, half of their sum.
    truth = expected(FIRST, DAYS, 3)
    hours = {f"{time.astype('datetime64[h]')}": t for t, time in enumerate(data.times)}
    known, checked = data.known, 0
    for (hour, n), rows in truth.items():
        name = invented.cell(n)
        if name in data.node_ids:
            t, k = hours[hour], data.node_ids.index(name)
            if known[t, k, 0] and len(rows) in (4, 8):
                volume, users = np.array(rows).sum(axis=0) * 4 / len(rows)
                np.testing.assert_allclose(data.values[t, k], (volume, users / 4), rtol=1e-5, atol=1e-3)
                checked += 1
    assert checked > 0.95 * known[..., 0].sum()


def test_cells_of_the_table_that_die_are_left_out_and_new_ones_kept(table):
    data, report = table
    assert {name for name, _ in report.left_out} == {invented.cell(n) for n in (invented.DEAD, invented.OLD)}
    assert {name for name, _ in report.new} == {invented.cell(n) for n in (invented.BORN, invented.NEW)}
    assert data.averaged == (USERS,) and data.unit_of(VOLUME) == "MB" and not data.gaps
    born = data.node_ids.index(invented.cell(invented.BORN))
    begin = int(known_hours(data)[:, born, 0].argmax())
    assert 190 <= begin <= 193 and data.known[begin:, born].all() and not data.known[:begin, born].any()


def test_the_odd_things_of_the_table_are_said(table):
    _, report = table
    assert report.too_large == 2 and report.summed == report.rows // 2
    for words in (
        "is 0 at all nodes at 4 steps", "one under two names?", "Köln-11 ends and Köln-12 begins",
        "2 nodes are dead for a day", "2 nodes begin a day or more after", "Köln-14 = Köln-15",
        "most in Köln-04 (1), Köln-20 (1)", "2 values above max_value were taken as missing",
    ):  # fmt: skip
        assert said(report, words), words


def test_the_measurement_files_are_read_alike(tmp_path):
    invented.write_files(tmp_path / "pm", days=4)
    counters = {"DRB.PdcpSduVolumeDL": ("Mbit", "sum"), "RRC.ConnMean": ("users", "mean")}
    data, report = from_pm(tmp_path / "pm", counters, "Europe/Berlin")
    table = report.table
    ends = [[name.rpartition("=")[2] for name, _ in found] for found in (table.left_out, table.new)]
    assert [sorted(found) for found in ends] == [["11", "2"], ["12", "7"]]
    names = {name.rpartition("=")[2]: k for k, name in enumerate(data.node_ids)}
    truth = expected(invented.datetime(2024, 3, 18, tzinfo=invented.BERLIN), 4, 17)
    hours = {f"{time.astype('datetime64[h]')}": t for t, time in enumerate(data.times)}
    for (hour, n), rows in truth.items():
        if str(n) in names and data.known[hours[hour], names[str(n)]].all():
            volume, users = np.array(rows).sum(axis=0)
            found = data.values[hours[hour], names[str(n)]]
            np.testing.assert_allclose(found, (volume, users / 4), rtol=1e-5, atol=1e-3)
    for words in ("a counter that wrapped", "is 0 at all nodes at 4 steps", "one under two names?"):
        assert any(words in line for line in table.oddities), words
