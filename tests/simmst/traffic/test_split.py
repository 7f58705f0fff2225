"""Protocol J: parts, scores, and the rows that every table carries."""

import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simmst.errors import SimmstError
from simmst.evaluation.evaluate import baseline_forecasts
from simmst.evaluation.scores import counted, scores, truth
from simmst.traffic.split import Protocol, Span

# MAE / RMSE in MB on the test days of Jinan (5g_down, 5g_up, 4g_down, 4g_up), to the digits printed in
# Protocol J.
PROTOCOL_J = {
    (1, "last value"): "46.11 / 88.44 | 5.92 / 11.18 | 6.82 / 14.21 | 0.94 / 1.94",
    (1, "same hour yesterday"): "18.82 / 34.05 | 2.86 / 5.64 | 3.96 / 6.95 | 0.64 / 1.23",
    (1, "same hour last week"): "20.92 / 37.86 | 3.03 / 6.02 | 4.63 / 7.86 | 0.72 / 1.37",
    (1, "ridge"): "14.79 / 26.14 | 2.13 / 3.88 | 3.03 / 5.32 | 0.47 / 0.90",
    (6, "same hour yesterday"): "18.77 / 33.99 | 2.85 / 5.63 | 3.96 / 6.93 | 0.63 / 1.23",
    (6, "ridge"): "18.53 / 33.54 | 2.51 / 4.71 | 3.55 / 6.40 | 0.53 / 1.01",
    (24, "same hour yesterday"): "18.27 / 32.99 | 2.82 / 5.61 | 3.85 / 6.59 | 0.62 / 1.18",
    (24, "same hour last week"): "20.43 / 36.44 | 2.95 / 5.72 | 4.56 / 7.70 | 0.72 / 1.33",
    (24, "ridge"): "19.23 / 34.70 | 2.61 / 4.94 | 3.68 / 6.56 | 0.54 / 1.02",
}


@pytest.mark.parametrize("horizon", [1, 6, 24])
def test_the_printed_rows_of_protocol_j_come_out_to_the_digit(real_data, printed_scales, horizon):
    with np.load(real_data("jinan.npz"), allow_pickle=False) as file:
        values, services = file["values"], [str(name).removesuffix("_MB") for name in file["services"]]
    protocol = Protocol.proportional(len(values), horizon=horizon)
    origins = protocol.test.origins(horizon)
    rows = baseline_forecasts(values, protocol, horizon, np.zeros((len(values), values.shape[2]), dtype=bool))
    for (printed_horizon, name), printed in PROTOCOL_J.items():
        if printed_horizon == horizon:
            tasks = scores(rows[name], truth(values, origins, horizon), services)["tasks"]
            ours = " | ".join(f"{task['mae']:.2f} / {task['rmse']:.2f}" for task in tasks.values())
            assert ours == printed, name


@pytest.mark.parametrize("horizon", [1, 6, 24])
def test_the_ridge_in_units_of_nodes_is_no_worse_than_the_printed_one(real_data, horizon):
    with np.load(real_data("jinan.npz"), allow_pickle=False) as file:
        values = file["values"]
    protocol = Protocol.proportional(len(values), horizon=horizon)
    row = baseline_forecasts(values, protocol, horizon, np.zeros((len(values), 4), dtype=bool))["ridge"]
    found = scores(row, truth(values, protocol.test.origins(horizon), horizon), list("abcd"))["tasks"]
    printed = [float(one.split("/")[0]) for one in PROTOCOL_J[horizon, "ridge"].split("|")]
    assert (np.array([task["mae"] for task in found.values()]) < np.array(printed) + 0.005).all()


def test_twenty_two_days_are_split_as_protocol_j():
    protocol = Protocol.proportional(22 * 24)
    assert protocol == Protocol(Span(0, 336), Span(336, 408), Span(408, 528))
    assert protocol.test.origins(24)[[0, -1]].tolist() == [408, 504]
    assert protocol.fit_origins(24)[[0, -1]].tolist() == [168, 312]


@given(days=st.integers(1, 90), step_minutes=st.sampled_from([10, 30, 60]), horizon=st.integers(1, 60))
@example(days=17, step_minutes=60, horizon=49)
def test_any_file_is_split_into_parts_that_can_be_used_or_is_refused(days, step_minutes, horizon):
    steps = days * 1440 // step_minutes + 3
    try:
        protocol = Protocol.proportional(steps, step_minutes, horizon)
    except SimmstError as error:
        assert "too few" in str(error) and days < 18  # 18: 11 train, and 8 days and 60 hours at most are needed
        return
    assert protocol.train.start == 0
    assert protocol.train.stop == protocol.validation.start
    assert protocol.validation.stop == protocol.test.start
    assert steps - 3 == protocol.test.stop
    for span in (protocol.validation, protocol.test):
        assert len(span.origins(horizon)) >= 1
    assert len(protocol.fit_origins(horizon)) >= protocol.steps_per_day


def test_a_short_file_is_refused_with_what_is_needed():
    with pytest.raises(SimmstError, match=r"data: 7 whole days .* 24 steps: 14 are needed; give a longer file$"):
        Protocol.proportional(7 * 24)


@given(days=st.integers(1, 30), horizon=st.integers(1, 168))
@example(days=14, horizon=25)
def test_every_mend_that_is_named_helps(days, horizon):
    try:
        Protocol.proportional(24 * days, horizon=horizon)
    except SimmstError as error:
        needed = int(re.search(r"(\d+) are needed", str(error))[1])
        Protocol.proportional(24 * needed, horizon=horizon)
        with pytest.raises(SimmstError):
            Protocol.proportional(24 * (needed - 1), horizon=horizon)
        shorter = re.search(r"a horizon of at most (\d+) steps", str(error))
        if shorter:
            Protocol.proportional(24 * days, horizon=int(shorter[1]))
        assert bool(shorter) is (days >= 14)


def test_a_step_that_does_not_divide_a_day_is_refused():
    with pytest.raises(SimmstError, match="step_minutes: must divide a day"):
        Protocol.proportional(1000, 7)


def test_parts_that_overlap_are_refused():
    with pytest.raises(SimmstError, match="follow each other"):
        Protocol(Span(0, 100), Span(90, 120), Span(120, 140))
    with pytest.raises(SimmstError, match="0 <= start < stop"):
        Span(5, 5)


def test_scores_by_hand():
    actual = np.array([1.0, 3.0, 2.0, 2.0]).reshape(2, 2, 1, 1)  # two origins, two leads
    forecast = np.array([2.0, 3.0, 2.0, 5.0]).reshape(2, 2, 1, 1)
    result = scores(forecast, actual, ["net"])
    task = result["tasks"]["net"]
    assert task["mae"] == 1.0
    assert task["rmse"] == pytest.approx(np.sqrt(10 / 4))
    assert task["wape"] == 0.5
    assert task["by_lead"]["mae"] == [0.5, 1.5]
    assert task["by_lead"]["wape"] == [pytest.approx(1 / 3), pytest.approx(3 / 5)]
    assert result["mean"] == {name: task[name] for name in ("mae", "rmse", "wape")}


def test_what_was_filled_is_not_scored():
    values = np.ones((6, 2, 2))
    filled = np.zeros((6, 2), dtype=bool)
    filled[4, 0] = True
    values[4, :, 0] = 100.0  # whatever stands there
    origins = np.array([3, 4])
    kept = counted(filled, origins, 2)
    result = scores(np.ones((2, 2, 2, 2)), truth(values, origins, 2), ["a", "b"], kept)
    assert result["tasks"]["a"]["mae"] == 0.0 and result["tasks"]["a"]["by_lead"]["mae"] == [0.0, 0.0]
    assert counted(np.zeros((6, 2), bool), origins, 2) is None
    lone = scores(np.ones((1, 2, 2, 2)), truth(values, origins[:1], 2), ["a", "b"], kept[:1])
    assert lone["tasks"]["a"]["by_lead"]["mae"] == [0.0, None] and lone["tasks"]["a"]["mae"] == 0.0


def test_the_mean_runs_over_tasks_and_is_unknown_where_a_task_has_no_wape():
    actual = np.zeros((1, 1, 1, 2))
    actual[..., 0] = 4.0
    result = scores(actual + 2.0, actual, ["a", "b"])
    assert result["tasks"]["a"]["wape"] == 0.5
    assert result["tasks"]["b"]["wape"] is None
    assert result["mean"]["wape"] is None
    assert result["mean"]["mae"] == 2.0


def test_forecasts_of_a_wrong_shape_or_not_finite_are_errors():
    actual = np.ones((2, 3, 4, 1))
    with pytest.raises(SimmstError, match="forecast: needs the shape"):
        scores(actual[:, :1], actual, ["net"])
    with pytest.raises(SimmstError, match="1 values are not finite"):
        broken = actual.copy()
        broken[0, 0, 0, 0] = np.nan
        scores(broken, actual, ["net"])
