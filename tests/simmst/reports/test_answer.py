"""The first screen: the answer in words is that of the probabilities, names stay text, and its size is bounded."""

import dataclasses
import re

import numpy as np
import pytest

import simmst as sm
from simmst.reports.answer import answer, answer_page

HOSTILE = "<script>alert('x')</script>"


@pytest.fixture(scope="module")
def town() -> tuple[sm.TrafficData, sm.Selected]:
    rng = np.random.default_rng(0)
    wave = (3 + 2 * np.sin(2 * np.pi * np.arange(24 * 21) / 24))[:, None, None] * np.exp(rng.normal(0, 1, (12, 1)))
    values = (wave * np.exp(rng.normal(0, 0.1, wave.shape))).astype(np.float32)
    names = (HOSTILE, *(f"n{i}" for i in range(11)))
    data = sm.TrafficData(values, np.datetime64("2024-01-01T00:00", "m"), 60, ("net",), names)
    return data, sm.Selected().fit(data)


@pytest.mark.parametrize(("factor", "word"), [(0.5, "Yes: 12 of 12"), (5.0, "No: none of 12")])
def test_the_answer_is_that_of_the_probabilities(town, factor, word):
    data, fitted = town
    forecast = fitted.predict(data)
    limits = factor * data.values.max(axis=0).astype(float)
    found = answer(forecast, ["Sure."], fitted.held_back, limits)
    assert found["verdict"].startswith(word) and "No threshold" not in found["verdict"]
    first = forecast.risk(limits).row(0, named=True)
    assert first["node"] in found["verdict"] and f"{100 * first['probability']:.0f} %" in found["verdict"]


def test_without_thresholds_it_says_that_the_highest_hour_stands_in(town):
    data, fitted = town
    found = answer(fitted.predict(data), [], fitted.held_back)
    assert "above every hour of the 21 days seen" in found["verdict"]
    assert "No threshold was given" in found["verdict"]
    assert "threshold" not in found["columns"] and len(found["columns"]) == len(found["listed"][0])


def test_names_stay_text_and_nothing_outside_is_asked_for(town):
    data, fitted = town
    placed = dataclasses.replace(data, coordinates=np.random.default_rng(0).uniform(9, 9.1, (12, 2)))
    found = answer(fitted.predict(placed), [HOSTILE], fitted.held_back)
    html = answer_page(HOSTILE, found, [HOSTILE], {HOSTILE: HOSTILE})
    assert HOSTILE not in html and html.count("<circle") == 12 and html.count('class="cell ') == 12
    assert not re.search(r"(?:src|href)=|https?://|url\(", html)
    assert len(re.findall("<script>", html)) == 1


def test_a_page_of_many_cells_stays_small():
    rng = np.random.default_rng(0)
    wave = (3 + 2 * np.sin(2 * np.pi * np.arange(24 * 8) / 24))[:, None, None] * np.ones((1, 2000, 1))
    values = (wave * np.exp(rng.normal(0, 0.1, wave.shape))).astype(np.float32)
    data = sm.TrafficData(
        values, np.datetime64("2024-01-01T00:00", "m"), 60, ("net",), tuple(map(str, range(2000))),
        rng.uniform(9, 9.1, (2000, 2)),
    )  # fmt: skip
    html = answer_page("Large", answer(sm.pretrained().predict(data), []), [], {})
    assert len(html) < 700_000 and html.count('class="cell ') == 120


@pytest.mark.parametrize("horizon", [1, 5, 48])
def test_any_horizon_has_a_first_screen(town, horizon):
    data, _ = town
    forecast = sm.pretrained().predict(data, horizon)
    assert answer_page("Short", answer(forecast, []), [], {}).startswith("<!doctype html>")
