"""The traffic a run validates and tests on."""

import numpy as np
import pytest

from simmst.errors import DataError
from simmst.experiments.config import RunConfig
from simmst.experiments.target import file_digest, load_target
from simmst.traffic.dataset import TrafficData


def traffic(step_minutes: int = 10, start: str = "2024-01-01T00:00", hours: int = 3) -> TrafficData:
    steps = hours * 60 // step_minutes
    return TrafficData(
        values=np.arange(steps * 2, dtype=np.float32).reshape(steps, 2, 1),
        start=np.datetime64(start, "m"),
        step_minutes=step_minutes,
        services=("internet",),
        node_ids=("a", "b"),
    )


def test_without_a_file_the_target_is_synthetic_and_says_so():
    config = RunConfig.of_preset("smoke", seed=3)
    target = load_target(config)
    assert target.data.values.shape == (14 * 24, 4, 2)
    assert "synthetic" in target.notices[0] and "outside the prior" in target.notices[0]
    np.testing.assert_array_equal(load_target(config).data.values, target.data.values)
    assert not np.array_equal(load_target(RunConfig.of_preset("smoke", seed=4)).data.values, target.data.values)


def test_a_file_is_read_its_services_chosen_and_its_change_noticed(tmp_path):
    path = tmp_path / "city.npz"
    traffic().save(path)
    config = RunConfig.of_preset("smoke", data=str(path), data_sha256=file_digest(path), services=("internet",))
    target = load_target(config)
    assert target.name == "city.npz"
    assert target.data.step_minutes == 60
    assert "10 minutes" in target.notices[0]
    traffic(hours=4).save(path)
    with pytest.raises(DataError, match="has changed since the run began"):
        load_target(config)
    path.unlink()
    with pytest.raises(DataError, match="no such file"):
        load_target(config)
