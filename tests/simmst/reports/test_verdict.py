"""The answer in words: what the sum of the probabilities says, and how it did on held-back days."""

import re
from datetime import datetime

import numpy as np
import pytest

import simmst as sm
from simmst.forecasting.held_back import HeldBack
from simmst.forecasting.risk import LEAST
from simmst.pretraining.reading import LEVELS
from simmst.reports.verdict import expected_above, highest, lately, verdict


def cells(*probabilities: float) -> list[dict]:
    time = datetime(2024, 1, 22, 19)
    return [
        {"node": f"n{i}", "service": "net", "probability": p, "time": time} for i, p in enumerate(probabilities)
    ]


@pytest.mark.parametrize(
    ("probabilities", "begins"),
    [
        ([0.6, 0.2, 0.01], "Yes: 1 of 3 cells is likelier than not"),
        ([0.9, 0.6, 0.2], "Yes: 2 of 3 cells are likelier than not"),
        ([0.04] * 100, "Probably: about 4 or more of 100 cells"),  # each unlikely, together not
        ([0.4, 0.01], "Perhaps: none of 2 cells"),
        ([0.04] * 4, "Perhaps: none of 4 cells"),
        ([0.02], "Unlikely: none of 1 cells"),
        ([LEAST] * 5000, "Unlikely: none of 5,000 cells"),  # the floor of the probabilities adds up to nothing
        ([], "Nothing was asked"),
    ],
)
def test_many_unlikely_cells_are_likely_together(probabilities, begins):
    found = verdict(cells(*probabilities), given=True, days=21)
    assert found.sentence.startswith(begins)


def test_behind_the_answer_stand_the_likeliest_and_how_many_may():
    found = verdict(cells(0.6, 0.2, 0.2, 0.01), given=False, days=21)
    assert found.behind[0] == "Likeliest: n0, net, at 19:00 on Monday (60 %). 2 more have 10 to 50 %."
    assert "every hour of the 21 days seen" in found.sentence and "--threshold" in found.behind[1]
    (alone,) = verdict(cells(0.001), given=True, days=21).behind
    assert alone == "Likeliest: n0, net, at 19:00 on Monday (below 1 %)."


@pytest.fixture
def held() -> HeldBack:
    """Three origins, four hours, five cells; the quantiles of cell n are its number times those of one."""
    rng = np.random.default_rng(0)
    values = np.tile(np.arange(1, 6, dtype=np.float32)[:, None], (48, 1, 1))
    before = sm.TrafficData(values, np.datetime64("2024-01-01T00:00", "m"), 60, ("net",), tuple("abcde"))
    one = np.array([0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3])
    quantiles = np.ones((3, 4, 1, 1, 1)) * (np.arange(1, 6)[:, None, None] * one)
    truth = np.arange(1, 6)[:, None] * rng.uniform(0.7, 0.99, (3, 4, 5, 1))
    truth[0, 1, 2] = truth[0, 3, 2] = 99.0  # two hours of one cell are one cell
    truth[2, 0, 4] = 99.0
    truth[1, :, 0] = np.nan
    return HeldBack(before, np.array([48, 55, 62]), 0, quantiles, truth)


def figures(text: str) -> list[float]:
    said = re.search(r"days ([\d.]+)", text)[1]
    came = re.search(r"average; ([\d.]+)", text)[1]
    return [float(said), float(came)]


def test_held_back_days_are_counted_cell_by_cell(held):
    # The highest hour is the median: one half for each of 5, 4 (the truth of one is not known) and 5 cells: 7 / 3.
    text = lately(held, None, tuple("abcde"), ("net",))
    assert LEVELS[3] == 0.5 and figures(text) == [2.3, 0.7] and text.endswith("one or more in 2 of the 3.")


def test_thresholds_meet_the_nodes_that_were_held_back_by_name(held):
    limits = np.array([[1e9], [5.0], [4.0], [3.0], [2.0], [np.nan]])  # of f to a; those of b to e are medians
    text = lately(held, limits, tuple("fedcba"), ("net",))
    assert figures(text) == [2.0, 0.7] and "of 5 cells that were looked at" in text and "their thresholds" in text


def test_nothing_above_is_said_so(held):
    assert lately(held, np.full((5, 1), 1e6), tuple("abcde"), ("net",)).endswith("average; 0 were, none ever.")


def test_the_highest_hour_is_that_of_what_is_known():
    values = np.array([[1.0, 9.0], [5.0, 9.0]])[..., None]
    known = np.array([[True, False], [True, False]])[..., None]
    found = highest(values, known)
    assert found[0, 0] == 5.0 and np.isnan(found[1, 0])
    assert expected_above(np.array([0.5, LEAST])) == 0.5
