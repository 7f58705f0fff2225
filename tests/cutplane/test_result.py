"""What comes out: statuses, records, history."""

import copy
import pickle
from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest

from cutplane import BilevelSolver, History, InputError, Record, Status
from cutplane.methods import METHODS

CONTINUOUS = tuple(name for name in METHODS if name != "outer")  # which is for whole numbers


def test_statuses_carry_code_message_and_success():
    assert len({s.code for s in Status}) == len(list(Status))
    assert all(Status.from_code(s.code) is s and s.message for s in Status)
    assert {s for s in Status if s.success} == {Status.OPTIMAL, Status.STATIONARY, Status.TESTED}


def test_the_history_goes_to_columns_and_back():
    history = History()
    assert all(column.size == 0 for column in history.to_dict().values())
    history.append(Record(1, 1, 0.5, np.nan, 0.1, 3, 2, 1, 0, 0, np.inf, -np.inf, 0.2))
    columns = history.to_dict()
    assert set(columns) == {f.name for f in fields(Record)}
    assert columns["planes"].dtype == np.int64 and columns["fun"].dtype == np.float64
    twin = History.from_dict(columns)
    assert len(twin) == 1 and isinstance(twin[0].planes, int)
    assert all(np.array_equal(columns[k], v, equal_nan=True) for k, v in twin.to_dict().items())


def test_records_and_results_are_frozen_and_a_result_has_scipys_names(quadratic_bilevel):
    case = quadratic_bilevel(1)
    result = BilevelSolver(method="level", epsilon=1e-8).solve(case.problem, np.zeros(3), np.zeros(4))
    with pytest.raises(FrozenInstanceError):
        result.fun = 0.0
    with pytest.raises(FrozenInstanceError):
        result.history[0].fun = 0.0
    for name in (
        "x",
        "y",
        "fun",
        "success",
        "status",
        "message",
        "nit",
        "nfev",
        "njev",
        "lower_gap",
        "bound",
        "gap",
    ):
        assert hasattr(result, name)
    assert result.success is True and result.nit == len(result.history) == result.state.nit
    assert result.gap == result.fun - result.bound and result.message == Status.OPTIMAL.message
    assert np.array_equal(result.history.to_dict()["iteration"], np.arange(1, result.nit + 1))


@pytest.mark.parametrize("way", [lambda result: pickle.loads(pickle.dumps(result)), copy.deepcopy])
@pytest.mark.parametrize("formulation", ["joint", "reduced"])
@pytest.mark.parametrize("method", CONTINUOUS)
def test_a_result_comes_back_whole_and_its_state_goes_on(quadratic_bilevel, method, formulation, way):
    problem = quadratic_bilevel(2).problem
    part = BilevelSolver(method=method, formulation=formulation, epsilon=1e-8, max_iterations=6)
    result = part.solve(problem, np.zeros(3), np.zeros(4))
    twin = way(result)
    for name in (f.name for f in fields(result)):
        ours, theirs = getattr(result, name), getattr(twin, name)
        if name == "history":
            assert all(np.array_equal(v, theirs.to_dict()[k], equal_nan=True) for k, v in ours.to_dict().items())
        elif name != "state":
            np.testing.assert_array_equal(ours, theirs)
    assert twin.status is result.status and twin.state.runtime == {} and repr(twin) == repr(result)
    whole = BilevelSolver(method=method, formulation=formulation, epsilon=1e-8, max_iterations=300)
    on = [whole.solve(problem, state=one.state) for one in (result, twin)]
    assert on[0].nit > 6 and on[0].nit == on[1].nit and on[0].nfev == on[1].nfev
    for name in ("x", "y", "fun", "bound", "message"):
        np.testing.assert_array_equal(getattr(on[0], name), getattr(on[1], name), err_msg=name)


@pytest.mark.parametrize("status", Status)
def test_a_status_is_itself_after_a_pickle_and_a_copy(status):
    assert pickle.loads(pickle.dumps(status)) is status and copy.deepcopy(status) is status


def test_results_are_compared_without_an_error(quadratic_bilevel):
    case = quadratic_bilevel(1)
    result = BilevelSolver(method="level", epsilon=1e-8).solve(case.problem, np.zeros(3), np.zeros(4))
    assert result == result and result != copy.deepcopy(result) and result != 3
    assert len({result, replace(result, fun=0.0)}) == 2
    record = result.history[-1]
    assert record == copy.deepcopy(record) == pickle.loads(pickle.dumps(record)) and record != result.history[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fun": None}, "the history lacks column 'fun'"),
        ({"other": np.zeros(1)}, "the history has no column 'other'"),
        ({"fun": np.zeros(2)}, "the history's "),
        ({"fun": np.zeros((1, 1))}, "the history's "),
        ({"fun": np.zeros(1, dtype=np.int64)}, "the history's fun is of shape .* int64, not .* float64"),
        ({"planes": np.zeros(1)}, "the history's planes"),
        ({"planes": np.array([-1])}, "the history's planes holds -1; it is a count"),
    ],
)
def test_a_history_of_wrong_columns_is_refused(change, words):
    history = History()
    history.append(Record(1, 1, 0.5, np.nan, 0.1, 3, 2, 1, 0, 0, np.inf, -np.inf, 0.2))
    columns = {k: v for k, v in (history.to_dict() | change).items() if v is not None}
    with pytest.raises(InputError, match=words):
        History.from_dict(columns)
