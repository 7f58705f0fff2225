"""The frame of every page: one file that refers to nothing outside, in the style of report.css."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files


def page(title: str, parts: Sequence[str]) -> str:
    """
    Wrap parts in a page.

    Parameters
    ----------
    title
        Text; it is escaped here.
    parts
        HTML, one after the other.
    """
    css = files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    head = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{css}</style></head><body><h1>{escape(title)}</h1>"
    )
    return "\n".join([head, *parts, "</body></html>\n"])


def notice(text: str) -> str:
    """Return a line that a reader must see first."""
    return f'<p class="notice">{escape(text)}</p>'


def quiet(text: str) -> str:
    """Return a line for who wants to know more."""
    return f'<p class="quiet">{escape(text)}</p>'


def definitions(facts: Mapping[str, object]) -> str:
    """Return names and what they are."""
    items = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(str(v))}</dd></div>" for k, v in facts.items())
    return f"<dl>{items}</dl>"
