"""The command line: what a user sees, and exit codes."""

import json
import signal
import sys

import numpy as np
import pytest
import typer

from simmst.cli import _console
from simmst.cli import main as cli
from simmst.experiments.run import STAGES


@pytest.fixture
def simmst(monkeypatch, capsys, tmp_path):
    """Run the command line in an empty folder; gives exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    for name in ("SIMMST_DATA", *cli._THREAD_COUNTS):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)  # so that what the program sets is taken back after the test

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["simmst", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        captured = capsys.readouterr()
        return caught.value.code, captured.out, captured.err

    return call


def traffic_file(path, days: int = 16, **changes):
    values = np.random.default_rng(0).gamma(3.0, 10.0, (24 * days, 5, 2)).astype(np.float32)
    content = {
        "values": values,
        "start": np.array("2024-01-01T00:00"),
        "step_minutes": np.array(60),
        "services": np.array(["call", "internet"]),
    }
    content |= changes
    np.savez(path, **{name: value for name, value in content.items() if value is not None})
    return path


def assert_one_clear_line(answer: tuple[int, str, str], *words: str) -> None:
    code, out, err = answer
    assert code == 2
    assert err.startswith("simmst: error: ") and err.count("\n") == 1, err
    assert "Traceback" not in out + err
    for word in words:
        assert word in err, err


def broken_values(where: float):
    values = np.ones((24 * 16, 5, 2), np.float32)
    values[30, 1, 0] = where
    return values


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"values": np.ones((400, 5), np.float32)}, ["city.npz", "values", "[T, N, S]"]),
        ({"values": broken_values(np.nan)}, ["city.npz", "NaN"]),
        ({"values": broken_values(-1)}, ["city.npz", "negative"]),
        ({"services": None}, ["city.npz", "services"]),
        ({"services": np.array(["one"])}, ["services", "1 names"]),
        ({"step_minutes": np.array(180)}, ["step_minutes=180", "make no hours"]),
    ],
)
def test_data_that_cannot_be_used(simmst, tmp_path, changes, words):
    path = traffic_file(tmp_path / "city.npz", **changes)
    assert_one_clear_line(simmst("run", "--data", path, "--preset", "smoke"), *words)
    assert not (tmp_path / "runs").exists()


def test_a_file_that_is_no_npz(simmst, tmp_path):
    (tmp_path / "city.npz").write_text("hello")
    assert_one_clear_line(simmst("run", "--data", "city.npz"), "city.npz", "npz")


def test_a_missing_file_also_from_the_environment(simmst, monkeypatch):
    assert_one_clear_line(simmst("run", "--data", "nowhere.npz"), "nowhere.npz", "no such file")
    monkeypatch.setenv("SIMMST_DATA", "elsewhere.npz")
    assert_one_clear_line(simmst("run"), "elsewhere.npz", "no such file")


def test_a_folder_in_place_of_a_file(simmst, tmp_path):
    assert_one_clear_line(simmst("run", "--data", tmp_path), "cannot be read")


def test_an_unknown_service_names_the_known_ones(simmst, tmp_path):
    path = traffic_file(tmp_path / "city.npz")
    answer = simmst("run", "--data", path, "--services", "call,fax")
    assert_one_clear_line(answer, "'fax'", "call, internet")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--preset", "huge"], ["--preset huge", "smoke, laptop"]),
        (["--horizon", "0"], ["horizon 0: must be at least 1"]),
        (["--seed", "-1"], ["seed"]),
        (["--seed", "one"], ["--seed", "integer"]),
        (["--horizon", "100", "--preset", "smoke"], ["14 whole days", "horizon of 100"]),
        (["--colour", "red"], ["--colour"]),
    ],
)
def test_settings_that_have_no_meaning(simmst, tmp_path, arguments, words):
    assert_one_clear_line(simmst("run", *arguments), *words)
    assert not (tmp_path / "runs").exists()


def test_directories_that_cannot_be_used(simmst, tmp_path):
    (tmp_path / "file").write_text("x")
    assert_one_clear_line(simmst("run", "--preset", "smoke", "--out", "file/run"), "file/run: cannot be written")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    assert_one_clear_line(simmst("run", "--preset", "smoke", "--out", "full"), "full: is not empty")


def test_resuming_what_is_no_run(simmst, tmp_path):
    (tmp_path / "empty").mkdir()
    assert_one_clear_line(simmst("run", "--resume", "empty"), "--resume empty", "holds no run")
    assert_one_clear_line(simmst("run", "--resume", "missing"), "--resume missing", "holds no run")


def test_a_configuration_from_the_future(simmst, tmp_path):
    (tmp_path / "run" / "stages").mkdir(parents=True)
    (tmp_path / "run" / "config.json").write_text(json.dumps({"format": 99, "quantum": True}))
    assert_one_clear_line(simmst("run", "--resume", "run"), "newer version", "format 99")


def test_a_damaged_configuration(simmst, tmp_path):
    (tmp_path / "run" / "stages").mkdir(parents=True)
    (tmp_path / "run" / "config.json").write_text("{")
    assert_one_clear_line(simmst("run", "--resume", "run"), "config.json", "JSON")


def test_a_resumed_run_keeps_its_settings(simmst):
    assert_one_clear_line(simmst("run", "--resume", "x", "--seed", "3"), "--resume", "leave out all other options")


def test_a_run_from_a_file_ends_with_a_table_and_the_place_of_its_report(simmst, tmp_path):
    path = traffic_file(tmp_path / "city.npz")
    code, out, err = simmst("run", "--data", path, "--preset", "smoke", "--service", "internet", "--out", "here")
    assert code == 0
    assert [line[len("12:34:56 ") :] for line in err.splitlines()] == list(STAGES)  # no terminal: a line a stage
    for words in ("same hour yesterday", "ridge", "Sim-MSTNet", "internet", "here/report.html"):
        assert words in out
    assert "call" not in out
    metrics = json.loads((tmp_path / "here" / "metrics.json").read_text())
    assert metrics["target"] == {"name": "city.npz", "synthetic": False, "shape": [384, 5, 1]}
    assert_one_clear_line(
        simmst("run", "--preset", "smoke", "--out", "here"), "holds a run already", "--resume here"
    )
    traffic_file(path, days=17)
    assert_one_clear_line(simmst("run", "--resume", "here"), "city.npz", "has changed")


@pytest.mark.parametrize(("sent", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stop_says_how_to_go_on(simmst, monkeypatch, sent, expected):
    """Exit codes as of any program that was stopped so, and one line with the command."""

    def press(self, stage, done, total, note):
        if stage == "train":
            signal.raise_signal(sent)

    kept = signal.getsignal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(_console.Bars, "watch", press)
        code, _, err = simmst("run", "--preset", "smoke", "--out", "my run")
    assert code == expected and signal.getsignal(signal.SIGTERM) is kept
    assert err == "stopped; go on with: simmst run --resume 'my run'\n"
    code, out, err = simmst("run", "--resume", "my run")
    assert code == 0 and "error" not in err
    assert "my run/report.html" in out


def test_sigterm_ends_a_command_in_the_background_too():
    """A shell lets its background commands ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(typer.Exit) as caught, _console.stoppable("again"):
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGINT, before)
    assert caught.value.exit_code == 143


def test_a_disk_that_fills_up_is_one_clear_line(simmst, monkeypatch):
    def full(self, name, content):
        raise OSError(28, "No space left on device", name)

    monkeypatch.setattr("simmst.experiments.rundir.RunDirectory.write_json", full)
    assert_one_clear_line(simmst("run", "--preset", "smoke"), "No space left on device")


@pytest.mark.parametrize("group", [[], ["data"]])
def test_a_group_without_a_command_prints_its_help_and_no_empty_error(simmst, group):
    code, out, err = simmst(*group)
    assert code == 2 and "Usage: simmst" in out + err and "error" not in err


def test_help_says_what_there_is(simmst):
    code, out, _ = simmst("run", "--help")
    assert code == 0
    assert "--resume" in out and "SIMMST_DATA" in out
