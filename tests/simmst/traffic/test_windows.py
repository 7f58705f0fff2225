"""Windows equal naive slicing; marks have the periods of a day and a week."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simmst.errors import ConfigError
from simmst.traffic.neighbours import neighbour_patches
from simmst.traffic.scaling import NodeScaler
from simmst.traffic.windows import WindowDataset, calendar_marks, iterate_batches


def test_marks_have_the_period_of_a_day_and_a_week():
    times = np.datetime64("2024-07-28T00:00", "m") + np.arange(400) * np.timedelta64(60, "m")
    marks = calendar_marks(times)
    assert marks.shape == (400, 4) and marks.dtype == np.float32
    np.testing.assert_allclose(marks[:-168], marks[168:], atol=1e-6)
    np.testing.assert_allclose(marks[:-24, :2], marks[24:, :2], atol=1e-6)
    assert np.abs(marks[:-24, 2:] - marks[24:, 2:]).max() > 0.5
    np.testing.assert_allclose(marks[0, :2], [0, 1], atol=1e-6)
    assert len(np.unique(np.round(marks[:168], 5), axis=0)) == 168, "every hour of the week has its own marks"


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 10), st.integers(1, 6), st.integers(0, 30), st.integers(0, 10_000))
def test_windows_are_what_naive_slicing_gives(grid, lookback, horizon, first, seed):
    data = grid(3, 4, steps=60, seed=seed)
    scaler = NodeScaler.fit(data.values[:30])
    windows = WindowDataset.cut(data, scaler, lookback, horizon, first=first, stop=55)
    patches, marks = neighbour_patches(data, 3), calendar_marks(data.times)
    scaled = scaler.transform(data.values)
    index = np.random.default_rng(seed).integers(len(windows), size=8)
    batch = windows.batch(index)
    assert batch.history.dtype == batch.target.dtype == np.float32 and batch.world is None
    for i in range(8):
        t, n = int(batch.origin[i]), int(batch.node[i])
        np.testing.assert_array_equal(batch.history[i], scaled[t - lookback : t][:, patches[n]])
        np.testing.assert_array_equal(batch.target[i], scaled[t : t + horizon, n])
        np.testing.assert_array_equal(batch.history[i, :, 4], scaled[t - lookback : t, n])
        np.testing.assert_array_equal(batch.history_marks[i], marks[t - lookback : t])
        np.testing.assert_array_equal(batch.future_marks[i], marks[t : t + horizon])
        assert first <= t <= 55 - horizon
    np.testing.assert_allclose(
        scaler.inverse(batch.target, batch.node),
        np.stack([data.values[t : t + horizon, n] for t, n in zip(batch.origin, batch.node, strict=True)]),
        rtol=1e-4,
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 24), st.integers(0, 30), st.integers(0, 10_000))
def test_before_the_data_its_first_season_stands_repeated(grid, lookback, season, first, seed):
    data = grid(2, 2, steps=60, seed=seed)
    scaler = NodeScaler.fit(data.values)
    windows = WindowDataset.cut(data, scaler, lookback, 3, first=first, season=season)
    assert windows.origins[0] == max(first, min(lookback, season))
    scaled, marks = scaler.transform(data.values), calendar_marks(data.times)
    often = -(-lookback // season)
    longer, longer_marks = (np.concatenate([*[series[:season]] * often, series]) for series in (scaled, marks))
    batch = windows.batch(np.arange(len(windows)))
    for i in range(len(windows)):
        t = int(batch.origin[i]) + often * season
        np.testing.assert_array_equal(batch.history[i, :, 4], longer[t - lookback : t, batch.node[i]])
        np.testing.assert_array_equal(batch.history_marks[i], longer_marks[t - lookback : t])


def test_a_season_is_a_step_at_least(grid):
    with pytest.raises(ConfigError, match="season=0: must be at least 1 step"):
        WindowDataset.cut(grid(), NodeScaler.fit(grid().values), 5, 1, season=0)


def test_protocol_j_has_an_origin_for_every_hour_whose_horizon_fits(grid):
    data = grid(2, 2, steps=528)
    scaler = NodeScaler.fit(data.values[:336])
    windows = WindowDataset.cut(data, scaler, 168, 24, first=408)
    assert (windows.origins[0], windows.origins[-1]) == (408, 528 - 24)
    assert len(windows) == 97 * 4


def test_a_pass_sees_every_window_once_and_shuffles_by_seed(grid):
    data = grid(2, 3, steps=20)
    windows = WindowDataset.cut(data, NodeScaler.fit(data.values), 4, 1)
    seen = [i for index, _ in iterate_batches(windows, 7, np.random.default_rng(3)) for i in index]
    again = [i for index, _ in iterate_batches(windows, 7, np.random.default_rng(3)) for i in index]
    assert seen == again and seen != sorted(seen) and sorted(seen) == list(range(len(windows)))


@pytest.mark.parametrize(("lookback", "horizon", "stop"), [(60, 1, None), (0, 1, None), (5, 0, None), (5, 1, 61)])
def test_windows_that_cannot_be_cut_are_refused(grid, lookback, horizon, stop):
    data = grid()
    with pytest.raises(ConfigError, match="lookback"):
        WindowDataset.cut(data, NodeScaler.fit(data.values), lookback, horizon, stop=stop)
