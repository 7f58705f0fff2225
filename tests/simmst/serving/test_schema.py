"""The service keeps what its OpenAPI schema promises: requests drawn from the schema, good and bad."""

import pytest

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
pytest.importorskip("fastapi", reason="the extra serve is not installed")

import numpy as np
from hypothesis import HealthCheck, settings

from simmst.forecasting.closed_form import Ridge
from simmst.serving.app import make_app
from simmst.serving.source import Source
from simmst.traffic.dataset import TrafficData


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    path = tmp_path_factory.mktemp("schema")
    values = np.random.default_rng(0).gamma(3, 5, (24 * 14, 2, 1)).astype(np.float32)
    data = TrafficData(values, np.datetime64("2024-01-01T00:00", "m"), 60, ("call",), ("a", "b"), units="MB")
    data.save(path / "newest.npz")
    Ridge(horizon=6).fit(data).save(path / "run")
    return schemathesis.openapi.from_asgi("/openapi.json", make_app(Source(path / "run", path / "newest.npz")))


schema = schemathesis.pytest.from_fixture("served")


@schema.parametrize()
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_every_answer_is_one_of_the_schema(case):
    c = schemathesis.checks
    answered = case.call()
    case.validate_response(
        answered,
        checks=[
            c.not_a_server_error, c.status_code_conformance, c.content_type_conformance, c.response_schema_conformance,
        ] if hasattr(c, "status_code_conformance") else None,
    )  # fmt: skip
    assert "Traceback" not in answered.text
