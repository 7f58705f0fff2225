"""Pages from the templates beside this file: each is one file that refers to nothing outside."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def page(template: str, **content: Any) -> str:
    """Fill a template in.

    Parameters
    ----------
    template : str
        Name of a file in ``templates/``.
    **content
        What it names; strings are escaped there. Pictures are SVG elements, and go in as they are.

    Returns
    -------
    str
        HTML, in the style of ``report.css``.

    Raises
    ------
    jinja2.UndefinedError
        If the template names something that is not given.
    """
    return _environment().get_template(template).render(content)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals["css"] = files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    return made
