"""The first screen: the answer in words is that of the probabilities, names stay text, and its size is bounded."""

import dataclasses
import json
import re

import numpy as np
import pytest

import simmst as sm
from simmst.reports.answer import answer, answer_page, rounded

HOSTILE = "<script>alert('x')</script>"


@pytest.fixture(scope="module")
def town() -> tuple[sm.TrafficData, sm.Selected]:
    rng = np.random.default_rng(0)
    wave = (3 + 2 * np.sin(2 * np.pi * np.arange(24 * 21) / 24))[:, None, None] * np.exp(rng.normal(0, 1, (12, 1)))
    values = (wave * np.exp(rng.normal(0, 0.1, wave.shape))).astype(np.float32)
    names = (HOSTILE, *(f"n{i}" for i in range(11)))
    data = sm.TrafficData(values, np.datetime64("2024-01-01T00:00", "m"), 60, ("net",), names)
    return data, sm.Selected().fit(data)


@pytest.mark.parametrize(("factor", "word"), [(0.5, "Yes: 12 of 12"), (5.0, "Unlikely: none of 12")])
def test_the_answer_is_that_of_the_probabilities(town, factor, word):
    data, fitted = town
    forecast = fitted.predict(data)
    limits = factor * data.values.max(axis=0).astype(float)
    found = answer(forecast, ["Sure."], fitted.held_back, limits)
    behind = " ".join(found["behind"])
    assert found["verdict"].startswith(word) and "No threshold" not in behind
    first = forecast.risk(limits).row(0, named=True)
    chance = "below 1 %" if factor > 1 else f"{100 * first['probability']:.0f} %".replace("100", "above 99")
    assert first["node"] in behind and f"({chance})" in behind and found["question"] == "Will any cell be full?"


def test_without_thresholds_it_says_that_the_highest_hour_stands_in(town):
    data, fitted = town
    found = answer(fitted.predict(data), [], fitted.held_back)
    assert "above every hour of the 21 days seen" in found["verdict"]
    assert "No threshold was given" in found["behind"][-1] and "than ever seen" in found["question"]
    assert "threshold" not in found["columns"] and len(found["columns"]) == len(found["listed"][0])


def test_names_stay_text_and_nothing_outside_is_asked_for(town):
    data, fitted = town
    placed = dataclasses.replace(data, coordinates=np.random.default_rng(0).uniform(9, 9.1, (12, 2)))
    found = answer(fitted.predict(placed), [HOSTILE], fitted.held_back)
    html = answer_page(HOSTILE, found, [HOSTILE], {HOSTILE: HOSTILE})
    assert HOSTILE not in html and len(re.findall("<circle[^>]*><title>", html)) == 12
    assert html.count('class="cell ') == 12
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
    first = answer(sm.pretrained().predict(data), [])
    html = answer_page("Large", first, [], {})
    assert len(html) < 700_000 and html.count('class="cell ') == 120
    rest = json.loads(re.search(r'id="rest">(.*?)</script>', html)[1])
    drawn = {one["name"] for one in first["cells"]}
    assert drawn | {line.split(":")[0] for line in rest} == {f"{i} · net" for i in range(2000)}


@pytest.mark.parametrize(("horizon", "span"), [(1, "one hour"), (5, "5 hours"), (24, "all day"), (48, "all day")])
def test_any_horizon_has_a_first_screen_that_speaks_of_its_hours(town, horizon, span):
    data, _ = town
    found = answer(sm.pretrained().predict(data, horizon), [])
    assert answer_page("Short", found, [], {}).startswith("<!doctype html>") and found["span"] == span


def test_of_a_longer_forecast_nothing_after_the_first_day_is_said(town):
    data, _ = town
    forecast = sm.pretrained().predict(data, 48)
    later = np.where(np.arange(48)[:, None, None, None] < 24, 0.01, 100.0) * forecast.quantiles
    rising = dataclasses.replace(forecast, quantiles=later)
    assert rising.risk(data.values.max(axis=0).astype(float))["probability"].max() > 0.9
    assert answer(rising, [])["verdict"].startswith("Unlikely")


def test_a_cell_without_a_record_is_not_said_to_be_busier_than_ever(town):
    data, _ = town
    forecast = sm.pretrained().predict(data)
    gap = sm.Gap("net", data.times[0], data.times[-1] + np.timedelta64(60, "m"))
    found = answer(dataclasses.replace(forecast, history=dataclasses.replace(data, gaps=(gap,))), [])
    assert found["of"] == 0 and found["verdict"].startswith("Nothing") and not found["listed"]
    assert answer_page("Empty", found, [], {}).startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (1169692.4, "1,170,000"), (999.96, "1,000"), (12345.6, "12,350"), (500.0, "500"), (5.0108, "5.011"),
     (0.01234567, "0.01235"), (float("nan"), "–")],
)  # fmt: skip
def test_figures_have_four_digits_and_no_exponent(number, text):
    assert rounded(number) == text
