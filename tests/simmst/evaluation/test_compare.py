"""The paired tests: intervals over days, signed ranks over nodes, and their correction."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from simmst.evaluation.cell import Cell, Finished
from simmst.evaluation.compare import Row, _batch_means, _holm, compare


def made_row(name: str, by_origin: np.ndarray, by_node: np.ndarray) -> Row:
    """A row of one task from its errors, a cell a seed: `[seeds, O]` and `[seeds, N]`."""
    found = []
    for origins, nodes in zip(by_origin, by_node, strict=True):
        figures = {"mae": float(origins.mean())}
        result = {"horizons": {"24": {"tasks": {"net": figures}, "mean": figures}}}
        details = {"by_origin": origins[:, None], "by_node": nodes[:, None]}
        found.append(Finished(Cell(name, "real", None, len(found)), result, details))
    return Row(name, False, tuple(found))


def noise(level: float, seed: int, seeds: int = 3, origins: int = 480) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return level + 0.1 * rng.normal(size=(seeds, origins)), level + 0.1 * rng.normal(size=(seeds, 50))


def test_a_large_difference_is_real_and_none_is_not():
    rows = [
        made_row("worse", *noise(1.5, 0)),
        made_row("good", *noise(1.0, 1)),
        made_row("same", *noise(1.001, 2)),
    ]
    found = {one.row: one for one in compare(rows, 24)}
    assert {one.best for one in found.values()} <= {"good", "same"}
    assert (
        found["worse"].real
        and found["worse"].low > 0.4
        and found["worse"].difference == pytest.approx(0.5, abs=0.05)
    )
    other = next(one for name, one in found.items() if name != "worse")
    assert not other.real


def test_a_row_without_seeds_is_held_against_one_with_seeds():
    found = compare([made_row("ridge", *noise(2.0, 0, seeds=1)), made_row("net", *noise(1.0, 1))], 24)
    assert found[0].best == "net" and found[0].real


def test_one_bad_day_is_not_a_real_difference():
    by_origin, by_node = noise(1.0, 0, seeds=1)
    other = by_origin.copy()
    other[:, :24] += 1.0
    found = compare([made_row("a", by_origin, by_node), made_row("b", other, by_node + 0.1)], 24)
    assert found[0].p_nodes < 0.05 and found[0].low <= 0.0 and not found[0].real


@pytest.mark.parametrize("origins", [1, 97, 6 * 48 - 1])
def test_with_too_few_test_days_there_is_no_verdict(origins):
    rows = [made_row("a", *noise(1.0, 0, origins=origins)), made_row("b", *noise(9.0, 1, origins=origins))]
    (found,) = compare(rows, 24)
    assert found.blocks == origins // 48 < 6
    assert (found.real, found.low, found.p_days) == (None, None, None) and found.difference > 7
    assert (found.verdict, found.interval) == ("too few days", "–")


def test_where_nothing_differs_the_interval_covers_0_nearly_as_often_as_it_says():
    rng, draws, covered = np.random.default_rng(0), 400, 0
    for _ in range(draws):  # errors by the hour, seen by origins 24 hours ahead over 13 days
        difference = np.convolve(rng.normal(size=13 * 24), np.ones(24) / 24, "valid")
        a, b = 10 + difference[None], np.full((1, len(difference)), 10.0)
        (found,) = compare([made_row("a", a, np.ones((1, 2))), made_row("b", b, np.ones((1, 2)))], 24)
        covered += found.low <= 0 <= found.high
    assert covered / draws > 0.9


def test_rows_that_are_the_same_do_not_differ():
    by_origin, by_node = noise(1.0, 0)
    (found,) = compare([made_row("a", by_origin, by_node), made_row("b", by_origin, by_node)], 24)
    assert (found.real, found.p_days) == (False, 1.0)


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_interval_and_p_are_those_of_students_test_on_the_means_of_the_blocks(shift):
    difference = np.random.default_rng(4).normal(shift, 1.0, 84)
    blocks, low, high, p = _batch_means(difference, 12)
    wanted = ttest_1samp(difference.reshape(7, 12).mean(axis=1), 0.0)  # by SciPy
    assert blocks == 7 and p == pytest.approx(wanted.pvalue, rel=1e-9)
    assert (low, high) == pytest.approx(tuple(wanted.confidence_interval(0.95)), rel=1e-9)


def test_holms_correction_is_the_one_by_hand():
    # Holm (1979): the sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1 are 0.04, 0.06, 0.06, 0.04; none may fall
    # again. Bonferroni's, times 4 throughout, would be 0.16, 0.04, 0.12, 0.08.
    assert _holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06], rel=1e-12)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holms_correction_keeps_the_order_and_only_raises(p):
    corrected = _holm(p)
    assert all(p[i] <= corrected[i] <= 1 for i in range(len(p)))
    order = np.argsort(p, kind="stable")
    assert all(corrected[a] <= corrected[b] for a, b in pairwise(order))
    assert corrected[order[0]] == pytest.approx(min(1, len(p) * p[order[0]]))
