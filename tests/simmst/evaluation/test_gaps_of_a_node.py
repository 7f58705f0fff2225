"""A gap of one node costs that node its hours, and no other: scales, windows, losses, ridge and figures."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from simmst.evaluation.evaluate import evaluate
from simmst.evaluation.gaps import mark_gaps
from simmst.evaluation.measures import Reference, measure
from simmst.evaluation.target import Target
from simmst.forecasting.closed_form import Naive, Ridge
from simmst.forecasting.intervals import Intervals
from simmst.forecasting.ridge import fit_ridge
from simmst.traffic.dataset import TrafficData
from simmst.traffic.graph_windows import GraphWindows
from simmst.traffic.recorded import recorded, recorded_whole
from simmst.traffic.scaling import NodeScaler
from simmst.traffic.split import Protocol
from simmst.traffic.windows import WindowDataset
from simmst.training.losses import task_errors

DAYS, NODES = 20, 4


def city(*holes: tuple[int, slice], days: int = DAYS) -> TrafficData:
    """Make traffic in which (node, hours) are missing, of all services."""
    values = np.random.default_rng(0).gamma(3.0, 10.0, (days * 24, NODES, 2)).astype(np.float32)
    missing = np.zeros(values.shape, dtype=bool)
    for node, hours in holes:
        missing[hours, node] = True
    start = np.datetime64("2024-01-01T00:00", "m")
    return TrafficData(values, start, 60, ("call", "net"), tuple("abcd"), missing=missing if holes else None)


def poisoned(data: TrafficData) -> TrafficData:
    """Put another number wherever nothing was recorded."""
    return replace(data, values=np.where(data.known, data.values, np.float32(1e6)))


def windows(data: TrafficData) -> WindowDataset:
    cut = WindowDataset.cut(data, NodeScaler.fit(data.values, data.unrecorded), lookback=24, horizon=6)
    return recorded(cut, data, "training")


def test_only_windows_of_that_node_are_left_out():
    data = city((2, slice(100, 110)))
    found, whole = windows(data), windows(city())
    assert len(whole) - len(found) == 10 + 5  # origins 95 to 109, of one node
    batch = found.batch(np.arange(len(found)))
    lost = (batch.node == 2) & (batch.origin > 94) & (batch.origin < 110)
    assert not lost.any()
    np.testing.assert_array_equal(found.origins, whole.origins)
    assert set(batch.origin[batch.node == 1]) == set(whole.origins)


def test_a_gap_of_all_leaves_the_origins_out():
    data = city(*((n, slice(100, 110)) for n in range(NODES)))
    found = windows(data)
    assert found.kept is None and not set(range(95, 110)) & set(found.origins.tolist())


def test_whole_windows_by_counting():
    lost = np.random.default_rng(1).random((60, 3, 2)) < 0.1
    origins = np.arange(10, 50)
    expected = np.array([[not lost[t : t + 5, n].any() for n in range(3)] for t in origins])
    np.testing.assert_array_equal(recorded_whole(lost, origins, 5), expected)


def test_what_stands_in_a_hole_is_in_no_scale_and_no_target():
    data = city((2, slice(100, 110)))
    one, other = (windows(each) for each in (data, poisoned(data)))
    everything = np.arange(len(one))
    np.testing.assert_array_equal(one.batch(everything).target, other.batch(everything).target)


def test_a_node_without_a_recorded_step_has_the_scale_of_the_others():
    data = city((3, slice(0, 240)))
    scaler = NodeScaler.fit(poisoned(data).values[:240], data.unrecorded[:240])
    others = NodeScaler.fit(data.values[:240, :3])
    np.testing.assert_array_equal(scaler.mean[:3], others.mean)
    np.testing.assert_allclose(scaler.mean[3], np.median(others.mean, axis=0))
    np.testing.assert_allclose(scaler.scale[3], np.median(others.scale, axis=0))
    np.testing.assert_allclose(scaler.unit[3], others.unit.mean(axis=0))


@pytest.mark.parametrize("error", ["mae", "mse", "huber"])
def test_a_target_that_was_not_recorded_has_no_loss_and_no_gradient(error):
    data = city((2, slice(100, 110)))
    graph = GraphWindows(windows(data))
    batch = graph.batch(np.array([100 - 24]))  # the origin at hour 100
    assert np.isnan(batch.target[:, :, 2]).all() and np.isfinite(batch.target[:, :, [0, 1, 3]]).all()
    target = torch.from_numpy(batch.target)
    forecast = torch.zeros_like(target, requires_grad=True)
    found = task_errors(forecast, target, error)
    kept = [0, 1, 3]
    expected = task_errors(torch.zeros_like(target)[:, :, kept], target[:, :, kept], error)
    torch.testing.assert_close(found.detach(), expected)
    found.sum().backward()
    assert torch.isfinite(forecast.grad).all() and not forecast.grad[:, :, 2].any()
    assert forecast.grad[:, :, kept].any()


def test_the_ridge_loses_the_windows_of_that_node_alone():
    data = city((2, slice(190, 196)))
    origins = np.arange(203, 234)  # the hole is in no lag
    lags = (1, 2, 7)
    fits = [
        fit_ridge(each.values, slice(0, 240), origins, 6, lags, filled=each.unrecorded)
        for each in (data, poisoned(data))
    ]
    np.testing.assert_array_equal(fits[0].coefficients, fits[1].coefficients)
    late = city((2, slice(210, 216)))
    alone = fit_ridge(late.values, slice(0, 200), np.arange(203, 209), 6, lags, filled=late.unrecorded)
    same = fit_ridge(late.values[:, [0, 1, 3]], slice(0, 200), np.arange(205, 209), 6, lags)
    assert alone.coefficients.shape == same.coefficients.shape


def test_figures_are_those_of_what_was_recorded():
    data, parts = city((1, slice(400, 430))), Protocol.proportional(DAYS * 24, 60, 6)
    forecast = np.full((len(parts.test.origins(1)), 6, NODES, 2), 20.0)
    found = [
        evaluate(each.values, data.services, parts, forecast, data.unrecorded)[6]["Sim-MSTNet"]
        for each in (data, poisoned(data))
    ]
    assert found[0] == found[1]
    origins = parts.test.origins(6)
    steps = origins[:, None] + np.arange(6)
    error = np.abs(data.values[steps].astype(np.float64) - 20.0)
    for s, service in enumerate(data.services):
        assert found[0]["tasks"][service]["mae"] == pytest.approx(error[..., s][data.known[steps][..., s]].mean())


def test_mase_is_the_mean_over_nodes_of_what_each_has():
    actual = np.array([[[[2.0], [4.0]]], [[[6.0], [8.0]]]])  # [O=2, H=1, N=2, S=1]
    kept = np.ones(actual.shape, dtype=bool)
    kept[1, 0, 1] = False
    reference = Reference(np.array([[2.0], [4.0]]), np.array([[1.0], [2.0]]), 6.0)
    found = measure(np.zeros_like(actual), actual, ("net",), reference, kept)["tasks"]["net"]
    assert found["mase"] == pytest.approx(((2 + 6) / 2 / 1 + 4 / 2) / 2)
    assert found["mae"] == pytest.approx((2 + 6 + 4) / 3)
    assert found["z_mae"] == pytest.approx((2 / 2 + 6 / 2 + 4 / 4) / 3)
    kept[:, 0, 1] = False  # a node that has nothing is in no mean
    assert measure(np.zeros_like(actual), actual, ("net",), reference, kept)["tasks"]["net"]["mase"] == 4.0


@pytest.mark.parametrize("forecaster", [Naive("daily", 6), Ridge(6, lags=(1, 2, 24))])
def test_fitted_forecasters_do_not_read_a_hole_as_truth(forecaster):
    data = city((1, slice(474, 480)))  # the last hours, which are in no lag
    found = [forecaster.fit(each).known for each in (data, poisoned(data))]
    np.testing.assert_array_equal(found[0].intervals.residuals, found[1].intervals.residuals)
    whole = forecaster.fit(city()).known
    assert len(whole.intervals.residuals) - len(found[0].intervals.residuals) == 6


def test_intervals_leave_out_what_has_no_truth():
    scaler = NodeScaler.fit(city().values)
    actual = city().values[:12].reshape(2, 6, NODES, 2).astype(np.float64)
    forecast = actual * 1.1
    actual[0, 3, 2, 1] = np.nan
    found = Intervals.of(scaler, forecast, actual)
    assert found.residuals.shape[0] == 2 * NODES - 1 and np.isfinite(found.residuals).all()


def test_a_run_says_which_nodes_lack_what():
    data, parts = city((1, slice(0, 300)), (2, slice(100, 103))), Protocol.proportional(DAYS * 24, 60, 6)
    (notice,) = mark_gaps(Target(data, "city"), parts).notices
    assert "2 nodes" in notice and "b (62.5%)" in notice and "c (0.6%)" in notice
    assert "Of b nothing was recorded in the training days" in notice
    assert not mark_gaps(Target(city(), "city"), parts).notices
