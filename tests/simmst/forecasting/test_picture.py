"""What the picture of a forecast draws, and what it refuses."""

import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from simmst.errors import ConfigError
from simmst.forecasting.forecast import Forecast
from simmst.forecasting.picture import forecast_figure
from simmst.traffic.dataset import TrafficData
from simmst.traffic.gap import Gap

START = np.datetime64("2024-01-01T00:00", "m")
HOUR = np.timedelta64(60, "m")


@pytest.fixture
def forecast() -> Forecast:
    """A forecast of four nodes, of which "b" is the busiest, "c" the median and "d" the quietest."""
    rng = np.random.default_rng(0)
    sizes = np.array([5.0, 90.0, 20.0, 1.0])[:, None]
    values = (sizes * rng.uniform(0.9, 1.1, (24 * 5, 4, 2))).astype(np.float32)
    gap = Gap("net", START + 100 * HOUR, START + 103 * HOUR)
    history = TrafficData(values, START, 60, ("call", "net"), tuple("abcd"), units="MB", gaps=(gap,), fill="days")
    ahead = sizes * rng.uniform(0.9, 1.1, (6, 4, 2))
    return Forecast(history, history.times[-1] + np.arange(1, 7) * HOUR, ahead, 0.8 * ahead, 1.3 * ahead, 0.8)


def drawn(one: Forecast, nodes=None, days: int = 3):
    figure = forecast_figure(one.history, one.times, (one.values, one.lower, one.upper), one.level, nodes, days)
    return figure, figure.axes


def test_sums_and_single_nodes_are_the_forecasts_numbers(forecast):
    figure, axes = drawn(forecast, ["c", "a"], days=2)
    assert len(axes) == 2 * 3 and "80%" in figure.get_suptitle()
    for s, service in enumerate(("call", "net")):
        total, *single = axes[3 * s : 3 * s + 3]
        assert total.get_title().startswith(f"{service}, all 4 nodes") and not total.collections
        past, ahead = (line.get_ydata() for line in total.lines)
        np.testing.assert_allclose(ahead, forecast.values[:, :, s].sum(1))
        known = np.isfinite(past)
        np.testing.assert_allclose(past[known], forecast.history.values[-48:, :, s].sum(1)[known], rtol=1e-6)
        for place, node in zip(single, (2, 0), strict=True):
            assert place.get_title() == f"{service}, node {'abcd'[node]}"
            np.testing.assert_array_equal(place.lines[1].get_ydata(), forecast.values[:, node, s])
            edge = place.collections[0].get_paths()[0].vertices[:, 1]
            assert (
                edge.min() == forecast.lower[:, node, s].min() and edge.max() == forecast.upper[:, node, s].max()
            )


def test_history_ends_where_the_forecast_begins_and_is_broken_in_its_gaps(forecast):
    _, axes = drawn(forecast, (), days=1)
    call, net = axes
    for place in (call, net):
        past, ahead = (line.get_xdata().astype("datetime64[m]") for line in place.lines)
        assert len(past) == 24 and ahead[0] - past[-1] == HOUR and all(b > a for a, b in pairwise(past))
    assert np.isfinite(call.lines[0].get_ydata()).all()
    np.testing.assert_array_equal(
        np.flatnonzero(np.isnan(net.lines[0].get_ydata())), [4, 5, 6]
    )  # hours 100 to 102


def test_the_busiest_the_median_and_the_quietest_by_default(forecast):
    _, axes = drawn(forecast)
    assert [place.get_title()[-1] for place in axes[1:4]] == ["b", "c", "d"]


def test_one_node_is_drawn_once_and_without_intervals_none_is_promised(forecast):
    nan = np.full((6, 1, 2), np.nan)
    one = Forecast(forecast.history.select(nodes=("a",)), forecast.times, forecast.values[:, :1], nan, nan, 0.8)
    figure, axes = drawn(one)
    assert len(axes) == 2 and figure.get_suptitle() == "forecast"


@pytest.mark.parametrize(("suffix", "head"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("PDF", b"%PDF")])
def test_a_file_of_its_kind_appears(forecast, tmp_path, suffix, head):
    forecast.plot(tmp_path / f"f.{suffix}", nodes="a", days=1)
    assert (tmp_path / f"f.{suffix}").read_bytes().startswith(head)


def test_names_in_the_plan_of_mathematics_are_only_names(forecast, tmp_path):
    names = ("$a$", "b_c", "\\alpha", "$d")
    replace(forecast, history=replace(forecast.history, node_ids=names)).plot(tmp_path / "f.svg", nodes=names)
    assert (tmp_path / "f.svg").stat().st_size > 1000


@pytest.mark.parametrize(
    ("path", "given", "message"),
    [
        ("f.gif", {}, r"path .*f.gif: must end in .png, .svg or .pdf"),
        ("f.png", {"nodes": ["a", "x", "y"]}, "nodes: the forecast has no node 'x', 'y'"),
        ("f.png", {"nodes": "ab"}, "no node 'ab'"),
        ("f.png", {"days": 0}, "days 0: at least one"),
    ],
)
def test_what_cannot_be_drawn_is_refused_and_leaves_no_file(forecast, tmp_path, path, given, message):
    with pytest.raises(ConfigError, match=message):
        forecast.plot(tmp_path / path, **given)
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_the_mend_is_said(forecast, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError, match=r"pip install .*plot"):
        forecast.plot(tmp_path / "f.png")
