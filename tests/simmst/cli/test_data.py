"""`simmst data`: what it prints, writes and refuses."""

import numpy as np
import pytest
from typer.testing import CliRunner

from simmst.cli.data import data_app
from simmst.errors import ConfigError, DataError
from simmst.traffic.dataset import TrafficData
from simmst.traffic.telecom.download import RemoteFile

FIRST_MS = 1383260400000


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments):
        return CliRunner().invoke(data_app, list(map(str, arguments)))

    return run


def write_raw(folder):
    folder.mkdir()
    lines = [f"{square}\t{FIRST_MS + k * 600_000}\t39\t1\t2\t3\t4\t5\n" for square in (1, 2) for k in range(144)]
    lines[7] = "broken\n"
    (folder / "sms-call-internet-mi-2013-11-01.txt").write_text("".join(lines))


def test_ingest_says_what_it_read_and_left_out(invoke, tmp_path):
    write_raw(tmp_path / "raw")
    result = invoke("ingest", "raw", "--out", "city.npz", "--resolution", "30")
    assert result.exit_code == 0, result.output
    assert "sms-call-internet-mi-2013-11-01.txt: 1 of 1 days" in result.output, "progress in a log"
    assert "left out sms-call-internet-mi-2013-11-01.txt:8: 1 fields in place of 8" in result.output
    assert "288 lines, 48 steps of 30 minutes x 2 squares x 3 services; 3 ten-minute values are 0" in result.output
    assert TrafficData.load("city.npz").step_minutes == 30


def test_ingest_says_how_gaps_were_filled(invoke, tmp_path):
    write_raw(tmp_path / "raw")
    raw = tmp_path / "raw" / "sms-call-internet-mi-2013-11-01.txt"
    lines = raw.read_text().splitlines(keepends=True)
    raw.write_text("".join(line for line in lines if f"\t{FIRST_MS}\t" not in line and "broken" not in line))
    refused = invoke("ingest", "raw", "--out", "city.npz")
    assert isinstance(refused.exception, DataError) and "3 gaps" in str(refused.exception)
    result = invoke("ingest", "raw", "--out", "city.npz", "--fill", "zero")
    assert "gaps: 3 steps of a service (6 values)" in result.output and "fill: zero" in result.output
    assert "(1 kept from before)" in result.output


def test_describe_prints_and_draws(invoke, tmp_path):
    write_raw(tmp_path / "raw")
    invoke("ingest", "raw", "--out", "city.npz")
    result = invoke("describe", "city.npz")
    assert result.exit_code == 0, result.output
    assert "24 steps of 60 minutes from 2013-11-01T00:00 to 2013-11-01T23:00, 2 nodes, 3 services" in result.output
    assert "autocorrelation, 12 h" in result.output and "activity per hour" in result.output
    assert (tmp_path / "city.png").is_file()


def test_describe_refuses_what_it_cannot_write_or_read(invoke, tmp_path):
    data = TrafficData(np.ones((24, 2, 1), "f4"), np.datetime64("2013-11-01T00:00", "m"), 60, ("a",), ("x", "y"))
    data.save("city.npz")
    assert isinstance(invoke("describe", "city.npz", "--picture", "city.npz").exception, ConfigError)
    (tmp_path / "file").write_text("")
    blocked = invoke("describe", "city.npz", "--picture", "file/x.png").exception
    assert isinstance(blocked, DataError) and "file" in str(blocked)
    assert "no such file" in str(invoke("describe", "none.npz").exception)
    (tmp_path / "folder").mkdir()
    assert "folder: is a directory" in str(invoke("describe", "folder").exception)


def test_download_names_the_files_it_has(invoke, tmp_path, monkeypatch):
    file = RemoteFile("sms-call-internet-mi-2013-11-01.txt", "http://127.0.0.1:9/1", "md5:" + "0" * 32, 0)
    monkeypatch.setattr("simmst.traffic.telecom.download.list_files", lambda city, server: [file])
    result = invoke("download", "milano", "--out", "raw", "--server", "http://127.0.0.1:9")
    assert isinstance(result.exception, DataError) and "does not have the hash" in str(result.exception)
    # The hash of nothing.
    empty = RemoteFile(file.name, file.url, "md5:d41d8cd98f00b204e9800998ecf8427e", 0)
    monkeypatch.setattr("simmst.traffic.telecom.download.list_files", lambda city, server: [empty])
    result = invoke("download", "milano", "--out", "raw", "--server", "http://127.0.0.1:9")
    assert result.exit_code == 0 and "1 files in raw" in result.output
    assert isinstance(invoke("download", "milano").exception, SystemExit), "--out is required"
