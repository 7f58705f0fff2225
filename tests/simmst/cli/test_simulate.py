"""`simmst simulate`: what it prints, writes, refuses, and that a kill costs nothing that was finished."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from simmst.cli import main as cli
from simmst.cli.simulate import simulate_app
from simmst.simulator import collection
from simmst.simulator.collection import load_collection
from simmst.simulator.prior.file import load_prior
from simmst.simulator.prior.literature import literature_prior
from simmst.traffic.dataset import TrafficData

SMALL = ("--hours", 30, "--lookback", 24, "--horizon", 6, "--services", "call,internet")


@pytest.fixture
def simmst(monkeypatch, capsys, tmp_path):
    """Run the command line in an empty folder; gives exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("SIMMST_DATA_DIR", raising=False)
    for name in cli._THREAD_COUNTS:
        monkeypatch.setenv(name, "1")

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["simmst", "simulate", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        captured = capsys.readouterr()
        return caught.value.code, captured.out, captured.err

    return call


def assert_one_clear_line(answer: tuple[int, str, str], *words: str) -> None:
    code, out, err = answer
    assert code == 2
    assert err.startswith("simmst: error: ") and err.count("\n") == 1, err
    assert "Traceback" not in out + err
    for word in words:
        assert word in err, err


def test_windows_are_made_and_open(simmst, tmp_path):
    code, out, err = simmst("--windows", 40, "--seed", 1, "--out", "set", "--workers", 1, *SMALL)
    assert (code, err) == (0, "") and "set: 40 windows of 3 worlds" in out
    windows = load_collection(tmp_path / "set")
    assert len(windows) == 40 and windows.batch(np.arange(2)).target.shape == (2, 6, 2)


def test_a_prior_goes_by_its_name(simmst, tmp_path):
    code, _, err = simmst("--windows", 3, "--fresh", "--out", "set", "--prior", "literature", *SMALL)
    assert (code, err) == (0, "")
    assert load_prior(tmp_path / "set" / "prior.yaml") == literature_prior()


def test_a_prior_and_path_gains_are_read(simmst, tmp_path):
    (tmp_path / "prior.yaml").write_text("city:\n  base: {uniform: [0.2, 0.3], nominal: 0.25}\n")
    np.savez(tmp_path / "gain.npz", gain_db=np.full((25, 2), -90.0), sites_km=np.ones((2, 2)), units="dB")
    arguments = ("--windows", 3, "--fresh", "--out", "set", "--prior", "prior.yaml", "--path-gain", "gain.npz")
    code, _, err = simmst(*arguments, *SMALL)
    assert (code, err) == (0, "")
    worlds = load_collection(tmp_path / "set").worlds
    assert len(worlds) == 3 and worlds[0].spread.shape == (25, 2)
    assert all(0.1 < world.scenario["base"] < 0.4 for world in worlds)


def test_ctrl_c_keeps_what_is_finished(simmst, monkeypatch, tmp_path):
    monkeypatch.setattr(collection, "_PER_FILE", 2)
    save = collection.save_worlds

    def press(worlds, path):
        save(worlds, path)
        if path.name == "00001.npz":
            signal.raise_signal(signal.SIGINT)

    arguments = ("--windows", 10, "--fresh", "--out", "set", "--workers", 1, *SMALL)
    with monkeypatch.context() as patch:
        patch.setattr(collection, "save_worlds", press)
        code, _, err = simmst(*arguments)
    assert code == 130 and err == "stopped; the same command goes on\n"
    assert len(list((tmp_path / "set" / "worlds").glob("*.npz"))) == 2
    code, out, _ = simmst(*arguments)
    assert code == 0 and "10 windows of 10 worlds" in out


def test_a_kill_of_the_program_and_its_workers_changes_nothing(simmst, tmp_path):
    arguments = ["--windows", "300", "--fresh", "--seed", "2", *map(str, SMALL)]
    program = [sys.executable, "-c", "from simmst.cli.main import main; main()", "simulate"]
    worlds = tmp_path / "killed" / "worlds"
    process = subprocess.Popen(
        [*program, *arguments, "--out", "killed", "--workers", "2"], stdout=subprocess.DEVNULL
    )
    try:
        for _ in range(600):
            if list(worlds.glob("*.npz")) or process.poll() is not None:
                break
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    before = {file.name: file.stat().st_mtime_ns for file in worlds.glob("*.npz")}
    assert before
    # The workers see that their parent is gone, at the latest when their file is done.
    for out in ("killed", "unbroken"):
        code, _, err = simmst(*arguments, "--out", out, "--workers", 1)
        assert (code, err) == (0, "")
    for file in (tmp_path / "unbroken" / "worlds").iterdir():
        assert file.read_bytes() == (worlds / file.name).read_bytes()
    assert all((worlds / name).stat().st_mtime_ns == made for name, made in before.items())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["--out"]),
        (["--out", "set", "--windows", "0"], ["windows=0"]),
        (["--out", "set", "--windows", "many"], ["--windows"]),
        (["--out", "set", "--hours", "20"], ["hours=20"]),
        (["--out", "set", "--services", "call,,sms"], ["--services", "commas"]),
        (["--out", "set", "--workers", "-1"], ["workers=-1"]),
        (["--out", "set", "--prior", "none.yaml"], ["--prior none.yaml", "informed, literature or a YAML file"]),
        (["--out", "set", "--path-gain", "none.npz"], ["none.npz", "no such file"]),
        (["--windows", "5", "validate"], ["--windows", "validate"]),
        (["validate", "--data", "none.npz"], ["none.npz", "no such file"]),
        (["validate", "--worlds", "1"], ["--worlds 1", "at least 2"]),
        (["pseudo-reality", "--out", "town.csv"], ["town.csv", ".npz"]),
        (["pseudo-reality", "--out", "town.npz", "--days", "0"], ["days=0"]),
        (["--colour", "red"], ["--colour"]),
    ],
)
def test_what_has_no_meaning_is_one_clear_line(simmst, tmp_path, arguments, words):
    assert_one_clear_line(simmst(*arguments), *words)
    assert not list(tmp_path.iterdir())


def test_another_collection_is_not_overwritten(simmst):
    simmst("--windows", 4, "--out", "set", "--workers", 1, *SMALL)
    answer = simmst("--windows", 5, "--out", "set", *SMALL)
    assert_one_clear_line(answer, "set: holds another collection", "windows 4 is now 5")


def test_a_town_is_written_and_held_against_the_prior(simmst, tmp_path):
    code, out, err = simmst(
        "pseudo-reality", "--out", "town.npz", "--days", 14, "--nodes", 9, "--people", 2000, "--seed", 1
    )
    assert (code, err) == (0, "") and "town.npz: 14 days of 9 places" in out
    assert TrafficData.load(tmp_path / "town.npz").services == ("call", "sms", "internet")
    assert_one_clear_line(simmst("pseudo-reality", "--out", "town.npz"), "town.npz: exists")
    code, out, err = simmst("validate", "--data", "town.npz", "--worlds", 10, "--out", "report")
    assert code == 0 and err.startswith("warning: --worlds 10: the ends of a 5 to 95 % band need some 50 worlds")
    content = json.loads((tmp_path / "report" / "validation.json").read_text())
    inside, total = content["sets"][0]["inside"], len(content["sets"][0]["statistics"])
    assert f"town.npz: {inside} of {total} inside" in out and "real to simulated" in out
    assert out.count("outside") >= 1 and (tmp_path / "report" / "validation.png").is_file()


def test_path_gains_are_traced_or_one_line_says_why_not(simmst, monkeypatch, tmp_path):
    (tmp_path / "fake.py").write_text("import sionna_that_is_not_there")
    tracer = "simmst.simulator.radio.ray_tracing.RayTracer"
    monkeypatch.setattr(f"{tracer}.__init__.__defaults__", (sys.executable, tmp_path / "fake.py"))
    assert_one_clear_line(simmst("path-gain", "--out", "gain.npz"), "sionna-rt is not installed", "[rt]")
    assert not (tmp_path / "gain.npz").exists()


def test_help_names_the_commands():
    result = CliRunner().invoke(simulate_app, ["--help"])
    assert result.exit_code == 0
    for name in ("validate", "pseudo-reality", "--path-gain", "--fresh", "--workers"):
        assert name in result.output
