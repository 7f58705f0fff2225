"""Totals over all nodes: the sums themselves, and intervals as wide as totals err, not as all ends added."""

import numpy as np
import pytest

import simmst as sm
from simmst.forecasting.held_back import HeldBack
from simmst.forecasting.totals import totals
from simmst.pretraining.reading import MEDIAN

from .test_pretrained import city


def independent(nodes: int, days: int = 30) -> sm.TrafficData:
    rng = np.random.default_rng(0)
    wave = (3 + 2 * np.sin(2 * np.pi * np.arange(24 * days) / 24))[:, None, None]
    values = wave * np.exp(rng.normal(0, 0.4, (24 * days, nodes, 1)))
    return sm.TrafficData(
        values.astype(np.float32), np.datetime64("2024-01-01T00:00", "m"), 60, ("net",),
        tuple(map(str, range(nodes))),
    )  # fmt: skip


def test_totals_are_sums_of_the_forecast_and_the_busiest_hour_is_the_largest():
    data = city(20)
    fitted = sm.Selected().fit(data)
    forecast = fitted.predict(data)
    for s, one in enumerate(totals(forecast, fitted.held_back)):
        assert one.day[0] == pytest.approx(forecast.values[..., s].sum())
        by_hour = forecast.values[..., s].sum(axis=1)
        assert one.busiest[0] == pytest.approx(by_hour.max()) and one.hour == forecast.times[by_hour.argmax()]
        assert one.day[1] <= one.day[0] <= one.day[2] and one.busiest[1] <= one.busiest[0] <= one.busiest[2]


def test_where_nodes_err_alone_the_interval_of_the_sum_is_far_narrower_and_still_right():
    data = independent(60)
    inside, widths = [], []
    for day in range(22, 29):
        before = data.select(stop=24 * day)
        fitted = sm.Selected().fit(before)
        forecast = fitted.predict(before)
        one, alone = (totals(forecast, held)[0] for held in (fitted.held_back, None))
        truth = data.values[24 * day : 24 * day + 24].sum()
        inside.append(one.day[1] <= truth <= one.day[2])
        widths.append((one.day[2] - one.day[1]) / (alone.day[2] - alone.day[1]))
        assert one.measured and not alone.measured
    assert sum(inside) >= 5 and np.mean(widths) < 0.5


def test_a_level_is_averaged_over_nodes_and_hours():
    data = city(10)
    level = sm.TrafficData(
        data.values, data.start, 60, data.services, data.node_ids, averaged=(data.services[1],)
    )
    found = totals(sm.Selected().fit(level).predict(level))
    assert not found[0].averaged and found[1].averaged
    assert found[1].day[0] == pytest.approx(sm.Selected().fit(level).predict(level).values[..., 1].mean())


def test_factors_are_the_kth_of_ratios_by_hand():
    data = independent(2, 10)
    origins = 100 + 7 * np.arange(10)
    quantiles = np.tile(np.arange(7.0), (10, 24, 2, 1, 1))  # ends 3 on either side of 3
    truth = np.full((10, 24, 2, 1), 3.0)
    truth += np.linspace(0.1, 1.0, 10)[:, None, None, None]  # totals of a day off by 2 nodes x 24 h x 0.1 to 1
    held = HeldBack(data.select(stop=100), origins, 0, quantiles, truth)
    forecast = sm.Selected().fit(data).predict(data)
    wide, one = totals(forecast)[0], totals(forecast, held)[0]
    assert one.day[2] - one.day[0] == pytest.approx((wide.day[2] - wide.day[0]) * 1.0 / 3)  # k = 10 of 10
    assert forecast.quantiles is not None and wide.day[2] == pytest.approx(
        forecast.values.sum() + (forecast.quantiles[..., -1] - forecast.quantiles[..., MEDIAN]).sum()
    )
