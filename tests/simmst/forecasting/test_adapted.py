"""The adapted network: another one than at the start, the same after loading, in any unit, and chosen by days."""

import dataclasses

import numpy as np
import pytest
import torch

import simmst as sm
from simmst.pretraining.adapt import Steps

from .test_pretrained import city


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def small() -> sm.Adapted:
    return sm.Adapted(worlds=3, steps=Steps(3, 8, 1e-3))


def test_it_is_another_network_and_the_same_after_loading(tmp_path):
    data = city(9)
    start = sm.pretrained()
    before = start.predict(data)
    fitted = small().fit(data)
    one = fitted.predict(data, 48)
    assert fitted.spread is not None and fitted.calibration.node_ids
    assert np.abs(one.values[:24] / before.values - 1).max() > 1e-3
    np.testing.assert_array_equal(start.predict(data).values, before.values)  # the start is as it was
    fitted.save(tmp_path / "kept")
    two = sm.load(tmp_path / "kept")
    assert isinstance(two, sm.Adapted) and two.made["adapted"]["hours"] == 216
    for name in ("values", "lower", "upper"):
        np.testing.assert_array_equal(getattr(two.predict(data, 48), name), getattr(one, name))
    again = small().fit(data).update(data)  # from the start, not from where it is
    np.testing.assert_array_equal(again.predict(data, 48).values, one.values)


def test_another_unit_gives_the_same_forecast():
    data = city(3)
    other = dataclasses.replace(data, values=data.values * np.float32(2.0**-30))
    one, two = (small().fit(each).predict(each).values for each in (data, other))
    np.testing.assert_allclose(two * 2.0**30, one, rtol=1e-3)


def test_it_stands_among_the_rows_that_held_back_days_choose_from(tmp_path):
    data = city(10)
    fitted = sm.Selected(others=[small()], horizon=30).fit(data)
    assert fitted.choice is not None
    assert {"adapted", "adapted + profile", "pretrained + profile"} <= set(fitted.choice.rows)
    errors = fitted.choice.errors[fitted.choice.rows.index("adapted")]
    assert np.isfinite(errors).all()
    # whatever was chosen, a saved one goes on; here the adapted one is put in its place
    taken = np.full_like(fitted.choice.taken, fitted.choice.rows.index("adapted"))
    fitted.choice = dataclasses.replace(fitted.choice, taken=taken)
    fitted._fitted = {"adapted": small().fit(data)}
    one = fitted.predict(data)
    np.testing.assert_allclose(one.values, fitted._fitted["adapted"].predict(data, 30).values, rtol=1e-5)
    fitted.save(tmp_path / "kept")
    np.testing.assert_allclose(sm.load(tmp_path / "kept").predict(data).values, one.values, rtol=1e-5)


def test_what_it_cannot_use_is_refused():
    with pytest.raises(sm.ConfigError, match="seed -1, worlds 100"):
        sm.Adapted(seed=-1)
    with pytest.raises(sm.ConfigError, match="seed 0, worlds 0"):
        sm.Adapted(worlds=0)
    with pytest.raises(sm.DataError, match="give more days"):
        small().fit(city(1).select(stop=12))
