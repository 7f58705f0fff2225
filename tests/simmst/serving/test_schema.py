"""The service keeps what its OpenAPI schema promises: requests drawn from the schema, good and bad."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from simmst.forecasting.closed_form import Ridge
from simmst.traffic.dataset import TrafficData

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
checks = pytest.importorskip("schemathesis.checks")
make_app = pytest.importorskip("simmst.serving.app", reason="the extra serve is not installed").make_app

# The schema does not know which nodes, services and horizons the run has.
_NOT_ASKED = [schemathesis.checks.positive_data_acceptance]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    from simmst.serving.source import Source

    path = tmp_path_factory.mktemp("schema")
    values = np.random.default_rng(0).gamma(3, 5, (24 * 14, 2, 1)).astype(np.float32)
    data = TrafficData(values, np.datetime64("2024-01-01T00:00", "m"), 60, ("call",), ("a", "b"), units="MB")
    data.save(path / "newest.npz")
    Ridge(horizon=6).fit(data).save(path / "run")
    return schemathesis.openapi.from_asgi("/openapi.json", make_app(Source(path / "run", path / "newest.npz")))


def test_every_answer_is_one_of_the_schema(served):
    operations = [one.ok() for one in served.get_all_operations()]
    assert {f"{one.method} {one.path}".lower() for one in operations} == {
        "get /health", "get /forecast", "post /forecast", "get /report"
    }  # fmt: skip
    for operation in operations:

        @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
        @given(operation.as_strategy())
        def keeps_it(case):
            answered = case.call_and_validate(excluded_checks=_NOT_ASKED)
            assert "Traceback" not in answered.text

        keeps_it()
