"""One import: read, fit, predict, measure, save and load, for every kind of forecaster."""

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from typer.testing import CliRunner

import simmst as sm
from simmst.cli.main import app
from simmst.forecasting.ridge import default_lags, fit_ridge

HOURS, NODES = 24 * 21, 4


def make(hours: int = HOURS, seed: int = 0, first: int = 0) -> sm.TrafficData:
    """A daily wave of two services with noise on nodes in a row."""
    rng = np.random.default_rng(seed)
    wave = 20 + 10 * np.sin(2 * np.pi * (first + np.arange(hours)) / 24)
    values = wave[:, None, None] * np.array([1.0, 30.0]) * np.exp(rng.normal(0, 0.1, (hours, NODES, 2)))
    places = np.stack([9 + 0.01 * np.arange(NODES), np.full(NODES, 45.0)], axis=1)
    start = np.datetime64("2024-01-01T00:00", "m") + first * np.timedelta64(60, "m")
    return sm.TrafficData(values.astype(np.float32), start, 60, ("call", "net"), tuple("abcd"), places, "MB")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def traffic() -> sm.TrafficData:
    return make()


@pytest.fixture(scope="module")
def fitted(traffic, tmp_path_factory) -> dict[str, sm.Forecaster]:
    folder = tmp_path_factory.mktemp("run") / "run"
    return {
        "daily": sm.Naive("daily", horizon=6).fit(traffic),
        "weekly": sm.Naive("weekly", horizon=6).fit(traffic),
        "ridge": sm.Ridge(horizon=6).fit(traffic),
        "dlinear": sm.Network("dlinear", preset="smoke", horizon=6).fit(traffic),  # one network a service
        "mttc": sm.Network("mttc", preset="smoke", horizon=6).fit(traffic),  # one for all
        "ours": sm.SimMSTNet(preset="smoke", seed=1).fit(traffic, folder),
    }


KINDS = ["daily", "weekly", "ridge", "dlinear", "mttc", "ours"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_forecasts_newer_traffic_in_any_order_of_nodes(fitted, kind):
    newer = make(24 * 8, seed=5, first=HOURS)
    found = fitted[kind].predict(newer, horizon=5, level=0.8)
    assert found.values.shape == (5, NODES, 2) and found.times[0] == newer.times[-1] + np.timedelta64(60, "m")
    assert (found.lower <= found.values).all() and (found.values <= found.upper).all() and found.values.min() >= 0
    turned = fitted[kind].predict(newer.select(nodes=tuple("dbca")), horizon=5, level=0.8)
    np.testing.assert_array_equal(turned.values, found.values)
    assert found.notices == ()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_saved_forecasts_the_same_to_the_bit(fitted, traffic, kind, tmp_path):
    fitted[kind].save(tmp_path / "saved")
    again = sm.load(tmp_path / "saved")
    assert type(again) is type(fitted[kind]) and again.name == fitted[kind].name
    for name in ("values", "lower", "upper", "times"):
        one, other = (getattr(f.predict(traffic), name) for f in (fitted[kind], again))
        np.testing.assert_array_equal(one, other)
    with pytest.raises(sm.ConfigError, match="is not empty"):
        fitted[kind].save(tmp_path / "saved")


def test_closed_forms_are_the_closed_forms(fitted, traffic):
    # 21 days: round(3 * 21 / 17) = 4 calibrate, 17 train.
    values = traffic.values
    np.testing.assert_array_equal(fitted["daily"].predict(traffic).values, values[-24:-18])
    np.testing.assert_array_equal(fitted["weekly"].predict(traffic).values, values[-168:-162])
    ridge = fit_ridge(values, slice(0, 17 * 24), np.arange(168, 17 * 24 - 5), 6, default_lags(24))
    wanted = ridge.predict(values, np.array([HOURS]))[0]
    np.testing.assert_array_equal(fitted["ridge"].predict(traffic).values, wanted)


def test_intervals_cover_what_they_say_on_days_to_come(fitted):
    inside = []
    for seed in range(20):
        whole = make(24 * 8 + 6, seed=100 + seed, first=HOURS)
        found = fitted["ridge"].predict(whole.select(stop=24 * 8), level=0.8)
        inside.append((found.lower <= whole.values[-6:]) & (whole.values[-6:] <= found.upper))
    assert 0.72 < np.mean(inside) < 0.88  # 960 values, of which those of one forecast share their noise


def test_frames(fitted, traffic):
    found = fitted["ridge"].predict(traffic)
    table, long = found.to_polars(), found.to_long("ridge")
    assert (
        table.columns == ["time", "node", "service", "forecast", "lower", "upper"] and len(table) == 6 * NODES * 2
    )
    assert long.columns == ["unique_id", "ds", "ridge", "ridge-lo-90", "ridge-hi-90"]
    one = long.filter(pl.col("unique_id") == "c/net")
    np.testing.assert_array_equal(one["ridge"].to_numpy(), found.values[:, 2, 1])
    pandas = pytest.importorskip("pandas")
    frame = found.to_pandas()
    assert isinstance(frame, pandas.DataFrame) and frame["forecast"].tolist() == table["forecast"].to_list()


def test_a_backtest_knows_only_what_lies_before(fitted, traffic):
    newer = make(24 * 16, seed=5, first=HOURS)
    result = sm.backtest([fitted["daily"], fitted["ridge"]], newer, horizon=6, step=12, start=24 * 10)
    assert result.origins.tolist() == list(range(240, 24 * 16 - 5, 12))
    for i, origin in enumerate(result.origins):
        np.testing.assert_array_equal(result.forecasts["daily"][i], newer.values[origin - 24 : origin - 18])
        np.testing.assert_array_equal(result.actual[i], newer.values[origin : origin + 6])
    figures = (
        result.scores().filter(pl.col("forecaster") == "daily", pl.col("service") == "net").row(0, named=True)
    )
    error = np.abs(result.forecasts["daily"] - result.actual)[..., 1]
    assert figures["mae"] == pytest.approx(error.mean()) and 0.7 < figures["coverage"] <= 1
    assert figures["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    long = result.to_long()
    assert long.columns == ["unique_id", "ds", "cutoff", "y", "daily", "ridge"] and len(long) == result.actual.size
    row = long.filter(pl.col("unique_id") == "b/call").row(8, named=True)  # the third step from the second origin
    assert row["y"] == newer.values[252 + 2, 1, 0] and row["daily"] == newer.values[252 + 2 - 24, 1, 0]
    assert row["cutoff"] == newer.times[251] and row["ds"] == newer.times[254]
    later = sm.TrafficData(
        newer.values * np.float32(1), newer.start, 60, newer.services, newer.node_ids, None, "MB"
    )
    later.values[300:] *= 7
    cut = sm.backtest([fitted["daily"]], later, horizon=6, step=12, start=24 * 10)
    np.testing.assert_array_equal(cut.forecasts["daily"][:5], result.forecasts["daily"][:5])


def test_the_page_of_a_backtest_marks_the_lower_errors_and_refers_to_nothing(fitted, tmp_path):
    newer = make(24 * 12, seed=5, first=HOURS)
    result = sm.backtest([fitted["daily"], fitted["ridge"]], newer, horizon=6, step=6, start=240)
    sm.write_backtest(result, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert "http" not in text.replace("http://www.w3.org", "") and "Back-test of daily, ridge" in text
    scores = result.scores()
    for service in ("call", "net"):
        low = scores.filter(pl.col("service") == service)["mae"].min()
        assert f'<td class="best">{low:.4g}</td>' in text
    assert text.count('<td class="best">') == 6 and text.count("<figure>") == 2


def test_what_was_filled_is_not_measured(fitted):
    newer = make(24 * 12, seed=5, first=HOURS)
    gap = sm.Gap("net", newer.times[250], newer.times[260])
    values = newer.values.copy()
    values[250:260, :, 1] = 1e6
    names = newer.services, newer.node_ids, newer.coordinates, "MB"
    gapped = sm.TrafficData(values, newer.start, 60, *names, gaps=(gap,), fill="linear")
    found, usual = (sm.backtest([fitted["weekly"]], one, 6, 12, 240).scores() for one in (gapped, newer))
    assert found["mae"].to_list() == pytest.approx(usual["mae"].to_list(), rel=0.1)
    assert found["coverage"].to_list() == pytest.approx(usual["coverage"].to_list(), abs=0.05)
    (notice,) = [one for one in fitted["weekly"].predict(gapped).notices if "are filled" in one]
    assert "of the last 168 hours" in notice and "some of net are filled" in notice


def filled(first: int, stop: int, value: float, declared: bool = True) -> sm.TrafficData:
    """The traffic of all tests with a filled gap of one service."""
    whole = make()
    values = whole.values.copy()
    values[first:stop, :, 1] = value
    gaps = (
        (sm.Gap("net", whole.times[first], whole.times[stop - 1] + np.timedelta64(60, "m")),) if declared else ()
    )
    fill = "linear" if declared else "none"
    names = whole.services, whole.node_ids, whole.coordinates, "MB"
    return sm.TrafficData(values, whole.start, 60, *names, gaps=gaps, fill=fill)


@pytest.mark.parametrize(
    "make_one", [sm.Naive, sm.Ridge, lambda horizon: sm.Network("mttc", "smoke", horizon=horizon)]
)
def test_intervals_do_not_know_what_was_filled(make_one):
    # The last six hours of the last days are truth alone, and no forecast's history.
    one, other, undeclared = (
        make_one(horizon=6).fit(filled(HOURS - 6, HOURS, *how)).known.intervals.residuals
        for how in ((1e6,), (1e4,), (1e6, False))
    )
    np.testing.assert_array_equal(one, other)
    assert undeclared.max() > one.max()


def test_the_ridge_is_not_fitted_to_what_was_filled():
    # 17 days train: their last six hours are truth alone of its origins.
    end = 17 * 24
    one, other, undeclared = (
        sm.Ridge(horizon=6).fit(filled(end - 6, end, *how))._fitted.coefficients
        for how in ((1e6,), (1e4,), (1e6, False))
    )
    np.testing.assert_array_equal(one, other)
    assert not np.allclose(one, undeclared)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f, t: sm.Ridge().predict(t), "was not fitted; call fit"),
        (lambda f, t: sm.Ridge().save("nowhere"), "was not fitted; call fit"),
        (lambda f, t: sm.Naive("yearly"), "period 'yearly': unknown; known: last, daily, weekly"),
        (lambda f, t: sm.Network("lstn"), "unknown model 'lstn'; known: dlinear"),
        (lambda f, t: sm.Network("lstm", preset="huge"), "preset 'huge': unknown"),
        (lambda f, t: sm.Ridge(lags=(0, 1)), "lags .* must be 1 or more"),
        (lambda f, t: f["ridge"].predict(t, horizon=7), "horizon 7: this forecaster was fitted for 1 to 6 hours"),
        (lambda f, t: f["ridge"].predict(t, level=1.2), "level 1.2: must lie between 0 and 1"),
        (
            lambda f, t: f["ridge"].predict(t.select(stop=100)),
            "has 100 whole hours, the forecast reads the last 168",
        ),
        (lambda f, t: f["mttc"].predict(t.select(nodes=["a"])), "lacks 3 of the 4 nodes that were fitted"),
        (lambda f, t: f["ours"].predict(t.select(services=["net"])), "lacks 1 of the 2 services"),
        (
            lambda f, t: sm.Ridge().fit(t.select(stop=24 * 9)),
            "9 whole days are too few to fit a horizon of 24 hours",
        ),
        (
            lambda f, t: sm.Network("convlstm", "smoke").fit(t.select(nodes=["a", "c", "d"])),
            "needs nodes that fill",
        ),
        (lambda f, t: sm.backtest([], t), "must be one or more of different names"),
        (lambda f, t: sm.backtest([f["ridge"]], t, step=0), "step 0: must be at least 1"),
        (lambda f, t: sm.backtest([f["ridge"]], t, 6, start=HOURS - 2), "no origin leaves 6 hours"),
        (
            lambda f, t: sm.backtest([f["ridge"]], t.select(nodes=tuple("dcba")), 6),
            "fitted on other nodes or services",
        ),
        (lambda f, t: sm.load("nowhere"), "no such directory"),
        (lambda f, t: sm.SimMSTNet("smoke").fit(make(seed=9), f["ours"].folder), "a run on other traffic"),
        (lambda f, t: sm.SimMSTNet("smoke", seed=2).fit(t, f["ours"].folder), "a run of other settings"),
    ],
)
def test_bad_input_is_refused_in_words(fitted, traffic, call, message):
    with pytest.raises(sm.SimmstError, match=message):
        call(fitted, traffic)


def test_damaged_folders_are_refused_in_words(fitted, tmp_path):
    for kind in ("ridge", "dlinear"):
        fitted[kind].save(tmp_path / kind)
    note = tmp_path / "ridge" / "forecaster.json"
    text = note.read_text()
    for broken, message in (
        (text.replace('"ridge"', '"tree"'), "kind 'tree' is unknown"),
        (text.replace('"format": 1', '"format": 2'), "format 2, this version reads 1"),
        (text.replace('"lags"', '"lugs"'), "damaged"),
        (text.replace("168", "169, 170"), "damaged"),
        ("{", "cannot be read"),
    ):
        note.write_text(broken)
        with pytest.raises(sm.DataError, match=message):
            sm.load(tmp_path / "ridge")
    note = tmp_path / "dlinear" / "forecaster.json"
    note.write_text(note.read_text().replace('"dlinear"', '"mttc"'))
    with pytest.raises(sm.DataError, match="damaged or of another version"):
        sm.load(tmp_path / "dlinear")


def test_a_finished_run_is_only_read_and_python_and_the_command_line_share_it(fitted, traffic):
    ours = fitted["ours"]
    written = (ours.folder / "metrics.json").stat().st_mtime_ns
    assert (ours.folder / "report.html").is_file()
    loaded = sm.load(ours.folder)
    np.testing.assert_array_equal(loaded.predict(traffic).values, ours.predict(traffic).values)
    assert loaded.config == ours.config.model_copy(
        update={"data": loaded.config.data, "data_sha256": loaded.config.data_sha256}
    )
    assert (ours.folder / "metrics.json").stat().st_mtime_ns == written


def test_update_learns_from_newer_traffic(fitted, traffic, tmp_path):
    newer = make(seed=7, first=24 * 10)
    ridge = sm.Ridge(horizon=6).fit(traffic).update(newer)
    np.testing.assert_array_equal(
        ridge.predict(newer).values, sm.Ridge(horizon=6).fit(newer).predict(newer).values
    )


def table(traffic: sm.TrafficData) -> pl.DataFrame:
    hours, nodes, _ = traffic.values.shape
    columns = {
        "time": np.repeat(traffic.times.astype("datetime64[us]"), nodes),
        "cell": list(traffic.node_ids) * hours,
    }
    return pl.DataFrame(columns | {s: traffic.values[..., i].ravel() for i, s in enumerate(traffic.services)})


def test_a_table_is_read_from_a_file_or_a_frame(traffic, tmp_path):
    frame = table(traffic)
    frame.write_csv(tmp_path / "export.csv")
    frame.write_parquet(tmp_path / "export.parquet")
    units = {"call": "MB", "net": "MB"}
    for source in (tmp_path / "export.csv", str(tmp_path / "export.parquet"), frame):
        data = sm.read_table(source, time="time", node="cell", services=units)
        np.testing.assert_allclose(data.values, traffic.values, rtol=1e-6)
        assert data.units == "MB" and data.node_ids == traffic.node_ids and data.start == traffic.start
    pandas = pytest.importorskip("pandas")
    data = sm.read_table(pandas.DataFrame(frame.to_dict(as_series=False)), "time", "cell", ["call", "net"], "MB")
    np.testing.assert_array_equal(data.values, traffic.values)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"services": {"call": "calls", "net": "MB"}, "units": "MB"}, "units: the services say theirs"),
        ({"services": ["call"]}, "units: say what the values are in"),
        ({"services": "call", "units": "MB"}, "services: must be a list"),
        ({"services": ["call"], "units": "MB", "max_missing": 2}, "max_missing=2: must be a share"),
        ({"services": ["calls"], "units": "MB"}, "calls"),
        ({"source": 3, "services": ["call"], "units": "MB"}, "source: must be a file or a frame, not int"),
    ],
)
def test_a_table_that_is_not_said_wholly_is_refused(traffic, options, message):
    with pytest.raises(sm.SimmstError, match=message):
        sm.read_table(**{"source": table(traffic), "time": "time", "node": "cell"} | options)


def test_the_face_names_what_is_there_and_imports_torch_only_when_it_must():
    for name in sm.__all__:
        thing = getattr(sm, name)
        assert getattr(importlib.import_module(thing.__module__), name) is thing
    assert set(sm.__all__) <= set(dir(sm)) and sm.__version__.count(".") == 2
    with pytest.raises(AttributeError, match="no attribute 'fit'"):
        sm.fit  # noqa: B018
    program = "import sys, simmst as s; s.TrafficData, s.read_table, s.__version__; print('torch' in sys.modules)"
    root = Path(sm.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "False"


def test_the_command_line_forecasts_with_what_python_saved(fitted, traffic, tmp_path, monkeypatch):
    fitted["ridge"].save(tmp_path / "ridge")
    traffic.save(tmp_path / "town.npz")
    arguments = ["--checkpoint", tmp_path / "ridge", "--data", tmp_path / "town.npz", "--out", tmp_path / "f.csv"]
    done = CliRunner().invoke(app, ["forecast", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    found = pl.read_csv(tmp_path / "f.csv")["forecast"].to_numpy()
    np.testing.assert_allclose(found, fitted["ridge"].predict(traffic).values.ravel(), rtol=1e-5)
