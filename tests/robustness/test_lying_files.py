"""Names and files that lie: links, parts that were changed, numbers without a float, keys given twice."""

import errno
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from simmst.errors import ConfigError, DataError
from simmst.evaluation.target import prior_has_seen
from simmst.forecasting.intervals import Intervals
from simmst.io.atomic import atomic_file, atomically
from simmst.io.lock import LockedError, locked
from simmst.simulator.collection import CollectionConfig, make_collection
from simmst.simulator.prior.file import load_prior, save_prior
from simmst.simulator.prior.informed import informed_prior
from simmst.simulator.prior.literature import literature_prior
from simmst.traffic.dataset import TrafficData

SMALL = CollectionConfig(3, services=("call",), hours=30, lookback=24, horizon=6)


@pytest.mark.parametrize("name", [".lock", "other.lock"])
def test_a_lock_that_is_a_link_is_refused_and_its_file_is_left(tmp_path: Path, name: str) -> None:
    precious = tmp_path / "precious"
    precious.write_text("years of work")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / name).symlink_to(precious)
    with pytest.raises(LockedError, match="is a link"), locked(folder, name):
        pass
    assert precious.read_text() == "years of work" and (folder / name).is_symlink()


def test_a_lock_that_leads_nowhere_makes_no_file(tmp_path: Path) -> None:
    (tmp_path / ".lock").symlink_to(tmp_path / "new")
    with pytest.raises(LockedError, match="is a link"), locked(tmp_path):
        pass
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_an_error_without_a_name_gets_the_files(tmp_path: Path, number: int) -> None:
    target = tmp_path / "result.npz"

    def fail(*_: object) -> None:
        raise OSError(number, "no room")

    with pytest.raises(OSError) as one, atomic_file(target):
        fail()
    with pytest.raises(OSError) as other:
        atomically(target, fail)
    assert one.value.filename == other.value.filename == str(target)
    assert not list(tmp_path.iterdir())


def collection(folder: Path, prior=None) -> Path:
    make_collection(SMALL, folder, prior)
    return folder


def test_a_collection_whose_prior_was_edited_does_not_go_on(tmp_path: Path) -> None:
    folder = collection(tmp_path / "c")
    next((folder / "worlds").glob("*.npz")).unlink()
    save_prior(literature_prior(), folder / "prior.yaml")
    with pytest.raises(ConfigError, match=r"prior\.yaml: has been changed since"):
        collection(folder)
    save_prior(informed_prior(), folder / "prior.yaml")
    collection(folder)
    assert len(list((folder / "worlds").glob("*.npz"))) == 1


def test_a_folder_of_worlds_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    folder, elsewhere = collection(tmp_path / "c"), tmp_path / "elsewhere"
    (folder / "worlds").rename(elsewhere)
    (folder / "worlds").symlink_to(elsewhere)
    with pytest.raises(ConfigError, match="worlds: is a link"):
        collection(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("city: {isd_km: {normal: 1, nominal: 1}}\ncity: {}\n", "line 2: 'city' is given twice"),
        ("city:\n  isd_km: {normal: 1, nominal: 1, nominal: 2}\n", "line 2: 'nominal' is given twice"),
        (f"mixture: [1{'0' * 400}, 1, 1]\n", "mixture: must be 3 finite numbers"),
        (f"city: {{isd_km: {{uniform: [0, 1], nominal: -1{'0' * 400}}}}}\n", "isd_km: must be 1 finite numbers"),
        ("mixture: " + "[" * 5000 + "]" * 5000 + "\n", "not YAML"),
        ("city: " + "{a: " * 3000 + "1" + "}" * 3000 + "\n", "not YAML"),
        ("base: 2024-99-99\n", "not YAML"),
        ("base: 0001-01-01T00:00:00+23:59\n", "not YAML|base: must be"),
        ("base: 9999-12-31T23:59:59-23:59\n", "not YAML|base: must be"),
    ],
)
def test_a_prior_that_says_something_twice_or_too_much_is_refused_in_words(tmp_path: Path, text, message) -> None:
    path = tmp_path / "prior.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as error:
        load_prior(path)
    assert str(error.value).startswith(str(path)) and len(str(error.value)) < 600


@pytest.mark.parametrize("key", ["start", "step_minutes", "gaps"])
def test_a_number_or_time_beyond_all_measure_in_a_traffic_file_is_refused(tmp_path: Path, key: str) -> None:
    path = tmp_path / "t.npz"
    keys = {"values": np.ones((3, 1, 1)), "start": "2024-01-01", "step_minutes": 60, "services": ["a"]}
    large = {"start": "9" * 30, "step_minutes": np.inf, "gaps": [["a", "1" * 40, "2024-01-01"]]}
    np.savez(path, **keys | {key: np.array(large[key])})
    with pytest.raises(DataError, match=key):
        TrafficData.load(path)


@pytest.mark.parametrize("count", [3, 7, 26, 99, 1234, 23456])
def test_the_level_that_is_advised_is_taken(count: int) -> None:
    intervals = Intervals(np.linspace(0, 1, count, dtype=np.float32)[:, None, None], np.ones((1, 1)))
    with pytest.raises(ConfigError, match="at most") as error:
        intervals.width(0.999999)
    advised = float(str(error.value).rpartition(" ")[2])
    assert advised > 1 - 1 / (count + 1) - 1e-4
    intervals.width(advised)


def test_the_notice_on_the_priors_cities_is_for_them_or_where_nobody_knows(tmp_path: Path) -> None:
    data = TrafficData(np.ones((3, 2, 1), np.float32), np.datetime64("2024-01-01T00:00"), 60, ("a",), ("x", "y"))
    assert prior_has_seen(data)
    for place, seen in (
        ((9.19, 45.46), True),
        ((117.0, 36.6), True),
        ((2.35, 48.86), False),
        ((11.1, 46.0), False),
    ):
        assert prior_has_seen(replace(data, coordinates=np.array([place, place]))) == seen


def test_a_configuration_nested_without_end_is_no_collection(tmp_path: Path) -> None:
    folder = collection(tmp_path / "c")
    for text in ("[" * 100_000, json.dumps({"format": 10**400}), '{"format": 1e999}'):
        (folder / "config.json").write_text(text)
        with pytest.raises((ConfigError, DataError)):
            collection(folder)
