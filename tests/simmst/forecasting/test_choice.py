"""What is chosen from errors: by a paired test over days, and never worse than a row on those days."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from simmst.errors import DataError
from simmst.forecasting.choice import Choice, errors_by_group

DAYS = np.repeat(np.arange(6), 3)


def chosen(errors, usual=(0, 0, 0, 0), horizon=24):
    names = [f"row {r}" for r in range(errors.shape[1])]
    services = [f"s{s}" for s in range(errors.shape[2])]
    return Choice.of(names, services, errors, DAYS[: len(errors)], horizon, usual)


def table(rows=2, groups=4):
    return np.ones((len(DAYS), rows, 1, groups))


def test_a_row_that_is_better_every_day_is_taken_there_and_only_there():
    errors = table()
    errors[:, 1, :, 2] = 0.95
    found = chosen(errors)
    np.testing.assert_array_equal(found.taken, [[0, 0, 1, 0]])
    assert found.row("s0", "7-12 h") == "row 1" and found.row("other", "7-12 h") == "row 0"


def test_a_row_that_is_better_by_one_day_alone_is_not_taken():
    errors = table()
    errors[:, 1] = 1.01
    errors[-3:, 1, :, 1] = 0.8  # lower in the mean, by one of six days
    errors[:, 1, :, 3] = 2.0  # and not better over all leads
    assert errors[:, 1, :, 1].mean() < 1
    np.testing.assert_array_equal(chosen(errors).taken, [[0, 0, 0, 0]])


def test_a_row_without_forecasts_is_not_taken():
    errors = table()
    errors[:, 1] = 0.5
    errors[:, 1, :, 3] = np.nan
    np.testing.assert_array_equal(chosen(errors).taken, [[1, 1, 1, 0]])


@settings(max_examples=100, deadline=None)
@given(
    arrays(float, (18, 4, 2, 4), elements=st.floats(0.1, 10)), st.lists(st.integers(0, 3), min_size=4, max_size=4)
)
def test_what_is_taken_is_never_worse_than_a_row_over_the_leads_of_a_service(errors, usual):
    found = chosen(errors, usual)
    hours = np.array([1, 5, 6, 12])
    ours = (np.take_along_axis(found.errors, found.taken[None], axis=0)[0] * hours).sum(axis=-1)
    assert (ours <= (found.errors * hours).sum(axis=-1).min(axis=0) * (1 + 1e-12)).all()


def test_errors_are_of_what_was_recorded():
    truth, known = np.zeros((24, 2, 1)), np.ones((24, 2, 1), dtype=bool)
    known[:12, 0] = False
    known[0, 1] = False
    forecast = np.full((24, 2, 1), 4.0)
    forecast[:, 1] = 1.0
    found = errors_by_group(
        [forecast, np.where(np.arange(24)[:, None, None] < 12, forecast, np.nan)], truth, known
    )
    np.testing.assert_array_equal(found[0, 0], [np.nan, 1, 1, 2.5])
    np.testing.assert_array_equal(found[1, 0], [np.nan, 1, 1, np.nan])


@pytest.mark.parametrize("groups", [4, 5])
def test_it_is_kept_as_json(groups):
    errors = table(3, groups)
    errors[:, 2] = np.nan
    one = chosen(errors, [0] * 5, 24 if groups == 4 else 100)
    two = Choice.from_json(one.as_json())
    assert two.said() == one.said() and two.frame().equals(one.frame())
    for damage in ({"taken": [[9] * groups]}, {"errors": [[1.0]]}, {"groups": ["x"]}, {"rows": None}):
        with pytest.raises(DataError, match="choice: damaged"):
            Choice.from_json({**one.as_json(), **damage})


def test_too_short_a_history_says_so():
    found = Choice.unasked(["a", "b"], ["x", "y"], 12, [0, 1, 1])
    assert found.said() == "a for 1 h, b for 2-6 h and 7-12 h (too few days to choose)"
    assert found.frame()["mae"].null_count() == 12 and found.used() == ("a", "b")
