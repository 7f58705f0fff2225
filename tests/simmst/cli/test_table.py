"""`simmst table`, `simmst figure` and `simmst forecast` as a user meets them."""

import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from simmst.cli import main as cli
from simmst.experiments.tables.training import Training


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


TABLE = "table 2 --preset smoke --budget 1e --models daily,mttc,simmstnet --sources real --horizon 6 --out t"


def test_a_table_and_its_figure(simmst):
    code, out, err = simmst(TABLE)
    assert code == 0, err
    assert "| Sim-MSTNet |" in out and "a synthetic city" in out and out.endswith("t/report.html\n")
    assert "cell 3 of 3: Sim-MSTNet, seed 0" in err
    files = {path.name for path in Path("t").iterdir()}
    assert files == {"cells", "table.md", "table.csv", "results.json", "errors.svg", "report.html"}
    code, out, err = simmst(TABLE.replace("table", "figure"))
    assert code == 0 and "cell" not in err  # all were there
    assert Path("t/figure-2.html").read_text().count("<svg") >= 4


def test_an_interrupted_table_says_how_to_go_on(simmst, monkeypatch):
    usual = Training.forecast

    def interrupted(self):
        signal.raise_signal(signal.SIGINT)
        return usual(self)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "forecast", interrupted)
        code, _, err = simmst(TABLE)
    assert code == 130 and err.endswith("stopped; the same command goes on\n")
    assert simmst(TABLE)[0] == 0


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("table 5", "table 5"),
        ("table 2 --models lstm2", "unknown lstm2"),
        ("table 2 --budget soon", "--budget soon"),
        ("table 2 --data gone.npz", "gone.npz"),
        ("table 2 --preset smoke --protocol fedda --lookback 12", "--lookback 12"),
        ("figure 1", "figure 1"),
        ("forecast --checkpoint gone --data x.npz --out f.csv", "gone: no such directory"),
        ("forecast --checkpoint . --data x.npz --out f.csv", "holds no finished run"),
        ("forecast --checkpoint gone --data x.npz --out f.txt", "--out f.txt"),
        ("forecast --checkpoint gone --data x.npz --out no/f.csv", "folder does not exist"),
        ("forecast --checkpoint gone --data x.npz --out f.csv --picture f.gif", "--picture f.gif"),
    ],
)
def test_a_mistake_is_one_clear_line(simmst, line, word):
    code, _, err = simmst(line)
    assert code == 2 and err.startswith("simmst: error: ") and err.count("\n") == 1 and word in err
    assert not list(Path().iterdir())


def test_a_run_forecasts_a_newer_file(simmst):
    hours = np.arange(24 * 16)
    wave = 20 + 10 * np.sin(2 * np.pi * hours / 24)
    rng = np.random.default_rng(0)
    values = (wave[:, None, None] * np.exp(rng.normal(0, 0.1, (len(hours), 5, 2)))).astype(np.float32)
    shared = {"step_minutes": 60, "services": ["call", "net"], "units": "MB"}
    np.savez("old.npz", values=values[: 24 * 14], start="2024-01-01T00:00", **shared)
    np.savez("new.npz", values=values[24 * 14 :], start="2024-02-05T00:00", **shared)
    assert simmst("run --preset smoke --data old.npz --out run")[0] == 0
    code, out, err = simmst("forecast --checkpoint run --data new.npz --out f.csv --horizon 3 --level 0.8")
    assert code == 0, err
    assert "3 hours from 2024-02-07T00:00" in out and "80% intervals" in out
    lines = Path("f.csv").read_text().splitlines()
    assert len(lines) == 1 + 3 * 5 * 2 and lines[1].startswith("2024-02-07T00:00,0,call,")
    assert Path("f.png").stat().st_size > 1000
    Path("run/serving.npz").unlink()
    assert "simmst run --resume run" in simmst("forecast --checkpoint run --data new.npz --out f.csv")[2]
