"""Real files against the prior: what is found, measured, written and drawn."""

import csv
import json

import numpy as np
import pytest

from simmst.errors import DataError
from simmst.simulator.city import simulate_world
from simmst.simulator.compare import Comparison
from simmst.simulator.prior.informed import informed_prior
from simmst.simulator.validation import KNOWN_FILES, Validation, find_files, validate_file, write_report


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("data")
    city = simulate_world(informed_prior().nominal(("call", "internet")), 336, seed=1).traffic()
    city.save(path / "jinan.npz")
    grid = simulate_world(informed_prior().nominal(("internet",)), 24, seed=1, side=12).traffic()
    np.savez(
        path / "milano_square_totals.npz", internet=grid.values.sum(axis=(0, 2)).reshape(12, 12).astype(float)
    )
    city.save(path / "unknown.npz")
    return path


def test_a_folder_gives_its_known_files_and_a_file_itself(folder):
    found = find_files([folder, folder / "unknown.npz"])
    assert [path.name for path in found] == ["jinan.npz", "milano_square_totals.npz", "unknown.npz"]
    assert KNOWN_FILES[0] == "jinan.npz"


def test_traffic_is_compared_in_time_and_day_by_day(folder):
    seen = []
    (found,) = validate_file(folder / "jinan.npz", 6, 0, progress=lambda done, total: seen.append((done, total)))
    assert len(found.comparisons) == 2 * 13 + 3 and len(found.days) == 6
    assert found.inside == sum(c.inside for c in found.comparisons) > 15
    assert seen[-1] == (6, 6) and "336 hours, 16 nodes, 2 services" in found.real


def test_totals_are_compared_in_space(folder):
    (found,) = validate_file(folder / "milano_square_totals.npz", 5, 0)
    assert {"ln sigma", "Moran's I of the log"} <= {c.statistic for c in found.comparisons} and not found.days


def test_a_large_grid_is_also_compared_in_its_centre(tmp_path):
    grid = simulate_world(informed_prior().nominal(("internet",)), 24, seed=1, side=40).traffic()
    np.savez(tmp_path / "grid.npz", total=grid.values.sum(axis=(0, 2)).reshape(40, 40).astype(float))
    whole, centre = validate_file(tmp_path / "grid.npz", 3, 0)
    assert (whole.simulated, centre.simulated) == ("10 cities", "3 cities")
    assert centre.real == "20 x 20 squares" and centre.name == "grid.npz: total, centre"


def test_the_report_says_the_same_in_all_its_forms(tmp_path):
    rows = (
        Comparison("acf", "call", 0.5, 0.0, 1.0),
        Comparison("acf", "$sms", 2.0, 0.0, 1.0),
        Comparison("flat", "", 1.0, 0.0, 0.0),
        Comparison("none", "", float("nan"), 0.0, 1.0),
    )
    paths = write_report([Validation("city", "real", "simulated", rows)], tmp_path / "new", seed=3)
    assert [path.name for path in paths] == ["validation.json", "validation.csv", "validation.png"]
    content = json.loads(paths[0].read_text())
    assert content["seed"] == 3 and content["sets"][0]["inside"] == 1
    assert content["sets"][0]["statistics"][3]["real"] is None
    with paths[1].open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [row["inside"] for row in table] == ["True", "False", "False", "False"]
    assert paths[2].read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(path.name for path in paths)


def test_what_cannot_be_compared_is_named(folder, tmp_path):
    with pytest.raises(DataError, match="no such file or folder"):
        find_files([tmp_path / "none.npz"])
    with pytest.raises(DataError, match=r"holds none of jinan\.npz"):
        find_files([tmp_path])
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(DataError, match=r"text\.npz"):
        validate_file(tmp_path / "text.npz", 5, 0)
    short = simulate_world(informed_prior().nominal(("internet",)), 100, seed=1).traffic()
    short.save(tmp_path / "short.npz")
    with pytest.raises(DataError, match="100 hours; at least a week"):
        validate_file(tmp_path / "short.npz", 5, 0)


@pytest.mark.slow
def test_nine_in_ten_real_values_lie_inside(real_data):
    """Jinan, the Milano squares, the week of calls, messages and internet, and the whole grid of Milano."""
    found = [v for name in KNOWN_FILES for v in validate_file(real_data(name), 150, seed=0)]
    assert sum(v.inside for v in found) >= 0.9 * sum(len(v.comparisons) for v in found)
