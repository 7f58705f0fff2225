"""The service in one process: what it answers, what it refuses, and what it never says."""

import asyncio
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("fastapi", reason="the extra serve is not installed")
from fastapi.testclient import TestClient

from simmst.errors import SimmstError
from simmst.forecasting.closed_form import Ridge
from simmst.serving.answers import as_answer
from simmst.serving.app import make_app
from simmst.serving.body import CSV, JSON, NPZ, TooLarge, read_body, traffic_of
from simmst.serving.source import Source
from simmst.serving.worker import Busy, Worker
from simmst.traffic.dataset import TrafficData

HORIZON = 6


def traffic(hours: int = 24 * 14, seed: int = 0, start: str = "2024-01-01T00:00") -> TrafficData:
    rng = np.random.default_rng(seed)
    wave = 20 + 10 * np.sin(2 * np.pi * np.arange(hours) / 24)
    values = wave[:, None, None] * np.exp(rng.normal(0, 0.1, (hours, 3, 2)))
    names = ("call", "=net"), tuple("abc")
    return TrafficData(values.astype(np.float32), np.datetime64(start, "m"), 60, *names, units="MB")


def body_of(data: TrafficData) -> dict:
    return {
        "start": str(data.start), "step_minutes": 60, "services": data.services, "nodes": data.node_ids,
        "units": data.units, "values": data.values.tolist(),
    }  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("hidden-place")
    traffic().save(path / "newest.npz")
    Ridge(horizon=HORIZON).fit(traffic()).save(path / "run")
    return path


@pytest.fixture(scope="module")
def source(folder) -> Source:
    return Source(folder / "run", folder / "newest.npz")


@pytest.fixture(scope="module")
def client(source):
    with TestClient(make_app(source, most_bytes=1 << 20), raise_server_exceptions=False) as made:
        yield made


@pytest.fixture(scope="module")
def wanted(folder):
    return Ridge.load(folder / "run").predict(traffic(), level=0.8)


def test_health_says_what_is_served(client):
    found = client.get("/health").json()
    assert found["name"] == "run" and found["forecaster"] == "ridge" and not found["stale"]
    assert found["data"]["last"] == "2024-01-14T23:00" and found["data"]["units"] == "MB"


def test_a_forecast_is_that_of_the_library(client, wanted):
    found = client.get("/forecast", params={"level": 0.8}).json()
    for name in ("values", "lower", "upper"):
        key = "forecast" if name == "values" else name
        np.testing.assert_allclose(found[key], getattr(wanted, name), rtol=1e-5)
    assert found["times"] == [f"2024-01-15T0{h}:00" for h in range(HORIZON)]


def test_nodes_and_services_are_a_part_in_the_order_asked_for(client, wanted):
    found = client.get("/forecast", params={"nodes": ["c", "a"], "services": "=net", "horizon": 2}).json()
    assert found["nodes"] == ["c", "a"] and found["services"] == ["=net"]
    np.testing.assert_allclose(found["forecast"], wanted.values[:2][:, [2, 0]][:, :, [1]], rtol=1e-5)


@pytest.mark.parametrize("how", [{"params": {"format": "csv"}}, {"headers": {"accept": "text/csv"}}])
def test_csv_is_the_table_and_no_formula(client, wanted, how):
    answered = client.get("/forecast", **how)
    assert answered.headers["content-type"].startswith("text/csv")
    table = pl.read_csv(io.StringIO(answered.text))
    assert table.columns == ["time", "node", "service", "forecast", "lower", "upper"]
    np.testing.assert_allclose(table["forecast"].to_numpy(), wanted.values.ravel(), rtol=1e-5)
    assert "'=net" in table["service"].to_list()


def npz_of(data: TrafficData, folder: Path) -> bytes:
    data.save(folder / "posted.npz")
    return (folder / "posted.npz").read_bytes()


def csv_of(data: TrafficData) -> bytes:
    hours, nodes, _ = data.values.shape
    columns = {"time": np.repeat(data.times.astype("datetime64[us]"), nodes), "node": list(data.node_ids) * hours}
    frame = pl.DataFrame({**columns, **{s: data.values[..., i].ravel() for i, s in enumerate(data.services)}})
    return frame.write_csv(datetime_format="%Y-%m-%dT%H:%M").encode()


@pytest.mark.parametrize("kind", [JSON, CSV, NPZ])
def test_posted_traffic_is_forecast_from_its_end(client, folder, tmp_path, kind):
    newer = traffic(24 * 9, seed=5, start="2024-02-01T00:00")
    body = {JSON: json.dumps(body_of(newer)).encode(), CSV: csv_of(newer), NPZ: npz_of(newer, tmp_path)}[kind]
    found = client.post("/forecast", content=body, headers={"content-type": kind}, params={"units": "MB"})
    assert found.status_code == 200, found.text
    assert found.json()["times"][0] == "2024-02-10T00:00"
    wanted = Ridge.load(folder / "run").predict(newer)
    np.testing.assert_allclose(found.json()["forecast"], wanted.values, rtol=1e-4)


@pytest.mark.parametrize(
    ("asked", "argument"),
    [
        ({"horizon": 0}, "horizon"), ({"horizon": 7}, "horizon"), ({"horizon": "x"}, "horizon"),
        ({"level": 1}, "level"),
        ({"level": "nan"}, "level"), ({"nodes": "z"}, "nodes"), ({"nodes": ["a", "a"]}, "nodes"),
        ({"services": "z"}, "services"), ({"format": "xml"}, "format"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_argument(client, asked, argument):
    answered = client.get("/forecast", params=asked)
    assert answered.status_code == 422 and answered.json()["argument"] == argument, answered.text


@pytest.mark.parametrize(
    ("body", "kind", "status", "words"),
    [
        (b"{}", JSON, 422, "start"), (b"not json", JSON, 422, "JSON"), (b"PK", NPZ, 422, "npz"),
        (b"a,b\n1,2\n", CSV, 422, "time, node"), (b"", CSV, 422, "CSV"), (b"x" * (1 << 21), NPZ, 413, "bytes"),
        (b"{}", "text/plain", 415, "content-type"),
    ],
)  # fmt: skip
def test_a_body_that_cannot_be_read_is_refused_in_words(client, folder, body, kind, status, words):
    answered = client.post("/forecast", content=body, headers={"content-type": kind})
    assert answered.status_code == status and words in answered.json()["message"], answered.text
    assert str(folder) not in answered.text and "/tmp" not in answered.text and "Traceback" not in answered.text


def test_an_unknown_address_and_method_are_refused_in_json(client):
    assert client.get("/nothing").json()["message"] == "Not Found"
    assert client.delete("/forecast").status_code == 405


def test_what_fails_unforeseen_shows_nothing(source, monkeypatch, folder):
    def fail(*_):
        raise RuntimeError(f"{folder}: a secret")

    monkeypatch.setattr(Source, "current", fail)
    with TestClient(make_app(source), raise_server_exceptions=False) as client:
        answered = client.get("/forecast")
    assert answered.status_code == 500 and "secret" not in answered.text


def test_ends_that_are_not_there_are_null(wanted):
    empty = np.full_like(wanted.values, np.nan)
    found = json.loads(as_answer(replace(wanted, lower=empty, upper=empty), "g").model_dump_json())
    assert {one for hour in found["lower"] for node in hour for one in node} == {None}
    np.testing.assert_allclose(found["forecast"], wanted.values, rtol=1e-5)


def test_the_report_is_a_page_without_the_place(client, folder):
    answered = client.get("/report")
    assert answered.status_code == 200 and answered.headers["content-type"].startswith("text/html")
    assert "<html" in answered.text.lower() and str(folder) not in answered.text
    assert "default-src 'none'" in answered.headers["content-security-policy"]


def test_other_hosts_are_refused_on_loopback(source):
    with TestClient(make_app(source, hosts=["127.0.0.1"]), base_url="http://evil.example") as client:
        assert client.get("/health").status_code == 400


def test_newer_files_are_served_and_damaged_ones_are_not(tmp_path):
    Ridge(horizon=HORIZON).fit(traffic()).save(tmp_path / "run")
    traffic().save(tmp_path / "newest.npz")
    with TestClient(make_app(Source(tmp_path / "run", tmp_path / "newest.npz"))) as client:
        first = client.get("/health").json()
        traffic(24 * 15).save(tmp_path / "newest.npz")
        second = client.get("/forecast").json()
        assert second["times"][0] == "2024-01-16T00:00" and second["generation"] != first["generation"]
        (tmp_path / "newest.npz").write_bytes(b"half")
        third = client.get("/forecast").json()
        assert third == second and client.get("/health").json()["stale"]
        traffic(24 * 16).save(tmp_path / "newest.npz")
        last = client.get("/health").json()
        assert last["data"]["last"] == "2024-01-16T23:00" and not last["stale"]


def test_without_a_run_the_file_itself_is_forecast(tmp_path):
    traffic(48).save(tmp_path / "city.npz")
    with TestClient(make_app(Source(None, tmp_path / "city.npz"))) as client:
        assert len(client.get("/forecast", params={"horizon": 5}).json()["times"]) == 5
        assert client.get("/health").json()["name"] == "city.npz"


@pytest.mark.parametrize("given_", [(None, None), ("missing", None), ("run", None)])
def test_a_source_that_is_none_is_refused(folder, given_):
    run, data = (None if one is None else folder / one for one in given_)
    with pytest.raises(SimmstError, match=r"data|run"):
        Source(run, data)


def test_who_comes_too_many_is_told_when_to_come_again(source):
    with TestClient(make_app(source, waiting=0)) as client:
        answered = client.get("/forecast")
    assert answered.status_code == 503 and int(answered.headers["retry-after"]) >= 1


def test_a_place_is_given_back_also_where_the_work_fails():
    async def go():
        worker = Worker(1)
        for _ in range(3):
            worker.take()
            with pytest.raises(Busy):
                worker.take()
            with pytest.raises(ZeroDivisionError):
                await worker.run(lambda: 1 // 0)
            await asyncio.sleep(0.02)
        worker.close()

    asyncio.run(go())


def test_bytes_are_counted_as_they_come():
    async def parts():
        for _ in range(5):
            yield b"x" * 10

    async def go(most):
        return await read_body(parts(), most)

    assert len(asyncio.run(go(50))) == 50
    with pytest.raises(TooLarge):
        asyncio.run(go(49))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([JSON, CSV, NPZ]))
def test_any_bytes_are_traffic_or_refused(body, kind):
    try:
        assert isinstance(traffic_of(body, kind, "MB"), TrafficData)
    except SimmstError as error:
        assert "/tmp" not in str(error)
