"""The bridge to sionna-rt: a program of its own, probed first, its results kept; here a fake program stands in."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from simmst.errors import ConfigError, SimmstError
from simmst.simulator.city import simulate_world
from simmst.simulator.prior.informed import informed_prior
from simmst.simulator.radio.ray_tracing import UNREACHED_DB, RayTracer, traced_cities

# Free space from each site to the squares' centres; leaves a line a call in the log.
FAKE = """
import json, pathlib, sys
import numpy as np
log = pathlib.Path(__file__).with_suffix(".log")
with log.open("a") as stream:
    stream.write(sys.argv[1][:7] + "\\n")
if sys.argv[1] == "--probe":
    print("9.9.9")
    raise SystemExit
job = json.load(open(sys.argv[1]))
axis = (np.arange(job["row"]) - (job["row"] - 1) / 2) * job["square_m"]
north, east = (x.ravel() for x in np.meshgrid(axis, axis, indexing="ij"))
sites = np.array(job["sites"])
slant = np.hypot(np.hypot(east[:, None] - sites[:, 0], north[:, None] - sites[:, 1]), sites[:, 2])
gain = (0.3 / job["frequency_ghz"] / (4 * np.pi * slant)) ** 2
gain[0, 0] = 0.0
{more}
with open(sys.argv[2], "wb") as stream:
    np.savez(stream, gain=gain)
"""


@pytest.fixture
def tracer(tmp_path):
    def make(more="", text=FAKE):
        program = tmp_path / "fake.py"
        program.write_text(text.replace("{more}", more))
        return RayTracer(sys.executable, program)

    return make


def calls(tracer):
    return tracer.program.with_suffix(".log").read_text().split()


def test_traced_cities_are_path_gains_of_worlds(tracer, tmp_path):
    gain = traced_cities(2, seed=0, cache=tmp_path / "cache", row=6, tracer=tracer())
    assert gain.gain_db.shape[:2] == (2, 36) and gain.side == 6
    assert gain.gain_db[0, 0, 0] == UNREACHED_DB and gain.gain_db.max() < -60
    assert (gain.gain_db[0] != gain.gain_db[1]).any()
    near = np.hypot(*gain.sites_km[0].T)
    assert (np.diff(near) >= 0).all(), "the sites nearest to the middle"
    world = simulate_world(informed_prior().nominal(("internet",)), 24, seed=0, path_gain=gain)
    assert world.traffic().values.shape == (24, 4, 1)


def test_what_was_traced_is_kept(tracer, tmp_path):
    first = traced_cities(2, 0, tmp_path / "cache", 5, tracer())
    assert len([c for c in calls(tracer()) if c != "--probe"]) == 2
    again = traced_cities(2, 0, tmp_path / "cache", 5, tracer())
    assert len([c for c in calls(tracer()) if c != "--probe"]) == 2
    np.testing.assert_array_equal(first.gain_db, again.gain_db)
    traced_cities(2, 1, tmp_path / "cache", 5, tracer())
    assert len([c for c in calls(tracer()) if c != "--probe"]) == 4, "another seed is another city"
    traced_cities(2, 0, tmp_path / "cache", 5, tracer("gain = gain / 2"))
    assert len([c for c in calls(tracer()) if c != "--probe"]) == 6, "another program traces anew"


def test_the_probe_tells_the_version(tracer):
    assert tracer().probe() == "9.9.9"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import sionna_that_is_not_there", "not installed.*.rt.*path gains as a file"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGABRT)", "signal 6.*libllvm19.*DRJIT_LIBLLVM_PATH"),
        ("raise SystemExit('no LLVM here')", "exit code 1: no LLVM here"),
    ],
)
def test_a_probe_that_fails_is_one_clear_line(tracer, tmp_path, text, message):
    with pytest.raises(SimmstError, match=message) as caught:
        traced_cities(1, 0, tmp_path / "cache", 5, tracer(text=text))
    assert "\n" not in str(caught.value)


def test_an_interpreter_that_is_not_there(tracer):
    with pytest.raises(SimmstError, match="cannot be run"):
        replace(tracer(), python="/nowhere/python").probe()


def test_a_program_without_end_is_ended(tracer, monkeypatch):
    monkeypatch.setattr("simmst.simulator.radio.ray_tracing._PROBE_SECONDS", 0.3)
    with pytest.raises(SimmstError, match=r"no answer within 0\.3 s"):
        tracer(text="import time; time.sleep(60)").probe()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("raise RuntimeError('scene is empty')", "exit code 1: RuntimeError: scene is empty"),
        ("gain = gain[:-1]", "not path gains"),
        ("gain = gain * np.nan", "not path gains"),
        ("gain = -60 + 0 * gain", "not path gains"),
        ("open(sys.argv[2], 'w').write('x'); raise SystemExit(0)", "no readable path gains"),
    ],
)
def test_a_trace_that_fails_is_not_kept(tracer, tmp_path, more, message):
    with pytest.raises(SimmstError, match=message):
        traced_cities(1, 0, tmp_path / "cache", 5, tracer(more))
    assert not (tmp_path / "cache").exists()


def test_impossible_numbers_are_refused(tmp_path):
    for arguments in ((0, 0), (1, -1)):
        with pytest.raises(ConfigError, match="at least 1 map"):
            traced_cities(*arguments, tmp_path)
    with pytest.raises(ConfigError, match="row=4"):
        traced_cities(1, 0, tmp_path, row=4)
