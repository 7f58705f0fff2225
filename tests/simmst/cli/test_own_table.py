"""`simmst data table`: an export with every oddity, read by its options."""

import gzip

import numpy as np
import pytest
from typer.testing import CliRunner

from simmst.cli.data import data_app
from simmst.errors import ConfigError
from simmst.traffic.dataset import TrafficData


@pytest.fixture
def odd(tmp_path, monkeypatch):
    """A spreadsheet's export: latin-1, gzipped, a preamble, `sep=`, ends of hours 1 to 24, parts of cells."""
    monkeypatch.chdir(tmp_path)
    lines = ["Bericht für März", "sep=;", ' Tag ;Stunde;Zelle;"Verkehr, DL";Nutzer;Sommer;']
    for day in (30, 31):
        for hour in range(1, 25):
            if (day, hour) == (31, 3):
                continue  # 02:00 to 03:00 is not there
            summer = int(day == 31 and hour > 2)
            for cell in ("Köln", "Ulm"):
                for part in ("1.000,5", "2.000"):
                    lines.append(f"{day}.03.2024 ;{hour};{cell};{part} ; 7,5;{summer};")
    text = "\n".join([*lines, "", ""])
    (tmp_path / "export.csv.gz").write_bytes(gzip.compress(text.encode("latin-1")))


WORDS = [
    *("table", "export.csv.gz", "--time", "Tag,Stunde", "--node", "Zelle", "--services", '"Verkehr, DL",Nutzer'),
    *("--units", '"Verkehr, DL=MB",Nutzer=users', "--encoding", "latin-1", "--skip-lines", "1", "--decimal-comma"),
    *("--thousands", ".", "--rows", "sum", "--mean", "Nutzer", "--time-is", "end", "--timezone", "Europe/Berlin"),
    *("--time-format", "%d.%m.%Y %H:%M", "--out", "t.npz"),
]


def test_every_oddity_has_its_option(odd):
    result = CliRunner().invoke(data_app, WORDS)
    assert result.exit_code == 0, (result.output, result.exception)
    assert "they are the ENDS of steps" in result.output and "94 rows were added" in result.output
    data = TrafficData.load("t.npz")
    assert data.node_ids == ("Köln", "Ulm") and data.services == ("Verkehr, DL", "Nutzer")
    assert data.unit_of("Verkehr, DL") == "MB" and data.unit_of("Nutzer") == "users"
    assert str(data.start) == "2024-03-30T00:00" and len(data.values) == 48
    np.testing.assert_array_equal(data.values[:, 0], np.tile(np.float32([3000.5, 7.5]), (48, 1)))
    assert [str(gap.start) for gap in data.gaps] == ["2024-03-31T02:00"] * 2


@pytest.mark.parametrize("units", ["dl=MB,dl=GB", "MB,GB", "dl="])
def test_units_written_otherwise_are_refused(odd, units):
    words = [units if word.startswith('"Verkehr, DL=MB"') else word for word in WORDS]
    error = CliRunner().invoke(data_app, words).exception
    assert isinstance(error, ConfigError) and "units: " in str(error)
