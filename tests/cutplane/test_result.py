"""What comes out: statuses, records, history."""

from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest

from cutplane import BilevelSolver, History, Record, Status


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
