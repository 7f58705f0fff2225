"""What a spreadsheet would run it does not, and every text comes back as it was."""

import io

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

import simmst as sm
from simmst.io.spreadsheet import guarded, unguarded

TEXTS = st.text("=+-@'\ta1\r", max_size=5).filter(
    lambda text: not text.startswith(("'=", "'+", "'-", "'@", "'\t", "'\r"))
)


@given(st.lists(TEXTS, min_size=1), st.floats(allow_nan=False))
def test_texts_come_back_and_none_begins_a_formula(texts, number):
    table = pl.DataFrame({"node": texts, "value": number})
    kept = guarded(table)
    assert (
        not kept["node"].str.contains(r"^[=+\-@\t\r]").any()
        and kept["value"].to_list() == table["value"].to_list()
    )
    assert kept.with_columns(unguarded(pl.col("node")))["node"].to_list() == texts


def test_a_table_of_names_that_were_guarded_has_the_names_that_they_stand_for():
    hours = np.datetime64("2024-03-11", "us") + np.arange(30) * np.timedelta64(60, "m")
    table = pl.DataFrame({"time": np.repeat(hours, 2), "cell": ["=1+1", "x"] * 30, "dl": 1.0})
    text = guarded(table).write_csv()
    assert "'=1+1" in text
    data = sm.read_table(pl.read_csv(io.StringIO(text), try_parse_dates=True), "time", "cell", ["dl"], "MB")
    assert data.node_ids == ("=1+1", "x")
