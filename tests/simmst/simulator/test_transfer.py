"""The comparison of training on simulated and on real windows: exact where it must be, honest on real data."""

import numpy as np
import pytest

from simmst.errors import ConfigError
from simmst.simulator.city import SimulatedWorlds
from simmst.simulator.transfer import compare_transfer
from simmst.traffic.dataset import TrafficData
from simmst.traffic.scaling import NodeScaler
from simmst.traffic.windows import WindowBatch, WindowDataset


class Waves:
    """Windows of x(t) = a x(t - 1) + noise, or of a daily wave where a is None."""

    def __init__(self, a, count, lookback=30, horizon=1, noise=0.1, seed=0):
        rng = np.random.default_rng(seed)
        series = np.zeros((count, lookback + horizon))
        phase = rng.uniform(0, 24, (count, 1))
        if a is None:
            series = np.sin(2 * np.pi / 24 * (np.arange(lookback + horizon) + phase))
        else:
            series[:, 0] = rng.standard_normal(count)
            for t in range(1, lookback + horizon):
                series[:, t] = a * series[:, t - 1] + noise * rng.standard_normal(count)
        self.series, self.lookback = series.astype(np.float32), lookback

    def __len__(self):
        return len(self.series)

    def batch(self, index):
        part = self.series[index]
        marks, number = np.zeros((*part.shape, 4), np.float32), np.asarray(index)
        past, future = part[:, : self.lookback, None, None], part[:, self.lookback :, None]
        return WindowBatch(past, marks[:, : self.lookback], marks[:, self.lookback :], future, number, number)


def test_the_right_dynamics_transfer_and_the_wrong_ones_do_not():
    train, test = Waves(0.9, 4000, seed=1), Waves(0.9, 2000, seed=2)
    right = compare_transfer(Waves(0.9, 4000, seed=3), train, test, seed=0)
    wrong = compare_transfer(Waves(0.1, 4000, seed=3), train, test, seed=0)
    assert right.ratio == pytest.approx(1, abs=0.02)
    # The noise alone has a mean absolute value of 0.1 sqrt(2 / pi).
    assert right.real[0] == pytest.approx(0.1 * np.sqrt(2 / np.pi), rel=0.05)
    assert wrong.ratio > 1.5


def test_yesterday_is_exact_for_a_daily_wave_at_any_horizon():
    waves = Waves(None, 200, lookback=48, horizon=30)
    found = compare_transfer(waves, waves, waves, seed=0)
    assert found.yesterday[0] < 1e-5


def test_forms_that_differ_are_refused():
    with pytest.raises(ConfigError, match="same history"):
        compare_transfer(Waves(0.5, 50, lookback=30), Waves(0.5, 50, lookback=40), Waves(0.5, 50), seed=0)
    with pytest.raises(ConfigError, match="at least 24"):
        short = Waves(0.5, 50, lookback=20)
        compare_transfer(short, short, short, seed=0)


def test_simulated_windows_beat_yesterday_on_jinan(real_data):
    """Validation days 15 to 17, one hour ahead; the last 3 training days stand for scarce real traffic."""
    jinan = TrafficData.load(real_data("jinan.npz"))
    scaler = NodeScaler.fit(jinan.values[:336])
    cut = {"lookback": 168, "horizon": 1, "patch": 1}
    simulated = SimulatedWorlds.generate(100, 336, jinan.services, seed=0).windows(168, 1, 80, 1)
    found = compare_transfer(
        simulated,
        WindowDataset.cut(jinan, scaler, first=264, stop=336, **cut),
        WindowDataset.cut(jinan, scaler, first=336, stop=408, **cut),
        seed=0,
    )
    assert (found.simulated < found.yesterday).all()
    assert found.ratio < 1.2
