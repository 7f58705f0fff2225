"""Windows of the whole city and of single nodes hold what the windows of patches hold."""

import numpy as np
import pytest

from simmst.traffic.dataset import TrafficData
from simmst.traffic.graph_windows import GraphWindows, NodeWindows
from simmst.traffic.scaling import NodeScaler
from simmst.traffic.windows import WindowDataset


def traffic(seed: int = 0) -> TrafficData:
    rng = np.random.default_rng(seed)
    values = rng.gamma(2.0, 5.0, (60, 9, 2)).astype(np.float32)
    rows, columns = (axis.ravel() for axis in np.indices((3, 3)))
    places = np.stack([9 + 0.003 * columns, 45 + 0.002 * rows], axis=1)
    return TrafficData(
        values, np.datetime64("2024-01-01T00:00", "m"), 60, ("a", "b"), tuple(map(str, range(9))), places
    )


@pytest.mark.parametrize("season", [None, 5])
def test_a_window_of_the_city_is_the_windows_of_its_nodes_side_by_side(season: int | None) -> None:
    data = traffic()
    scaler = NodeScaler.fit(data.values[:40])
    first = 20 if season is None else 5  # histories of 12 steps begin before the data
    patches = WindowDataset.cut(data, scaler, 12, 4, first, 50, season=season)
    city = GraphWindows(patches)
    assert len(city) * 9 == len(patches)
    batch = city.batch(np.array([3, 0]))
    assert batch.history.shape == (2, 12, 9, 2) and batch.target.shape == (2, 4, 9, 2)
    for node in range(9):
        single = patches.batch(np.array([3 * 9 + node, node]))
        np.testing.assert_array_equal(batch.history[:, :, node], single.history[:, :, 4])
        np.testing.assert_array_equal(batch.target[:, :, node], single.target)
        np.testing.assert_array_equal(batch.node[:, node], single.node)
        np.testing.assert_array_equal(batch.origin, single.origin)
        np.testing.assert_array_equal(batch.history_marks, single.history_marks)
        np.testing.assert_array_equal(batch.future_marks, single.future_marks)


def test_a_window_of_a_node_is_the_centre_of_its_patch() -> None:
    data = traffic()
    patches = WindowDataset.cut(data, NodeScaler.fit(data.values), 12, 4)
    nodes = NodeWindows(patches)
    index = np.array([5, 17, 100])
    ours, theirs = nodes.batch(index), patches.batch(index)
    assert len(nodes) == len(patches)
    assert ours.history.shape == (3, 12, 1, 2) and ours.target.shape == (3, 4, 1, 2)
    np.testing.assert_array_equal(ours.history[:, :, 0], theirs.history[:, :, 4])
    np.testing.assert_array_equal(ours.target[:, :, 0], theirs.target)
    np.testing.assert_array_equal(ours.node, theirs.node)
