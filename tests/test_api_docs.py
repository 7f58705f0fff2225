"""Documented parameters are the real ones, in everything that the API pages show."""

import enum
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import cutplane

griffe = pytest.importorskip("griffe", reason="needs the extra `docs`")

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "api").glob("*.md"))
MODULES = [name for page in PAGES for name in re.findall(r"^::: ([\w.]+)", page.read_text("utf-8"), re.MULTILINE)]
# Short signatures speak for themselves; what a protocol describes is described there.
SHORT, OF_A_PROTOCOL = {"cutplane": 2, "simmst": 4}, {"restore", "start", "move"}


def public(module) -> Iterator[tuple[str, object]]:
    """Names and objects of a module that the pages show: functions, classes, methods."""
    for name in getattr(module, "__all__", None) or [n for n in vars(module) if not n.startswith("_")]:
        thing = getattr(module, name)
        of_here = module is cutplane or getattr(thing, "__module__", None) == module.__name__
        if not of_here or not (inspect.isclass(thing) or inspect.isfunction(thing)):
            continue
        yield name, thing
        if inspect.isclass(thing):
            for method, function in vars(thing).items():
                if inspect.isfunction(function) and not method.startswith("_"):
                    yield f"{name}.{method}", function


def sections(thing) -> dict[str, list[str]]:
    """Names under "Parameters" and "Attributes" of a docstring; "x, y : array" counts as two."""
    parsed = griffe.Docstring(inspect.getdoc(thing) or "").parse("numpy", warnings=False)
    found: dict[str, list[str]] = {}
    for part in parsed:
        if part.kind.value in ("parameters", "attributes"):
            names = [name.strip().lstrip("*") for entry in part.value for name in entry.name.split(",")]
            found.setdefault(part.kind.value, []).extend(names)
    return found


def objections(name: str, thing, short: int) -> Iterator[str]:
    """What is wrong with a docstring's parameters."""
    if inspect.isclass(thing) and issubclass(thing, (Exception, enum.Enum)):
        return
    try:
        real = [
            p for p in inspect.signature(thing).parameters if p not in ("self", "cls") and not p.startswith("_")
        ]
    except ValueError:
        return
    told = sections(thing)
    if "parameters" in told:
        both = told["parameters"] + told.get("attributes", [])
        yield from (f"{name}: {each} is not documented" for each in real if each not in both)
        yield from (
            f"{name}: {each} is documented and not there" for each in told["parameters"] if each not in real
        )
    elif len(real) > short and "attributes" not in told and name.rpartition(".")[2] not in OF_A_PROTOCOL:
        yield f"{name}: {', '.join(real)} are not documented"


@pytest.mark.parametrize("module", MODULES)
def test_documented_parameters_are_the_real_ones(module):
    short = SHORT[module.partition(".")[0]]
    things = public(importlib.import_module(module))
    found = [text for name, thing in things for text in objections(name, thing, short)]
    assert not found, "\n".join(found)
