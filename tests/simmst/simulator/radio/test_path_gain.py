"""Path gains from outside are checked at the door, and take the place of layout and path loss."""

import numpy as np
import pytest

from simmst.errors import DataError
from simmst.simulator.city import simulate_world
from simmst.simulator.prior.informed import informed_prior
from simmst.simulator.radio.path_gain import PathGain, load_path_gain, save_path_gain

NOMINAL = informed_prior().nominal(("internet",)).with_values(indoor_share=0.0)


def make(n_maps=2, n_squares=36, n_sites=3):
    rng = np.random.default_rng(0)
    return PathGain(rng.uniform(-150, -70, (n_maps, n_squares, n_sites)), rng.uniform(-1, 1, (n_maps, n_sites, 2)))


def test_a_file_brings_back_what_was_saved(tmp_path):
    gain = make()
    save_path_gain(gain, tmp_path / "sub" / "gain.npz")
    back = load_path_gain(tmp_path / "sub" / "gain.npz")
    np.testing.assert_array_equal(back.gain_db, gain.gain_db)
    np.testing.assert_array_equal(back.sites_km, gain.sites_km)
    assert back.square_km == gain.square_km == 0.235 and back.side == 6


def test_one_map_needs_no_first_axis(tmp_path):
    gain = make(n_maps=1)
    np.savez(tmp_path / "g.npz", gain_db=gain.gain_db[0], sites_km=gain.sites_km[0], units="dB", square_km=0.1)
    back = load_path_gain(tmp_path / "g.npz")
    assert back.gain_db.shape == (1, 36, 3) and back.square_km == 0.1


def test_a_square_belongs_to_the_site_it_hears():
    """West hears one site, east the other, a third is heard nowhere: so are their maps and their traffic."""
    west = np.arange(64) % 8 < 4
    heard, unheard = -70.0, -200.0
    gain = np.stack([np.where(west, heard, unheard), np.where(west, unheard, heard), np.full(64, unheard)], axis=1)
    sites = np.array([[-0.5, 0.0], [0.5, 0.0], [0.0, 3.0]])
    world = simulate_world(NOMINAL, 48, seed=0, path_gain=PathGain(gain[None], sites[None]))
    np.testing.assert_allclose(world.spread[west, 0], 1 / 32, rtol=1e-5)
    np.testing.assert_allclose(world.spread[~west, 1], 1 / 32, rtol=1e-5)
    assert np.abs(world.spread[west, 1]).max() < 1e-9
    assert world.sites[:, 2].sum() < 1e-3 * world.sites[:, :2].sum()


def test_other_maps_give_other_worlds_and_the_scenario_keeps_its_place():
    gain = make()
    a, b = (simulate_world(NOMINAL, 24, seed=0, path_gain=gain, gain_map=k) for k in (0, 1))
    assert a.spread.shape == (36, 3) and (a.spread != b.spread).any()
    elsewhere = NOMINAL.with_values(isd_km=1.1, frequency_ghz=2.1)
    c = simulate_world(elsewhere, 24, seed=0, path_gain=gain)
    np.testing.assert_array_equal(a.spread, c.spread)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gain_db": np.full((36, 3), -90.0)}, r"\[M, Q, B\]"),
        ({"gain_db": np.full((2, 35, 3), -90.0)}, "35 squares"),
        ({"gain_db": np.full((2, 16, 3), -90.0)}, "16 squares"),
        ({"gain_db": np.full((2, 36, 3), np.nan)}, "216 values are not finite, the first at .0, 0, 0.*-200"),
        ({"gain_db": np.full((2, 36, 3), 90.0)}, "minus path loss"),
        ({"gain_db": np.full((2, 36, 3), 1e-9)}, "10 log10"),
        ({"gain_db": np.full((2, 36, 3), -400.0)}, "between -300 and 0"),
        ({"sites_km": np.zeros((2, 4, 2))}, r"sites_km: must be \[M, B, 2\]"),
        ({"sites_km": np.full((2, 3, 2), np.inf)}, "sites_km: holds"),
        ({"square_km": -1.0}, "square_km=-1"),
    ],
)
def test_impossible_gains_are_refused(changes, message):
    gain = make()
    content = {"gain_db": gain.gain_db, "sites_km": gain.sites_km, "square_km": 0.235} | changes
    with pytest.raises(DataError, match=message):
        PathGain(**content)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": "linear"}, "units are 'linear'"),
        ({"units": None}, "lacks units"),
        ({"gain_db": np.array(["a"])}, "must be numbers"),
        ({"gain_db": np.array([{}], dtype=object)}, "not a readable npz"),
        ({"gain_db": np.zeros((3, 3))}, "gain.npz: gain_db: 3 squares"),
    ],
)
def test_files_that_are_none_are_named(tmp_path, changes, message):
    gain = make(n_maps=1)
    content = {"gain_db": gain.gain_db, "sites_km": gain.sites_km, "units": "dB"} | changes
    np.savez(tmp_path / "gain.npz", **{name: value for name, value in content.items() if value is not None})
    with pytest.raises(DataError, match=message):
        load_path_gain(tmp_path / "gain.npz")


def test_a_missing_file_and_one_that_is_no_npz(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        load_path_gain(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(DataError, match="not an npz"):
        load_path_gain(tmp_path / "text.npz")
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(DataError, match="not an npz"):
        load_path_gain(tmp_path / "one.npy")
