"""The HTML page of a run."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from simmst.evaluation.evaluate import OURS
from simmst.reports.run import render, verdict
from simmst.reweighting.diagnostics import effective_sample_size

HOSTILE = "<script>alert('$x$')</script> & \"4g\""


def figures(mae: float, wape: float | None = 0.1) -> dict:
    return {"mae": mae, "rmse": 2 * mae, "wape": wape}


def row(*maes: float) -> dict:
    return {
        "tasks": {name: figures(mae) for name, mae in zip(("down", HOSTILE), maes, strict=True)},
        "mean": figures(float(np.mean(maes))),
    }


@pytest.fixture
def results() -> dict:
    rng = np.random.default_rng(0)
    times = np.datetime64("2024-08-14T00:00") + np.arange(48) * np.timedelta64(60, "m")
    lines = {"truth": rng.random(48), OURS: rng.random(48), "ridge": rng.random(48)}
    weights = np.clip(rng.normal(0.4, 0.3, 300), 0, 1)
    return {
        "title": f"Run on {HOSTILE}",
        "notices": ["The target is synthetic."],
        "facts": {"file": HOSTILE, "seed": "3"},
        "units": "MB",
        "horizons": {
            1: {"ridge": row(2.0, 5.0), OURS: row(1.5, 6.0)},
            24: {"ridge": row(3.0, 0.0123), OURS: row(2.0, 0.0456)},
        },
        "origins": {1: "95 of 96 forecast origins", 24: "73 forecast origins"},
        "answer": None, "right": None,
        "forecasts": [{"title": f"{HOSTILE}: node 1", "units": "MB", "times": times, "lines": lines}],
        "forecast_note": "Issued at midnight.",
        "history": {
            "iteration": range(40),
            "upper": np.linspace(2, 1, 40),
            "gap": np.geomspace(1, 1e-5, 40),
            "planes": np.minimum(np.arange(40) // 5, 4),
        },
        "epsilon": 1e-3,
        "weights": weights,
        "weights_note": "Worth it.",
        "world": np.repeat(np.arange(30), 10),
    }


class Outline(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.cells: list[tuple[str, str]] = []
        self.text = ""
        self._cell: str | None = None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        attributes = dict(attrs)
        self.addresses += [v for k, v in attrs if k in ("src", "href", "xlink:href", "action") and v]
        self._cell = attributes.get("class") or "" if tag == "td" else None

    def handle_data(self, data):
        self.text += data
        if self._cell is not None:
            self.cells.append((self._cell, data))
            self._cell = None


def test_the_page_has_every_part(results):
    page = Outline(render(results))
    for words in (
        "The target is synthetic.",
        "What was run",
        "1 hour ahead",
        "1 to 24 hours ahead",
        "95 of 96 forecast origins.",
        "Forecasts against truth",
        "Issued at midnight.",
        "Constraint gap",
        "Worth it.",
        "planes held",
        "Effective sample size",
        "300 simulated windows of 30 worlds",
    ):
        assert words in page.text
    assert page.tags.count("svg") == 1 + 3 + 2 + 3  # forecasts, iterations, weights, and the legend's lines


def test_hours_between_two_gaps_are_dots_and_gaps_are_nothing(results):
    whole = render(results)
    truth = results["forecasts"][0]["lines"]["truth"]
    truth[10:20], truth[21:23] = np.nan, np.nan
    broken = render(results)
    assert broken.count("<use ") == whole.count("<use ") + 1
    assert "nan" not in broken[broken.index("Forecasts against truth") : broken.index("Re-weighting")].lower()


def test_the_page_fetches_nothing(results):
    html = render(results)
    page = Outline(html)
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert all(address.startswith("#") for address in page.addresses)
    assert "@import" not in html
    assert all(target.startswith("#") for target in re.findall(r"url\(['\"]?([^)]*)", html))


def test_strings_from_files_cannot_become_markup(results):
    html = render(results)
    assert "<script" not in html
    assert HOSTILE in Outline(html).text  # and yet they are printed as they are


def test_the_best_of_each_column_is_marked_also_where_we_lose(results):
    cells = Outline(render(results)).cells
    best = [text for kind, text in cells if "best" in kind]
    assert "1.50" in best and "2.00" not in best[:2]  # down, one step: we win
    assert "5.00" in best and "6.00" not in best  # the other: the ridge wins


def test_small_figures_keep_two_digits(results):
    page = Outline(render(results)).text
    assert "0.012" in page and "0.046" in page


def test_a_task_without_wape_shows_a_dash(results):
    for rows in results["horizons"].values():
        for name in rows:
            rows[name]["tasks"]["down"] = figures(1.0, None)
    assert any(text == "–" for _, text in Outline(render(results)).cells)


def test_the_verdict_says_who_wins_and_by_how_much(results):
    text = verdict(results["horizons"][1])
    assert text == (
        f"{OURS} has the lowest MAE in down (25.0 % below ridge). "
        f"{OURS} loses in {HOSTILE} (ridge is 16.7 % better)."
    )


def test_less_than_a_hundredth_is_a_tie():
    rows = {"ridge": row(100.0, 100.0), OURS: row(99.2, 100.9)}
    assert verdict(rows) == (
        "It is a tie, with less than 1 % between the best two, in down (by 0.8 % ahead of ridge) and "
        f"{HOSTILE} (by 0.9 % behind ridge)."
    )
    assert "tie" in verdict({"ridge": row(0.0, 1.0), OURS: row(0.0, 1.0)})
    assert "lowest" in verdict({"ridge": row(100.0, 100.0), OURS: row(98.9, 98.9)})


def test_colours_follow_the_page(results):
    html = render(results)
    assert "prefers-color-scheme: dark" in html and "@media print" in html
    assert "var(--model)" in html
    assert not re.search(r"#0[1-6]0[1-6]0[1-6]", html)  # every stand-in colour became a variable


def test_effective_sample_size():
    assert effective_sample_size(np.full(7, 0.3)) == pytest.approx(7)
    assert effective_sample_size(np.array([1.0, 0.0, 0.0])) == 1
    assert effective_sample_size(np.zeros(3)) == 0
