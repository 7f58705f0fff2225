"""Rows of other libraries: none reads what comes after the origin, and each continues a plain daily wave."""

import sys
from pathlib import Path

import numpy as np
import pytest

import simmst as sm

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
peer_rows = pytest.importorskip("peer_rows")


def wave(days: int, seed: int = 0) -> sm.TrafficData:
    hour = np.arange(24 * days)
    size = np.array([[1.0], [50.0]])
    noise = np.exp(np.random.default_rng(seed).normal(0, 0.02, (len(hour), 2, 1)))
    values = ((3 + 2 * np.sin(2 * np.pi * hour / 24))[:, None, None] * size * noise).astype(np.float32)
    return sm.TrafficData(values, np.datetime64("2024-01-01T00:00", "m"), 60, ("net",), ("a", "b"))


@pytest.mark.parametrize("lead", [0, 7, 23])
@pytest.mark.parametrize("log", [False, True])
def test_features_of_trees_end_before_the_origin(lead, log):
    data = wave(24)
    row = peer_rows.LightGBM()
    row._mean = data.values.mean(axis=0)
    origins = np.array([400, 450])
    before = row._features(data, 0, 48, log, lead, origins)
    later = data.values.copy()
    later[450:] = 1e6
    changed = sm.TrafficData(later, data.start, 60, data.services, data.node_ids)
    after = row._features(changed, 0, 48, log, lead, origins)
    assert np.array_equal(before, after) and before.shape == (4, 48 + 2 + 2 + 1)
    scaled = data.values[449, 0, 0] / row._mean[0, 0]
    assert before[2, 0] == pytest.approx(np.log(0.05 + scaled) if log else scaled, rel=1e-5)


@pytest.mark.parametrize("row", peer_rows.peers()[0], ids=lambda row: row.name)
def test_a_plain_wave_is_continued(row):
    data = wave(24)
    row.fit(data.select(stop=24 * 22))
    made = row.medians(data.select(stop=24 * 23))
    assert made.shape == (24, 2, 1) and (made >= 0).all()
    truth = data.values[24 * 23 :]
    assert np.abs(made - truth).sum() / truth.sum() < 0.1


def test_what_is_not_installed_is_named():
    there, missing = peer_rows.peers()
    assert len(there) == 5 - sum({"statsforecast": 3, "lightgbm": 1, "fracast": 1}[name] for name in missing)
