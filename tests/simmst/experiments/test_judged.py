"""What a finished run says of its test days, on the page of a forecast by it."""

import json

import pytest

from simmst.evaluation.evaluate import OURS
from simmst.experiments.judged import kept_sentences

INTERVALS = {"pooled": 0.87, "nodes_right": 0.9}
RELIABILITY = {"bins": [{"from": 0.5, "said": 0.7, "came": 0.6, "hours": 10}]}


def row(mae: float) -> dict:
    return {"tasks": {"net": {"mae": mae}}}


def test_a_run_tells_of_its_test_days_and_of_the_rows_beside_it(tmp_path):
    metrics = {
        "intervals": INTERVALS, "reliability": RELIABILITY,
        "horizons": {"1": {OURS: row(9.0), "ridge": row(1.0)}, "24": {OURS: row(1.0), "ridge": row(2.0)}},
    }  # fmt: skip
    (tmp_path / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    said = kept_sentences(tmp_path)
    assert "On the test days of the run, 90 % intervals held 87 %" in said[0] and "60 % were" in said[1]
    assert said[2] == f"On them, {OURS} has the lowest MAE in net (50.0 % below ridge)."


def test_a_run_on_a_short_file_tells_of_the_days_that_it_held_back(tmp_path):
    metrics = {"intervals": INTERVALS, "reliability": None}
    (tmp_path / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    (said,) = kept_sentences(tmp_path)
    assert "the days that the run held back of the run" not in said and "held 87 %" in said


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", '{"intervals": null, "reliability": null}'])
def test_what_is_not_known_is_said_to_be_not_known(tmp_path, content):
    if content is not None:
        (tmp_path / "metrics.json").write_text(content, encoding="utf-8")
    (said,) = kept_sentences(tmp_path)
    assert said.startswith("The run's folder does not say")
