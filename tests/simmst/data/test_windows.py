"""Windows equal naive slicing, scaling has an inverse and no leak, patches keep their directions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from simmst.data.dataset import TrafficData
from simmst.data.windows import (
    NodeScaler,
    WindowDataset,
    calendar_marks,
    iterate_batches,
    neighbour_patches,
    patches_from_positions,
)
from simmst.errors import ConfigError, DataError


def grid(rows=4, columns=5, steps=60, services=2, seed=0):
    rng = np.random.default_rng(seed)
    row, column = np.divmod(np.arange(rows * columns), columns)
    return TrafficData(
        values=rng.gamma(2.0, 10.0, (steps, rows * columns, services)).astype(np.float32),
        start=np.datetime64("2024-07-28T00:00", "m"),
        step_minutes=60,
        services=tuple(f"s{i}" for i in range(services)),
        node_ids=tuple(str(i) for i in range(rows * columns)),
        coordinates=np.stack([117 + 0.01 * column, 36.6 - 0.008 * row], axis=1),
    )


def grid_patch(node, rows, columns, size):
    """Neighbours by counting rows and columns; row 0 is the northernmost."""
    row, column = divmod(node, columns)
    half = size // 2
    patch = []
    for r in range(row - half, row + half + 1):
        for c in range(column - half, column + half + 1):
            patch.append(r * columns + c if 0 <= r < rows and 0 <= c < columns else node)
    return patch


@pytest.mark.parametrize("size", [1, 3, 5])
def test_on_a_grid_the_patches_are_the_grid_neighbours(size):
    expected = [grid_patch(node, 6, 7, size) for node in range(42)]
    np.testing.assert_array_equal(neighbour_patches(grid(6, 7, steps=2), size), expected)


@settings(max_examples=30, deadline=None)
@given(
    arrays(float, st.tuples(st.integers(1, 25), st.just(2)), elements=st.floats(-50, 50)),
    st.sampled_from([3, 5]),
)
def test_a_patch_of_scattered_nodes_has_its_centre_and_no_neighbour_twice(positions, size):
    patches = patches_from_positions(positions, size)
    for node, patch in enumerate(patches):
        assert patch[size * size // 2] == node
        others = patch[patch != node]
        assert len(set(others)) == len(others)


def test_slots_of_scattered_nodes_look_in_their_direction():
    positions = np.array([[0, 0], [3, 0.4], [9, 0], [0.2, 5], [-2, -2.1]])
    patch = patches_from_positions(positions, 3)[0].reshape(3, 3)
    np.testing.assert_array_equal(patch, [[0, 3, 0], [0, 0, 1], [4, 0, 0]])


def test_without_coordinates_a_patch_repeats_its_node():
    day = np.datetime64("2024-01-01", "m")
    data = TrafficData(np.ones((3, 2, 1), np.float32), day, 60, ("a",), ("x", "y"))
    np.testing.assert_array_equal(neighbour_patches(data, 3), np.repeat([[0], [1]], 9, axis=1))


def test_an_even_patch_is_refused():
    with pytest.raises(ConfigError, match="odd"):
        neighbour_patches(grid(), 4)


def test_marks_have_the_period_of_a_day_and_a_week():
    times = np.datetime64("2024-07-28T00:00", "m") + np.arange(400) * np.timedelta64(60, "m")
    marks = calendar_marks(times)
    assert marks.shape == (400, 4) and marks.dtype == np.float32
    np.testing.assert_allclose(marks[:-168], marks[168:], atol=1e-6)
    np.testing.assert_allclose(marks[:-24, :2], marks[24:, :2], atol=1e-6)
    assert np.abs(marks[:-24, 2:] - marks[24:, 2:]).max() > 0.5
    np.testing.assert_allclose(marks[0, :2], [0, 1], atol=1e-6)
    assert len(np.unique(np.round(marks[:168], 5), axis=0)) == 168, "every hour of the week has its own marks"


@settings(max_examples=50, deadline=None)
@given(arrays(np.float32, (7, 3, 2), elements=st.floats(0, 2.0**20, width=32)))
def test_inverse_undoes_transform(values):
    scaler = NodeScaler.fit(values)
    scaled = scaler.transform(values)
    assert np.isfinite(scaled).all()
    np.testing.assert_allclose(scaler.inverse(scaled), values, rtol=2e-4, atol=1e-4)


def test_scaled_training_part_has_mean_zero_and_deviation_one():
    values = grid().values
    scaled = NodeScaler.fit(values).transform(values)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.std(axis=0), 1, atol=1e-5)


def test_the_scale_does_not_know_what_comes_after_the_training_part():
    values = grid().values
    later = values.copy()
    later[40:] *= 1000
    a, b = NodeScaler.fit(values[:40]), NodeScaler.fit(later[:40])
    np.testing.assert_array_equal(a.mean, b.mean)
    np.testing.assert_array_equal(a.scale, b.scale)
    data = grid()
    windows = WindowDataset.cut(data, a, 6, 2, stop=40)
    assert max(batch.origin.max() for _, batch in iterate_batches(windows, 64)) + 2 == 40


def test_scaler_wants_a_part_to_fit_on():
    with pytest.raises(DataError, match="two or more steps"):
        NodeScaler.fit(np.ones((1, 2, 3)))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 10), st.integers(1, 6), st.integers(0, 30), st.integers(0, 10_000))
def test_windows_are_what_naive_slicing_gives(lookback, horizon, first, seed):
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
def test_before_the_data_its_first_season_stands_repeated(lookback, season, first, seed):
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


def test_a_season_is_a_step_at_least():
    with pytest.raises(ConfigError, match="season=0: must be at least 1 step"):
        WindowDataset.cut(grid(), NodeScaler.fit(grid().values), 5, 1, season=0)


def test_protocol_j_has_an_origin_for_every_hour_whose_horizon_fits():
    data = grid(2, 2, steps=528)
    scaler = NodeScaler.fit(data.values[:336])
    windows = WindowDataset.cut(data, scaler, 168, 24, first=408)
    assert (windows.origins[0], windows.origins[-1]) == (408, 528 - 24)
    assert len(windows) == 97 * 4


def test_a_pass_sees_every_window_once_and_shuffles_by_seed():
    data = grid(2, 3, steps=20)
    windows = WindowDataset.cut(data, NodeScaler.fit(data.values), 4, 1)
    seen = [i for index, _ in iterate_batches(windows, 7, np.random.default_rng(3)) for i in index]
    again = [i for index, _ in iterate_batches(windows, 7, np.random.default_rng(3)) for i in index]
    assert seen == again and seen != sorted(seen) and sorted(seen) == list(range(len(windows)))


@pytest.mark.parametrize(("lookback", "horizon", "stop"), [(60, 1, None), (0, 1, None), (5, 0, None), (5, 1, 61)])
def test_windows_that_cannot_be_cut_are_refused(lookback, horizon, stop):
    data = grid()
    with pytest.raises(ConfigError, match="lookback"):
        WindowDataset.cut(data, NodeScaler.fit(data.values), lookback, horizon, stop=stop)
