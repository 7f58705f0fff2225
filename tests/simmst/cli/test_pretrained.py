"""`simmst forecast` without a run, and `simmst pretrain`, as a user meets them."""

import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from simmst.cli import main as cli


@pytest.fixture
def simmst(monkeypatch, capsys, tmp_path):
    """Run the command line in an empty folder; gives exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("SIMMST_DATA", *cli._THREAD_COUNTS):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)

    def call(line: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["simmst", *line.split()])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        captured = capsys.readouterr()
        return caught.value.code, captured.out, captured.err

    return call


def write(path: str, hours: int) -> None:
    wave = 20 + 10 * np.sin(2 * np.pi * np.arange(hours) / 24)
    noise = np.exp(np.random.default_rng(0).normal(0, 0.1, (hours, 3, 2)))
    shared = {"step_minutes": 60, "services": ["call", "net"], "units": "MB", "start": "2024-01-01T00:00"}
    np.savez(path, values=(wave[:, None, None] * noise).astype(np.float32), **shared)


@pytest.mark.parametrize("hours", [24, 24 * 12 + 5])
def test_any_file_of_a_day_or_more_is_forecast(simmst, hours):
    write("city.npz", hours)
    code, out, err = simmst("forecast --data city.npz --out f.csv --horizon 30")
    assert code == 0, err
    calibrated = "calibrated on the file's last days" if hours > 24 else "not calibrated, which takes a week"
    assert "30 hours" in out and f"90% intervals {calibrated}" in out and "picture: f.png" in out
    assert "whole days of history" in err
    lines = Path("f.csv").read_text().splitlines()
    assert len(lines) == 1 + 30 * 3 * 2 and Path("f.png").stat().st_size > 1000


def test_what_is_too_short_or_asked_wrongly_is_one_clear_line(simmst):
    write("short.npz", 23)
    write("city.npz", 48)
    for line, word in (
        ("forecast --data short.npz --out f.csv", "a day of history"),
        ("forecast --data city.npz --out f.csv --horizon 200", "1 to 168"),
        ("forecast --data city.npz --out f.csv --weights gone.safetensors", "does not exist"),
        ("forecast --data city.npz --out f.csv --weights w --checkpoint c", "--weights: go without --checkpoint"),
        ("pretrain --out p --prior mine", "--prior 'mine'"),
        ("pretrain --out p --steps 0", "--steps 0"),
    ):
        code, _, err = simmst(line)
        assert code == 2 and err.startswith("simmst: error: ") and err.count("\n") == 1 and word in err, err


def test_weights_are_made_and_used(simmst):
    code, out, err = simmst("pretrain --out made --worlds 2 --steps 2")
    assert code == 0, err
    assert "forecast by: simmst forecast --weights made/pretrained.safetensors" in out
    write("city.npz", 48)
    assert simmst("forecast --data city.npz --out a.csv --weights made/pretrained.safetensors")[0] == 0
    assert simmst("forecast --data city.npz --out b.csv")[0] == 0
    assert Path("a.csv").read_text() != Path("b.csv").read_text()


def test_a_threshold_lists_the_nodes_by_risk(simmst):
    write("city.npz", 24 * 12)
    code, out, err = simmst("forecast --data city.npz --out f.csv --threshold net=29.5")
    assert code == 0, err
    assert "risk: f-risk.csv" in out and "of 3 are likelier than not" in out and "(threshold 29.5" in out
    table = Path("f.csv").read_text().splitlines()
    assert table[0].endswith(",above")
    calls, nets = ([line for line in table[1:] if f",{name}," in line] for name in ("call", "net"))
    assert all(line.endswith(",") for line in calls) and not any(line.endswith(",") for line in nets)
    assert len(Path("f-risk.csv").read_text().splitlines()) == 1 + 3
    code, out, err = simmst("forecast --data city.npz --out g.csv --threshold net=29.5 --report page.html")
    assert code == 0 and "report: page.html" in out, err
    assert "above its threshold" in Path("page.html").read_text() and "held back" in Path("page.html").read_text()
    Path("g.csv").unlink()
    Path("limits.csv").write_text("node,service,value\n0,call,1\n")
    for line, words in (
        ("--threshold limits.csv", "lacks 1/call, 2/call"),
        ("--threshold web=3", "must name services"),
        ("--risk-out r.csv", "--risk-out r.csv: goes with --threshold"),
        ("--threshold net=3 --risk-out r.txt", "must end in .csv"),
        ("--report page.pdf", "--report page.pdf: must end in .html"),
    ):
        code, _, err = simmst(f"forecast --data city.npz --out g.csv {line}")
        assert code == 2 and words in err and not Path("g.csv").exists(), err


def test_quantiles_are_columns_beside_those_of_before(simmst):
    write("city.npz", 24 * 8)
    code, _, err = simmst("forecast --data city.npz --out f.parquet --quantiles 0.05,0.5,0.975")
    assert code == 0, err
    table = pl.read_parquet("f.parquet")
    assert table.columns == ["time", "node", "service", "forecast", "lower", "upper", "q5", "q50", "q97.5"]
    np.testing.assert_allclose(table["q5"], table["lower"], rtol=1e-5)
    np.testing.assert_allclose(table["q50"], table["forecast"], rtol=1e-5)
    assert (table["q97.5"] > table["upper"]).all()
    for given, words in (("0.1,1", "between 0 and 1"), ("a", "between 0 and 1"), ("0.1,0.10", "twice")):
        code, _, err = simmst(f"forecast --data city.npz --out g.csv --quantiles {given}")
        assert code == 2 and words in err and not Path("g.csv").exists(), err
