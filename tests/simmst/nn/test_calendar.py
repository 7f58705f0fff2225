"""Calendar marks lead back to the time they were made from."""

import numpy as np
import pytest
import torch

from simmst.nn.calendar import week_places
from simmst.traffic.windows import calendar_marks


@pytest.mark.parametrize("minutes", [5, 10, 15, 60])
def test_every_step_of_a_week_is_found_again(minutes: int) -> None:
    times = np.datetime64("2024-07-28T00:00", "m") + np.arange(0, 8 * 1440, minutes)
    steps_per_day = 1440 // minutes
    step, day = week_places(torch.from_numpy(calendar_marks(times)), steps_per_day)
    since_midnight = (times - times.astype("datetime64[D]")).astype(int)
    np.testing.assert_array_equal(step, since_midnight // minutes)
    assert day.min() == 0 and day.max() == 6
    changes = np.flatnonzero(np.diff(day.numpy())) + 1
    np.testing.assert_array_equal(since_midnight[changes], 0)  # the day changes at midnight, and only there
    assert len(changes) == 7
