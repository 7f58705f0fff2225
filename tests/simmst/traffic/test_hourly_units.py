"""Services that are levels, not amounts: averaged to hours, without "per hour", kept by files and selections."""

import numpy as np
import pytest

import simmst as sm
from simmst.errors import DataError
from simmst.traffic.hourly_units import hourly_units


def quarter_hours() -> sm.TrafficData:
    values = np.arange(8 * 2, dtype=np.float32).reshape(8, 1, 2)
    return sm.TrafficData(
        values, np.datetime64("2024-01-01T00:00", "m"), 15, ("dl", "users"), ("a",),
        units="dl=MB, users=users", averaged=("users",),
    )  # fmt: skip


def test_finer_steps_of_a_level_are_averaged_and_of_an_amount_summed():
    hourly = quarter_hours().hourly()
    assert hourly.values[:, 0].tolist() == [[0 + 2 + 4 + 6, (1 + 3 + 5 + 7) / 4], [8 + 10 + 12 + 14, 12]]
    assert hourly_units(hourly, "dl") == "MB per hour" and hourly_units(hourly, "users") == "users"
    assert hourly_units(hourly) == "dl: MB per hour, users: users"
    assert hourly_units(hourly.select(services=["dl"])) == "MB per hour"


def test_files_and_selections_keep_it(tmp_path):
    data = quarter_hours()
    data.save(tmp_path / "t.npz")
    assert sm.TrafficData.load(tmp_path / "t.npz").averaged == ("users",)
    assert data.select(services=["dl"]).averaged == ()
    assert data.select(services=["users", "dl"]).averaged == ("users",)


def test_a_name_that_is_no_service_is_refused():
    with pytest.raises(DataError, match="averaged: 'load' is none of the services"):
        sm.TrafficData(np.ones((24, 1, 1), np.float32), np.datetime64("2024-01-01T00:00", "m"), 60, ("a",), ("n",),
                       averaged=("load",))  # fmt: skip
