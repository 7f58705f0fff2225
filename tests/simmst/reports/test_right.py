"""What is said of a forecaster beside the rows that it chose from."""

import numpy as np
import pytest

from simmst.forecasting.choice import Choice
from simmst.reports.right import beside

ROWS = ("network", "profile", "last week", "network + profile")


def choice(errors: np.ndarray, taken: list[int], origins: int = 20) -> Choice:
    groups = ("1 h", "2-6 h", "7-12 h", "13-24 h")
    return Choice(ROWS, ("net",), groups, errors, np.array([taken]), origins)


def test_what_was_taken_stands_beside_the_best_row_alone_over_all_hours():
    errors = np.array([[1.0, 3, 3, 3], [4.0, 2, 2, 2], [9.0, 9, 9, 9], [3.0, 1, 1, 1]])[:, None]
    # Taken: (1 + 23 * 1) / 24; the best simple row is profile, (4 + 23 * 2) / 24. 1 - 24 / 50 = 52 %.
    (said,) = beside(choice(errors, [0, 3, 3, 3]), 24)
    assert "net 52 % below “profile”" in said and "too good" in said
    (said,) = beside(choice(errors, [0, 0, 0, 0]), 24)  # (1 + 23 * 3) / 24 = 70 / 24: 40 % more
    assert "net 40 % above “profile”" in said
    (said,) = beside(choice(errors, [1, 1, 1, 1]), 24)
    assert "net that of “profile”" in said


@pytest.mark.parametrize("found", [None, choice(np.full((4, 1, 4), np.nan), [0] * 4, origins=0)])
def test_where_nothing_was_compared_nothing_is_said(found):
    assert beside(found, 24) == []


def test_rows_without_a_figure_are_not_the_best():
    errors = np.array([[2.0] * 4, [np.nan, 1, 1, 1], [4.0] * 4, [1.0] * 4])[:, None]
    (said,) = beside(choice(errors, [0] * 4), 24)
    assert "net 50 % below “last week”" in said
