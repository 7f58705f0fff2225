"""Docstrings are of one dialect, numpydoc: sections in its order, and every parameter as ``name : type``."""

import ast
import re
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path for package in ("cutplane", "simmst") for path in (ROOT / package).rglob("*.py"))
ORDER = ["Parameters", "Attributes", "Returns", "Yields", "Raises", "Warns", "Notes", "References", "Examples"]
NAMES = re.compile(r"\*{0,2}\w+(, \*{0,2}\w+)*")
LATER = ROOT / "simmst" / "simulator"  # is being moved; its docstrings follow


def sections(text: str) -> dict[str, list[str]]:
    """Lines at the margin under each heading, in order."""
    lines, found, at = text.splitlines(), {}, None
    for line, below in pairwise([*lines, ""]):
        if re.fullmatch("-{3,}", below) and line:
            at = found.setdefault(line, [])
        elif at is not None and line and not line.startswith(" ") and not re.fullmatch("-{3,}", line):
            at.append(line)
    return found


def objections(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            continue
        told = sections(ast.get_docstring(node) or "")
        if unknown := [name for name in told if name not in ORDER]:
            found.append(f"{node.name}: unknown sections {unknown}")
        elif list(told) != sorted(told, key=ORDER.index):
            found.append(f"{node.name}: sections in another order than {ORDER}")
        for heading in ("Parameters", "Attributes"):
            for line in told.get(heading, []):
                names, colon, kind = line.partition(" : ")
                starred = names.startswith("*")  # the rest of the arguments has no type of its own
                if not NAMES.fullmatch(names) or not (starred or (colon and kind.strip())):
                    found.append(f"{node.name}: {line!r} is not `name : type`")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_parameters_have_types_and_sections_stand_in_order(path):
    if LATER in path.parents:
        pytest.skip("the room is being moved")
    assert not objections(path)


def test_the_judge_sees_what_is_wrong(tmp_path):
    body = '"""Do.\n\nReturns\n-------\nint\n\nParameters\n----------\na\n    One.\nb : int\n*rest\n"""'
    (tmp_path / "a.py").write_text(f"def f(a, b, *rest):\n    {body}\n")
    found = objections(tmp_path / "a.py")
    assert len(found) == 2 and "another order" in found[0] and "'a' is not" in found[1]
