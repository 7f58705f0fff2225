"""Worlds come back from their file as they were, and a foreign file is named."""

import numpy as np
import pytest

from simmst.errors import DataError
from simmst.simulator.archive import load_worlds, save_worlds
from simmst.simulator.city import SimulatedWorlds


@pytest.fixture(scope="module")
def worlds():
    return SimulatedWorlds.generate(3, 72, ("call", "5g_down"), seed=4)


def changed(path, **changes):
    with np.load(path, allow_pickle=False) as archive:
        keys = {key: archive[key] for key in archive.files}
    keys.update(changes)
    np.savez(path, **{key: value for key, value in keys.items() if value is not None})
    return path


def test_worlds_come_back_equal(worlds, tmp_path):
    save_worlds(worlds, tmp_path / "sub" / "worlds.npz")
    back = load_worlds(tmp_path / "sub" / "worlds.npz")
    assert len(back) == 3
    for old, new in zip(worlds.worlds, back.worlds, strict=True):
        assert new.scenario == old.scenario
        for name in ("sites", "spread", "squares"):
            np.testing.assert_array_equal(getattr(new, name), getattr(old, name))
            assert getattr(new, name).dtype == getattr(old, name).dtype
    a, b = (w.windows(24, 2, 10).batch(np.arange(30)) for w in (worlds, back))
    np.testing.assert_array_equal(a.history, b.history)
    assert [p.name for p in (tmp_path / "sub").iterdir()] == ["worlds.npz"]


def test_a_file_that_is_not_one_of_worlds_is_named(worlds, tmp_path):
    path = tmp_path / "worlds.npz"
    with pytest.raises(DataError, match="no such file"):
        load_worlds(path)
    path.write_text("nothing")
    with pytest.raises(DataError, match="not an npz file"):
        load_worlds(path)
    worlds.worlds[0].traffic().save(path)
    with pytest.raises(DataError, match="not a file of simulated worlds: lacks format, names"):
        load_worlds(path)
    save_worlds(worlds, path)
    with pytest.raises(DataError, match="newer version"):
        load_worlds(changed(path, format=np.array(99)))
    save_worlds(worlds, path)
    with pytest.raises(DataError, match="do not fit"):
        load_worlds(changed(path, first_site=np.arange(4)))
    with pytest.raises(DataError, match="not a readable"):
        load_worlds(changed(path, services=np.array([{}, {}], dtype=object)))
