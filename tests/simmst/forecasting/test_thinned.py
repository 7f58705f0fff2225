"""Large files are fitted to a part of their origins, small ones to all."""

import numpy as np
import pytest

from simmst.forecasting import closed_form
from simmst.forecasting.closed_form import thinned


@pytest.mark.parametrize("nodes", [1, 148, 300, 399, 401, 2000, 5000, 40_000])
def test_no_more_windows_than_enough_and_every_hour_of_the_day_alike(nodes):
    origins = np.arange(168, 1168)
    kept = thinned(origins, nodes)
    assert len(kept) * nodes <= max(closed_form._MOST + nodes, len(origins))
    if len(origins) * nodes <= closed_form._MOST:
        assert np.array_equal(kept, origins)
    else:
        hours = np.bincount(kept % 24, minlength=24)
        assert hours.max() - hours.min() <= 1
