"""Forecasts for a user: from a run directory, on newer data, with intervals that cover what they say."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from simmst.errors import SimmstError
from simmst.forecasting.from_run import forecast_file, forecast_traffic, load_run
from simmst.forecasting.output import write_forecast
from simmst.forecasting.pretrained import Pretrained
from simmst.forecasting.saved import CHECKPOINT, SERVING, Serving
from simmst.models.simmstnet import SimMSTNet, SimMSTNetConfig
from simmst.traffic.dataset import TrafficData
from simmst.traffic.gap import Gap
from simmst.traffic.scaling import NodeScaler
from simmst.traffic.windows import WindowDataset
from simmst.training.checkpoint import save_model

LOOKBACK, HORIZON, NODES = 24, 6, 4


def traffic(hours: int, start: str = "2024-01-01T00:00", seed: int = 0, first_hour: int = 0) -> TrafficData:
    """A daily wave with noise: what an hour is does not depend on where the file begins."""
    rng = np.random.default_rng(seed)
    hour = first_hour + np.arange(hours)
    wave = 20 + 10 * np.sin(2 * np.pi * hour / 24)
    values = wave[:, None, None] * np.exp(rng.normal(0, 0.1, (hours, NODES, 2)))
    places = np.stack([9 + 0.01 * np.arange(NODES), np.full(NODES, 45.0)], axis=1)
    names = ("call", "net"), tuple("abcd")
    return TrafficData(values.astype(np.float32), np.datetime64(start, "m"), 60, *names, places, "MB")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """The directory of a run, with a network that has its first weights: the same hour yesterday."""
    directory = tmp_path_factory.mktemp("run")
    data = traffic(24 * 14)
    scaler = NodeScaler.fit(data.values[: 24 * 10])
    windows = WindowDataset.cut(data, scaler, LOOKBACK, HORIZON, 24 * 10)
    model = SimMSTNet(SimMSTNetConfig.small(2, LOOKBACK, HORIZON), 0)
    save_model(directory / CHECKPOINT, model)
    Serving.of(data, scaler, windows, model, windows).save(directory / SERVING)
    return directory


def saved(data: TrafficData, folder: Path) -> Path:
    data.save(folder / "data.npz")
    return folder / "data.npz"


def test_it_forecasts_the_hours_after_a_newer_file(run, tmp_path):
    found = forecast_file(run, saved(traffic(48, "2024-03-05T00:00", seed=1), tmp_path))
    assert found.times[0] == np.datetime64("2024-03-07T00:00") and len(found.times) == HORIZON
    assert found.values.shape == (HORIZON, NODES, 2)
    yesterday = found.history.values[-24 : -24 + HORIZON]
    np.testing.assert_allclose(found.values, yesterday, rtol=1e-4)


def test_the_truth_lies_in_the_interval_as_often_as_asked_for(run, tmp_path):
    inside = []
    for seed in range(30):
        whole = traffic(24 * 3 + HORIZON, "2024-03-05T00:00", seed=100 + seed)
        found = forecast_file(run, saved(whole.select(stop=24 * 3), tmp_path), level=0.8)
        actual = whole.values[24 * 3 :]
        inside.append((found.lower <= actual) & (actual <= found.upper))
    assert 0.74 < np.mean(inside) < 0.86


def test_a_higher_level_is_a_wider_interval_around_the_same_forecast(run, tmp_path):
    file = saved(traffic(48), tmp_path)
    narrow, wide = forecast_file(run, file, level=0.5), forecast_file(run, file, level=0.95)
    np.testing.assert_array_equal(narrow.values, wide.values)
    assert (wide.lower <= narrow.lower).all() and (wide.upper >= narrow.upper).all()
    assert (narrow.lower <= narrow.values).all() and (narrow.values <= narrow.upper).all()


def test_a_shorter_horizon_is_the_beginning_of_the_longer_one(run, tmp_path):
    file = saved(traffic(48), tmp_path)
    short = forecast_file(run / CHECKPOINT, file, horizon=2)
    np.testing.assert_array_equal(short.values, forecast_file(run, file).values[:2])


def test_order_of_nodes_and_services_and_further_ones_do_not_matter(run, tmp_path):
    data = traffic(48)
    other = data.select(services=("net", "call"), nodes=("d", "b", "a", "c"))
    more = np.concatenate([other.values, other.values[:, :1]], axis=1)
    other = replace(other, values=more, node_ids=(*other.node_ids, "new"), coordinates=None)
    usual = forecast_file(run, saved(data, tmp_path)).values
    np.testing.assert_array_equal(forecast_file(run, saved(other, tmp_path)).values[:, :NODES], usual)


def test_a_node_that_the_run_does_not_have_is_forecast_beside_it_and_marked(run, tmp_path):
    data = traffic(24 * 10)
    values = np.concatenate([data.values[:, :1] * 7, data.values], axis=1)
    missing = np.zeros(values.shape, dtype=bool)
    missing[: 24 * 7, 0] = True  # born three days ago
    more = replace(data, values=values, node_ids=("new", *data.node_ids), coordinates=None, missing=missing)
    usual = forecast_file(run, saved(replace(data, coordinates=None), tmp_path), level=0.8)
    found = forecast_file(run, saved(more, tmp_path), level=0.8)
    assert found.history.node_ids == (*data.node_ids, "new")
    assert found.made_by == (*["run"] * NODES, "pretrained")
    for name in ("values", "lower", "upper", "quantiles"):
        np.testing.assert_array_equal(getattr(found, name)[:, :NODES], getattr(usual, name))
    alone = Pretrained().predict(more.select(nodes=["new"]), HORIZON, 0.8)
    np.testing.assert_allclose(found.values[:, NODES:], alone.values, rtol=1e-5)
    wide = (found.upper - found.lower)[:, NODES] / found.values[:, NODES]
    narrow = Pretrained().predict(replace(more, missing=None).select(nodes=["new"]), HORIZON, 0.8)
    assert wide.mean() > ((narrow.upper - narrow.lower) / narrow.values)[:, 0].mean()
    assert any("1 nodes of the file are not among the 4" in one and "(new)" in one for one in found.notices)
    table = found.to_polars()
    assert table.filter(pl.col("by") == "pretrained")["node"].unique().to_list() == ["new"]
    assert "by" not in usual.to_polars().columns


def test_finer_steps_are_summed_to_hours(run, tmp_path):
    data = traffic(48)
    halves = replace(data, values=np.repeat(data.values / 2, 2, axis=0), step_minutes=30)
    usual = forecast_file(run, saved(data, tmp_path)).values
    np.testing.assert_allclose(forecast_file(run, saved(halves, tmp_path)).values, usual, rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.select(services=("call",)), "lacks 1 of the 2 services .*net"),
        (lambda d: d.select(nodes=("a", "c")), r"lacks 2 of the 4 nodes .*\(b, d\)"),
        (lambda d: d.select(stop=LOOKBACK - 1), "has 23 whole hours, the network reads the last 24"),
        (lambda d: replace(d, units="GB"), "units are 'GB', the run was trained on 'MB'"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_one_line(run, tmp_path, change, message):
    with pytest.raises(SimmstError, match=message):
        forecast_file(run, saved(change(traffic(48)), tmp_path))


def gap(data: TrafficData, service: str, first: int, stop: int) -> Gap:
    return Gap(service, data.times[0] + np.timedelta64(first, "h"), data.times[0] + np.timedelta64(stop, "h"))


def test_filled_hours_that_the_network_reads_are_told(run, tmp_path):
    data = traffic(48)
    old = replace(data, gaps=(gap(data, "net", 3, 48 - LOOKBACK),), fill="linear")
    assert forecast_file(run, saved(old, tmp_path)).notices == ()
    new = replace(data, gaps=(*old.gaps, gap(data, "net", 40, 43)), fill="linear")
    (notice,) = forecast_file(run, saved(new, tmp_path)).notices
    assert "net: 3 hours (2024-01-02T16:00 to 2024-01-02T19:00) (filled: linear)" in notice
    assert "ends before the gap" in notice


def test_adjacent_gaps_and_services_with_the_same_ones_are_told_once(run, tmp_path):
    data = traffic(48)
    single = [gap(data, name, at, at + 1) for at in (30, 40, 41, 42) for name in data.services]
    (notice,) = forecast_file(run, saved(replace(data, gaps=tuple(single), fill="linear"), tmp_path)).notices
    spans = "2024-01-02T06:00 to 2024-01-02T07:00, 2024-01-02T16:00 to 2024-01-02T19:00"
    assert f"filled gaps: call, net: 4 hours ({spans}) (filled: linear)" in notice
    more = replace(data, gaps=(*single, gap(data, "net", 46, 48)), fill="linear")
    (notice,) = forecast_file(run, saved(more, tmp_path)).notices
    assert f"call: 4 hours ({spans}); net: 6 hours ({spans}, 2024-01-02T22:00 to 2024-01-03T00:00)" in notice


def test_what_is_unlike_the_runs_traffic_is_told_and_the_forecast_made(run, tmp_path):
    data = traffic(48)
    values = data.values.copy()
    values[-2, 1, 0] = 9.9e9
    found = forecast_file(run, saved(replace(data, values=values), tmp_path))
    (notice,) = found.notices
    assert "data.npz: Values of the last 24 hours" in notice and "node b, call: 9.9e+09" in notice
    other = forecast_file(run, saved(replace(data, values=data.values * 50), tmp_path))
    assert "THIS DOES NOT LOOK LIKE" in other.notices[0] and np.isfinite(other.values).all()


def test_a_service_without_any_record_in_these_hours_is_refused(run, tmp_path):
    data = traffic(48)
    gone = replace(data, gaps=(gap(data, "call", 20, 48),), fill="zero")
    with pytest.raises(SimmstError, match=r"call: 24 hours .*nothing of a service was recorded: give a file"):
        forecast_file(run, saved(gone, tmp_path))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizon": 7}, "trained for 1 to 6 hours"),
        ({"level": 1.5}, "between 0 and 1"),
        ({"level": 0.99999}, "too high for 364 validation windows"),
    ],
)
def test_options_that_the_run_cannot_answer_are_refused(run, tmp_path, options, message):
    with pytest.raises(SimmstError, match=message):
        forecast_file(run, saved(traffic(48), tmp_path), **options)


def test_a_file_of_the_run_in_place_of_its_directory_is_refused_with_the_directory(run, tmp_path):
    with pytest.raises(SimmstError, match=f"serving.npz: is a file; give the run's directory, {run}$"):
        forecast_file(run / SERVING, saved(traffic(48), tmp_path))


def test_a_run_that_is_not_finished_is_refused(tmp_path):
    with pytest.raises(SimmstError, match="holds no finished run"):
        forecast_file(tmp_path, saved(traffic(48), tmp_path))


def test_the_table_has_a_line_an_hour_node_and_service(run, tmp_path):
    found = forecast_file(run, saved(traffic(48), tmp_path))
    table = found.to_polars()
    assert table.columns == ["time", "node", "service", "forecast", "lower", "upper"]
    line = table.filter((pl.col("node") == "c") & (pl.col("service") == "net"))["forecast"]
    np.testing.assert_array_equal(line.to_numpy(), found.values[:, 2, 1])
    write_forecast(found, tmp_path / "f.parquet")
    assert pl.read_parquet(tmp_path / "f.parquet").equals(table)
    write_forecast(found, tmp_path / "f.csv")
    assert (tmp_path / "f.csv").read_text().splitlines()[1].startswith("2024-01-03T00:00,a,call,")
    back = pl.read_csv(tmp_path / "f.csv")["forecast"].to_numpy()
    np.testing.assert_allclose(back, table["forecast"].to_numpy(), rtol=5e-6)
    texts = (tmp_path / "f.csv").read_text().split()[1].split(",")[3:]
    assert all(len(text.replace(".", "").lstrip("0")) <= 6 for text in texts)
    with pytest.raises(SimmstError, match=r"must end in \.csv or \.parquet"):
        write_forecast(found, tmp_path / "f.xlsx")


def test_a_network_forecasts_the_same_from_its_directory_twice(run, tmp_path):
    file = saved(traffic(48), tmp_path)
    torch.rand(3)
    np.testing.assert_array_equal(forecast_file(run, file).values, forecast_file(run, file).values)


def copied(run: Path, folder: Path) -> Path:
    return Path(shutil.copytree(run, folder / "copy"))


@pytest.mark.parametrize("horizon", [HORIZON, HORIZON - 1])
def test_the_serving_file_of_another_run_is_refused_in_a_line(run, tmp_path, horizon):
    """Of the same sizes it would forecast with the scales of another city."""
    folder, data = copied(run, tmp_path), traffic(24 * 14, seed=5)
    windows = WindowDataset.cut(data, NodeScaler.fit(data.values), LOOKBACK, horizon, 24 * 10)
    other = SimMSTNet(SimMSTNetConfig.small(2, LOOKBACK, horizon), 1)
    Serving.of(data, NodeScaler.fit(data.values), windows, other, windows).save(folder / SERVING)
    with pytest.raises(SimmstError, match=r"serving\.npz: is of another run.*resume") as caught:
        forecast_file(folder, saved(traffic(48), tmp_path))
    assert ("horizon 5 in place of 6" in str(caught.value)) == (horizon != HORIZON)


def test_a_serving_file_of_before_names_no_network_and_is_read(run, tmp_path):
    folder = copied(run, tmp_path)
    replace(Serving.load(folder / SERVING), network="").save(folder / SERVING)
    file = saved(traffic(48), tmp_path)
    np.testing.assert_array_equal(forecast_file(folder, file).values, forecast_file(run, file).values)


def test_a_forecast_that_is_not_finite_is_none(run, tmp_path):
    model, kept = load_run(run)
    with torch.no_grad():
        next(iter(model.parameters())).fill_(float("nan"))
    with pytest.raises(SimmstError, match="not finite"):
        forecast_traffic(model, kept, traffic(48), HORIZON)
