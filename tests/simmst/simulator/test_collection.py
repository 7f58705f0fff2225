"""A collection is the same whatever the workers and stops, holds what it was made with, and refuses the rest."""

import json
from dataclasses import replace

import numpy as np
import pytest

from simmst.errors import ConfigError, DataError
from simmst.simulator import collection
from simmst.simulator.city import draw_world
from simmst.simulator.collection import CollectionConfig, load_collection, make_collection
from simmst.simulator.prior.file import load_prior
from simmst.simulator.prior.informed import informed_prior
from simmst.simulator.radio.path_gain import PathGain

SMALL = CollectionConfig(windows=70, seed=3, services=("call", "5g_down"), hours=30, lookback=24, horizon=6)


@pytest.fixture(autouse=True)
def small_files(monkeypatch):
    monkeypatch.setattr(collection, "_PER_FILE", 2)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collection, "_PER_FILE", 2)
        path = tmp_path_factory.mktemp("unbroken")
        make_collection(SMALL, path)
    return path


def contents(path):
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_it_holds_the_worlds_of_its_seed_and_their_parameters(unbroken):
    windows = load_collection(unbroken)
    assert len(windows) == 70 and len(windows.worlds) == 5  # 16 windows a world, 6 from the last
    assert windows.batch(np.arange(70)).world.tolist() == [i // 16 for i in range(70)]
    alone = draw_world(informed_prior(), 30, SMALL.services, seed=3, world=4)
    np.testing.assert_array_equal(windows.worlds[4].sites, alone.sites)
    assert windows.worlds[4].scenario == alone.scenario
    assert windows.batch(np.array([0])).history.shape == (1, 24, 9, 2)


def test_fresh_worlds_are_one_a_window(tmp_path):
    make_collection(replace(SMALL, windows=5, fresh=True), tmp_path / "c")
    windows = load_collection(tmp_path / "c", patch=5)
    assert len(windows) == len(windows.worlds) == 5
    assert windows.batch(np.arange(5)).history.shape == (5, 24, 25, 2)
    assert len({world.scenario["isd_km"] for world in windows.worlds}) == 5


def test_workers_do_not_change_a_byte(unbroken, tmp_path):
    make_collection(SMALL, tmp_path / "c", workers=2)
    assert contents(tmp_path / "c") == contents(unbroken)


def test_a_stop_does_not_change_a_byte_and_finished_worlds_are_not_made_again(unbroken, tmp_path, monkeypatch):
    made = []
    save = collection.save_worlds

    def press_after_the_first_file(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_collection(SMALL, tmp_path / "c", progress=press_after_the_first_file)
    with pytest.raises(DataError, match="2 of 3 files of worlds are missing"):
        load_collection(tmp_path / "c")
    (tmp_path / "c" / "worlds" / "left.tmp").write_text("by a killed process")
    monkeypatch.setattr(
        collection, "save_worlds", lambda worlds, path: (made.append(path.name), save(worlds, path))
    )
    seen = []
    make_collection(SMALL, tmp_path / "c", progress=lambda done, total: seen.append((done, total)))
    assert made == ["00001.npz", "00002.npz"] and seen == [(2, 5), (4, 5), (5, 5)]
    assert contents(tmp_path / "c") == contents(unbroken)
    make_collection(SMALL, tmp_path / "c")
    assert len(made) == 2, "a complete one is left as it is"


def test_an_error_in_a_worker_is_told_and_what_is_finished_kept(tmp_path):
    make_collection(SMALL, tmp_path)
    for number in (1, 2):
        path = tmp_path / "worlds" / f"0000{number}.npz"
        path.unlink()
        path.mkdir()
    with pytest.raises(IsADirectoryError, match=r"0000[12]\.npz"):
        make_collection(SMALL, tmp_path, workers=2)
    assert [file.name for file in (tmp_path / "worlds").iterdir() if file.is_file()] == ["00000.npz"]


def test_what_it_was_made_with_is_recorded(unbroken):
    record = json.loads((unbroken / "config.json").read_text())
    assert record["windows"] == 70 and record["seed"] == 3 and record["services"] == ["call", "5g_down"]
    assert record["numpy"] == np.__version__ and record["path_gain_sha256"] is None
    assert load_prior(unbroken / "prior.yaml") == informed_prior()


def test_a_folder_of_something_else_is_refused(unbroken, tmp_path):
    with pytest.raises(ConfigError, match=r"another collection \(seed 3 is now 4"):
        make_collection(replace(SMALL, seed=4), unbroken)
    with pytest.raises(ConfigError, match="prior_sha256"):
        make_collection(SMALL, unbroken, prior=replace(informed_prior(), mixture=(1.0, 0.0, 0.0)))
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ConfigError, match="not empty"):
        make_collection(SMALL, tmp_path)
    with pytest.raises(ConfigError, match="is not a folder"):
        make_collection(SMALL, tmp_path / "thesis.tex")
    with pytest.raises(DataError, match="holds no collection"):
        load_collection(tmp_path)


def test_damage_is_named(tmp_path):
    config = replace(SMALL, windows=33)
    make_collection(config, tmp_path)
    first, second = (tmp_path / "worlds" / f"0000{block}.npz" for block in range(2))
    second.replace(first)
    make_collection(config, tmp_path)
    with pytest.raises(DataError, match=r"00000\.npz: not of this collection"):
        load_collection(tmp_path)
    (tmp_path / "config.json").write_text('{"format": 1, "windows": "many"}')
    with pytest.raises(DataError, match="damaged"):
        load_collection(tmp_path)
    (tmp_path / "config.json").write_text('{"format": 99}')
    with pytest.raises(DataError, match="newer version"):
        load_collection(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"windows": 0}, "windows=0"),
        ({"seed": -1}, "seed=-1"),
        ({"hours": 29}, "hours=29: windows of 24 . 6 hours"),
        ({"services": ()}, "one or more different names"),
        ({"services": ("a", "a")}, "one or more different names"),
    ],
)
def test_impossible_collections_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        replace(SMALL, **changes)


def test_path_gains_make_the_sites_and_are_kept(tmp_path):
    rng = np.random.default_rng(0)
    gain = PathGain(rng.uniform(-140, -80, (2, 64, 6)), rng.uniform(-1, 1, (2, 6, 2)), 0.2)
    make_collection(SMALL, tmp_path / "c", path_gain=gain)
    worlds = load_collection(tmp_path / "c").worlds
    assert all(world.spread.shape == (64, 6) for world in worlds)
    with pytest.raises(ConfigError, match="path_gain_sha256"):
        make_collection(SMALL, tmp_path / "c", path_gain=replace(gain, gain_db=gain.gain_db - 1))
    few = PathGain(gain.gain_db[:, :49], gain.sites_km)
    with pytest.raises(ConfigError, match="7 squares in a row are 9 nodes"):
        make_collection(SMALL, tmp_path / "d", path_gain=few)
    make_collection(replace(SMALL, windows=2, fresh=True), tmp_path / "d", path_gain=few)
    with pytest.raises(ConfigError, match="workers=0"):
        make_collection(SMALL, tmp_path / "e", workers=0)
