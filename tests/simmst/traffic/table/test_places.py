"""Several rows of one moment and node are one, parts of a sum, or a contradiction: never something else."""

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simmst.errors import ConfigError, DataError
from simmst.traffic.table.build import from_table
from simmst.traffic.table.places import folded


def table(rows):
    return pl.DataFrame(rows, schema=["time", "cell", "dl", "prb"], orient="row")


def read(table_rows, **options):
    options = {"units": "MB", "mean": ("prb",), "max_missing": 0.9, "gap_share": 0.9} | options
    return from_table(table(table_rows), "time", "cell", ["dl", "prb"], **options)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from("ab"), st.integers(0, 99), st.integers(0, 99)), min_size=1
    )
)
def test_parts_are_added_and_intensities_averaged(parts):
    whole = [(hour, cell, 0, 0) for hour in range(6) for cell in "ab"] + parts
    data, report = read([(f"2024-03-11 0{hour}:00", *rest) for hour, *rest in whole], rows="sum")
    for hour in range(6):
        for n, cell in enumerate("ab"):
            here = [(dl, prb) for h, c, dl, prb in whole if (h, c) == (hour, cell)]
            assert data.values[hour, n, 0] == sum(dl for dl, _ in here)
            assert data.values[hour, n, 1] == pytest.approx(sum(prb for _, prb in here) / len(here))
    assert report.summed == len(parts) and any("were added to another" in line for line in report.sentences)


def test_a_part_that_is_unknown_makes_the_sum_unknown():
    rows = [(f"2024-03-11 {hour:02}:00", "a", 5.0, 1.0) for hour in range(10)]
    data, _ = read([*rows, (rows[3][0], "a", None, 1.0)], rows="sum", gap_share=0.0)
    assert np.flatnonzero(data.filled[:, 0]).tolist() == [3] and not data.filled[:, 1].any()


def test_parts_in_an_hour_that_is_repeated_are_not_added():
    hours = [f"2024-10-27 0{hour}:00" for hour in (1, 2, 2, 3)]
    rows = [(hour, "a", 1, 1) for hour in hours for _ in range(2)]
    with pytest.raises(ConfigError, match=r"daylight saving repeats 2024-10-27T02:00.*--dst"):
        read(rows, rows="sum", timezone="Europe/Rome")
    marked = table(rows).with_columns(mark=pl.Series(["1"] * 4 + ["0"] * 4))
    data, _ = from_table(
        marked, "time", "cell", ["dl", "prb"], "MB", ("prb",), timezone="Europe/Rome", dst="mark", rows="sum"
    )
    assert data.values[:, 0, 0].tolist() == [2, 2, 2]


def test_another_word_is_refused_and_a_contradiction_names_the_option():
    rows = [(f"2024-03-11 {hour:02}:00", "a", hour, 1) for hour in range(5)]
    with pytest.raises(ConfigError, match="rows='add'"):
        read(rows, rows="add")
    with pytest.raises(DataError, match=r"2024-03-11 02:00, 'a'.*--rows sum"):
        read([*rows, ("2024-03-11 02:00", "a", 9, 1)])


@given(st.lists(st.integers(0, 8), min_size=1, max_size=12), st.integers(0, 2**32 - 1))
def test_steps_hold_the_mean_of_their_moments(at, seed):
    at = sorted(at)
    if any(a == b == c for (a, b), (_, c) in pairwise(pairwise(at))):
        return  # no clock shows one time thrice
    at = np.array(at) - at[0]
    raw = np.random.default_rng(seed).random((len(at), 2, 1)).astype(np.float32)
    raw[raw < 0.2] = np.nan
    result, _ = folded(raw, at)
    for step in range(at[-1] + 1):
        known = [value for value in raw[at == step, 0, 0] if value == value]
        expected = np.mean(known) if known else np.nan
        np.testing.assert_allclose(result[step, 0, 0], expected, rtol=1e-6)
