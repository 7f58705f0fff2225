"""The frame of every page: none of it in Python, nothing missing left blank, nothing given becomes markup."""

import ast
import re
from importlib.resources import files
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from simmst.reports.page import page

ROOM = Path(str(files("simmst.reports")))
HOSTILE = "<script>alert('x')</script>"
FIGURE = {"notices": [], "settings": {}, "notes": [], "forecasts": {"seconds": "", "legend": [], "pictures": []}}


@pytest.mark.parametrize("path", sorted(set(ROOM.glob("*.py")) - {ROOM / "svg.py"}), ids=lambda path: path.name)
def test_markup_stands_in_templates_alone(path):
    strings = [
        node.value for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Constant)
    ]
    assert not [text for text in strings if isinstance(text, str) and re.search(r"</?[a-z]\w*[ >/]|&\w+;", text)
                and "<svg> element" not in text]  # fmt: skip


def test_what_a_template_names_must_be_given():
    with pytest.raises(UndefinedError, match="settings"):
        page("figure.html.j2", title="", **{name: one for name, one in FIGURE.items() if name != "settings"})


@pytest.mark.parametrize("where", ["title", "notices", "settings", "notes", "seconds", "legend"])
def test_a_string_cannot_become_markup_wherever_it_stands(where):
    given = {
        "title": {"title": HOSTILE}, "notices": {"notices": [HOSTILE]},
        "settings": {"settings": {HOSTILE: HOSTILE}},
        "notes": {"notes": [HOSTILE]}, "seconds": {"forecasts": {**FIGURE["forecasts"], "seconds": HOSTILE}},
        "legend": {"forecasts": {**FIGURE["forecasts"], "legend": [("<svg/>", HOSTILE)]}},
    }[where]  # fmt: skip
    html = page("figure.html.j2", **({"title": "A figure"} | FIGURE | given))
    assert "<script" not in html and "&lt;script&gt;" in html


def test_pictures_go_in_as_they_are():
    html = page(
        "figure.html.j2", title="", **FIGURE | {"forecasts": {**FIGURE["forecasts"], "pictures": ["<svg/>"]}}
    )
    assert "<figure><svg/></figure>" in html
